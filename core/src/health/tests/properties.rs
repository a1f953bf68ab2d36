//! What holds whatever happens.

use proptest::{collection::vec, prelude::*};

use super::*;

/// Something that happens to a pool.
#[derive(Debug, Clone)]
enum Event {
    Fail(usize, u32),
    Succeed(usize),
    Serve(usize, u64, u64),
    Answer(usize, u64, u64),
    Probe(usize, bool),
    Order(usize, bool, bool),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let backend = || 0..8_usize;
    prop_oneof![
        (backend(), 1..12_u32).prop_map(|(backend, count)| Event::Fail(backend, count)),
        backend().prop_map(Event::Succeed),
        (backend(), 0..400_u64, 0..400_u64).prop_map(|(b, good, bad)| Event::Serve(b, good, bad)),
        (backend(), 0..400_u64, 1..5_000_u64).prop_map(|(b, count, millis)| Event::Answer(b, count, millis)),
        (backend(), any::<bool>()).prop_map(|(backend, ok)| Event::Probe(backend, ok)),
        (backend(), any::<bool>(), any::<bool>()).prop_map(|(b, drain, off)| Event::Order(b, drain, off)),
        (0..40_000_u64).prop_map(Event::Pass),
    ]
}

fn rules() -> impl Strategy<Value = EjectionRules> {
    (1..8_u32, 0..=100_u8, 1..20_u64, any::<bool>()).prop_map(|(consecutive, share, base, latency)| {
        EjectionRules {
            consecutive: Some(consecutive),
            max_share: Share::percent(share).unwrap(),
            base: seconds(base),
            max: seconds(base * 5),
            latency: latency.then(LatencyRule::default),
            ..EjectionRules::default()
        }
    })
}

fn happen(bench: &mut Bench, event: &Event) -> Vec<Ruling> {
    let count = bench.backends.len();
    match *event {
        Event::Fail(backend, failures) => bench.fail(backend % count, failures),
        Event::Succeed(backend) => bench.succeed(backend % count),
        Event::Serve(backend, good, errors) => bench.serve(backend % count, (good, errors)),
        Event::Answer(backend, answers, millis) => {
            bench.answer(backend % count, answers, Duration::from_millis(millis));
        }
        Event::Probe(backend, ok) => {
            bench.backends[backend % count].health.observe(ok, T);
        }
        Event::Order(backend, drain, maintenance) => {
            let admin = Admin::configured(drain, maintenance);
            bench.backends[backend % count].health.set_admin(admin, true);
        }
        Event::Pass(millis) => return bench.pass(Duration::from_millis(millis)),
    }
    bench.judge()
}

fn bench(backends: usize, rules: EjectionRules) -> Bench {
    let mut bench = Bench::with(backends, rules);
    for backend in &mut bench.backends {
        backend.health = Health::at_start();
    }
    bench
}

proptest! {
    #[test]
    fn never_more_than_the_share_is_out_and_never_the_last_one(
        backends in 1..8_usize, rules in rules(), events in vec(event(), 1..120)
    ) {
        let share = rules.max_share.as_fraction();
        let mut bench = bench(backends, rules);
        for event in &events {
            happen(&mut bench, event);
            let could: usize = bench
                .backends
                .iter()
                .filter(|b| b.health.may_be_tried() && b.health.probed() == HealthStatus::Up)
                .count();
            let out = bench.out().len();
            let most = ((could as f64 * share) as usize).max(usize::from(share > 0.0));
            prop_assert!(out <= most, "{out} of {could} are out");
            prop_assert!(could == 0 || out < could, "the last one is out");
        }
    }

    #[test]
    fn each_ejection_is_a_step_longer_than_the_last_unless_it_was_forgiven_or_is_the_longest(
        backends in 2..8_usize, rules in rules(), events in vec(event(), 1..120)
    ) {
        let (base, max) = (rules.base, rules.max);
        let mut bench = bench(backends, rules);
        for event in &events {
            let before: Vec<u32> = bench.backends.iter().map(|b| b.health.ejection().count()).collect();
            for ruling in happen(&mut bench, event) {
                if let Ruling::Ejected { id, length, count, .. } = ruling {
                    prop_assert_eq!(length, (base * count).min(max));
                    prop_assert!(count <= before[id as usize] + 1, "one step at a time");
                    let backend = &bench.backends[id as usize].health;
                    prop_assert_eq!(backend.status(), HealthStatus::Ejected);
                }
            }
        }
    }

    #[test]
    fn one_that_fails_again_before_it_is_forgiven_is_out_for_longer_until_the_longest(
        rules in rules(), pauses in vec(0..100_u64, 2..30)
    ) {
        prop_assume!(rules.max_share.as_fraction() > 0.0);
        let max = rules.max;
        let mut bench = bench(3, rules);
        let mut last = Duration::ZERO;
        for percent in pauses {
            bench.fail(0, 20);
            let rulings = bench.judge();
            let [Ruling::Ejected { length, .. }] = rulings[..] else {
                panic!("{rulings:?}");
            };
            prop_assert!(length > last || length == max, "{length:?} after {last:?}");
            last = length;
            bench.pass(length);
            bench.pass(length * percent as u32 / 101);
        }
    }

    #[test]
    fn the_same_events_give_the_same_rulings(
        backends in 1..8_usize, rules in rules(), events in vec(event(), 1..60)
    ) {
        let run = || {
            let mut bench = bench(backends, rules.clone());
            let rulings: Vec<_> = events.iter().flat_map(|event| happen(&mut bench, event)).collect();
            format!("{rulings:?}")
        };
        let one = run();
        prop_assert_eq!(one, run());
    }

    #[test]
    fn nobody_is_ejected_without_an_error_or_a_slow_answer(
        backends in 1..8_usize, rules in rules(), events in vec(event(), 1..120)
    ) {
        let rules = EjectionRules { latency: None, ..rules };
        let mut bench = bench(backends, rules);
        for event in &events {
            let harmless = match event {
                Event::Fail(backend, _) => Event::Succeed(*backend),
                Event::Serve(backend, good, _) => Event::Serve(*backend, *good, 0),
                other => other.clone(),
            };
            happen(&mut bench, &harmless);
            prop_assert_eq!(bench.out(), Vec::<usize>::new());
        }
    }

    /// Backends that all fail equally often, and whose answers take equally long, as far as chance allows.
    #[test]
    fn chance_ejects_nobody(
        seed in any::<u64>(), backends in 2..12_usize, volume in 20..600_u64, failing in 0..40_u64, spread in 0..8_u32
    ) {
        let rules = EjectionRules {
            consecutive: None,
            latency: Some(LatencyRule::default()),
            ..EjectionRules::default()
        };
        let mut bench = bench(backends, rules);
        let mut state = seed;
        let mut random = move || {
            // splitmix64
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        bench.judge();
        for _ in 0..5 {
            for backend in 0..backends {
                for _ in 0..volume {
                    let failed = random() % 100 < failing;
                    bench.serve(backend, (u64::from(!failed), u64::from(failed)));
                    // From 1 ms to 1 ms times 4 to the power of `spread`, all orders of magnitude alike.
                    let octaves = random() % u64::from(2 * spread + 1);
                    bench.answer(backend, 1, Duration::from_millis(1 << octaves));
                }
            }
            let rulings = bench.pass(seconds(10));
            prop_assert!(rulings.is_empty(), "{rulings:?}");
        }
    }
}

//! Who of a pool is ejected, and who is spared.

use super::*;

#[test]
fn at_most_half_of_the_pool_is_out_the_worst_first_and_never_the_last_one() {
    for (backends, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (10, 5)] {
        let mut bench = Bench::new(backends);
        for backend in 0..backends {
            bench.fail(backend, 5 + backend as u32);
        }
        let rulings = bench.judge();
        let worst: Vec<usize> = (backends - most..backends).collect();
        assert_eq!(bench.out(), worst, "of {backends}");
        let spared = rulings
            .iter()
            .filter(|ruling| matches!(ruling, Ruling::Spared { .. }));
        assert_eq!(spared.count(), 1, "and it is said, of the worst");
        assert_eq!(bench.judge(), [], "once");
    }
}

#[test]
fn a_pool_with_no_room_says_so_once_in_a_while_however_often_somebody_deserves_it() {
    let mut bench = Bench::new(1);
    let mut said = Vec::new();
    for tenth in 0..205 {
        bench.succeed(0);
        bench.fail(0, 5);
        let rulings = bench.pass(Duration::from_millis(100));
        said.extend(rulings.iter().map(|_| tenth));
        assert!(bench.out().is_empty());
    }
    assert_eq!(said, [0, 100, 200]);
}

#[test]
fn a_small_share_is_one_backend_and_no_share_is_none() {
    for (percent, most) in [(0, 0), (1, 1), (10, 1), (40, 2), (100, 4)] {
        let max_share = Share::percent(percent).unwrap();
        let mut bench = Bench::with(
            5,
            EjectionRules {
                max_share,
                ..EjectionRules::default()
            },
        );
        (0..5).for_each(|backend| bench.fail(backend, 5));
        bench.judge();
        assert_eq!(bench.out().len(), most, "{percent}%");
    }
}

#[test]
fn one_that_was_spared_goes_when_there_is_room_if_it_still_fails() {
    let mut bench = Bench::new(3);
    bench.fail(0, 6);
    bench.fail(1, 5);
    bench.judge();
    assert_eq!(bench.out(), [0]);
    bench.pass(seconds(10));
    assert_eq!(bench.out(), [1]);
    let mut bench = Bench::new(3);
    bench.fail(0, 6);
    bench.fail(1, 5);
    bench.judge();
    bench.succeed(1);
    bench.pass(seconds(10));
    assert!(bench.out().is_empty());
}

#[test]
fn the_share_is_one_of_those_that_could_serve_and_who_is_out_comes_back_when_others_go_down() {
    let mut bench = Bench::new(5);
    for backend in &mut bench.backends {
        backend.health = Health::at_start();
        backend.health.observe(true, T);
    }
    bench.fail(0, 6);
    bench.judge();
    bench.now += seconds(1);
    bench.fail(1, 5);
    bench.judge();
    assert_eq!(bench.out(), [0, 1]);
    for down in [2, 3] {
        go_down(&mut bench.backends[down].health);
    }
    assert_eq!(
        returns(&bench.judge()),
        [(0, Return::Needed)],
        "of three that are up one may be out; who has the least time left comes back"
    );
    go_down(&mut bench.backends[4].health);
    go_down(&mut bench.backends[0].health);
    assert_eq!(returns(&bench.judge()), [(1, Return::Needed)], "the last one");
}

#[test]
fn whom_a_person_has_taken_out_is_neither_judged_nor_counted() {
    let mut bench = Bench::new(4);
    bench.backends[2].health.set_admin(Admin::Maintenance, false);
    bench.backends[3]
        .health
        .set_admin(Admin::configured(true, false), false);
    (0..4).for_each(|backend| bench.fail(backend, 5 + backend as u32));
    bench.judge();
    assert_eq!(bench.out(), [1], "one of two");
}

#[test]
fn without_rules_everybody_comes_back() {
    let mut bench = Bench::new(2);
    bench.fail(0, 5);
    bench.judge();
    let mut subjects: Vec<Subject<'_>> = bench
        .backends
        .iter_mut()
        .map(|backend| Subject {
            id: 0,
            health: &mut backend.health,
            era: 0,
            in_a_row: 9,
            reached: Some(5),
            traffic: Traffic::default(),
        })
        .collect();
    let off = Standards {
        rules: None,
        spread: Spread::Everywhere,
    };
    let rulings = bench.judge.judge(off, &mut subjects, bench.now);
    assert_eq!(returns(&rulings), [(0, Return::RulesOff)]);
}

fn rates(bench: &mut Bench, rates: &[(u64, u64)]) -> Vec<Ruling> {
    bench.judge();
    for (backend, counts) in rates.iter().enumerate() {
        bench.serve(backend, *counts);
    }
    bench.pass(seconds(10))
}

#[test]
fn a_success_rate_from_before_a_backend_came_back_says_nothing() {
    let mut bench = Bench::new(5);
    bench.judge();
    (0..5).for_each(|backend| bench.serve(backend, (100, if backend == 3 { 70 } else { 0 })));
    bench.backends[3].era += 1;
    assert_eq!(bench.pass(seconds(10)), []);
    (0..5).for_each(|backend| bench.serve(backend, (100, if backend == 3 { 70 } else { 0 })));
    assert_eq!(bench.pass(seconds(10)).len(), 1, "in the next interval it does");
}

#[test]
fn a_success_rate_far_below_the_others_is_an_ejection() {
    let rulings = rates(
        &mut Bench::new(5),
        &[(100, 0), (100, 0), (100, 0), (70, 30), (100, 0)],
    );
    let why = Why::SuccessRate {
        permille: 700,
        usual_permille: 1000,
    };
    let (length, count) = (seconds(10), 1);
    let expected = Ruling::Ejected {
        id: 3,
        why,
        length,
        count,
    };
    assert_eq!(rulings, [expected]);
    assert_eq!(why.to_string(), "success rate 70%, pool 100%");
}

#[test]
fn chance_and_small_gaps_and_a_bad_pool_are_no_reason() {
    for (case, counts) in [
        (
            "one error of a hundred",
            [(100, 0), (100, 0), (100, 0), (99, 1), (100, 0)],
        ),
        (
            "a gap of 2 %",
            [(9999, 1), (10000, 0), (10000, 0), (9800, 200), (10000, 0)],
        ),
        (
            "the worst of a bad lot",
            [(80, 20), (81, 19), (79, 21), (70, 30), (82, 18)],
        ),
        ("too few requests", [(99, 0), (99, 0), (99, 0), (0, 19), (99, 0)]),
        ("all fail", [(0, 100), (0, 100), (0, 100), (0, 100), (0, 100)]),
        (
            "what may be chance with so few",
            [(20, 0), (20, 0), (20, 0), (14, 6), (20, 0)],
        ),
    ] {
        assert_eq!(rates(&mut Bench::new(5), &counts), [], "{case}");
    }
}

fn ejected(rulings: &[Ruling]) -> Vec<u64> {
    let mut all: Vec<u64> = lengths(rulings).iter().map(|(id, _)| *id).collect();
    all.sort_unstable();
    all
}

/// Good and failed requests of each backend, and who is ejected for that.
type Case<'a> = (&'a [(u64, u64)], &'a [u64]);

#[test]
fn one_rule_finds_the_bad_ones_in_pools_of_every_size() {
    let pools: [Case<'_>; 7] = [
        (&[(100, 0), (0, 100)], &[1]),
        (&[(20, 0), (0, 20)], &[1]),
        (&[(100, 0), (100, 0), (50, 50)], &[2]),
        (&[(100, 0), (0, 100), (100, 0), (0, 100)], &[1, 3]),
        (&[(0, 100), (0, 100), (100, 0), (100, 0), (100, 0)], &[0, 1]),
        // Nothing else to compare with.
        (&[(0, 100)], &[]),
        // Where most fail, it is the requests.
        (&[(0, 100), (0, 100), (100, 0)], &[]),
    ];
    for (counts, expected) in pools {
        let rulings = rates(&mut Bench::new(counts.len()), counts);
        assert_eq!(ejected(&rulings), expected, "{counts:?}");
    }
}

#[test]
fn one_that_fails_everything_is_out_before_the_interval_is_over() {
    let mut bench = Bench::new(2);
    bench.judge();
    let mut tenths = 0;
    while bench.out().is_empty() {
        tenths += 1;
        assert!(tenths < 100);
        bench.serve(0, (10, 0));
        bench.serve(1, (0, 10));
        bench.pass(Duration::from_millis(100));
    }
    assert_eq!(tenths, 10, "at the first look, with a hundred requests each");
}

#[test]
fn a_client_that_is_tied_to_one_backend_has_one_ejected_and_no_more() {
    let mut bench = Bench::new(4);
    bench.spread = Spread::ByClient;
    bench.judge();
    // Its requests go to the first one that is up.
    for _ in 0..8 {
        let out = bench.out();
        let its = (0..4).find(|backend| !out.contains(backend)).unwrap();
        (0..4).for_each(|backend| bench.serve(backend, (50, if backend == its { 200 } else { 0 })));
        bench.pass(seconds(1));
        assert_eq!(bench.out(), [0]);
    }
    bench.fail(2, 5);
    bench.judge();
    assert_eq!(bench.out(), [0, 2], "a row of failures is no client's doing");
}

#[test]
fn requests_that_fail_wherever_they_go_eject_nobody() {
    for backends in [2, 4, 10] {
        let mut bench = Bench::new(backends);
        bench.judge();
        for _ in 0..100 {
            (0..backends).for_each(|backend| bench.serve(backend, (30, 70)));
            assert_eq!(bench.pass(seconds(1)), [], "{backends} backends");
        }
    }
}

#[test]
fn what_was_before_the_interval_or_before_the_return_does_not_count() {
    let mut bench = Bench::new(5);
    bench.serve(3, (0, 1000));
    assert_eq!(rates(&mut bench, &[(100, 0); 5]), []);
    // Ejected in the middle of an interval for failures in a row, and back before its end.
    bench.rules.base = seconds(1);
    bench.fail(3, 200);
    bench.judge();
    assert_eq!(bench.out(), [3]);
    bench.pass(seconds(1));
    (0..5).for_each(|backend| bench.serve(backend, (100, 0)));
    assert_eq!(bench.pass(seconds(9)), []);
}

fn latency_rules() -> EjectionRules {
    EjectionRules {
        latency: Some(LatencyRule::default()),
        ..EjectionRules::default()
    }
}

fn times(millis: &[u64]) -> Vec<Ruling> {
    let mut bench = Bench::with(millis.len(), latency_rules());
    bench.judge();
    for (backend, &time) in millis.iter().enumerate() {
        bench.answer(backend, 100, Duration::from_millis(time));
    }
    bench.pass(seconds(10))
}

#[test]
fn one_that_is_far_slower_than_the_others_is_an_ejection() {
    let rulings = times(&[40, 40, 40, 400]);
    let [Ruling::Ejected { id: 3, why, .. }] = rulings[..] else {
        panic!("{rulings:?}");
    };
    assert_eq!(
        why.to_string(),
        "typical latency 397ms, pool 39ms",
        "to a hundredth"
    );
}

#[test]
fn what_is_slow_by_little_or_too_quick_to_matter_stays() {
    assert_eq!(times(&[40, 40, 40, 190]), [], "less than five times");
    assert_eq!(times(&[1, 1, 1, 90]), [], "nobody notices");
    assert_eq!(times(&[40, 400]), [], "of two, none is unlike the others");
    let mut bench = Bench::with(4, latency_rules());
    bench.judge();
    for backend in 0..4 {
        bench.answer(backend, 99, Duration::from_millis(1));
    }
    bench.answer(3, 10, seconds(60));
    assert_eq!(bench.pass(seconds(10)), [], "a few very slow ones of many");
}

#[test]
fn latency_is_only_judged_if_it_is_asked_for() {
    let mut bench = Bench::new(4);
    bench.judge();
    (0..3).for_each(|backend| bench.answer(backend, 100, Duration::from_millis(1)));
    bench.answer(3, 100, seconds(10));
    assert_eq!(bench.pass(seconds(10)), []);
}

#[test]
fn a_factor_and_a_time_survive_being_stored() {
    assert_eq!(Factor::new(0.0), None);
    assert_eq!(Factor::new(f64::NAN), None);
    for micros in [1, 3, 63, 64, 100, 999, 12_345, 10_000_000, 1 << 50] {
        let mut bench = Bench::with(3, latency_rules());
        bench.rules.latency.as_mut().unwrap().floor = Duration::ZERO;
        bench.judge();
        let time = Duration::from_micros(micros);
        bench.answer(0, 100, time / 100);
        bench.answer(1, 100, time / 100);
        bench.answer(2, 100, time);
        let rulings = bench.pass(seconds(10));
        if let [
            Ruling::Ejected {
                why: Why::Latency { typical, .. },
                ..
            },
        ] = rulings[..]
        {
            let ratio = typical.as_secs_f64() / time.as_secs_f64();
            assert!((0.98..=1.0).contains(&ratio), "{micros}: {ratio}");
        } else {
            assert!(micros < 10, "{micros}: {rulings:?}");
        }
    }
}

#[test]
fn both_rules_can_be_turned_off() {
    let rules = EjectionRules {
        consecutive: None,
        success_rate: None,
        ..EjectionRules::default()
    };
    let mut bench = Bench::with(5, rules);
    assert!(!bench.judge.wants_traffic(&bench.rules, bench.start));
    bench.fail(0, 1000);
    assert_eq!(
        rates(&mut bench, &[(0, 100), (100, 0), (100, 0), (100, 0), (100, 0)]),
        []
    );
}

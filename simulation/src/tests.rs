//! Whole runs. The seed stands in every failure, because the scenario does.
#![allow(clippy::disallowed_methods)]

mod capacity;

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use lb_core::{
    config::{self, PoolConfig, Share, StrategyConfig},
    status::HealthStatus,
};

const SECOND: Duration = Duration::from_secs(1);

fn pool(settings: &str) -> PoolConfig {
    let text = format!("port: 0\n{settings}\n");
    let mut config = config::load(&text, "config.yaml", &|_| None).unwrap_or_else(|error| panic!("{error}"));
    config
        .pools
        .remove("default")
        .unwrap_or_else(|| panic!("no pool"))
}

/// So many equal backends, b1, b2, …
fn equal(count: usize) -> PoolConfig {
    let urls: Vec<String> = (1..=count)
        .map(|number| format!("\"http://b{number}\""))
        .collect();
    pool(&format!("backends: [{}]", urls.join(", ")))
}

/// That load, as a share of what the pool manages, for a time, with service times of 10 ms on average.
fn scenario(pool: PoolConfig, slots: u32, (load, duration): (f64, Duration)) -> Scenario {
    let mut scenario = Scenario {
        name: "default".into(),
        backends: Scenario::healthy(&pool, slots),
        pool,
        service: ServiceTime {
            shape: Shape::Exponential,
            ..ServiceTime::default()
        },
        load: Load {
            rate: 1.0,
            curve: Vec::new(),
        },
        duration,
        unsafe_share: 0.0,
        clients: 1000,
        seed: 1,
    };
    scenario.load.rate = load * scenario.capacity();
    scenario
}

fn round_robin(scenario: &Scenario) -> Report {
    run(scenario, &StrategyConfig::RoundRobin, Instant::now())
}

fn between(from: u32, until: u32) -> Span {
    Span {
        from: SECOND * from,
        until: Some(SECOND * until),
    }
}

#[track_caller]
fn assert_near(value: f64, expected: f64, tolerance: f64) {
    assert!(
        (value / expected - 1.0).abs() < tolerance,
        "{value} instead of {expected}"
    );
}

#[test]
fn one_server_answers_as_slowly_as_queueing_theory_says() {
    // M/M/1: the mean time in the system is 1 / (service rate - arrival rate).
    for load in [0.3, 0.6, 0.8] {
        let report = round_robin(&scenario(equal(1), 1, (load, SECOND * 3000)));
        assert_near(report.latency.mean_micros, 10_000.0 / (1.0 - load), 0.04);
        // And it is exponential, so 99 of 100 take no longer than ln(100) times that.
        assert_near(
            report.latency.p99_micros as f64,
            10_000.0 / (1.0 - load) * 100f64.ln(),
            0.1,
        );
        assert_near(report.backends[0].utilisation, load, 0.02);
    }
}

#[test]
fn several_slots_wait_as_erlang_says() {
    // M/M/4 at 75 %: Erlang C gives a chance of 0.5094 to wait, and a mean of 10 ms + 0.5094 * 10 ms / (4 - 3).
    let report = round_robin(&scenario(equal(1), 4, (0.75, SECOND * 1000)));
    assert_near(report.latency.mean_micros, 10_000.0 + 5_094.0, 0.03);
}

#[test]
fn the_same_seed_gives_the_same_run_whatever_the_clock_shows() {
    let mut scenario = scenario(equal(3), 2, (0.7, SECOND * 20));
    scenario.backends[1].failing = vec![(Span::ALWAYS, 0.2)];
    scenario.backends[2].dead = vec![between(5, 10)];
    let first = round_robin(&scenario);
    let again = run(
        &scenario,
        &StrategyConfig::RoundRobin,
        Instant::now() + SECOND * 1000,
    );
    assert_eq!(first, again);
    scenario.seed = 2;
    assert_ne!(first, round_robin(&scenario));
}

#[test]
fn weights_give_slots_and_shares() {
    let pool = pool("backends: [{url: \"http://a\", weight: 2}, {url: \"http://b\", weight: 6}]");
    let scenario = scenario(pool, 4, (0.5, SECOND * 20));
    let slots: Vec<u32> = scenario.backends.iter().map(|backend| backend.slots).collect();
    assert_eq!(slots, [4, 12]);
    let report = round_robin(&scenario);
    assert_near(report.backends[0].share, 0.25, 0.001);
    assert_near(
        report.backends[0].utilisation,
        report.backends[1].utilisation,
        0.1,
    );
}

#[test]
fn a_backend_that_dies_costs_no_client_an_error_and_returns_with_its_probes() {
    let mut scenario = scenario(equal(4), 8, (0.4, SECOND * 60));
    scenario.backends[1].dead = vec![between(20, 40)];
    let report = round_robin(&scenario);
    assert_eq!(report.errors.all(), 0, "{:?}", report.errors);
    assert!(report.retries > 0);
    let at = |wanted: fn(&Happening) -> bool| {
        let found = report
            .events
            .iter()
            .find(|event| event.backend == 1 && wanted(&event.what));
        found.map_or(0.0, |event| event.at_seconds)
    };
    // Five refusals in a row come within milliseconds.
    let ejected = at(|what| matches!(what, Happening::Ejected { .. }));
    assert!((20.0..20.1).contains(&ejected), "ejected at {ejected}");
    // Three probes that fail, the later ones a second apart; two that pass.
    let down = at(|what| {
        matches!(
            what,
            Happening::Health {
                to: HealthStatus::Down
            }
        )
    });
    assert!((20.0..29.0).contains(&down), "down at {down}");
    let up = at(|what| matches!(what, Happening::Health { to: HealthStatus::Up }));
    assert!((40.0..48.0).contains(&up), "up at {up}");
}

#[test]
fn what_must_not_be_sent_twice_is_lost_with_its_backend() {
    let mut scenario = scenario(equal(2), 8, (0.4, SECOND * 10));
    scenario.unsafe_share = 1.0;
    scenario.backends[1].dead = vec![between(5, 10)];
    let report = round_robin(&scenario);
    assert!(
        report.errors.broken > 0 && report.errors.all() == report.errors.broken,
        "{:?}",
        report.errors
    );
}

#[test]
fn the_retry_budget_bounds_what_a_failing_backend_costs() {
    let failing = |settings: &str| {
        let pool = pool(&format!("backends: [\"http://a\", \"http://b\"]\n{settings}"));
        let mut scenario = scenario(pool, 8, (0.4, SECOND * 20));
        scenario.pool.ejection = None;
        scenario.backends[1].failing = vec![(Span::ALWAYS, 1.0)];
        round_robin(&scenario)
    };
    let passed_on = failing("");
    assert_near(
        passed_on.errors.failed as f64,
        passed_on.requests as f64 / 2.0,
        0.05,
    );
    let retried = failing("retries: {statuses: [503], budget: 20%, min_per_second: 0}");
    assert!(retried.errors.failed < passed_on.errors.failed);
    // Of requests: retries earn no retries.
    assert_near(retried.retries as f64, retried.requests as f64 * 0.2, 0.01);
}

#[test]
fn a_frozen_backend_costs_time_outs_until_its_probes_take_it_out() {
    let pool = pool("backends: [\"http://a\", \"http://b\"]\ntimeouts: {response_idle: 2s}\nretries: 0");
    let mut scenario = scenario(pool, 8, (0.3, SECOND * 60));
    scenario.backends[1].frozen = vec![between(20, 60)];
    let report = round_robin(&scenario);
    assert!(
        report.errors.timed_out > 0 && report.errors.broken == 0,
        "{:?}",
        report.errors
    );
    let down = report.events.first().map_or(0.0, |event| event.at_seconds);
    assert!((20.0..40.0).contains(&down), "down at {down}");
    let late = report
        .timeline
        .iter()
        .filter(|point| point.at_seconds > down + 3.0);
    assert_eq!(late.map(|point| point.errors).sum::<u64>(), 0);
}

#[test]
fn an_overload_fills_queues_and_ends_in_refusals() {
    let mut scenario = scenario(equal(2), 2, (2.0, SECOND * 30));
    scenario
        .backends
        .iter_mut()
        .for_each(|backend| backend.queue = 50);
    let report = round_robin(&scenario);
    assert_near(report.errors.refused as f64, report.requests as f64 / 2.0, 0.1);
    assert!(report.backends.iter().all(|backend| backend.utilisation > 0.97));
    // 50 wait for 2 slots of 10 ms each.
    assert!(report.latency.p50_micros < 400_000, "{:?}", report.latency);
}

/// The strategy of that name.
fn named(name: &str) -> StrategyConfig {
    pool(&format!("strategy: {name}\nbackends: [\"http://a\"]")).strategy
}

#[test]
fn with_one_of_ten_backends_ten_times_slower_intelligent_has_a_third_of_round_robins_p99_at_most() {
    // From a pool that has hardly anything to do to one where the slow backend drowns in its share.
    for load in [0.02, 0.2, 0.6] {
        for seed in 1..=5 {
            let mut scenario = scenario(equal(10), 4, (load, Duration::from_secs_f64(2.0 / load)));
            scenario.service = ServiceTime::default();
            scenario.backends[1].slow = vec![(Span::ALWAYS, 10.0)];
            scenario.seed = seed;
            let p99 = |name| run(&scenario, &named(name), Instant::now()).latency.p99_micros;
            let (intelligent, round_robin) = (p99("intelligent"), p99("round-robin"));
            assert!(
                intelligent * 3 <= round_robin,
                "seed {seed}, load {load}: {intelligent} us against {round_robin} us"
            );
        }
    }
}

#[test]
fn a_flapping_backend_is_ejected_for_longer_each_time() {
    for probed in [true, false] {
        for seed in 1..=5 {
            let mut scenario = scenario(equal(5), 1, (0.3, SECOND * 300));
            scenario.pool.backends[2].probed = probed;
            scenario.backends[2].flap = Some(Flap {
                up: SECOND * 3,
                down: SECOND * 3,
                span: Span::ALWAYS,
            });
            scenario.seed = seed;
            let report = round_robin(&scenario);
            let length = |event: &Event| match event.what {
                Happening::Ejected { seconds, .. } => Some(seconds),
                _ => None,
            };
            let lengths: Vec<f64> = report.events.iter().filter_map(length).collect();
            let longer = lengths.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(
                lengths.len() >= 4 && longer,
                "seed {seed}, probed {probed}: {lengths:?} s"
            );
            assert!(
                report.events.iter().all(|event| event.backend == 2),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn never_more_than_the_set_share_is_ejected() {
    for (percent, most) in [(10, 1), (30, 3), (50, 5), (100, 9)] {
        for seed in 1..=5 {
            let mut scenario = scenario(equal(10), 1, (0.3, SECOND * 60));
            let rules = scenario.pool.ejection.as_mut();
            rules.unwrap_or_else(|| panic!("on by default")).max_share =
                Share::percent(percent).unwrap_or_default();
            for backend in &mut scenario.backends {
                backend.dead = vec![between(5, 40)];
            }
            // Only requests judge.
            for backend in &mut scenario.pool.backends {
                backend.probed = false;
            }
            scenario.seed = seed;
            let report = round_robin(&scenario);
            let (mut out, mut highest) = (0i32, 0);
            for event in &report.events {
                match event.what {
                    Happening::Ejected { .. } => out += 1,
                    Happening::Returned { .. } => out -= 1,
                    _ => {}
                }
                highest = highest.max(out);
            }
            assert_eq!(highest, most, "seed {seed}: out at once, of 10, with {percent}%");
            let spared = |event: &Event| matches!(event.what, Happening::Spared { .. });
            assert!(report.events.iter().any(spared), "seed {seed}, {percent}%");
        }
    }
}

#[test]
fn where_every_backend_is_full_requests_wait_in_the_pools_queue_and_in_its_order() {
    let limited = |settings: &str| {
        let pool = pool(&format!(
            "backends: [{{url: \"http://a\", max_connections: 1}}, {{url: \"http://b\", max_connections: 3}}]\n{settings}"
        ));
        let mut scenario = scenario(pool, 1, (1.0, SECOND * 200));
        // Both work on as many as they may have: together they are one server with a queue of its own.
        scenario.backends[0].slots = 1;
        scenario.backends[1].slots = 3;
        scenario.load.rate = 300.0;
        scenario
    };
    for name in ["round-robin", "least-connections", "first"] {
        let report = run(
            &limited("queue: {size: 100000, timeout: 60s}"),
            &named(name),
            Instant::now(),
        );
        // M/M/4 at 75 %, by Erlang's formula C, whoever chooses: nobody is idle while somebody waits.
        assert_near(report.latency.mean_micros, 10_000.0 + 5_094.0, 0.05);
        assert_eq!(report.errors.all(), 0, "{name}");
    }
    let mut refusing = limited("queue: {size: 0}");
    let report = round_robin(&refusing);
    // M/M/4/4: Erlang's formula B for 3 Erlangs at 4 servers.
    assert_near(report.error_share(), 0.2061, 0.05);
    refusing.pool.queue.size = 100_000;
    refusing.pool.queue.timeout = Duration::from_millis(1);
    let impatient = round_robin(&refusing);
    assert!(impatient.errors.refused > 0 && impatient.errors.all() < report.errors.all());
}

/// The share of a backend's attempts of all between these seconds.
fn share_of(report: &Report, backend: usize, from: f64, until: f64) -> f64 {
    let parts = report.timeline.iter();
    let parts = parts.filter(|point| (from..until).contains(&point.at_seconds));
    let (mut here, mut all) = (0, 0);
    parts.for_each(|point| {
        here += point.attempts[backend];
        all += point.attempts.iter().sum::<u64>();
    });
    here as f64 / all.max(1) as f64
}

#[test]
fn a_backend_that_fails_everything_at_once_is_ejected_in_pools_of_every_size_under_every_strategy() {
    for backends in [2, 3, 4, 10] {
        // `first` without limits sends all to the first, which is another trouble.
        let strategies = StrategyConfig::every().into_iter();
        for strategy in strategies.filter(|strategy| *strategy != StrategyConfig::First) {
            let mut scenario = scenario(equal(backends), 20, (0.2, SECOND * 40));
            scenario.backends[1].failing = vec![(between(20, 40), 1.0)];
            let report = run(&scenario, &strategy, Instant::now());
            let ejected = report
                .events
                .iter()
                .find(|event| matches!(event.what, Happening::Ejected { .. }));
            // least-time sends it hardly anything once it has failed: too few to compare, and no loss.
            if ejected.is_none() {
                let share = share_of(&report, 1, 21.0, 40.0);
                assert!(
                    share < 0.02,
                    "{strategy}, {backends} backends: {share} goes where it fails"
                );
                continue;
            }
            let (at, who) = ejected.map_or((0.0, 0), |event| (event.at_seconds, event.backend));
            assert!(
                who == 1 && (20.0..23.5).contains(&at),
                "{strategy}, {backends} backends: {who} at {at}"
            );
        }
    }
}

#[test]
fn a_backend_that_fails_at_once_is_no_black_hole_where_nobody_is_ejected() {
    for name in ["least-connections", "power-of-two", "least-time"] {
        let mut scenario = scenario(equal(2), 20, (0.4, SECOND * 40));
        scenario.pool.ejection = None;
        scenario.backends[1].failing = vec![(between(20, 40), 1.0)];
        let report = run(&scenario, &named(name), Instant::now());
        let share = share_of(&report, 1, 21.0, 40.0);
        assert!(share < 0.6, "{name}: {share} of all requests go where they fail");
    }
}

#[test]
fn requests_that_fail_wherever_they_go_eject_nobody() {
    for strategy in StrategyConfig::every() {
        // So little that one backend can carry it: `first` gives one all.
        let mut scenario = scenario(equal(4), 20, (0.1, SECOND * 60));
        for backend in &mut scenario.backends {
            backend.failing = vec![(between(10, 50), 0.4)];
        }
        let report = run(&scenario, &strategy, Instant::now());
        assert!(report.events.is_empty(), "{strategy}: {:?}", report.events);
    }
}

/// The largest share that one backend of ten has of a pool's attempts, in each part of the timeline between these seconds.
fn largest_share(report: &Report, from: f64, until: f64) -> f64 {
    let parts = report.timeline.iter();
    let parts = parts.filter(|point| (from..until).contains(&point.at_seconds));
    let shares = parts.map(|point| {
        let all: u64 = point.attempts.iter().sum();
        let most = point.attempts.iter().max().copied().unwrap_or(0);
        most as f64 / all.max(1) as f64
    });
    shares.fold(0.0, f64::max)
}

#[test]
fn after_an_outage_of_all_no_backend_gets_more_than_its_share_for_as_long_as_slow_start() {
    for (name, most) in [("round-robin", 0.15), ("least-connections", 0.25), ("hash", 0.25)] {
        let mut scenario = scenario(equal(10), 20, (0.3, SECOND * 60));
        for backend in &mut scenario.backends {
            backend.dead = vec![between(20, 30)];
        }
        let report = run(&scenario, &named(name), Instant::now());
        let ups = report
            .events
            .iter()
            .filter(|event| matches!(event.what, Happening::Health { to: HealthStatus::Up }));
        let last = ups.map(|event| event.at_seconds).fold(0.0, f64::max);
        assert!(
            (30.0..38.0).contains(&last),
            "{name}: the last one is up at {last}"
        );
        let share = largest_share(&report, last + 0.5, 60.0);
        assert!(share < most, "{name}: one has {share} of all");
    }
}

prop_compose! {
    /// Anything that can happen to a backend, within 10 s.
    fn any_backend()(
        slots in 1u32..4,
        queue in 0u32..20,
        (from, until) in (0u32..10, 0u32..10),
        slow in 0.1f64..20.0,
        failing in 0.0f64..=1.0,
        what in 0u8..7,
    ) -> BackendModel {
        let span = Span { from: SECOND * from, until: (until > from).then_some(SECOND * until) };
        let (up, down) = (SECOND * (1 + until), SECOND * from);
        let healthy = BackendModel { queue, ..BackendModel::new(slots) };
        match what {
            0 => BackendModel { slow: vec![(span, slow)], ..healthy },
            1 => BackendModel { failing: vec![(span, failing)], ..healthy },
            2 => BackendModel { dead: vec![span], ..healthy },
            3 => BackendModel { frozen: vec![span], ..healthy },
            4 => BackendModel { cold: Some(Cold { lasts: SECOND * (1 + from), factor: slow }), ..healthy },
            5 => BackendModel { flap: Some(Flap { up, down, span }), ..healthy },
            _ => healthy,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_happens_every_request_ends_once_and_every_attempt_is_counted(
        backends in prop::collection::vec(any_backend(), 1..6),
        load in 0.1f64..3.0,
        seed in any::<u64>(),
    ) {
        let mut scenario = scenario(equal(backends.len()), 1, (1.0, SECOND * 10));
        scenario.load.rate = load * 50.0 * backends.len() as f64;
        scenario.backends = backends;
        scenario.unsafe_share = 0.3;
        scenario.seed = seed;
        for strategy in StrategyConfig::every() {
            let report = run(&scenario, &strategy, Instant::now());
            prop_assert_eq!(report.answered + report.errors.all(), report.requests, "{}", strategy);
            let attempts: u64 = report.backends.iter().map(|backend| backend.attempts).sum();
            // Nobody has a limit, so there is always a backend for a first attempt.
            prop_assert_eq!(attempts, report.requests + report.retries, "{}", strategy);
            prop_assert!(report.backends.iter().all(|backend| backend.utilisation <= 1.0), "{:?}", report.backends);
        }
    }
}

#[test]
fn a_retry_that_finds_the_others_full_waits_as_it_does_in_the_balancer() {
    let settings = |more: &str| {
        pool(&format!(
            "backends: [{{url: \"http://a\", max_connections: 2}}, {{url: \"http://b\", max_connections: 2}}]\nhealth_check: false\nejection: off\n{more}"
        ))
    };
    let run = |more: &str| {
        let mut scenario = scenario(settings(more), 2, (0.2, SECOND * 60));
        scenario.backends[1].dead = vec![Span::ALWAYS];
        round_robin(&scenario)
    };
    let report = run("");
    assert!(report.retries > 0);
    assert_eq!(report.errors.all(), 0, "{:?}", report.errors);
    let none = run("queue: off");
    assert!(none.errors.refused > 0, "without a queue some find no place");
    // The cap on the whole request holds while it waits, too: whoever gets a place late has no time left there.
    let capped = run("timeouts: {request: 20ms}");
    assert!(capped.errors.timed_out > 0, "{:?}", capped.errors);
    assert_eq!(
        capped.errors.all(),
        capped.errors.timed_out,
        "{:?}",
        capped.errors
    );
}

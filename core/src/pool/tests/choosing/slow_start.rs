//! Backends that have just come back.

use super::*;

/// The share of the last of four backends, which came back some time ago.
fn share_of_newcomer(strategy: StrategyConfig, since: Duration) -> f64 {
    let start = Instant::now();
    let mut ones = vec![One::default(); 4];
    ones[3].warming_since = Some(start);
    let pool = pool(&ones, strategy);
    let counts = shares(&pool, start + since, 20_000);
    counts.get("d").copied().unwrap_or(0) as f64 / 20_000.0
}

#[test]
fn slow_start_grows_from_a_tenth_to_the_whole_under_every_strategy() {
    for strategy in all().filter(|strategy| *strategy != StrategyConfig::First) {
        for (seconds, part) in [(0, 0.1), (5, 0.55), (9, 0.91), (10, 1.0), (1000, 1.0)] {
            let share = share_of_newcomer(strategy.clone(), Duration::from_secs(seconds));
            // By key, its own keys are a quarter, of which it gets a part.
            let expected = match strategy.clone() {
                StrategyConfig::Hash(_) => 0.25 * part,
                _ => part / (3.0 + part),
            };
            assert!(
                (share - expected).abs() < 0.02,
                "{}: {share} after {seconds} s, {expected} expected",
                strategy.clone()
            );
        }
    }
}

#[test]
fn slow_start_of_the_first_to_be_filled() {
    let start = Instant::now();
    let mut ones = vec![One::default(); 2];
    ones[0].warming_since = Some(start);
    let pool = pool(&ones, StrategyConfig::First);
    let share = |seconds| shares(&pool, start + Duration::from_secs(seconds), 10_000)["a"] as f64 / 10_000.0;
    assert!((share(0) - 0.1).abs() < 0.02 && (share(5) - 0.55).abs() < 0.02);
    assert_eq!(share(10), 1.0);
}

#[test]
fn a_newcomer_is_not_flooded_because_it_is_idle() {
    let start = Instant::now();
    for strategy in [StrategyConfig::LeastConnections, StrategyConfig::PowerOfTwo] {
        let mut ones = vec![One::default(); 10];
        ones[9].warming_since = Some(start);
        let pool = pool(&ones, strategy.clone());
        // Nothing ends, so whoever came last always holds the least.
        let leases: Vec<_> = (0..1000)
            .map(|step| pool.pick(&ask(step, start, &Tried::default())).unwrap())
            .collect();
        let newcomer = leases.iter().filter(|lease| host_of(lease) == "j").count();
        assert!((1..30).contains(&newcomer), "{strategy}: {newcomer}");
    }
}

#[test]
fn a_newcomer_that_is_busier_than_the_others_is_passed_over() {
    let start = Instant::now();
    let mut ones = vec![One::default(); 2];
    ones[1].warming_since = Some(start);
    let pool = pool(&ones, StrategyConfig::LeastConnections);
    let mut leases = Vec::new();
    for step in 0..200 {
        let lease = pool.pick(&ask(step, start, &Tried::default())).unwrap();
        if host_of(&lease) == "b" {
            leases.push(lease);
        }
    }
    assert_eq!(
        leases.len(),
        1,
        "its first is still in flight, while the others' end"
    );
}

#[test]
fn a_newcomer_serves_when_nobody_else_is_left() {
    let start = Instant::now();
    for strategy in all() {
        let mut ones = vec![at_most(1), One::default()];
        ones[1].warming_since = Some(start);
        let pool = pool(&ones, strategy.clone());
        let leases: Vec<_> = (0..10)
            .map(|step| pool.pick(&ask(step, start, &Tried::default())).unwrap())
            .collect();
        assert_eq!(leases.len(), 10);
        ones[0].warming_since = Some(start);
        let counts = shares(&self::pool(&ones, StrategyConfig::RoundRobin), start, 10_000);
        assert!((4500..5500).contains(&counts["a"]), "all are warming: {counts:?}");
    }
}

#[test]
fn without_slow_start_a_newcomer_is_like_all_others() {
    let start = Instant::now();
    let mut ones = vec![One::default(); 2];
    ones[1].warming_since = Some(start);
    let pool = pool_with(&ones, |config| config.slow_start = Duration::ZERO);
    assert_eq!(shares(&pool, start, 100)["b"], 50);
}

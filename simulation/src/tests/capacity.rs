//! What a pool is said to manage, held against what it does.

use super::*;

/// Requests a second that a pool of these backends manages, with 8 slots of 10 ms each.
fn capacity(settings: &str) -> u64 {
    scenario(pool(settings), 8, (1.0, SECOND)).capacity().round() as u64
}

#[test]
fn only_those_count_that_serve_when_all_is_well() {
    let cases = [
        ("[\"http://a\", \"http://b\"]", 1600),
        ("[\"http://a\", {url: \"http://b\", backup: true}]", 800),
        ("[\"http://a\", {url: \"http://b\", priority: 1}]", 800),
        ("[\"http://a\", {url: \"http://b\", maintenance: true}]", 800),
        ("[\"http://a\", {url: \"http://b\", drain: true}]", 800),
        // The first tier that has anybody.
        (
            "[{url: \"http://a\", drain: true}, {url: \"http://b\", backup: true}]",
            800,
        ),
        // Slots that it may never use.
        ("[\"http://a\", {url: \"http://b\", max_connections: 2}]", 1000),
        (
            "[{url: \"http://a\", drain: true}, {url: \"http://b\", maintenance: true}]",
            0,
        ),
    ];
    for (backends, expected) in cases {
        assert_eq!(capacity(&format!("backends: {backends}")), expected, "{backends}");
    }
}

#[test]
fn a_pool_with_a_backup_is_not_overloaded_at_60_percent() {
    let pool = pool("backends: [\"http://a\", {url: \"http://b\", backup: true}]");
    let scenario = scenario(pool, 8, (0.6, SECOND * 60));
    assert_eq!(scenario.serving_slots(), [8, 0]);
    let report = round_robin(&scenario);
    assert_eq!(report.backends[1].attempts, 0);
    assert_near(report.backends[0].utilisation, 0.6, 0.02);
}

#[test]
fn with_gradual_failover_it_is_full_when_the_first_tier_is() {
    // Half of the first tier is up, so by 1.4 it gets 70 % of all requests, and the backup the rest.
    let pool = pool(
        "failover: gradual\nbackends: [\"http://a\", {url: \"http://b\", drain: true}, {url: \"http://c\", backup: true}]",
    );
    let scenario = scenario(pool, 8, (0.9, SECOND * 60));
    assert_near(scenario.capacity(), 800.0 / 0.7, 1e-6);
    assert_eq!(scenario.serving_slots(), [8, 0, 8]);
    let report = round_robin(&scenario);
    assert_near(report.backends[0].share, 0.7, 0.01);
    assert_near(report.backends[0].utilisation, 0.9, 0.02);
    // While all of it is up, nobody else serves.
    let whole = "failover: gradual\nbackends: [\"http://a\", {url: \"http://b\", backup: true}]";
    assert_eq!(capacity(whole), 800);
}

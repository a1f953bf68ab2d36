//! Who serves when: priorities, backups, slow start, another strategy by a reload.

use lb_core::status::HealthStatus::{Down, Up};

use super::*;
use crate::harness::FAST_CHECKS;

#[test]
fn a_backup_serves_only_while_the_others_are_dead() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 2\n{FAST_CHECKS}\nbackends: [{{url: \"{}\", backup: true}}, \"{}\", {{url: \"{}\", priority: 1}}]\n",
        a.url(),
        b.url(),
        c.url()
    ));
    assert_eq!(balancer.order(4), "b b b b");
    b.kill();
    balancer.wait_for_health(&b.url(), Down);
    assert_eq!(balancer.order(4), "c c c c");
    c.kill();
    balancer.wait_for_health(&c.url(), Down);
    assert_eq!(balancer.order(4), "a a a a");
    b.revive().unwrap();
    balancer.wait_for_health(&b.url(), Up);
    assert_eq!(balancer.order(4), "b b b b");
}

#[test]
fn a_request_that_fails_goes_to_the_backup_before_anybody_knows_why() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(
        "",
        &[a.url(), format!("{{url: \"{}\", backup: true}}", b.url())],
    ));
    assert_eq!(balancer.order(2), "a a");
    a.kill();
    assert_eq!(balancer.order(3), "b b b");
}

#[test]
fn gradual_failover_lets_a_backup_help() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 2\n{FAST_CHECKS}\nfailover: gradual\nbackends: [\"{}\", \"{}\", {{url: \"{}\", backup: true}}]\n",
        a.url(),
        b.url(),
        c.url()
    ));
    assert_eq!(answers(&balancer, 100).get("c"), None);
    b.kill();
    balancer.wait_for_health(&b.url(), Down);
    // Half of the first tier is up, and carries 70 %.
    let counts = answers(&balancer, 400);
    assert!((60..200).contains(&counts["c"]), "{counts:?}");
}

#[test]
fn a_backend_that_comes_back_begins_with_a_tenth_of_its_share() {
    let [a, b] = backends();
    let checks = FAST_CHECKS.replace("slow_start: 0s", "slow_start: 1d");
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 2\nstrategy: least-connections\n{checks}\nbackends: [\"{}\", \"{}\"]\n",
        a.url(),
        b.url()
    ));
    let fresh = answers(&balancer, 100);
    assert!(
        (30..=70).contains(&fresh["b"]),
        "at the start nobody is spared: {fresh:?}"
    );
    b.kill();
    balancer.wait_for_health(&b.url(), Down);
    b.revive().unwrap();
    balancer.wait_for_health(&b.url(), Up);
    let counts = answers(&balancer, 300);
    assert!((3..90).contains(&counts["b"]), "{counts:?}");
}

#[test]
fn a_reload_changes_the_strategy_and_keeps_what_was_counted() {
    let [a, b] = backends();
    let urls = urls(&[&a, &b]);
    let balancer = Balancer::start(&config("strategy: round-robin", &urls));
    assert_eq!(balancer.order(4), "a b a b");
    let next = config("strategy: {name: hash, bounded_load: 150%}", &urls);
    let reload = balancer.reload_with(&next);
    let line = "~ strategy round-robin -> {name: hash, key: client, bounded_load: 1.5}\n";
    assert!(reload.stdout.starts_with(line), "{reload:?}");
    let counts = answers(&balancer, 20);
    assert_eq!(counts.len(), 1, "all from one address: {counts:?}");
    let status = balancer.status();
    let pool = &status.pools[0];
    assert_eq!(pool.strategy, "{name: hash, key: client, bounded_load: 1.5}");
    let mut requests: Vec<_> = pool
        .backends
        .iter()
        .map(|backend| backend.counts.requests)
        .collect();
    requests.sort_unstable();
    assert_eq!(requests, [2, 22]);
}

//! Our rule of comparison beside Envoy's, on the same counts. docs/health.md has the table that this prints.
//!
//! Envoy's rules as its documentation has them ("Outlier detection", `success_rate_*` and `failure_percentage_*`, v3): a
//! success rate below the mean less 1.9 standard deviations, of at least 5 hosts with at least 100 requests each; and, off
//! unless asked for, a share of failures of at least 85 %, of at least 5 hosts with at least 50 requests.

use super::*;

/// Good and failed requests of one backend in one interval.
type Counts = (u64, u64);

/// Whom Envoy's success rate ejects, were there no bound on how many.
fn by_deviations(counts: &[Counts]) -> Vec<usize> {
    let enough = |(_, (good, bad)): &(usize, &Counts)| good + bad >= 100;
    let hosts: Vec<_> = counts.iter().enumerate().filter(enough).collect();
    if hosts.len() < 5 {
        return Vec::new();
    }
    let rate = |(good, bad): &Counts| *good as f64 / (good + bad) as f64;
    let count = hosts.len() as f64;
    let mean = hosts.iter().map(|(_, host)| rate(host)).sum::<f64>() / count;
    let squares = hosts.iter().map(|(_, host)| (rate(host) - mean).powi(2));
    let deviation = (squares.sum::<f64>() / count).sqrt();
    let low = |(_, host): &&(usize, &Counts)| rate(host) < mean - 1.9 * deviation;
    hosts.iter().filter(low).map(|(index, _)| *index).collect()
}

/// The same by its share of failures.
fn by_percentage(counts: &[Counts]) -> Vec<usize> {
    let enough = |(_, (good, bad)): &(usize, &Counts)| good + bad >= 50;
    let hosts: Vec<_> = counts.iter().enumerate().filter(enough).collect();
    if hosts.len() < 5 {
        return Vec::new();
    }
    let high = |(_, (good, bad)): &&(usize, &Counts)| *bad as f64 >= 0.85 * (good + bad) as f64;
    hosts.iter().filter(high).map(|(index, _)| *index).collect()
}

fn ours(counts: &[Counts]) -> Vec<usize> {
    let rules = EjectionRules {
        max_share: Share::percent(100).unwrap(),
        ..EjectionRules::default()
    };
    let mut bench = Bench::with(counts.len(), rules);
    bench.judge();
    for (backend, counts) in counts.iter().enumerate() {
        bench.serve(backend, *counts);
    }
    bench.pass(seconds(10));
    bench.out()
}

/// A pool in which the first so many fail that share of 1,000 requests, and the others that one.
fn pool(backends: usize, (bad, share): (usize, u64), others: u64) -> Vec<Counts> {
    let counts = |failing: u64| (1000 - 10 * failing, 10 * failing);
    (0..backends)
        .map(|index| counts(if index < bad { share } else { others }))
        .collect()
}

#[test]
fn what_each_rule_finds() {
    let pools = [
        ("1 of 2 fails all", pool(2, (1, 100), 0)),
        ("1 of 4 fails all", pool(4, (1, 100), 0)),
        ("1 of 10 fails all", pool(10, (1, 100), 0)),
        ("1 of 10 fails half", pool(10, (1, 50), 0)),
        ("3 of 10 fail all", pool(10, (3, 100), 0)),
        ("5 of 10 fail all", pool(10, (5, 100), 0)),
        ("7 of 10 fail all", pool(10, (7, 100), 0)),
        ("1 of 10 fails 1 %, others nothing", pool(10, (1, 1), 0)),
        ("10 of 10 fail half", pool(10, (10, 50), 50)),
    ];
    let found = |found: Vec<usize>| found.len();
    let seen: Vec<_> = pools
        .iter()
        .map(|(case, counts)| {
            let envoy = (found(by_deviations(counts)), found(by_percentage(counts)));
            (*case, found(ours(counts)), envoy)
        })
        .collect();
    let expected = [
        ("1 of 2 fails all", 1, (0, 0)),
        ("1 of 4 fails all", 1, (0, 0)),
        ("1 of 10 fails all", 1, (1, 1)),
        ("1 of 10 fails half", 1, (1, 0)),
        ("3 of 10 fail all", 3, (0, 3)),
        ("5 of 10 fail all", 5, (0, 5)),
        ("7 of 10 fail all", 0, (0, 7)),
        ("1 of 10 fails 1 %, others nothing", 0, (1, 0)),
        ("10 of 10 fail half", 0, (0, 0)),
    ];
    assert_eq!(
        seen, expected,
        "case, ours, Envoy's success rate and its failure percentage"
    );
}

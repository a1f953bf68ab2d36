#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod choosing;
mod judged;
mod routes;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::*;
use crate::{
    config::{self, Config, Weight},
    health::{Health, Thresholds},
};

fn config_of(backends: &[(&str, u16)]) -> Arc<Config> {
    let mut text = "port: 0\nbackends:\n".to_owned();
    for (url, weight) in backends {
        text.push_str(&format!("  - {{url: \"{url}\", weight: {weight}}}\n"));
    }
    Arc::new(config::load(&text, "config.yaml", &|_| None).unwrap())
}

/// The head of an answer that speaks for its backend.
const GOOD: AnswerHead = AnswerHead {
    status: 200,
    kind: AnswerKind::Good,
    timed: true,
};

fn down() -> Health {
    let mut health = Health::at_start();
    health.observe(false, Thresholds { rise: 1, fall: 1 });
    health
}

/// A snapshot of backends `http://a:80`, …, each with its weight and health.
fn snapshot(backends: &[(&str, u16, Health)], previous: Option<&Snapshot>) -> Snapshot {
    let config = config_of(
        &backends
            .iter()
            .map(|(url, weight, _)| (*url, *weight))
            .collect::<Vec<_>>(),
    );
    let pool = config.pools["default"].clone();
    let members = |_: &str| -> Vec<Member> {
        let all = pool.backends.iter().zip(backends).enumerate();
        all.map(|(index, (backend, (_, weight, health)))| {
            let known = previous.and_then(|p| p.member("default", &backend.url));
            let fresh = || Arc::new(Backend::new(index as u64 + 1, backend.url.clone(), 2));
            Member {
                backend: known.map_or_else(fresh, |member| Arc::clone(&member.backend)),
                weight: Weight::new(*weight).unwrap(),
                priority: backend.priority,
                max_connections: backend.max_connections,
                warming_since: None,
                health: *health,
                since: Instant::now(),
                probed: true,
                live: Default::default(),
            }
        })
        .collect()
    };
    Snapshot::build(1, Arc::clone(&config), members, previous)
}

fn pick(snapshot: &Snapshot, tried: &Tried) -> Result<Lease, NoBackend> {
    snapshot.pick(&Ask {
        worker: 0,
        now: Instant::now(),
        random: 0,
        key: None,
        sticky: None,
        tried,
    })
}

/// Host letters of the next picks: `abcab`.
fn picks(snapshot: &Snapshot, count: usize) -> String {
    let host = |_| {
        pick(snapshot, &Tried::default())
            .unwrap()
            .backend()
            .url()
            .host()
            .to_owned()
    };
    (0..count).map(host).collect()
}

fn count(picks: &str) -> BTreeMap<char, usize> {
    let mut counts = BTreeMap::new();
    picks.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    counts
}

#[test]
fn takes_turns_and_goes_on_where_it_was_after_a_new_snapshot() {
    let up = Health::at_start();
    let first = snapshot(
        &[("http://a", 1, up), ("http://b", 1, up), ("http://c", 1, up)],
        None,
    );
    assert_eq!(picks(&first, 4), "abca");
    let second = snapshot(
        &[("http://a", 1, up), ("http://b", 1, up), ("http://c", 1, up)],
        Some(&first),
    );
    assert_eq!(picks(&second, 2), "bc");
}

#[test]
fn a_backend_that_goes_down_leaves_its_share_to_all_others() {
    let up = Health::at_start();
    let snapshot = snapshot(
        &[
            ("http://a", 1, up),
            ("http://b", 1, down()),
            ("http://c", 1, up),
            ("http://d", 1, up),
        ],
        None,
    );
    assert_eq!(
        count(&picks(&snapshot, 300)),
        BTreeMap::from([('a', 100), ('c', 100), ('d', 100)])
    );
}

#[test]
fn retries_of_a_dead_backends_requests_are_shared_by_all_others() {
    let up = Health::at_start();
    let snapshot = snapshot(
        &[("http://a", 1, up), ("http://b", 1, up), ("http://c", 1, up)],
        None,
    );
    let mut served = String::new();
    for _ in 0..300 {
        let lease = pick(&snapshot, &Tried::default()).unwrap();
        if lease.backend().url().host() == "a" {
            let mut tried = Tried::default();
            tried.add(lease.backend());
            served.push_str(pick(&snapshot, &tried).unwrap().backend().url().host());
        } else {
            served.push_str(lease.backend().url().host());
        }
    }
    assert_eq!(
        count(&served),
        BTreeMap::from([('b', 150), ('c', 150)]),
        "not all to the neighbour"
    );
}

#[test]
fn tries_all_when_all_are_down_and_each_only_once() {
    let snapshot = snapshot(&[("http://a", 1, down()), ("http://b", 5, down())], None);
    let mut tried = Tried::default();
    let mut seen = Vec::new();
    loop {
        match pick(&snapshot, &tried) {
            Ok(lease) => {
                tried.add(lease.backend());
                seen.push(lease.backend().url().host().to_owned());
            }
            Err(none) => {
                assert_eq!(none, NoBackend::AllTried);
                break;
            }
        }
    }
    seen.sort();
    assert_eq!(seen, ["a", "b"]);
}

#[test]
fn a_retry_falls_back_on_one_that_is_down_when_all_others_were_tried() {
    let snapshot = snapshot(
        &[("http://a", 1, Health::at_start()), ("http://b", 1, down())],
        None,
    );
    let first = pick(&snapshot, &Tried::default()).unwrap();
    assert_eq!(first.backend().url().host(), "a");
    let mut tried = Tried::default();
    tried.add(first.backend());
    assert_eq!(pick(&snapshot, &tried).unwrap().backend().url().host(), "b");
}

#[test]
fn a_backend_that_waits_for_its_first_probe_gets_nothing_while_another_is_up() {
    let up = Health::at_start();
    let beside = snapshot(&[("http://a", 1, Health::added()), ("http://b", 1, up)], None);
    assert_eq!(picks(&beside, 3), "bbb");
    let alone = snapshot(&[("http://a", 1, Health::added()), ("http://b", 1, down())], None);
    assert_eq!(
        count(&picks(&alone, 4)),
        BTreeMap::from([('a', 2), ('b', 2)]),
        "better than a certain error"
    );
}

#[test]
fn counts_what_is_in_flight_and_what_failed() {
    let snapshot = snapshot(&[("http://a", 1, Health::at_start())], None);
    let backend = Arc::clone(&snapshot.pools()[0].members()[0].backend);
    let (one, two) = (
        pick(&snapshot, &Tried::default()).unwrap(),
        pick(&snapshot, &Tried::default()).unwrap(),
    );
    assert_eq!((backend.counts().requests, backend.counts().in_flight), (2, 2));
    one.finish(Outcome::BackendFailed, Instant::now());
    drop(two);
    let counts = backend.counts();
    assert_eq!((counts.requests, counts.in_flight, counts.failures), (2, 0, 1));
}

#[test]
fn workers_share_one_order() {
    let up = Health::at_start();
    let snapshot = Arc::new(snapshot(
        &[("http://a", 1, up), ("http://b", 2, up), ("http://c", 3, up)],
        None,
    ));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let snapshot = Arc::clone(&snapshot);
            std::thread::spawn(move || picks(&snapshot, 1500))
        })
        .collect();
    let all: String = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
    assert_eq!(
        count(&all),
        BTreeMap::from([('a', 1000), ('b', 2000), ('c', 3000)])
    );
}

#[test]
fn a_pool_that_was_removed_is_the_same_when_it_comes_back_while_requests_hold_it() {
    let up = Health::at_start();
    let first = snapshot(&[("http://a", 1, up), ("http://b", 1, up)], None);
    let without = |previous: &Snapshot| {
        let text = "port: 0\npools: {other: {backends: [\"http://c\"]}}\n";
        let config = Arc::new(config::load(text, "config.yaml", &|_| None).unwrap());
        Snapshot::build(2, config, |_| Vec::new(), Some(previous))
    };
    let held = Arc::clone(first.default_pool().unwrap());
    let gone = without(&without(&first));
    assert!(gone.newest(&held).is_none());
    let back = snapshot(&[("http://a", 1, up), ("http://b", 1, up)], Some(&gone));
    let newest = back.newest(&held).unwrap();
    assert!(Arc::ptr_eq(newest.queue(), held.queue()));
    assert!(!Arc::ptr_eq(newest, &held));
    drop((held, first, back));
    let back = snapshot(&[("http://a", 1, up)], Some(&gone));
    assert_eq!(picks(&back, 1), "a", "nobody holds it, so it begins anew");
}

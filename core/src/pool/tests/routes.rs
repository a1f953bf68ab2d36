//! Routes of a snapshot: where they lead, on which terms, and what of them goes on.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::route::{NoHeaders, Request};

fn build(text: &str, previous: Option<&Snapshot>) -> Snapshot {
    let config = Arc::new(config::load(text, "config.yaml", &|_| None).unwrap());
    rebuild(&config, previous)
}

fn rebuild(config: &Arc<Config>, previous: Option<&Snapshot>) -> Snapshot {
    let members = |name: &str| {
        let member = |(index, backend): (usize, &crate::config::BackendConfig)| {
            let known = previous.and_then(|previous| previous.member(name, &backend.url));
            let fresh = || Arc::new(Backend::new(index as u64 + 1, backend.url.clone(), 1));
            let backend_of = known.map_or_else(fresh, |member| Arc::clone(&member.backend));
            Member::new(backend_of, backend, Health::at_start(), Instant::now())
        };
        config.pools[name]
            .backends
            .iter()
            .enumerate()
            .map(member)
            .collect()
    };
    Snapshot::build(1, Arc::clone(config), members, previous)
}

fn route<'s>(snapshot: &'s Snapshot, path: &str) -> &'s Route {
    let request = Request {
        host: b"h",
        method: b"GET",
        path: path.as_bytes(),
        query: b"",
        headers: &NoHeaders,
        client: [127, 0, 0, 1].into(),
    };
    snapshot.route(&request).unwrap()
}

fn picks(snapshot: &Snapshot, path: &str, count: usize) -> String {
    let pool = route(snapshot, path).destination(|| 0).unwrap().pool();
    let ask = Ask {
        worker: 0,
        now: Instant::now(),
        random: 0,
        key: None,
        sticky: None,
        tried: &Tried::default(),
    };
    (0..count)
        .map(|_| pool.pick(&ask).unwrap().backend().url().host().to_owned())
        .collect()
}

const OWN: &str = "port: 0\nbackends: [http://a, http://b, http://c]\nretries: 3\nroutes:
  - {path: /own, pool: default, strategy: first, timeouts: {connect: 7s}, retries: 0}
  - {pool: default}\n";

#[test]
fn a_bound_of_a_route_is_one_of_all_that_the_backends_hold() {
    let file = "port: 0\nbackends: [http://a, http://b, http://c, http://d]\nroutes:
  - {path: /own, pool: default, strategy: {name: hash, key: client, bounded_load: 1.25}}
  - {pool: default}\n";
    let snapshot = build(file, None);
    let tried = Tried::default();
    let ask = Ask {
        worker: 0,
        now: Instant::now(),
        random: 0,
        key: Some(7),
        sticky: None,
        tried: &tried,
    };
    let pick = |path| {
        let pool = route(&snapshot, path).destination(|| 0).unwrap().pool();
        pool.pick(&ask).unwrap()
    };
    let _others: Vec<Lease> = (0..40).map(|_| pick("/")).collect();
    let own: Vec<Lease> = (0..20).map(|_| pick("/own")).collect();
    let held = own[0].backend().in_flight();
    // A quarter of 60, and a quarter of that more.
    assert!((11..=19).contains(&held), "{held} with the owner of the key");
}

#[test]
fn a_route_with_a_strategy_of_its_own_shares_all_but_its_turns() {
    let snapshot = build(OWN, None);
    assert_eq!(picks(&snapshot, "/", 2), "ab");
    assert_eq!(picks(&snapshot, "/own", 3), "aaa");
    assert_eq!(picks(&snapshot, "/", 1), "c");
    let [own, pool] = ["/own", "/"].map(|path| route(&snapshot, path).destination(|| 0).unwrap());
    assert!(own.pool().is_own_of_a_route() && !pool.pool().is_own_of_a_route());
    assert!(std::ptr::eq(
        own.pool().retry_budget(),
        pool.pool().retry_budget()
    ));
    let backend = |destination: &Destination| Arc::clone(&destination.pool().members()[0].backend);
    assert!(Arc::ptr_eq(&backend(own), &backend(pool)));
    assert_eq!(
        (own.terms().retries.attempts, pool.terms().retries.attempts),
        (0, 3)
    );
    assert_eq!(own.terms().timeouts.connect, Duration::from_secs(7));
    assert_eq!(own.terms().timeouts.request, pool.terms().timeouts.request);
    assert_eq!(snapshot.pools().len(), 1, "it is no pool of its own");
}

#[test]
fn counts_and_turns_of_routes_survive_new_snapshots() {
    let own = OWN.replace("first", "{name: random}");
    let first = build(&own, None);
    let held = Arc::clone(route(&first, "/own").destination(|| 0).unwrap().pool());
    route(&first, "/own").count(0);
    route(&first, "/own").count(9);
    let second = rebuild(first.config(), Some(&first));
    assert_eq!(route(&second, "/own").requests(), 2);
    assert!(
        second
            .newest(&held)
            .is_some_and(|newest| !Arc::ptr_eq(newest, &held))
    );
    // Another configuration, in which the route has moved.
    let third = build(
        &own.replace("routes:\n", "routes:\n  - {path: /new, respond: 200}\n"),
        Some(&second),
    );
    assert_eq!(
        (route(&third, "/own").requests(), route(&third, "/new").requests()),
        (2, 0)
    );
    assert!(third.newest(&held).is_some());
    let fourth = build("port: 0\npools: {other: [http://z]}\n", Some(&third));
    assert!(fourth.newest(&held).is_none());
    let ask = Ask {
        worker: 0,
        now: Instant::now(),
        random: 0,
        key: None,
        sticky: None,
        tried: &Tried::default(),
    };
    assert!(
        fourth.pick_from(&held, &ask).is_ok(),
        "who was sent there still gets an answer"
    );
}

#[test]
fn a_split_leads_to_each_pool_by_its_weight() {
    let text = "port: 0\npools: {a: [http://a], b: [http://b]}\nroutes: [{split: {a: 3, b: 1}}]\n";
    let snapshot = build(text, None);
    assert!(snapshot.plain_route().is_none());
    let to = |point: u64| {
        route(&snapshot, "/")
            .destination(|| point)
            .unwrap()
            .pool()
            .name()
            .to_string()
    };
    assert_eq!(
        [
            to(0),
            to(u64::MAX / 4 * 3 - 9),
            to(u64::MAX / 4 * 3 + 9),
            to(u64::MAX)
        ],
        ["a", "a", "b", "b"]
    );
}

#[test]
fn one_route_that_takes_everything_as_it_is_needs_no_decision() {
    assert!(
        build("port: 0\nbackends: [http://a]\n", None)
            .plain_route()
            .is_some()
    );
    for route in [
        "{pool: default, retries: 0}",
        "{path: /a, pool: default}",
        "{pool: default, send_host: backend}",
    ] {
        let text = format!("port: 0\nbackends: [http://a]\nroutes: [{route}]\n");
        assert!(build(&text, None).plain_route().is_none(), "{route}");
    }
}

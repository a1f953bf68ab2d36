//! Strategies, limits, priorities and slow start, as clients and backends see them.

mod limits;
mod queue;
mod sticky;
mod turns;

use std::collections::BTreeMap;

use dummy_servers::{Behaviour, DummyServer};

use crate::harness::{Balancer, Client, Load, backends, wait_until};

/// Two workers, no probes, and backends as they are written.
fn config(settings: &str, backends: &[String]) -> String {
    let backends: String = backends.iter().map(|one| format!("  - {one}\n")).collect();
    format!("port: 0\nworkers: 2\nhealth_check: false\n{settings}\nbackends:\n{backends}")
}

fn urls(backends: &[&DummyServer]) -> Vec<String> {
    backends.iter().map(|backend| backend.url()).collect()
}

/// How often each backend answered, by name, to requests over four connections.
fn answers(balancer: &Balancer, requests: usize) -> BTreeMap<String, usize> {
    let mut clients: Vec<Client> = (0..4).map(|_| balancer.connect()).collect();
    let mut counts = BTreeMap::new();
    for request in 0..requests {
        let server = clients[request % 4].get("/").server();
        *counts.entry(server).or_default() += 1;
    }
    counts
}

/// Under load over eight connections, one of three backends takes a second for each answer.
fn assert_avoids_the_slow_one(strategy: &str) {
    let [a, b, c] = backends();
    b.set_behaviour(Behaviour::Slow(std::time::Duration::from_secs(1)));
    let balancer = Balancer::start(&config(&format!("strategy: {strategy}"), &urls(&[&a, &b, &c])));
    let load = Load::start(balancer.address(), 8);
    wait_until("answers of the fast ones", || a.hits() + c.hits() > 300);
    assert!(b.hits() > 0, "it is asked now and then");
    assert!(
        b.hits() * 3 < a.hits().min(c.hits()),
        "a: {}, b: {}, c: {}",
        a.hits(),
        b.hits(),
        c.hits()
    );
    load.finish_without_failure();
}

#[test]
fn least_connections_avoids_a_slow_backend() {
    assert_avoids_the_slow_one("least-connections");
}

#[test]
fn power_of_two_avoids_a_slow_backend() {
    assert_avoids_the_slow_one("power-of-two");
}

#[test]
fn least_time_avoids_a_slow_backend() {
    assert_avoids_the_slow_one("{name: least-time, decay: 1m}");
}

#[test]
fn random_asks_all_by_weight() {
    let [a, b, c] = backends();
    let of = |backend: &DummyServer, weight: u16| format!("{{url: \"{}\", weight: {weight}}}", backend.url());
    let balancer = Balancer::start(&config("strategy: random", &[of(&a, 1), of(&b, 1), of(&c, 8)]));
    let counts = answers(&balancer, 400);
    assert!((10..120).contains(&counts["a"]) && (10..120).contains(&counts["b"]));
    assert!(counts["c"] > 240, "{counts:?}");
}

/// Where each of twenty users goes, each asking over a new connection.
fn users(balancer: &Balancer) -> BTreeMap<String, String> {
    let ask = |user: u32| {
        let line = format!("X-User: user{user}");
        let mut client = balancer.connect();
        let server = client.request("GET", "/", &[line.as_str()], b"").server();
        (format!("user{user}"), server)
    };
    (0..20).map(ask).collect()
}

#[test]
fn hash_keeps_a_key_at_its_backend_and_a_reload_moves_only_the_keys_of_what_is_removed() {
    let [a, b, c, d] = backends();
    let settings = "strategy: {name: hash, key: header X-User}";
    let balancer = Balancer::start(&config(settings, &urls(&[&a, &b, &c, &d])));
    let before = users(&balancer);
    let mut owners: Vec<_> = before.values().collect();
    owners.sort();
    owners.dedup();
    assert!(owners.len() > 2, "spread over the backends: {before:?}");
    assert_eq!(users(&balancer), before);
    let without = answers(&balancer, 100);
    assert!(without.len() > 2, "requests without a key go to all: {without:?}");

    balancer.reload_with(&config(settings, &urls(&[&a, &b, &d])));
    let after = users(&balancer);
    let stayed = before
        .iter()
        .filter(|(user, owner)| *owner != "c" && after[*user] == **owner);
    let others = before.values().filter(|owner| *owner != "c").count();
    assert!(
        stayed.count() + 1 >= others,
        "at most one moved beside those of c: {before:?} {after:?}"
    );
    balancer.reload_with(&config(settings, &urls(&[&a, &b, &c, &d])));
}

#[test]
fn hash_tells_requests_apart_by_client_uri_cookie_or_query() {
    let [a, b, c, d] = backends();
    let servers = |key: &str, requests: &[(&str, &str)]| -> Vec<String> {
        let settings = format!("trusted_proxies: 127.0.0.1\nstrategy: {{name: hash, key: {key}}}");
        let balancer = Balancer::start(&config(&settings, &urls(&[&a, &b, &c, &d])));
        let ask = |(path, line): &(&str, &str)| {
            let mut client = balancer.connect();
            client.request("GET", path, &[line], b"").server()
        };
        requests.iter().map(ask).collect()
    };
    let differ = |servers: &[String]| servers.iter().any(|server| *server != servers[0]);
    for (key, requests) in [
        (
            "client",
            ["1", "2", "3", "4", "5", "6", "7", "8"]
                .map(|n| ("/".to_owned(), format!("X-Forwarded-For: 192.0.2.{n}"))),
        ),
        (
            "uri",
            ["1", "2", "3", "4", "5", "6", "7", "8"].map(|n| (format!("/?{n}"), "A: b".to_owned())),
        ),
        (
            "cookie id",
            ["1", "2", "3", "4", "5", "6", "7", "8"]
                .map(|n| ("/".to_owned(), format!("Cookie: a=b; id={n}"))),
        ),
        (
            "query id",
            ["1", "2", "3", "4", "5", "6", "7", "8"].map(|n| (format!("/?a=b&id={n}"), "A: b".to_owned())),
        ),
    ] {
        let each: Vec<_> = requests
            .iter()
            .map(|(path, line)| (path.as_str(), line.as_str()))
            .collect();
        let one = vec![each[3]; 8];
        let all = servers(key, &each);
        assert!(differ(&all), "{key}: {all:?}");
        let same = servers(key, &one);
        assert!(!differ(&same) && same[0] == all[3], "{key}: {same:?} {all:?}");
    }
}

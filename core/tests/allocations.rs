//! A pick, and the end of its lease, allocate nothing, whatever the strategy.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lb_core::{
    config::{self, HashConfig, HashKey, LoadFactor, Priority, StrategyConfig},
    health::{Health, Thresholds},
    pool::{AnswerHead, AnswerKind, Ask, Backend, Member, Outcome, Pool, Tried},
    route::{Matcher, Request},
    strategy::mix,
};

fn strategies() -> impl Iterator<Item = StrategyConfig> {
    let bounded = StrategyConfig::Hash(HashConfig {
        key: HashKey::Client,
        bounded_load: LoadFactor::new(1.25),
    });
    StrategyConfig::every().into_iter().chain([bounded])
}

/// Some are down, some are full, some have just come back, and a quarter are backups.
fn pool(strategy: StrategyConfig, backends: usize, now: Instant) -> Pool {
    let urls: Vec<String> = (0..backends).map(|index| format!("http://b{index}")).collect();
    let text = format!("port: 0\nbackends: [{}]", urls.join(", "));
    let mut config = config::load(&text, "config.yaml", &|_| None).unwrap().pools["default"].clone();
    config.strategy = strategy;
    let members = config.backends.iter().enumerate().map(|(index, backend)| {
        let mut health = Health::at_start();
        health.observe(index % 5 != 3, Thresholds { rise: 1, fall: 1 });
        Member {
            backend: Arc::new(Backend::new(index as u64 + 1, backend.url.clone(), 1)),
            weight: backend.weight,
            priority: if index % 4 == 2 {
                Priority::BACKUP
            } else {
                Priority::default()
            },
            max_connections: (index % 3 == 1).then_some(1),
            warming_since: (index % 7 == 0).then_some(now),
            health,
            since: now,
            probed: true,
            live: Default::default(),
        }
    });
    let members = members.collect();
    Pool::new("default".into(), Arc::new(config), members, Arc::default())
}

#[test]
fn a_pick_allocates_nothing_under_any_strategy() {
    let now = Instant::now();
    for strategy in strategies() {
        for backends in [1, 10, 100, 1000] {
            let pool = pool(strategy.clone(), backends, now);
            let one_request = |step: u64| {
                let mut tried = Tried::default();
                for _ in 0..3 {
                    let now = now + Duration::from_millis(step);
                    let ask = Ask {
                        worker: 0,
                        now,
                        random: mix(step),
                        key: Some(mix(!step)),
                        sticky: None,
                        tried: &tried,
                    };
                    if let Ok(lease) = pool.pick(&ask) {
                        tried.add(lease.backend());
                        let head = AnswerHead {
                            status: 200,
                            kind: AnswerKind::Good,
                            timed: true,
                        };
                        lease.answered(now + Duration::from_millis(1), head);
                        lease.finish(Outcome::Answered, now + Duration::from_millis(2));
                    }
                }
            };
            let counted = allocation_counter::measure(|| (0..100).for_each(one_request));
            assert_eq!(counted.count_total, 0, "{strategy}, {backends} backends");
        }
    }
    assert!(
        allocation_counter::measure(|| drop(vec![1u8; 10])).count_total > 0,
        "allocations are counted at all"
    );
}

#[test]
fn finding_a_route_allocates_nothing() {
    let text = "port: 0\nbackends: [http://a]\nroutes:
  - {host: api.example.com, path: /v1, method: GET, header: {X-Beta: {present: true}}, pool: default}
  - {host: \"*.example.com\", path: {exact: /x}, query: {a: \"1\"}, pool: default}
  - {host: \"::1\", client: 10.0.0.0/8, pool: default}
  - {path: {regex: \"^/user/[0-9]+$\"}, pool: default}
  - {path: /v1/deep, pool: default}\n";
    let matcher = Matcher::new(&config::load(text, "config.yaml", &|_| None).unwrap().routes);
    let headers = vec![("x-beta", "1")];
    let find = |host: &str, path: &str| {
        matcher.find(&Request {
            host: host.as_bytes(),
            method: b"GET",
            path: path.as_bytes(),
            query: b"b=2&a=1",
            headers: &headers,
            client: [10, 0, 0, 1].into(),
        })
    };
    let requests = [
        ("API.example.com.", "/v1/x", Some(0)),
        ("www.example.com", "/x", Some(1)),
        ("[0::1]", "/", Some(2)),
        ("other", "/user/17", Some(3)),
        ("other", "/v1/deep/er", Some(4)),
        ("other", "/nowhere", None),
    ];
    for (host, path, expected) in requests {
        // A regular expression makes the cache of a thread at its first use.
        assert_eq!(find(host, path), expected, "{host}{path}");
        let counted = allocation_counter::measure(|| assert_eq!(find(host, path), expected));
        assert_eq!(counted.count_total, 0, "{host}{path}");
    }
}

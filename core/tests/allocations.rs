//! A pick, and the end of its lease, allocate nothing, whatever the strategy.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lb_core::{
    config::{self, HashConfig, HashKey, LeastTimeConfig, LoadFactor, Priority, StrategyConfig},
    health::{Health, Thresholds},
    pool::{AnswerHead, AnswerKind, Ask, Backend, Member, Outcome, Pool, Tried},
    strategy::mix,
};

fn strategies() -> [StrategyConfig; 7] {
    [
        StrategyConfig::RoundRobin,
        StrategyConfig::Random,
        StrategyConfig::LeastConnections,
        StrategyConfig::PowerOfTwo,
        StrategyConfig::LeastTime(LeastTimeConfig {
            decay: LeastTimeConfig::DEFAULT_DECAY,
            intelligent: false,
        }),
        StrategyConfig::Hash(HashConfig {
            key: HashKey::Client,
            bounded_load: LoadFactor::new(1.25),
        }),
        StrategyConfig::First,
    ]
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
                        tried: &tried,
                    };
                    if let Ok(lease) = pool.pick(&ask) {
                        tried.add(lease.backend());
                        let head = AnswerHead {
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

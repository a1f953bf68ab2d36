//! Pools under every strategy: limits, tiers, retries, slow start.

mod latency;
mod limits;
mod slow_start;
mod sticky;
mod tiers;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    config::{
        DEFAULT_SLOW_START, Failover, HashConfig, HashKey, LeastTimeConfig, LoadFactor, PoolConfig, Priority,
        StrategyConfig,
    },
    strategy::mix,
};

fn all() -> impl Iterator<Item = StrategyConfig> {
    let bounded = hash(LoadFactor::new(1.25));
    StrategyConfig::every().into_iter().chain([bounded])
}

fn least_time() -> StrategyConfig {
    StrategyConfig::LeastTime(LeastTimeConfig {
        decay: LeastTimeConfig::DEFAULT_DECAY,
        intelligent: false,
    })
}

fn hash(bounded_load: Option<LoadFactor>) -> StrategyConfig {
    StrategyConfig::Hash(HashConfig {
        key: HashKey::Client,
        bounded_load,
    })
}

/// A backend as a test wants it.
#[derive(Debug, Clone)]
struct One {
    weight: u16,
    priority: Priority,
    most: Option<u32>,
    health: Health,
    warming_since: Option<Instant>,
}

impl Default for One {
    fn default() -> Self {
        Self {
            weight: 1,
            priority: Priority::default(),
            most: None,
            health: Health::at_start(),
            warming_since: None,
        }
    }
}

fn tier(number: u8) -> One {
    One {
        priority: Priority::new(number).unwrap(),
        ..One::default()
    }
}

fn at_most(most: u32) -> One {
    One {
        most: Some(most),
        ..One::default()
    }
}

/// A pool of backends `a`, `b`, … and the settings that `change` makes.
fn pool_with(ones: &[One], change: impl FnOnce(&mut PoolConfig)) -> Pool {
    let url = |index: usize| format!("http://{}", host(index));
    let urls: Vec<String> = (0..ones.len()).map(url).collect();
    let backends: Vec<_> = urls.iter().map(|url| (url.as_str(), 1)).collect();
    let mut config = config_of(&[("http://a", 1)]).pools["default"].clone();
    config.backends = match backends.as_slice() {
        [] => Vec::new(),
        some => config_of(some).pools["default"].backends.clone(),
    };
    config.slow_start = DEFAULT_SLOW_START;
    change(&mut config);
    let members = config.backends.iter().zip(ones).enumerate();
    let members = members.map(|(index, (backend, one))| Member {
        backend: Arc::new(Backend::new(index as u64 + 1, backend.url.clone(), 2)),
        weight: Weight::new(one.weight).unwrap(),
        priority: one.priority,
        max_connections: one.most,
        warming_since: one.warming_since,
        health: one.health,
        since: Instant::now(),
        probed: true,
        live: Default::default(),
    });
    let members = members.collect();
    Pool::new("default".into(), Arc::new(config), members, Arc::default())
}

fn pool(ones: &[One], strategy: StrategyConfig) -> Pool {
    pool_with(ones, |config| config.strategy = strategy)
}

fn host(index: usize) -> String {
    if index < 26 {
        char::from(b'a' + index as u8).to_string()
    } else {
        format!("n{index}")
    }
}

/// The `step`-th request.
fn ask<'a>(step: u64, now: Instant, tried: &'a Tried) -> Ask<'a> {
    Ask {
        worker: 0,
        now,
        random: mix(step),
        key: Some(mix(!step)),
        sticky: None,
        tried,
    }
}

fn host_of(lease: &Lease) -> String {
    lease.backend().url().host().to_owned()
}

/// How often each backend is picked first; nothing stays in flight.
fn shares(pool: &Pool, now: Instant, requests: u64) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for step in 0..requests {
        let lease = pool.pick(&ask(step, now, &Tried::default())).unwrap();
        *counts.entry(host_of(&lease)).or_default() += 1;
    }
    counts
}

#[test]
fn a_request_tries_each_backend_once_under_every_strategy_up_ones_first() {
    let mut ones = vec![One::default(); 4];
    ones[1].health = down();
    ones[2].priority = Priority::BACKUP;
    ones[3].weight = 200;
    for strategy in all() {
        let pool = pool(&ones, strategy.clone());
        for step in 0..50 {
            let (mut tried, mut seen) = (Tried::default(), Vec::new());
            let end = loop {
                match pool.pick(&ask(step, Instant::now(), &tried)) {
                    Ok(lease) => {
                        seen.push(host_of(&lease));
                        tried.add(lease.backend());
                    }
                    Err(end) => break end,
                }
            };
            assert_eq!(end, NoBackend::AllTried);
            assert_eq!(seen[2..], ["c", "b"], "the backup, then the one that is down");
            seen.sort();
            assert_eq!(seen, ["a", "b", "c", "d"]);
        }
    }
}

#[test]
fn when_none_is_up_all_are_tried_under_every_strategy() {
    let one = One {
        health: down(),
        ..One::default()
    };
    for strategy in all() {
        let pool = pool(&vec![one.clone(); 30], strategy.clone());
        let (mut tried, mut seen) = (Tried::default(), Vec::new());
        for _ in 0..Tried::MOST {
            let lease = pool.pick(&ask(1, Instant::now(), &tried)).unwrap();
            assert!(!seen.contains(&host_of(&lease)));
            seen.push(host_of(&lease));
            tried.add(lease.backend());
        }
    }
    let empty = pool(&[], StrategyConfig::RoundRobin);
    let none = empty.pick(&ask(0, Instant::now(), &Tried::default()));
    assert_eq!(none.unwrap_err(), NoBackend::NoneEligible);
}

#[test]
fn another_strategy_keeps_what_is_in_flight() {
    let start = Instant::now();
    let round_robin = pool(&[at_most(5), at_most(5)], StrategyConfig::RoundRobin);
    let leases: Vec<_> = (0..4)
        .map(|step| round_robin.pick(&ask(step, start, &Tried::default())).unwrap())
        .collect();
    let mut config = PoolConfig::clone(round_robin.config());
    config.strategy = StrategyConfig::LeastConnections;
    let members = round_robin.members().to_vec();
    let next = Pool::new(
        "default".into(),
        Arc::new(config),
        members,
        Arc::clone(round_robin.state()),
    );
    let of_b = leases.into_iter().filter(|lease| host_of(lease) == "b");
    let _of_b: Vec<_> = of_b.collect();
    let taken: Vec<_> = (0..2)
        .map(|step| next.pick(&ask(step, start, &Tried::default())).unwrap())
        .collect();
    assert!(
        taken.iter().all(|lease| host_of(lease) == "a"),
        "b still holds two from before"
    );
}

fn ones() -> impl proptest::strategy::Strategy<Value = Vec<One>> {
    let one = (
        1u16..=256,
        0u8..3,
        proptest::option::of(1u32..4),
        any::<bool>(),
        proptest::option::of(0u64..20),
    );
    let start = Instant::now();
    let one = one.prop_map(move |(weight, priority, most, up, warm)| One {
        weight,
        priority: Priority::new(priority).unwrap_or(Priority::BACKUP),
        most,
        health: if up { Health::at_start() } else { down() },
        warming_since: warm.map(|seconds| start + Duration::from_secs(seconds)),
    });
    prop::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_pick_breaks_a_rule_whatever_the_pool(
        ones in ones(), requests in prop::collection::vec((any::<u64>(), 0usize..5), 1..60), gradual in any::<bool>(),
    ) {
        let now = Instant::now() + Duration::from_secs(10);
        let any_up = ones.iter().any(|one| one.health.is_up());
        for strategy in all() {
            let pool = pool_with(&ones, |config| {
                config.strategy = strategy.clone();
                if gradual {
                    config.failover = Failover::Gradual { overprovisioning: LoadFactor::new(1.4).unwrap() };
                }
            });
            let mut held = Vec::new();
            let index_of = |lease: &Lease| lease.backend().id() as usize - 1;
            for &(random, retries) in &requests {
                let mut tried = Tried::default();
                for _ in 0..=retries {
                    match pool.pick(&ask(random, now, &tried)) {
                        Ok(lease) => {
                            let index = index_of(&lease);
                            prop_assert!(!tried.contains(lease.backend()), "tried before");
                            let most = ones[index].most.map_or(u64::MAX, u64::from);
                            prop_assert!(lease.backend().in_flight() <= most, "above its limit");
                            let untried_up = pool.members().iter().zip(&ones).any(|(member, one)| {
                                one.health.is_up() && !tried.contains(&member.backend)
                            });
                            prop_assert!(
                                ones[index].health.is_up() || !any_up || !untried_up,
                                "down, while one that is up was not tried"
                            );
                            tried.add(lease.backend());
                            held.push(lease);
                        }
                        Err(NoBackend::Saturated) => {
                            let has_place = pool.members().iter().zip(&ones).any(|(member, one)| {
                                (one.health.is_up() || !any_up) && !tried.contains(&member.backend)
                                    && one.most.is_none_or(|most| member.backend.in_flight() < u64::from(most))
                            });
                            prop_assert!(!has_place, "there was a place");
                        }
                        Err(NoBackend::AllTried) => {
                            prop_assert!(pool.members().iter().all(|member| tried.contains(&member.backend)));
                        }
                        Err(none) => prop_assert!(false, "{none}: there are backends, and no queue"),
                    }
                }
                held.truncate(held.len() / 2);
            }
            drop(held);
            prop_assert!(pool.members().iter().all(|member| member.backend.in_flight() == 0));
        }
    }
}

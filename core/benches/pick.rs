//! What choosing a backend costs, by strategy and number of backends, and what building a snapshot costs.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]
use std::{cell::Cell, fmt::Write, hint::black_box, sync::Arc, time::Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use lb_core::{
    config::{self, BackendConfig, Config, DEFAULT_POOL, HashConfig, HashKey, LoadFactor, StrategyConfig},
    health::Health,
    pool::{AnswerHead, AnswerKind, Ask, Backend, Lease, Member, Outcome, Snapshot, Tried},
    strategy::mix,
};

const GOOD: AnswerHead = AnswerHead {
    status: 200,
    kind: AnswerKind::Good,
    timed: true,
};

/// Picks in a row before the time of their ends is left out.
const IN_A_ROW: u64 = 64;

const BACKENDS: [usize; 4] = [10, 100, 1_000, 10_000];

fn strategies() -> impl Iterator<Item = (&'static str, StrategyConfig)> {
    let bounded = StrategyConfig::Hash(HashConfig {
        key: HashKey::Client,
        bounded_load: LoadFactor::new(1.25),
    });
    let every = StrategyConfig::every().into_iter();
    every
        .map(|strategy| (strategy.name(), strategy))
        .chain([("hash, bounded", bounded)])
}

/// Weights from 1 to 256, as if by chance.
fn configuration(backends: usize, strategy: &StrategyConfig) -> Arc<Config> {
    let mut text = "port: 0\nbackends:\n".to_owned();
    for index in 0..backends {
        let (high, low, weight) = (index >> 8, index & 255, 1 + mix(index as u64) % 256);
        writeln!(
            text,
            "  - {{url: \"http://10.0.{high}.{low}\", weight: {weight}}}"
        )
        .unwrap();
    }
    let mut config = config::load(&text, "config.yaml", &|_| None).unwrap();
    config.pools.get_mut(DEFAULT_POOL).unwrap().strategy = strategy.clone();
    Arc::new(config)
}

fn members(config: &Config, limit: Option<u32>) -> Vec<Member> {
    let now = Instant::now();
    let member = |(backend, id): (&BackendConfig, u64)| Member {
        backend: Arc::new(Backend::new(id, backend.url.clone(), 2)),
        weight: backend.weight,
        priority: backend.priority,
        max_connections: limit,
        warming_since: None,
        health: Health::at_start(),
        since: now,
        probed: true,
        live: Default::default(),
    };
    let backends = config.pools[DEFAULT_POOL].backends.iter();
    backends.zip(1..).map(member).collect()
}

fn snapshot(backends: usize, strategy: &StrategyConfig, limit: Option<u32>) -> Snapshot {
    let config = configuration(backends, strategy);
    let members = members(&config, limit);
    Snapshot::build(1, config, |_| members.clone(), None)
}

/// The draws of one worker.
struct Asking {
    worker: usize,
    now: Instant,
    step: Cell<u64>,
}

impl Asking {
    fn new(worker: usize) -> Self {
        Self {
            worker,
            now: Instant::now(),
            step: Cell::new(worker as u64),
        }
    }

    fn pick(&self, snapshot: &Snapshot, tried: &Tried) -> Lease {
        let random = mix(self.step.replace(self.step.get().wrapping_add(2)));
        let ask = Ask {
            worker: self.worker,
            now: self.now,
            random,
            key: Some(random),
            sticky: None,
            tried,
        };
        snapshot.pick(black_box(&ask)).unwrap()
    }

    fn pick_and_finish(&self, snapshot: &Snapshot, tried: &Tried) {
        self.pick(snapshot, tried).finish(Outcome::Answered, self.now);
    }
}

/// Some requests are in flight, and latencies are known.
fn warm_up(snapshot: &Snapshot, asking: &Asking) -> Vec<Lease> {
    let count = snapshot.pools()[0].members().len() * 2;
    let leases = (0..count).map(|_| asking.pick(snapshot, &Tried::default()));
    let leases: Vec<_> = leases.collect();
    leases.iter().for_each(|lease| lease.answered(asking.now, GOOD));
    leases
}

/// `pick` is the choice and the counting in; `whole` has the counting out, too; `retry` is whole, and one was tried.
fn picks(criterion: &mut Criterion) {
    for (name, strategy) in strategies() {
        let mut group = criterion.benchmark_group(name);
        for backends in BACKENDS {
            let (snapshot, asking) = (snapshot(backends, &strategy, None), Asking::new(0));
            let _in_flight = warm_up(&snapshot, &asking);
            let mut tried = Tried::default();
            group.bench_function(BenchmarkId::new("pick", backends), |bencher| {
                let pick = || asking.pick(&snapshot, &tried);
                bencher.iter_batched(|| (), |()| pick(), BatchSize::NumIterations(IN_A_ROW));
            });
            group.bench_function(BenchmarkId::new("whole", backends), |bencher| {
                bencher.iter(|| asking.pick_and_finish(&snapshot, &tried));
            });
            tried.add(&snapshot.pools()[0].members()[0].backend);
            group.bench_function(BenchmarkId::new("retry", backends), |bencher| {
                bencher.iter(|| asking.pick_and_finish(&snapshot, &tried));
            });
        }
        group.finish();
    }
}

/// A limit, and a second worker that picks from the same pool all the time.
fn shared(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("two workers, 10 backends");
    for (name, strategy, limit) in [
        ("round-robin", StrategyConfig::RoundRobin, None),
        (
            "round-robin, max_connections",
            StrategyConfig::RoundRobin,
            Some(1000),
        ),
        ("least-connections", StrategyConfig::LeastConnections, None),
        ("random", StrategyConfig::Random, None),
    ] {
        let snapshot = snapshot(10, &strategy, limit);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let run = |worker| {
                    let asking = Asking::new(worker);
                    let begun = Instant::now();
                    for _ in 0..rounds {
                        asking.pick_and_finish(&snapshot, &Tried::default());
                    }
                    begun.elapsed()
                };
                std::thread::scope(|scope| {
                    let other = scope.spawn(|| run(1));
                    run(0).max(other.join().unwrap())
                })
            });
        });
    }
    group.finish();
}

fn builds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a snapshot of 10,000 backends");
    group.sample_size(10);
    for (name, strategy) in strategies() {
        let config = configuration(10_000, &strategy);
        let members = members(&config, None);
        let build = |previous: Option<&Snapshot>| {
            let members = members.clone();
            Snapshot::build(1, Arc::clone(&config), move |_| members.clone(), previous)
        };
        group.bench_function(BenchmarkId::new("the first", name), |bencher| {
            bencher.iter_batched(|| (), |()| build(None), BatchSize::PerIteration);
        });
        let first = build(None);
        group.bench_function(BenchmarkId::new("the next", name), |bencher| {
            bencher.iter_batched(|| (), |()| build(Some(&first)), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, picks, shared, builds);
criterion_main!(benches);

//! What choosing a backend costs, by the number of backends; with equal weights and with mixed ones.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]
use std::{fmt::Write, hint::black_box, sync::Arc, time::Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lb_core::{
    config::{self, BackendConfig},
    health::Health,
    pool::{Ask, Backend, Member, Outcome, Snapshot, Tried},
};

const BACKENDS: [usize; 4] = [10, 100, 1_000, 10_000];

/// Backend `i` weighs from 1 to `weights`, in turn.
fn snapshot(backends: usize, weights: usize) -> Snapshot {
    let mut text = "port: 0\nbackends:\n".to_owned();
    for index in 0..backends {
        let (high, low, weight) = (index >> 8, index & 255, 1 + index % weights);
        writeln!(
            text,
            "  - {{url: \"http://10.0.{high}.{low}\", weight: {weight}}}"
        )
        .unwrap();
    }
    let config = Arc::new(config::load(&text, "config.yaml", &|_| None).unwrap());
    let now = Instant::now();
    let member = |(backend, id): (&BackendConfig, u64)| Member {
        backend: Arc::new(Backend::new(id, backend.url.clone(), 1)),
        weight: backend.weight,
        health: Health::at_start(),
        since: now,
        probed: true,
    };
    let members = |pool: &str| config.pools[pool].backends.iter().zip(1..).map(member).collect();
    Snapshot::build(1, Arc::clone(&config), members, None)
}

fn pick(snapshot: &Snapshot, now: Instant, tried: &Tried) {
    let ask = Ask {
        worker: 0,
        now,
        tried,
    };
    let lease = snapshot.pick(black_box(&ask)).unwrap();
    lease.finish(Outcome::Answered);
}

fn picks(criterion: &mut Criterion) {
    let now = Instant::now();
    for (name, weights) in [("equal", 1), ("mixed", 7)] {
        let mut group = criterion.benchmark_group(format!("pick, {name} weights"));
        for backends in BACKENDS {
            let snapshot = snapshot(backends, weights);
            let mut tried = Tried::default();
            let first = BenchmarkId::new("first", backends);
            group.bench_function(first, |bencher| bencher.iter(|| pick(&snapshot, now, &tried)));
            tried.add(&snapshot.pools()[0].members()[0].backend);
            let retry = BenchmarkId::new("retry", backends);
            group.bench_function(retry, |bencher| bencher.iter(|| pick(&snapshot, now, &tried)));
        }
        group.finish();
    }
}

criterion_group!(benches, picks);
criterion_main!(benches);

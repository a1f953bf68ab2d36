//! How long a million requests at 10,000 backends take in the model, for each strategy.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]
use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use lb_core::config::{self, StrategyConfig};
use lb_simulation::{BackendModel, Load, Scenario, ServiceTime};

const BACKENDS: usize = 10_000;
const REQUESTS: u64 = 1_000_000;

/// All backends at 60 % of what they manage, one of them ten times slower.
fn scenario() -> Scenario {
    let mut text = "port: 0\nbackends:\n".to_owned();
    for index in 0..BACKENDS {
        writeln!(text, "  - \"http://10.0.{}.{}\"", index >> 8, index & 255).unwrap();
    }
    let mut config = config::load(&text, "config.yaml", &|_| None).unwrap();
    let pool = config.pools.remove("default").unwrap();
    let mut scenario = Scenario {
        name: "default".into(),
        backends: Scenario::healthy(&pool, BackendModel::SLOTS),
        pool,
        service: ServiceTime::default(),
        load: Load {
            rate: 1.0,
            curve: Vec::new(),
        },
        duration: Duration::MAX,
        unsafe_share: 0.0,
        clients: 10_000,
        seed: 1,
    };
    scenario.backends[1]
        .slow
        .push((lb_simulation::Span::ALWAYS, 10.0));
    scenario.load.rate = 0.6 * scenario.capacity();
    scenario.duration = scenario
        .load
        .time_for(REQUESTS, scenario.seed, config::MAX_DURATION);
    scenario
}

fn runs(criterion: &mut Criterion) {
    let scenario = scenario();
    let mut group = criterion.benchmark_group("a million requests, 10,000 backends");
    group.sample_size(10);
    for strategy in StrategyConfig::every() {
        group.bench_function(strategy.name(), |bencher| {
            bencher.iter(|| lb_simulation::run(&scenario, &strategy, Instant::now()));
        });
    }
    group.finish();
}

criterion_group!(benches, runs);
criterion_main!(benches);

//! The simulation and the balancer, given the same script: they send the same attempts to the same backends.

use std::{
    thread,
    time::{Duration, Instant},
};

use dummy_servers::Behaviour;
use lb_core::config::{self, StrategyConfig};
use lb_simulation::{BackendModel, Load, Scenario, ServiceTime, Shape, Span, run};

use crate::harness::{Balancer, backends};

/// How a backend behaves all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Healthy,
    Dead,
    /// It fails every request, with 500 in the world and 503 in the model.
    Failing,
    /// It takes requests and says nothing.
    Frozen,
}

use Backend::{Dead, Failing, Frozen, Healthy};

/// What came of all requests of a script.
#[derive(Debug, PartialEq, Eq)]
struct Result {
    good: u64,
    bad: u64,
    /// Attempts and failures of each backend.
    backends: Vec<(u64, u64)>,
}

fn settings(more: &str, urls: &[String]) -> String {
    format!(
        "port: 0\nworkers: 1\nhealth_check: false\nejection: off\ntimeouts: {{response_idle: 2s}}\n{more}\nbackends: [{}]\n",
        urls.iter()
            .map(|url| format!("\"{url}\""))
            .collect::<Vec<_>>()
            .join(", ")
    )
}

fn model(backend: Backend) -> BackendModel {
    let mut model = BackendModel::new(100);
    match backend {
        Healthy => {}
        Dead => model.dead = vec![Span::ALWAYS],
        Failing => model.failing = vec![(Span::ALWAYS, 1.0)],
        Frozen => model.frozen = vec![Span::ALWAYS],
    }
    model
}

/// What the simulation says, and how many requests it had.
fn simulated(script: &[Backend; 3], method: &str, more: &str) -> (u64, Result) {
    let urls = ["http://a", "http://b", "http://c"].map(str::to_owned);
    let config = config::load(&settings(more, &urls), "config.yaml", &|_| None).unwrap();
    let scenario = Scenario {
        name: "default".into(),
        pool: config.pools["default"].clone(),
        backends: script.iter().map(|backend| model(*backend)).collect(),
        service: ServiceTime {
            mean: Duration::from_millis(1),
            shape: Shape::Constant,
            tail: 0.0,
        },
        load: Load {
            rate: 0.1,
            curve: Vec::new(),
        },
        duration: Duration::from_secs(60),
        unsafe_share: if method == "POST" { 1.0 } else { 0.0 },
        clients: 1,
        seed: 1,
    };
    let report = run(&scenario, &StrategyConfig::RoundRobin, Instant::now());
    let backends = report.backends.iter();
    let result = Result {
        good: report.answered,
        bad: report.errors.all(),
        backends: backends
            .map(|backend| (backend.attempts, backend.failures))
            .collect(),
    };
    let attempts: u64 = result.backends.iter().map(|(attempts, _)| attempts).sum();
    let never_sent = if script == &[Dead; 3] { 0 } else { report.requests };
    assert!(attempts - report.retries >= never_sent, "{report:?}");
    (report.requests, result)
}

/// What the balancer does with that many requests.
fn real(script: &[Backend; 3], method: &str, (more, requests): (&str, u64)) -> Result {
    let servers: [dummy_servers::DummyServer; 3] = backends();
    for (server, backend) in servers.iter().zip(script) {
        match backend {
            Healthy => {}
            Dead => server.kill(),
            Failing => server.set_behaviour(Behaviour::Fail),
            Frozen => server.set_behaviour(Behaviour::Hang),
        }
    }
    let urls = servers.each_ref().map(|server| server.url());
    let balancer = Balancer::start(&settings(more, &urls));
    let good = (0..requests)
        .filter(|_| {
            let mut client = balancer.connect();
            client.request(method, "/", &[], b"").status == 200
        })
        .count() as u64;
    let counted = |url: &String| {
        let status = balancer.backend(url);
        (status.counts.requests, status.counts.failures)
    };
    Result {
        good,
        bad: requests - good,
        backends: urls.iter().map(counted).collect(),
    }
}

#[test]
fn the_simulation_sends_what_the_balancer_sends() {
    let all = "retries: {attempts: 2, budget: 100%, min_per_second: 1000}";
    let statuses = "retries: {attempts: 2, budget: 100%, min_per_second: 1000, statuses: [500, 503]}";
    let one = "retries: {attempts: 1, budget: 100%, min_per_second: 1000, statuses: [500, 503]}";
    let scripts: [([Backend; 3], &str, &str); 13] = [
        ([Healthy; 3], "GET", all),
        ([Healthy, Dead, Healthy], "GET", all),
        ([Healthy, Dead, Healthy], "POST", all),
        ([Dead, Dead, Healthy], "GET", one),
        ([Dead; 3], "GET", all),
        ([Healthy, Dead, Healthy], "GET", "retries: 0"),
        ([Healthy, Failing, Healthy], "GET", all),
        ([Healthy, Failing, Healthy], "GET", statuses),
        ([Healthy, Failing, Healthy], "POST", statuses),
        ([Failing; 3], "GET", statuses),
        ([Failing, Dead, Failing], "GET", statuses),
        ([Healthy, Frozen, Healthy], "GET", all),
        ([Healthy, Frozen, Dead], "POST", all),
    ];
    // The frozen ones take their time.
    thread::scope(|scope| {
        for (script, method, more) in scripts {
            scope.spawn(move || {
                let (requests, expected) = simulated(&script, method, more);
                assert!(requests > 4, "{requests} requests");
                let real = real(&script, method, (more, requests));
                assert_eq!(real, expected, "{script:?} {method} {more}");
            });
        }
    });
}

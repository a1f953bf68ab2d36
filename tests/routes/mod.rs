//! Pools and routes: which request goes where, and what is changed on its way.

/// Headers, paths, redirects and fixed answers.
mod changes;
/// Requests that would have been sent where they must not go.
mod hostile;
/// Which pool gets which request.
mod matching;
/// Timeouts, retries, splits and reloads of pools and routes.
mod pools;

use dummy_servers::DummyServer;

use crate::harness::{Balancer, Response};

/// Backends a, b and c as pools of their names, none of them the default, and these routes.
fn in_front_of(backends: &[&DummyServer], routes: &str) -> Balancer {
    Balancer::start(&config(backends, routes))
}

fn config(backends: &[&DummyServer], routes: &str) -> String {
    let mut text = "port: 0\nhealth_check: false\npools:\n".to_owned();
    for backend in backends {
        text.push_str(&format!("  {}: [\"{}\"]\n", backend.name(), backend.url()));
    }
    text.push_str("routes:\n");
    routes
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .for_each(|line| text.push_str(&format!("  - {line}\n")));
    text
}

/// What came of each request, `METHOD target [Header: value]…`: the backend's name, or the status.
#[track_caller]
fn assert_taken(balancer: &Balancer, expected: &[(&str, &str)]) {
    let mut client = balancer.connect();
    for (request, taken) in expected {
        let mut parts = request.split(" | ");
        let (method, target) = parts.next().unwrap().split_once(' ').unwrap();
        let headers: Vec<_> = parts.collect();
        let answer = client.request(method, target, &headers, b"");
        assert_eq!(name_or_status(&answer), *taken, "{request}");
    }
}

fn name_or_status(answer: &Response) -> String {
    match answer.header("X-Server") {
        Some(name) => name.to_owned(),
        None => answer.status.to_string(),
    }
}

/// The header lines with this name that the backend saw, according to /echo.
fn seen(answer: &Response, name: &str) -> Vec<String> {
    let echo = answer.json();
    let lines = echo["headers"].as_array().unwrap().iter();
    let lines = lines.filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
    lines.map(|line| line[1].as_str().unwrap().to_owned()).collect()
}

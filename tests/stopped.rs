//! A process that is stopped and goes on (`SIGSTOP` and `SIGCONT`, as a paused container is): what came meanwhile counts, and
//! the time in which it did not run counts for nobody.

use std::time::Duration;

use lb_core::status::HealthStatus;
use rustix::process::Signal;

use crate::{
    conformance::exchange::{GET, OK},
    harness::{Balancer, Stage, pause},
};

/// The timeouts of these tests.
const TIMEOUT: &str = "2s";

/// Longer than them.
const STOP: Duration = Duration::from_secs(4);

fn stop(balancer: &Balancer, meanwhile: impl FnOnce()) {
    balancer.signal(Signal::STOP);
    meanwhile();
    pause(STOP);
    balancer.signal(Signal::CONT);
}

#[track_caller]
fn nothing_is_held_against(balancer: &Balancer, stage: &Stage) {
    let log = balancer.log();
    assert_eq!(balancer.backend(&stage.url()).counts.failures, 0, "{log}");
    assert!(!log.contains("is over"), "{log}");
}

#[test]
fn a_response_that_came_meanwhile_is_passed_on() {
    for timeout in ["response_idle", "request"] {
        let (stage, balancer) = Stage::with_balancer(&format!("timeouts: {{{timeout}: {TIMEOUT}}}"));
        let mut client = balancer.peer();
        client.send(GET);
        let mut backend = stage.accept();
        backend.read_head();
        stop(&balancer, || backend.send(OK));
        assert_eq!(client.read_head().status(), 200, "{timeout}");
        nothing_is_held_against(&balancer, &stage);
    }
}

#[test]
fn a_response_that_comes_afterwards_is_not_late() {
    for timeout in ["response_idle", "request"] {
        let (stage, balancer) = Stage::with_balancer(&format!("timeouts: {{{timeout}: {TIMEOUT}}}"));
        let mut client = balancer.peer();
        client.send(GET);
        let mut backend = stage.accept();
        backend.read_head();
        stop(&balancer, || {});
        // It runs, and its timers with it.
        assert_eq!(balancer.backend(&stage.url()).counts.in_flight, 1);
        backend.send(OK);
        assert_eq!(client.read_head().status(), 200, "{timeout}");
        nothing_is_held_against(&balancer, &stage);
    }
}

#[test]
fn a_body_and_a_response_go_on_where_they_were() {
    let timeouts = format!("timeouts: {{response_idle: {TIMEOUT}, body_stall: {TIMEOUT}}}");
    let (stage, balancer) = Stage::with_balancer(&timeouts);
    let mut client = balancer.peer();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    let mut backend = stage.accept();
    backend.read_head();
    assert_eq!(backend.read(2), b"ab");
    stop(&balancer, || {});
    assert_eq!(balancer.backend(&stage.url()).counts.in_flight, 1);
    client.send("cd");
    assert_eq!(backend.read(2), b"cd");
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    assert_eq!(client.read_head().status(), 200);
    assert_eq!(client.read(1), b"o");
    stop(&balancer, || {});
    assert_eq!(balancer.backend(&stage.url()).counts.in_flight, 1);
    backend.send("k");
    assert_eq!(client.read(1), b"k");
    nothing_is_held_against(&balancer, &stage);
}

#[test]
fn a_probe_whose_response_came_meanwhile_has_passed() {
    let (stage, balancer) = Stage::with_balancer("");
    let check = format!("health_check: {{interval: 100ms, timeout: {TIMEOUT}, fall: 1}}");
    let config = format!("port: 0\nworkers: 1\nbackends: [\"{}\"]\n{check}\n", stage.url());
    assert_eq!(balancer.reload_with(&config).code, 0);
    let probe = || {
        let mut probe = stage.accept();
        probe.read_head();
        probe
    };
    probe().send(OK);
    let mut asked = probe();
    stop(&balancer, || asked.send(OK));
    // The next one is sent when the result of that one is known.
    let _next = probe();
    assert!(!balancer.log().contains("timed out"), "{}", balancer.log());
    assert_eq!(balancer.backend(&stage.url()).health, HealthStatus::Up);
}

//! Whose time is up, and what the client is told.

use std::time::{Duration, Instant};

use dummy_servers::{Behaviour, DummyServer};

use crate::harness::{Balancer, backends};

fn in_front_of(backend: &DummyServer, timeouts: &str) -> Balancer {
    Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\ntimeouts: {{{timeouts}}}\n",
        backend.url()
    ))
}

#[test]
fn a_backend_that_is_silent_is_given_up() {
    let [a] = backends();
    let balancer = in_front_of(&a, "response_idle: 300ms");
    a.set_behaviour(Behaviour::Hang);
    for (method, body) in [("GET", ""), ("POST", "some body")] {
        let answer = balancer.connect().request(method, "/", &[], body.as_bytes());
        assert_eq!(answer.status, 504, "{method}");
        assert!(
            answer
                .text()
                .starts_with("504 Gateway Timeout: the backend did not answer in time\n"),
            "{answer:?}"
        );
    }
    balancer.wait_for_log("timeouts.response_idle is over (300ms): giving up");
}

#[test]
fn a_slow_answer_that_keeps_coming_is_not_cut() {
    let [a] = backends();
    let balancer = in_front_of(&a, "response_idle: 1s");
    let answer = balancer.get("/drip?bytes=100&for=2500ms");
    assert_eq!((answer.status, answer.body.len()), (200, 100));
}

#[test]
fn a_cap_on_the_whole_request_holds_before_and_within_the_answer() {
    let [a] = backends();
    let balancer = in_front_of(&a, "request: 500ms");
    let mut client = balancer.connect();
    client
        .send_request("GET", "/drip?bytes=1000&for=60s", &[], b"")
        .unwrap();
    let head = client.read_head().unwrap();
    assert_eq!(head.status, 200);
    assert!(
        client.read_body("GET", &head, |_| {}).is_err(),
        "a broken message, never a clean end"
    );

    a.set_behaviour(Behaviour::Hang);
    let answer = balancer.get("/");
    assert_eq!(answer.status, 504);
    assert!(
        answer.text().contains("the request took longer than it may"),
        "{answer:?}"
    );
}

#[test]
fn a_client_that_stops_in_the_middle_of_its_upload_is_told_so() {
    let [a] = backends();
    let balancer = in_front_of(&a, "body_stall: 300ms, response_idle: 60s");
    for header in ["Transfer-Encoding: chunked", "Content-Length: 100"] {
        let mut client = balancer.connect();
        client.send_request("POST", "/count", &[header], b"").unwrap();
        match header {
            "Content-Length: 100" => client.send(b"five.").unwrap(),
            _ => client.send_chunk(b"five.").unwrap(),
        }
        let answer = client.read_response("POST").unwrap();
        assert_eq!(answer.status, 408, "{header}");
        assert!(
            answer
                .text()
                .contains("the request's body did not arrive in time"),
            "{answer:?}"
        );
        assert_eq!(
            answer
                .header("Connection")
                .map(str::to_ascii_lowercase)
                .as_deref(),
            Some("close")
        );
    }
    let status = balancer.backend(&a.url());
    assert_eq!(
        status.counts.failures, 0,
        "the client's fault is not held against the backend"
    );
}

#[test]
fn an_upload_that_takes_long_is_not_the_backends_silence() {
    let [a] = backends();
    let balancer = in_front_of(&a, "response_idle: 500ms");
    let mut client = balancer.connect();
    client
        .send_request("POST", "/count", &["Transfer-Encoding: chunked"], b"")
        .unwrap();
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_millis(1500) {
        client.send_chunk(b"0123456789").unwrap();
        sent += 10;
        crate::harness::pause(Duration::from_millis(100));
    }
    client.send_chunk(b"").unwrap();
    let answer = client.read_response("POST").unwrap();
    assert_eq!((answer.status, answer.text()), (200, format!("{sent}\n")));
}

#[test]
fn a_client_that_is_slow_with_its_head_loses_its_place() {
    let [a] = backends();
    let balancer = in_front_of(&a, "request_header: 1s");
    let mut client = balancer.connect();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow").unwrap();
    match client.read_response("GET") {
        Ok(answer) => assert_eq!(answer.status, 408),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}"),
    }
    assert_eq!(a.hits(), 0);
}

#[test]
fn an_idle_connection_is_closed() {
    let [a] = backends();
    let balancer = in_front_of(&a, "client_idle: 1s");
    let mut client = balancer.connect();
    assert_eq!(client.get("/").server(), "a");
    assert!(client.is_closed());
}

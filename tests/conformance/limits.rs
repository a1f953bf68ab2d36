//! What clients may take up (RFC 9110 sections 15.5.14 and 15.6.4).

use super::exchange::{GET, OK, Play};
use crate::harness::{Ending, latin1, wait_until};

#[test]
fn a_body_that_is_larger_than_allowed_is_413() {
    let mut play = Play::with("limits: {body_size: 1KiB}");
    play.client
        .send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1025\r\n\r\n");
    play.reads_error(413);
    assert_eq!(play.client.expect_end(), Ending::Closed);
    assert!(
        play.stage.waiting().is_none(),
        "what is announced is refused unseen"
    );
    play.client = play.balancer.peer();
    let (mut backend, _) = play.request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    play.client.send(chunk.repeat(3));
    play.reads_error(413);
    let (rest, _) = backend.read_to_end();
    assert!(!latin1(&rest).contains("0\r\n\r\n"), "never ended as if complete");
    play.client = play.balancer.peer();
    let (mut backend, _) = play.request(&format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n{}",
        "x".repeat(1024)
    ));
    backend.read(1024);
    backend.send(OK);
    play.reads_ok();
}

#[test]
fn rfc_9112_7_1_only_content_counts_for_the_limit_of_a_body() {
    let mut play = Play::with("limits: {body_size: 1000B}");
    for size in [1000, 10, 1] {
        let body = format!("{size:x}\r\n{}\r\n", "x".repeat(size)).repeat(1000 / size) + "0\r\n\r\n";
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (mut backend, _) = play.request(&format!("{head}{body}"));
        let received = backend.read_until(b"\r\n0\r\n\r\n");
        assert_eq!(received.iter().filter(|byte| **byte == b'x').count(), 1000);
        backend.send(OK);
        play.reads_ok();
    }
}

#[test]
fn a_head_as_large_as_allowed_reaches_the_backend() {
    let mut play = Play::with("limits: {header_size: 1MiB, header_count: 1000}");
    let lines: String = (0..900)
        .map(|at| format!("X-{at}: {}\r\n", "x".repeat(1000)))
        .collect();
    let (mut backend, head) = play.request(&format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
    assert_eq!(head.one("X-899").map(str::len), Some(1000));
    backend.send(OK);
    play.reads_ok();
}

#[test]
fn connections_beyond_the_limit_are_refused_until_others_end() {
    for key in ["connections", "connections_per_client"] {
        let mut play = Play::with(&format!("limits: {{{key}: 2}}"));
        let (mut backend, _) = play.answer(OK);
        play.client.read(2);
        let mut second = play.balancer.peer();
        second.send(GET);
        backend.read_head();
        backend.send(OK);
        assert_eq!(second.read_head().status(), 200, "{key}");
        let mut third = play.balancer.peer();
        let (answer, _) = third.read_to_end();
        assert!(
            latin1(&answer).starts_with("HTTP/1.1 503 "),
            "{key}: {:?}",
            latin1(&answer)
        );
        // Those that are in are not touched, and a place that is free is given away.
        play.goes_on(&mut backend);
        drop(second);
        wait_until("a place", || {
            let mut next = play.balancer.peer();
            if next.try_send(GET).is_err() || !next.is_silent_for(std::time::Duration::from_millis(50)) {
                return false;
            }
            backend.read_head();
            backend.send(OK);
            next.read_head().status() == 200
        });
    }
}

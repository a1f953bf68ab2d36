//! Answers before the answer: 1xx, and `Expect: 100-continue` (RFC 9110 sections 10.1.1 and 15.2).

use std::time::Duration;

use super::exchange::{GET, OK, Play};
use crate::harness::{Ending, Peer};

const EXPECTING: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
const A_MOMENT: Duration = Duration::from_millis(200);

#[test]
fn the_body_is_asked_for_when_the_backend_asks() {
    let mut play = Play::new();
    let (mut backend, head) = play.request(EXPECTING);
    assert_eq!(head.one("Expect"), Some("100-continue"));
    assert!(
        play.client.is_silent_for(A_MOMENT),
        "nobody has asked for the body"
    );
    backend.send("HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(play.client.read_head().0, "HTTP/1.1 100 Continue\r\n\r\n");
    play.client.send("hello");
    assert_eq!(backend.read(5), b"hello");
    backend.send(OK);
    play.reads_ok();
    play.goes_on(&mut backend);
}

#[test]
fn a_body_that_nobody_wants_is_not_asked_for() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(EXPECTING);
    backend.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    let head = play.client.read_head();
    // The client may still send the body, or leave it: so the connection has to end.
    assert_eq!(
        (head.status(), head.list("Connection")),
        (413, vec!["close".to_owned()])
    );
    assert_eq!(play.client.expect_end(), Ending::Closed);
    backend.expect_end();
}

#[test]
fn who_waits_to_be_asked_for_its_body_is_not_the_one_who_is_silent() {
    let mut play = Play::with("timeouts: {response_idle: 2s, body_stall: 200ms}\nretries: 0");
    let (_backend, _) = play.request(EXPECTING);
    play.reads_error(504);
    // Once it is asked, it is.
    let mut play = Play::with("timeouts: {response_idle: 20s, body_stall: 200ms}");
    let (mut backend, _) = play.request(EXPECTING);
    backend.send("HTTP/1.1 100 Continue\r\n\r\n");
    play.client.read_head();
    play.reads_error(408);
}

#[test]
fn who_does_not_wait_gets_its_body_through() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(&format!("{EXPECTING}hello"));
    assert_eq!(backend.read(5), b"hello");
    backend.send(OK);
    play.reads_ok();
    play.goes_on(&mut backend);
}

#[test]
fn continue_goes_to_those_only_who_wait_for_it() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(super::exchange::GET);
    backend.send(format!("HTTP/1.1 100 Continue\r\n\r\n{OK}"));
    play.reads_ok();
    play.goes_on(&mut backend);
}

#[test]
fn an_expectation_without_a_body_or_in_http_1_0_is_none() {
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        let mut play = Play::new();
        let (mut backend, head) = play.request(request);
        assert_eq!(head.one("Expect"), None, "{request:?}");
        if request.ends_with("hello") {
            assert_eq!(backend.read(5), b"hello");
        }
        backend.send(OK);
        play.reads_ok();
    }
}

#[test]
fn interim_answers_pass_as_they_come() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(super::exchange::GET);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n";
    for interim in [
        "HTTP/1.1 102 Processing\r\n\r\n",
        hints,
        hints,
        "HTTP/1.1 199 Own\r\nX: y\r\n\r\n",
    ] {
        backend.send(interim);
        let head = play.client.read_head();
        assert_eq!(
            head.0, interim,
            "passed before the final answer, and nothing added"
        );
    }
    backend.send(OK);
    play.reads_ok();
    play.goes_on(&mut backend);
}

#[test]
fn interim_answers_in_one_piece_with_the_final_one_are_told_apart() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(super::exchange::GET);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let all = format!("HTTP/1.1 102 Processing\r\n\r\n{hints}{OK}");
    for byte in all.bytes() {
        backend.send([byte]);
    }
    assert_eq!(play.client.read_head().status(), 102);
    assert_eq!(play.client.read_head().0, hints);
    play.reads_ok();
    play.goes_on(&mut backend);
}

#[test]
fn interim_answers_without_end_are_a_fault() {
    let mut play = Play::new();
    let (mut backend, _) = play.request("GET / HTTP/1.0\r\n\r\n");
    for _ in 0..10_000 {
        if backend.try_send("HTTP/1.1 103 Early Hints\r\n\r\n").is_err() {
            break;
        }
    }
    play.reads_error(502);
}

#[test]
fn an_interim_answer_with_a_length_has_no_body() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(super::exchange::GET);
    backend.send(format!(
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n{OK}"
    ));
    let head = play.client.read_head();
    assert_eq!((head.status(), head.one("Content-Length")), (103, None));
    play.reads_ok();
}

#[test]
fn an_interim_answer_that_found_no_room_goes_out_when_there_is_some() {
    // Nothing may wait for a look at the slow: those come at a quarter of this.
    let mut play = Play::with("timeouts: {body_stall: 10m, response_idle: 10m}");
    play.client = Peer::connect_with_small_buffer(play.balancer.address());
    let (mut backend, _) = play.request(GET);
    let early = format!("HTTP/1.1 103 Early Hints\r\nX: {}\r\n\r\n", "x".repeat(30_000));
    for _ in 0..90 {
        backend.send(&early);
    }
    for _ in 0..90 {
        assert_eq!(play.client.read_head().status(), 103);
    }
    backend.send(OK);
    play.reads_ok();
}

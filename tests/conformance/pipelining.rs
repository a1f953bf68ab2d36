//! Several requests over one connection (RFC 9112 sections 9.2 to 9.6).

use std::time::Duration;

use rustix::process::Signal;

use super::exchange::{GET, OK, Play};
use crate::harness::{Ending, latin1, pause, wait_until};

const A_MOMENT: Duration = Duration::from_millis(200);

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut play = Play::new();
    let many: String = (0..20)
        .map(|number| match number % 3 {
            0 => format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"),
            1 => format!("POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
            _ => format!(
                "PUT /{number} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            ),
        })
        .collect();
    play.client.send(many);
    let mut backend = play.stage.accept();
    for number in 0..20 {
        let head = backend.read_head();
        assert_eq!(
            head.first().split(' ').nth(1),
            Some(format!("/{number}").as_str())
        );
        match number % 3 {
            0 => {}
            1 => assert_eq!(backend.read(5), b"hello"),
            _ => assert_eq!(latin1(&backend.read(11)), "1\r\nx\r\n0\r\n\r\n"),
        }
        let body = number.to_string();
        backend.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(play.client.read_head().status(), 200);
        assert_eq!(latin1(&play.client.read(body.len())), body);
    }
    assert!(play.stage.waiting().is_none(), "one connection is enough");
}

#[test]
fn requests_may_come_byte_by_byte() {
    let mut play = Play::new();
    let two = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
               3;x\r\nabc\r\n0\r\nX: y\r\n\r\n";
    for byte in two.bytes() {
        play.client.send([byte]);
    }
    let mut backend = play.stage.accept();
    assert_eq!(backend.read_head().first(), "GET /1 HTTP/1.1");
    backend.send(OK);
    play.reads_ok();
    assert_eq!(backend.read_head().first(), "POST /2 HTTP/1.1");
    assert_eq!(latin1(&backend.read(21)), "3;x\r\nabc\r\n0\r\nX: y\r\n\r\n");
    backend.send(OK);
    play.reads_ok();
}

/// What is read at once ends anywhere: in a head, at its end, in a body, or in the request behind it.
#[test]
fn requests_end_where_they_end_however_much_is_read_at_once() {
    let mut play = Play::new();
    let mut backend = None;
    for (padding, length) in [
        (10, 8192),
        (8000, 100),
        (8100, 8200),
        (20_000, 0),
        (20_000, 61_440),
        (0, 70_000),
    ] {
        for more in 0..130 {
            let pad = "p".repeat(padding + more);
            let body: String = ('a'..='z').cycle().take(length).collect();
            let put = format!(
                "PUT / HTTP/1.1\r\nHost: a\r\nX-Pad: {pad}\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            play.client.send(format!("{put}{GET}"));
            let backend = backend.get_or_insert_with(|| play.stage.accept());
            let head = backend.read_head();
            assert_eq!(head.all("x-pad"), [pad.as_str()]);
            assert_eq!(latin1(&backend.read(length)), body);
            backend.send(OK);
            play.reads_ok();
            assert_eq!(backend.read_head().first(), "GET / HTTP/1.1");
            backend.send(OK);
            play.reads_ok();
        }
    }
}

#[test]
fn a_request_is_not_sent_on_before_the_one_ahead_is_answered() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(&format!("{GET}{GET}"));
    assert!(backend.is_silent_for(std::time::Duration::from_millis(100)));
    assert!(play.stage.waiting().is_none());
    backend.send(OK);
    play.reads_ok();
    backend.read_head();
    backend.send(OK);
    play.reads_ok();
}

#[test]
fn what_stands_behind_close_is_not_looked_at() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(&format!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n{GET}"
    ));
    backend.send(OK);
    assert_eq!(play.reads_ok().list("Connection"), ["close"]);
    assert_eq!(play.client.expect_end(), Ending::Closed);
    assert!(backend.is_silent_for(std::time::Duration::from_millis(50)));
    assert!(play.stage.waiting().is_none());
}

#[test]
fn a_request_behind_one_that_is_refused_is_not_looked_at() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(&format!("{GET}GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n{GET}"));
    backend.send(OK);
    play.reads_ok();
    play.reads_error(400);
    assert_eq!(play.client.expect_end(), Ending::Closed);
    assert!(backend.is_silent_for(std::time::Duration::from_millis(50)));
}

#[test]
fn a_client_that_has_sent_its_last_request_still_gets_its_answers() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(&format!("{GET}{GET}"));
    play.client.finish_sending();
    backend.send(OK);
    play.reads_ok();
    backend.read_head();
    backend.send(OK);
    play.reads_ok();
    assert!(play.stage.waiting().is_none(), "a second connection");
    assert_eq!(play.client.expect_end(), Ending::Closed);
}

/// More than what a client's kernel takes at once.
const LONG: usize = 1_500_000;

#[test]
fn a_last_answer_is_not_lost_because_the_client_goes_on_sending() {
    for (request, more) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "\r\n"),
        ("GET / HTTP/1.0\r\n\r\n", GET),
    ] {
        let mut play = Play::new();
        let (mut backend, _) = play.request(request);
        backend.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n"));
        backend.send(vec![b'x'; LONG]);
        // By now all of it is the kernel's to send, or the client's to read.
        wait_until("the end of the request", || play.balancer.status().in_flight == 0);
        play.client.send(more);
        pause(A_MOMENT);
        assert_eq!(play.client.read_head().status(), 200);
        let (body, ending) = play.client.read_to_end();
        assert_eq!((body.len(), ending), (LONG, Ending::Closed), "{request}");
    }
}

#[test]
fn an_answer_at_the_end_of_all_is_not_lost_because_another_request_is_on_its_way() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(GET);
    play.balancer.signal(Signal::TERM);
    play.balancer.wait_for_log("stopping: ");
    backend.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n"));
    backend.send(vec![b'x'; LONG]);
    // The client has not read yet that it is the last one.
    play.client.send(GET);
    pause(A_MOMENT);
    let head = play.client.read_head();
    assert_eq!(head.list("Connection"), ["close"]);
    let (body, ending) = play.client.read_to_end();
    assert_eq!((body.len(), ending), (LONG, Ending::Closed));
    assert_eq!(play.balancer.process.wait(), 0);
}

//! Messages that take their time: events, uploads that are answered early, and whoever leaves in the middle.

use std::time::Duration;

use super::exchange::{GET, OK, Play};
use crate::harness::{Ending, latin1, wait_until};

/// After this, whoever has left must have been noticed.
const A_FEW_SECONDS: Duration = Duration::from_secs(6);

#[test]
fn each_event_arrives_before_the_next_is_sent() {
    for (head, frame) in [
        ("Transfer-Encoding: chunked\r\n", true),
        ("Connection: close\r\n", false),
        ("Content-Length: 1000000\r\n", false),
    ] {
        let mut play = Play::new();
        let (mut backend, _) = play.answer(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{head}\r\n"
        ));
        for number in 0..50 {
            let event = format!("id: {number}\ndata: x\n\n");
            match frame {
                true => backend.send(format!("{:x}\r\n{event}\r\n", event.len())),
                false => backend.send(&event),
            }
            assert!(latin1(&play.client.read_until(b"\n\n")).ends_with(&event));
        }
    }
}

#[test]
fn each_piece_of_an_upload_arrives_before_the_next_is_sent() {
    for (head, frame) in [
        ("Transfer-Encoding: chunked\r\n", true),
        ("Content-Length: 1000000\r\n", false),
    ] {
        let mut play = Play::new();
        let (mut backend, _) = play.request(&format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n"));
        for number in 0..50 {
            let piece = format!("piece {number}\n\n");
            match frame {
                true => play.client.send(format!("{:x}\r\n{piece}\r\n", piece.len())),
                false => play.client.send(&piece),
            }
            assert!(latin1(&backend.read_until(b"\n\n")).ends_with(&piece));
        }
    }
}

#[test]
fn request_and_answer_may_stream_at_once() {
    let mut play = Play::new();
    let (mut backend, _) =
        play.request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n");
    backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(play.client.read_head().status(), 200);
    assert_eq!(backend.read(6), b"1\r\n0\r\n");
    for number in 1..50 {
        let chunk = format!("2\r\n{number:02}\r\n");
        play.client.send(&chunk);
        assert_eq!(latin1(&backend.read(chunk.len())), chunk);
        backend.send(&chunk);
        assert_eq!(latin1(&play.client.read(chunk.len())), chunk);
    }
    play.client.send("0\r\n\r\n");
    assert_eq!(backend.read(5), b"0\r\n\r\n");
    backend.send("0\r\n\r\n");
    assert_eq!(play.client.read(5), b"0\r\n\r\n");
}

#[test]
fn an_answer_that_comes_during_the_upload_is_delivered() {
    for then in ["waits", "closes", "reads on"] {
        let mut play = Play::new();
        let (mut backend, _) =
            play.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst");
        backend.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!");
        if then == "closes" {
            backend.finish_sending();
        }
        let head = play.client.read_head();
        assert_eq!(
            (head.status(), head.list("Connection")),
            (413, vec!["close".to_owned()]),
            "{then}"
        );
        assert_eq!(play.client.read(3), b"no!");
        // A client that goes on sending for a while must not lose the answer to a reset (RFC 9112 section 9.6).
        for _ in 0..20 {
            let _ended = play.client.try_send([b'x'; 10_000]);
        }
        if then == "reads on" {
            backend.read_to_end();
        }
        assert!(play.stage.waiting().is_none());
    }
}

#[test]
fn an_answer_is_not_lost_while_the_client_sends_all_it_has() {
    // The backend answers and closes with bytes unread, which resets: the answer was read before, or is not lost then.
    let mut play = Play::new();
    let (mut backend, _) = play.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    backend.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
    let mut client = std::mem::replace(&mut play.client, play.balancer.peer());
    for _ in 0..200 {
        if client.try_send(vec![b'x'; 64 * 1024]).is_err() {
            break;
        }
    }
    drop(backend);
    assert_eq!(client.read_head().status(), 401);
    assert_eq!(client.read(2), b"no");
}

#[test]
fn a_client_that_leaves_before_the_answer_frees_the_backend() {
    for reset in [true, false] {
        let mut play = Play::new();
        let (mut backend, _) = play.request(GET);
        let client = std::mem::replace(&mut play.client, play.balancer.peer());
        match reset {
            true => client.reset(),
            false => drop(client),
        }
        backend.expect_end_within(A_FEW_SECONDS);
        wait_until("no request in flight", || play.balancer.status().in_flight == 0);
    }
}

#[test]
fn a_client_that_leaves_within_a_silent_answer_frees_the_backend() {
    for reset in [true, false] {
        for head in [
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "Content-Length: 100\r\n\r\nhello",
        ] {
            let mut play = Play::new();
            let (mut backend, _) = play.answer(format!("HTTP/1.1 200 OK\r\n{head}"));
            play.client.read_until(b"hello");
            let client = std::mem::replace(&mut play.client, play.balancer.peer());
            match reset {
                true => client.reset(),
                false => drop(client),
            }
            backend.expect_end_within(A_FEW_SECONDS);
            wait_until("no request in flight", || play.balancer.status().in_flight == 0);
        }
    }
}

#[test]
fn a_client_that_leaves_within_a_flowing_answer_frees_the_backend() {
    let mut play = Play::new();
    let (mut backend, _) = play.answer("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    play.client = play.balancer.peer();
    let ended = (0..1000).find(|_| backend.try_send(vec![b'x'; 256 * 1024]).is_err());
    assert!(ended.is_some(), "the backend could send 250 MB to nobody");
}

#[test]
fn a_client_that_leaves_within_its_upload_frees_the_backend() {
    for reset in [true, false] {
        for head in [
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "Content-Length: 100\r\n\r\nhello",
        ] {
            let mut play = Play::new();
            let (mut backend, _) = play.request(&format!("POST / HTTP/1.1\r\nHost: a\r\n{head}"));
            backend.read_until(b"hello");
            let client = std::mem::replace(&mut play.client, play.balancer.peer());
            match reset {
                true => client.reset(),
                false => drop(client),
            }
            let (rest, _) = backend.read_to_end();
            assert!(
                !latin1(&rest).contains("0\r\n\r\n"),
                "the upload was ended: {rest:?}"
            );
        }
    }
}

#[test]
fn a_client_that_has_closed_its_half_gets_an_answer_that_comes_at_once() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(GET);
    play.client.finish_sending();
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    assert_eq!(play.client.read_head().status(), 200);
    for _ in 0..10 {
        crate::harness::pause(Duration::from_millis(300));
        backend.send("x");
        assert_eq!(play.client.read(1), b"x", "as long as the answer flows");
    }
    assert_eq!(play.client.expect_end(), Ending::Closed);
}

#[test]
fn a_backend_that_leaves_within_its_answer_leaves_others_alone() {
    let mut play = Play::new();
    let (backend, _) = play.answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    let mut other = play.balancer.peer();
    other.send(GET);
    let mut healthy = play.stage.accept();
    healthy.read_head();
    backend.reset();
    let (rest, _) = play.client.read_to_end();
    assert_eq!(rest, b"hello");
    healthy.send(OK);
    assert_eq!(other.read_head().status(), 200);
}

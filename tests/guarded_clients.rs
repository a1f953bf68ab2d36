//! Clients that a framework's own server would mistake, through the handler lane: the front reads them for both lanes. The
//! conformance tests that hold on this lane too are run by `handler_lane.rs`.

use crate::{
    conformance::exchange::{GET, OK, Play},
    harness::{Balancer, Ending, Peer, Recorder, latin1, wait_until},
};

const LANE: &str = "lane: handler";

/// A request over a connection of its own, which the balancer ends: all that was answered.
fn ask(balancer: &Balancer, request: &str) -> String {
    let mut client = balancer.peer();
    client.send(request);
    let (answer, ending) = client.read_to_end();
    assert_eq!(ending, Ending::Closed, "{request:?}");
    latin1(&answer)
}

#[test]
fn an_http_1_0_client_spoils_nobody_elses_connection() {
    let (_recorder, balancer) = Recorder::with_balancer(LANE);
    for connection in ["keep-alive", "close"] {
        for _ in 0..3 {
            let mut old = balancer.peer();
            old.send(format!(
                "GET / HTTP/1.0\r\nHost: a\r\nConnection: {connection}\r\n\r\n"
            ));
            assert_eq!(old.read_head().first(), "HTTP/1.1 200 OK", "our own version");
            old.read(2);
        }
        let mut client = balancer.peer();
        for _ in 0..5 {
            client.send(GET);
            let head = client.read_head();
            assert!(head.list("Connection").is_empty(), "{head:?}");
            assert_eq!(client.read(2), b"ok");
        }
    }
}

#[test]
fn an_http_1_0_client_may_keep_its_connection() {
    let (_recorder, balancer) = Recorder::with_balancer(LANE);
    let mut client = balancer.peer();
    for _ in 0..3 {
        client.send("POST / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        assert_eq!(client.read_head().list("Connection"), ["keep-alive"]);
        assert_eq!(client.read(2), b"ok");
    }
}

#[test]
fn each_pipelined_answer_is_that_of_its_own_request() {
    let mut play = Play::with(LANE);
    let (mut backend, _) = play.request(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /4 HTTP/1.0\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    backend.send(OK);
    play.reads_ok();
    assert_eq!(backend.read_head().first(), "HEAD /2 HTTP/1.1");
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
    assert_eq!(play.client.read_head().one("Content-Length"), Some("7"));
    assert_eq!(backend.read_head().first(), "GET /3 HTTP/1.1");
    backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let chunked = play.client.read_head();
    assert_eq!(chunked.list("Transfer-Encoding"), ["chunked"]);
    assert!(
        chunked.list("Connection").is_empty(),
        "the last is told, not the one before: {chunked:?}"
    );
    play.client.read_until(b"0\r\n\r\n");
    assert_eq!(backend.read_head().first(), "GET /4 HTTP/1.1");
    backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let (rest, ending) = play.client.read_to_end();
    let rest = latin1(&rest);
    assert!(
        rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("\r\n\r\nok"),
        "{rest}"
    );
    assert_eq!(ending, Ending::Closed, "and nothing behind it is looked at");
}

#[test]
fn names_in_disguise_do_not_reach_a_backend() {
    let mut play = Play::with(LANE);
    let (_backend, head) = play.request(
        "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded_For: 6.6.6.6\r\nX_REAL_IP: 6.6.6.6\r\n\
         Content_Length: 5\r\nProxy: http://evil\r\nProxy-Authorization: Basic x\r\nmy_own: 1\r\n\r\n",
    );
    let text = head.lines().join("\n").to_ascii_lowercase();
    assert!(
        !text.contains("6.6.6.6") && !text.contains("content_length") && !text.contains("proxy"),
        "{text}"
    );
    assert_eq!(head.all("my_own"), ["1"]);
    assert_eq!(head.all("X-Forwarded-For"), ["127.0.0.1"]);
}

#[test]
fn a_header_that_connection_names_is_left_out_and_no_more_than_that() {
    let mut play = Play::with(LANE);
    let (_backend, head) = play.request(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop, Authorization, X-Request-Id\r\nX-Hop: 1\r\n\
         Authorization: Basic x\r\nX-Request-Id: mine\r\n\r\n",
    );
    assert!(head.one("X-Hop").is_none(), "{head:?}");
    assert_eq!(head.one("Authorization"), Some("Basic x"));
    assert_eq!(head.one("X-Request-Id"), Some("mine"));
}

#[test]
fn hops_are_counted_and_end_here() {
    let mut play = Play::with(&format!("{LANE}\ntrace: true"));
    for (request, first, hops) in [
        (
            "OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n",
            "OPTIONS * HTTP/1.1",
            "2",
        ),
        (
            "OPTIONS http://b HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n",
            "OPTIONS * HTTP/1.1",
            "0",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
            "GET / HTTP/1.1",
            "0",
        ),
    ] {
        play.client = play.balancer.peer();
        let (_backend, head) = play.request(request);
        assert_eq!(
            (head.first(), head.one("Max-Forwards")),
            (first, Some(hops)),
            "{request:?}"
        );
    }
    for (method, answer) in [
        ("OPTIONS", "200 OK: the request goes no further"),
        ("TRACE", "TRACE / HTTP/1.1\r\n"),
    ] {
        play.client = play.balancer.peer();
        play.client.send(format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n"
        ));
        let head = play.client.read_head();
        assert_eq!(
            (head.status(), head.one("Allow").is_some()),
            (200, true),
            "{method}"
        );
        let (body, _) = play.client.read_to_end();
        assert!(latin1(&body).starts_with(answer), "{method}: {}", latin1(&body));
    }
    assert!(play.stage.waiting().is_none());
}

#[test]
fn what_only_the_framework_refuses_is_refused_in_our_words() {
    let (recorder, balancer) = Recorder::with_balancer(LANE);
    let answer = ask(&balancer, "GET /\"<>` HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(
        answer.contains("\r\nx-request-id: ") && answer.contains("\r\n\r\n400 Bad Request: "),
        "{answer}"
    );
    assert_eq!(recorder.take(), []);
}

#[test]
fn refusals_are_as_configured_and_arrive_whatever_else_was_sent() {
    let (_recorder, balancer) = Recorder::with_balancer(LANE);
    // More than the kernel takes before somebody reads: a close that reads nothing would be a reset.
    let more = "x".repeat(2_000_000);
    for (head, status) in [
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: something\r\nContent-Length: 5\r\n\r\n",
            417,
        ),
    ] {
        let mut client = balancer.peer();
        client.send(head);
        // Nothing more is taken once the answer was read; what counts is that it comes.
        let _taken = client.try_send(&more);
        let answer = client.read_head();
        assert_eq!(answer.status(), status, "{head:?}");
        assert_eq!(answer.list("Connection"), ["close"], "{head:?}");
        assert!(answer.one("X-Request-Id").is_some(), "{head:?}");
        assert_eq!(answer.one("Allow").is_some(), status == 405, "{head:?}");
    }
    let json = ask(
        &balancer,
        "TRACE / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nX-Request-Id: mine\r\n\r\n",
    );
    assert!(json.contains("\"request_id\":\"mine\""), "{json}");
}

#[test]
fn an_upload_that_turns_bad_is_answered_with_400() {
    for bad in [
        "zz\r\n",
        "-5\r\n",
        "0x5\r\n",
        "5\nhello\r\n",
        "5;a b\r\n",
        "0\r\nHost: a\r\n\r\n",
    ] {
        let mut play = Play::with(LANE);
        let (mut backend, _) =
            play.request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        backend.read_until(b"hello");
        play.client.send(format!("{bad}{GET}"));
        assert_eq!(play.reads_error(400).list("Connection"), ["close"], "{bad:?}");
        assert_eq!(play.client.expect_end(), Ending::Closed, "{bad:?}");
        let (rest, _) = backend.read_to_end();
        assert!(
            !latin1(&rest).contains("0\r\n\r\n"),
            "never ended as if complete: {bad:?}"
        );
    }
}

#[test]
fn a_client_that_leaves_gives_its_place_back_before_the_backend_answers() {
    let mut play = Play::with(LANE);
    let (mut backend, _) = play.request(GET);
    let client = std::mem::replace(&mut play.client, play.balancer.peer());
    wait_until("the request in flight", || play.balancer.status().in_flight == 1);
    // It may only have said that it sends no more; most have left.
    drop(client);
    backend.expect_end();
    wait_until("the end of the request", || play.balancer.status().in_flight == 0);
}

#[test]
fn later_heads_have_their_time_as_the_first_one() {
    let mut play = Play::with(&format!(
        "{LANE}\ntimeouts: {{request_header: 500ms, client_idle: 30s}}"
    ));
    let (_backend, _) = play.answer(OK);
    play.client.read(2);
    play.client.send("GET / HT");
    play.reads_error(408);
    assert_eq!(play.client.expect_end(), Ending::Closed);
}

#[test]
fn a_client_that_sends_ahead_waits_in_its_socket() {
    let mut play = Play::with(LANE);
    let (mut backend, _) = play.request(GET);
    let ahead = std::mem::replace(&mut play.client, play.balancer.peer()).into_stream();
    ahead.set_nonblocking(true).unwrap();
    let (mut sent, one) = (0_usize, GET.repeat(1000));
    // Until nobody takes any more: the kernel's buffers are some megabytes.
    let full = |sent: &mut usize| {
        while let Ok(count) = std::io::Write::write(&mut &ahead, one.as_bytes()) {
            *sent += count;
        }
    };
    full(&mut sent);
    let before = play.balancer.memory();
    assert!(backend.is_silent_for(std::time::Duration::from_millis(200)));
    full(&mut sent);
    let grown = play.balancer.memory().saturating_sub(before);
    assert!(
        grown < 4 * 1024 * 1024,
        "{grown} bytes more for {sent} that were sent ahead"
    );
    // They are answered nevertheless.
    ahead.set_nonblocking(false).unwrap();
    let mut client = Peer::of(ahead);
    for _ in 0..50 {
        backend.send(OK);
        assert_eq!(client.read_head().status(), 200);
        client.read(2);
        backend.read_head();
    }
}

#[test]
fn a_last_answer_arrives_whole_though_the_client_sends_on_and_reads_late() {
    let mut play = Play::with(LANE);
    play.client = Peer::connect_with_small_buffer(play.balancer.address());
    let (mut backend, _) = play.request("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let body = "x".repeat(100_000);
    backend.send(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    play.client.read_head();
    // As old clients do behind a request; it comes when all has been said.
    wait_until("all to be said", || play.balancer.status().in_flight == 0);
    play.client.send("\r\n");
    assert_eq!(play.client.read(body.len()), body.as_bytes());
    assert_eq!(play.client.expect_end(), Ending::Closed);
}

#[test]
fn a_head_that_has_begun_is_served_though_the_balancer_stops() {
    let mut play = Play::with(LANE);
    let (mut backend, _) = play.answer(OK);
    play.client.read(2);
    let mut idle = play.balancer.peer();
    idle.send(GET);
    backend.read_head();
    backend.send(OK);
    idle.read_head();
    idle.read(2);
    play.client.send("GET /last HTTP/1.1\r\nHo");
    wait_until("the bytes to have come", || {
        play.balancer.status().connections == 2
    });
    play.balancer.signal(rustix::process::Signal::TERM);
    assert_eq!(idle.expect_end(), Ending::Closed, "idle ones end");
    play.client.send("st: a\r\n\r\n");
    assert_eq!(backend.read_head().first(), "GET /last HTTP/1.1");
    backend.send(OK);
    assert_eq!(play.reads_ok().list("Connection"), ["close"]);
}

#[test]
fn a_client_that_does_not_read_cannot_stretch_the_time_of_a_request() {
    let mut play = Play::with(&format!("{LANE}\ntimeouts: {{request: 1s, body_stall: 30s}}"));
    play.client = Peer::connect_with_small_buffer(play.balancer.address());
    let (backend, _) = play.answer("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    let stream = backend.into_stream();
    let sender = std::thread::spawn(move || {
        let piece = vec![b'x'; 100_000];
        while std::io::Write::write_all(&mut &stream, &piece).is_ok() {}
    });
    wait_until("the end of the request", || play.balancer.status().in_flight == 0);
    sender.join().unwrap();
}

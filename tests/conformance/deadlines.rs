//! Whoever is too slow loses its place in time, whatever it is slow with; whoever is slow but steady does not.

use std::time::{Duration, Instant};

use super::{
    exchange::{GET, OK, Play},
    upgrade,
};
use crate::harness::{Balancer, FullBackend, Peer, backends, latin1, pause, wait_until};

const STEP: Duration = Duration::from_millis(50);

/// Sends a byte now and then until it is answered or cut off; the status, and how long that took.
fn dribble(client: &mut Peer, bytes: &[u8]) -> (u16, Duration) {
    let start = Instant::now();
    for byte in bytes.iter().cycle() {
        if client.try_send([*byte]).is_err() || !client.is_silent_for(STEP) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(15), "never cut off");
    }
    (client.read_head().status(), start.elapsed())
}

#[test]
fn a_head_that_dribbles_in_is_cut_off_on_the_first_request_and_on_later_ones() {
    let mut play = Play::with("timeouts: {request_header: 1s}");
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
                 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for later in [false, true] {
        play.client = play.balancer.peer();
        if later {
            play.client.send(GET);
            let mut backend = play.stage.accept();
            backend.read_head();
            backend.send(OK);
            play.reads_ok();
        }
        let (status, took) = dribble(&mut play.client, head);
        assert_eq!(status, 408, "later: {later}");
        assert!(
            took > Duration::from_millis(800) && took < Duration::from_secs(5),
            "{took:?}"
        );
    }
    // Pipelined behind a request: its time begins when its turn comes.
    play.client = play.balancer.peer();
    let (mut backend, _) = play.request(&format!("{GET}GET /begun"));
    backend.send(OK);
    play.reads_ok();
    play.reads_error(408);
}

#[test]
fn empty_lines_do_not_keep_a_connection() {
    let play = Play::with("timeouts: {request_header: 1s, client_idle: 1s}");
    let mut client = play.balancer.peer();
    let (status, took) = dribble(&mut client, b"\r\n");
    assert!(matches!(status, 400 | 408), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn an_empty_line_behind_a_request_is_no_request() {
    let mut play = Play::with("timeouts: {request_header: 300ms, client_idle: 1500ms}");
    let (mut backend, _) = play.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok\r\n");
    assert_eq!(backend.read(2), b"ok");
    backend.send(OK);
    play.reads_ok();
    assert!(
        play.client.is_silent_for(Duration::from_millis(800)),
        "an answer that nobody asked for"
    );
    play.goes_on(&mut backend);
    play.client.send("\r\n\r");
    play.client.expect_end_within(Duration::from_secs(5));
    // With a request behind it, the request's time begins.
    play.client = play.balancer.peer();
    play.client.send(format!("{GET}\r\n"));
    backend.read_head();
    backend.send(OK);
    play.reads_ok();
    play.client.send("GET /");
    play.reads_error(408);
}

#[test]
fn a_connection_without_a_request_is_closed_without_an_answer() {
    let play = Play::with("timeouts: {request_header: 500ms, client_idle: 500ms}");
    play.balancer.peer().expect_end_within(Duration::from_secs(5));
}

#[test]
fn a_backend_that_falls_silent_within_its_answer_breaks_it_off() {
    let mut play = Play::with("timeouts: {response_idle: 500ms}");
    for (head, body) in [
        ("Content-Length: 100", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
        ("Connection: close", ""),
    ] {
        play.client = play.balancer.peer();
        let (mut backend, _) = play.answer(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"));
        let (rest, _) = play.client.read_to_end();
        assert!(
            !latin1(&rest).contains("0\r\n\r\n"),
            "{head}: {:?}",
            latin1(&rest)
        );
        backend.expect_end();
        play.balancer
            .wait_for_log("timeouts.response_idle is over (500ms)");
    }
}

#[test]
fn a_backend_that_dribbles_its_head_has_as_long_as_it_goes_on_but_not_for_ever() {
    let mut play = Play::with("timeouts: {response_idle: 500ms, request: 2s}");
    let (mut backend, _) = play.request(GET);
    let start = Instant::now();
    backend.send("HTTP/1.1 200 OK\r\nX: ");
    while start.elapsed() < Duration::from_secs(10) && backend.try_send("x").is_ok() {
        pause(STEP);
    }
    play.reads_error(504);
    assert!(
        start.elapsed() > Duration::from_millis(1800),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_backend_that_takes_no_connection_is_504() {
    let full = FullBackend::new();
    let port = full.port();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"http://127.0.0.1:{port}\"]\nhealth_check: false\ntimeouts: {{connect: 500ms}}\n"
    ));
    let answer = balancer.get("/");
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(
        answer.text().contains("no backend accepted a connection in time"),
        "{}",
        answer.text()
    );
    balancer.wait_for_log("timeouts.connect is over (500ms)");
}

#[test]
fn a_client_that_reads_nothing_loses_its_place() {
    let [backend] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\ntimeouts: {{body_stall: 2s}}\n",
        backend.url()
    ));
    let mut client = Peer::connect_with_small_buffer(balancer.address());
    client.send("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_head();
    wait_until("the request in flight", || balancer.status().in_flight == 1);
    let start = Instant::now();
    wait_until("the end of the request", || balancer.status().in_flight == 0);
    let took = start.elapsed();
    assert!(took < Duration::from_millis(3900), "{took:?}: not twice its time");
    drop(client);
}

#[test]
fn a_client_that_reads_slowly_but_steadily_keeps_its_place() {
    let mut play = Play::with("timeouts: {body_stall: 2s}");
    play.client = Peer::connect_with_small_buffer(play.balancer.address());
    let (backend, _) = play.answer("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    let sender = backend.sends_without_end();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(7) {
        play.client.read(4 * 1024);
        pause(STEP);
    }
    assert_eq!(play.balancer.status().in_flight, 1, "{}", play.balancer.log());
    drop(play.client);
    sender.join().unwrap();
}

#[test]
fn a_client_that_reads_less_than_a_part_of_the_socket_s_buffer_keeps_its_place() {
    // With usual segments that buffer takes megabytes, and the kernel calls it writable when a third of it is free: that
    // takes longer here than body_stall.
    let mut play = Play::with("timeouts: {body_stall: 3s}");
    let (backend, _) = play.answer("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    let sender = backend.sends_without_end();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(9) {
        play.client.read(12 * 1024);
        pause(STEP);
    }
    assert_eq!(play.balancer.status().in_flight, 1, "{}", play.balancer.log());
    drop(play.client);
    sender.join().unwrap();
}

/// A client that asks, and reads nothing of a long response until the balancer has asked it for progress.
fn reads_after_a_pause(timeouts: &str, sends_no_more: bool, longest: Duration) {
    const LENGTH: usize = 8_000_000;
    let mut play = Play::with(&format!("timeouts: {{{timeouts}}}"));
    // Its segments are of the usual size, so that the balancer's kernel finds room for all that waits.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.connect(&play.balancer.address().into()).unwrap();
    play.client = Peer::of(socket.into());
    let (mut backend, _) = play.request(GET);
    if sends_no_more {
        play.client.finish_sending();
    }
    let sender = std::thread::spawn(move || {
        backend.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"));
        backend.send(vec![b'y'; LENGTH]);
        backend
    });
    pause(longest);
    play.client.read_head();
    assert_eq!(play.client.read(LENGTH).len(), LENGTH);
    drop(sender.join().unwrap());
    assert_eq!(play.balancer.backend(&play.stage.url()).counts.failures, 0);
}

#[test]
fn a_backend_whose_bytes_wait_for_the_client_is_not_silent() {
    reads_after_a_pause(
        "response_idle: 1s, body_stall: 12s",
        false,
        Duration::from_secs(4),
    );
}

#[test]
fn a_client_that_has_closed_its_half_may_pause() {
    reads_after_a_pause("body_stall: 16s", true, Duration::from_secs(5));
}

#[test]
fn a_backend_that_takes_an_upload_slowly_but_steadily_is_not_silent() {
    let mut play = Play::with("timeouts: {response_idle: 3s, body_stall: 3s}\nretries: 0");
    let (mut backend, _) = play.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    let client = play.client.into_stream();
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        let piece = vec![b'x'; 64 * 1024];
        while (&client).write_all(&piece).is_ok() {}
    });
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(9) {
        backend.read(12 * 1024);
        pause(STEP);
    }
    assert_eq!(play.balancer.status().in_flight, 1, "{}", play.balancer.log());
    drop(backend);
    drop(play.balancer);
    sender.join().unwrap();
}

#[test]
fn idle_connections_to_backends_are_given_up_in_time() {
    let mut play = Play::with("timeouts: {upstream_idle: 500ms}");
    let (mut backend, _) = play.answer(OK);
    play.client.read(2);
    backend.expect_end_within(Duration::from_secs(5));
    let mut play = Play::with("timeouts: {upstream_age: 500ms}");
    let (mut backend, _) = play.answer(OK);
    play.client.read(2);
    pause(Duration::from_millis(700));
    play.goes_on_with_another();
    backend.expect_end();
}

#[test]
fn a_client_that_reads_nothing_of_many_short_answers_loses_its_place() {
    // Each of them would find a little more room in the kernel's own buffer, which grows.
    let mut play = Play::with("timeouts: {body_stall: 1s}");
    let answered = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{}",
        "x".repeat(2000)
    );
    let (mut backend, _) = play.request(GET);
    let server = std::thread::spawn(move || {
        // As many as are asked for, until the balancer has enough of it.
        while backend.try_send(&answered).is_ok() && backend.try_read_head().is_some() {}
    });
    play.client
        .send_until_cut_off(GET.repeat(1000), Duration::from_secs(15));
    wait_until("the end of the request", || play.balancer.status().in_flight == 0);
    drop(play);
    server.join().unwrap();
}

#[test]
fn a_client_s_body_is_due_only_when_it_was_asked_for() {
    let mut play = Play::with("timeouts: {body_stall: 1s}");
    let (mut backend, _) =
        play.request("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    pause(Duration::from_millis(2500));
    backend.send("HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(play.client.read_head().status(), 100);
    pause(Duration::from_millis(500));
    play.client.send("hello");
    assert_eq!(backend.read(5), b"hello");
    backend.send(OK);
    play.reads_ok();
}

#[test]
fn a_tunnel_whose_bytes_are_read_slowly_is_not_idle() {
    let mut play = Play::with("timeouts: {tunnel_idle: 2s}");
    let (backend, _) = upgrade::open(&mut play);
    let sender = backend.sends_without_end();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(7) {
        play.client.read(12 * 1024);
        pause(STEP);
    }
    assert_eq!(play.balancer.status().in_flight, 1, "{}", play.balancer.log());
    drop(play.client);
    sender.join().unwrap();
}

#[test]
fn a_body_that_dribbles_in_is_cut_off_and_one_that_is_slow_is_not() {
    for (piece, is_cut) in [(1, true), (400, false)] {
        let mut play = Play::with("timeouts: {body_stall: 1s}");
        let (mut backend, _) = play.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
        let (start, mut cut) = (Instant::now(), false);
        while !cut && start.elapsed() < Duration::from_secs(4) {
            let piece = vec![b'x'; piece];
            cut = play.client.try_send(&piece).is_err()
                || !play.client.is_silent_for(Duration::from_millis(200));
        }
        assert_eq!(cut, is_cut, "pieces of {piece}");
        if is_cut {
            play.reads_error(408);
            backend.read_to_end();
        }
    }
}

//! Switching protocols (RFC 9110 section 7.8, RFC 6455): from 101 on, bytes pass as they are.

use std::time::Duration;

use super::exchange::{OK, Play};
use crate::harness::{Ending, Head, Peer, wait_until};

/// The handshake of RFC 6455 section 1.3.
pub const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\
     Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
pub const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

/// Opens a tunnel; both ends of it.
#[track_caller]
pub fn open(play: &mut Play) -> (Peer, Head) {
    let (mut backend, _) = play.request(HANDSHAKE);
    backend.send(SWITCHED);
    (backend, play.client.read_head())
}

#[test]
fn a_websocket_handshake_passes_and_so_do_its_frames() {
    let mut play = Play::new();
    let (mut backend, head) = play.request(HANDSHAKE);
    assert_eq!(head.first(), "GET /chat HTTP/1.1");
    for (name, value) in [
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "chat"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
    ] {
        assert_eq!(head.one(name), Some(value));
    }
    assert_eq!(head.list("Connection"), ["upgrade"]);
    backend.send(SWITCHED);
    let head = play.client.read_head();
    assert_eq!(head.first(), "HTTP/1.1 101 Switching Protocols");
    assert_eq!(head.list("Connection"), ["upgrade"]);
    assert_eq!(head.one("Upgrade"), Some("websocket"));
    assert_eq!(
        head.one("Sec-WebSocket-Accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    // "Hello" of RFC 6455 section 5.7: masked from the client, unmasked from the server; then ping, pong, close.
    let frames: [(&[u8], &[u8]); 3] = [
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"\x81\x05Hello"),
        (b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"\x8a\x05Hello"),
        (b"\x88\x82\x00\x00\x00\x00\x03\xe8", b"\x88\x02\x03\xe8"),
    ];
    for (up, down) in frames {
        play.client.send(up);
        assert_eq!(backend.read(up.len()), up);
        backend.send(down);
        assert_eq!(play.client.read(down.len()), down);
    }
    drop(backend);
    assert_eq!(play.client.expect_end(), Ending::Closed);
}

#[test]
fn bytes_in_one_piece_with_the_heads_are_not_lost() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(&format!("{HANDSHAKE}early"));
    backend.send(format!("{SWITCHED}first"));
    play.client.read_head();
    assert_eq!(play.client.read(5), b"first");
    assert_eq!(backend.read(5), b"early");
}

#[test]
fn any_protocol_may_be_switched_to_but_another_http() {
    let request = |protocol: &str, connection: &str| {
        format!("GET / HTTP/1.1\r\nHost: a\r\nupgrade: {protocol}\r\nConnection: {connection}\r\n\r\n")
    };
    for (protocol, connection, chosen) in [
        ("tcp", "upgrade", "TCP"),
        ("SPDY/3.1", "Upgrade", "SPDY/3.1"),
        ("a, b/2", "x, UPGRADE", "b/2"),
        ("a, b/2", "x, UPGRADE", "b, A"),
    ] {
        let mut play = Play::new();
        let (mut backend, head) = play.request(&request(protocol, connection));
        assert_eq!(head.one("Upgrade"), Some(protocol));
        backend.send(format!(
            "HTTP/1.1 101 Go\r\nUpgrade: {chosen}\r\nConnection: upgrade\r\n\r\n\0\r\n\r\n\u{7f}"
        ));
        assert_eq!(play.client.read_head().first(), "HTTP/1.1 101 Go");
        assert_eq!(play.client.read(6), b"\0\r\n\r\n\x7f");
        play.client.send("GET /not-http HTTP/1.1\r\n\r\n");
        assert_eq!(backend.read_head().first(), "GET /not-http HTTP/1.1");
    }
    // h2c would take every later request past the balancer (RFC 9113 section 3.1 made it obsolete); without its
    // connection option it is no upgrade; HTTP/1.0 knows none.
    for request in [
        request("h2c", "Upgrade, HTTP2-Settings"),
        request("HTTP/2.0", "Upgrade"),
        request("websocket", "keep-alive"),
        request("websocket", "Upgrade").replace("HTTP/1.1", "HTTP/1.0"),
    ] {
        let mut play = Play::new();
        let (mut backend, head) = play.request(&request);
        assert_eq!(
            (head.one("Upgrade"), head.one("HTTP2-Settings")),
            (None, None),
            "{request:?}"
        );
        backend.send(OK);
        play.reads_ok();
    }
}

#[test]
fn a_backend_may_decline() {
    let mut play = Play::new();
    let (mut backend, _) = play.request(HANDSHAKE);
    backend.send("HTTP/1.1 426 Upgrade Required\r\nUpgrade: other/2\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno");
    let head = play.client.read_head();
    assert_eq!(
        (head.status(), head.one("Upgrade")),
        (426, Some("other/2")),
        "RFC 9110 section 15.5.22"
    );
    assert_eq!(play.client.read(2), b"no");
    play.goes_on(&mut backend);
}

#[test]
fn one_half_of_a_tunnel_may_close_before_the_other() {
    for client_first in [true, false] {
        let mut play = Play::new();
        let (mut backend, _) = open(&mut play);
        let (first, second) = match client_first {
            true => (&mut play.client, &mut backend),
            false => (&mut backend, &mut play.client),
        };
        first.send("last words");
        first.finish_sending();
        assert_eq!(second.read_to_end(), (b"last words".to_vec(), Ending::Closed));
        second.send("and the answer");
        assert_eq!(first.read(14), b"and the answer");
        second.finish_sending();
        assert_eq!(first.expect_end(), Ending::Closed);
        wait_until("the end of the tunnel", || play.balancer.status().in_flight == 0);
    }
}

#[test]
fn a_reset_on_one_side_is_no_clean_end_on_the_other() {
    for client_first in [true, false] {
        let mut play = Play::new();
        let (backend, _) = open(&mut play);
        let (first, mut second) = match client_first {
            true => (play.client, backend),
            false => (backend, play.client),
        };
        first.reset();
        assert_eq!(second.expect_end(), Ending::Reset);
    }
}

#[test]
fn a_tunnel_counts_as_in_flight_and_survives_a_reload() {
    let mut play = Play::new();
    let (mut backend, _) = open(&mut play);
    let status = play.balancer.status();
    assert_eq!(
        (status.in_flight, status.pools[0].backends[0].counts.in_flight),
        (1, 1)
    );
    // The reload removes its backend, too.
    let other = crate::harness::Stage::new();
    play.balancer.reload_with(&format!(
        "port: 0\nworkers: 1\nbackends: [\"{}\"]\nhealth_check: false\n",
        other.url()
    ));
    for number in 0..3 {
        play.client.send([number; 3]);
        assert_eq!(backend.read(3), [number; 3]);
        backend.send([number; 2]);
        assert_eq!(play.client.read(2), [number; 2]);
    }
    assert_eq!(play.balancer.status().in_flight, 1);
    drop(backend);
    play.client.expect_end();
    drop(play.client);
    wait_until("the end of the tunnel", || play.balancer.status().in_flight == 0);
}

#[test]
fn ten_thousand_messages_pass_across_a_reload() {
    let mut play = Play::new();
    let (mut backend, _) = open(&mut play);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10_000 {
                let frame = backend.read(11);
                backend.send([b"\x81\x05", &frame[6..]].concat());
            }
        });
        for number in 0..10_000_u32 {
            if number % 4000 == 2000 {
                let other = crate::harness::Stage::new();
                play.balancer.reload_with(&format!(
                    "port: 0\nworkers: 1\nbackends: [\"{}\"]\nhealth_check: false\n",
                    other.url()
                ));
            }
            let payload = format!("{number:05}");
            play.client
                .send([b"\x81\x85\0\0\0\0", payload.as_bytes()].concat());
            assert_eq!(play.client.read(7)[2..], *payload.as_bytes());
        }
    });
}

#[test]
fn a_body_on_its_way_when_the_protocol_switches_is_not_lost() {
    let mut play = Play::new();
    let length = 8_000_000_usize;
    let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    let request = HANDSHAKE.replace("\r\n\r\n", &format!("\r\nContent-Length: {length}\r\n\r\n"));
    let (mut backend, _) = play.request(&request);
    std::thread::scope(|scope| {
        scope.spawn(|| play.client.send(&body));
        // The sockets between are full, and nothing has been read.
        crate::harness::pause(Duration::from_millis(300));
        backend.send(SWITCHED);
        crate::harness::pause(Duration::from_millis(100));
        let received = backend.read(length);
        assert!(received == body, "{} bytes, but others", received.len());
    });
    assert_eq!(play.client.read_head().status(), 101);
}

#[test]
fn a_silent_tunnel_ends_and_a_lively_one_does_not() {
    let mut play = Play::with("timeouts: {tunnel_idle: 500ms, response_idle: 100ms, body_stall: 100ms}");
    let (mut backend, _) = open(&mut play);
    for _ in 0..10 {
        crate::harness::pause(Duration::from_millis(100));
        backend.send("x");
        assert_eq!(play.client.read(1), b"x");
    }
    assert!(play.client.is_silent_for(Duration::from_millis(300)));
    play.client.expect_end_within(Duration::from_secs(5));
    backend.expect_end();
}

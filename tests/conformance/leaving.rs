//! A client that breaks its connection is noticed though nobody reads from it: the kernel is asked now and then.

use std::time::Duration;

use super::{
    exchange::{GET, Play},
    upgrade,
};
use crate::harness::{Balancer, FullBackend, Peer, Stage, wait_until};

/// Enough for the kernels' buffers on the way to be full.
const MUCH: usize = 64 * 1024 * 1024;

/// The timeouts are so long that only the client's end can end a request in the tests' time.
const LONG: &str =
    "timeouts: {response_idle: 10m, body_stall: 10m, tunnel_idle: 10m, connect: 10m}\nretries: 0";

#[track_caller]
fn expect_none_in_flight(balancer: &Balancer) {
    wait_until("no request in flight", || balancer.status().in_flight == 0);
}

/// Sends until nothing more is taken.
fn fill(peer: &mut Peer) {
    peer.send_until_blocked(MUCH);
}

#[test]
fn while_its_upload_is_not_taken() {
    let mut play = Play::with(LONG);
    let (_backend, _) = play.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    fill(&mut play.client);
    assert_eq!(play.balancer.status().in_flight, 1);
    std::mem::replace(&mut play.client, play.balancer.peer()).reset();
    expect_none_in_flight(&play.balancer);
}

#[test]
fn while_it_is_far_ahead_with_later_requests() {
    for reset in [true, false] {
        let mut play = Play::with(LONG);
        let (_backend, _) = play.request(GET);
        play.client.send(GET.repeat(4000));
        let client = std::mem::replace(&mut play.client, play.balancer.peer());
        match reset {
            true => client.reset(),
            false => drop(client),
        }
        expect_none_in_flight(&play.balancer);
    }
}

#[test]
fn while_its_backend_takes_no_connection() {
    let full = FullBackend::new();
    let port = full.port();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"http://127.0.0.1:{port}\"]\nhealth_check: false\n{LONG}\n"
    ));
    for reset in [true, false] {
        let mut client = balancer.peer();
        client.send(GET);
        wait_until("the request in flight", || balancer.status().in_flight == 1);
        match reset {
            true => client.reset(),
            false => drop(client),
        }
        expect_none_in_flight(&balancer);
    }
}

#[test]
fn in_a_tunnel_whose_backend_takes_nothing() {
    let mut play = Play::with(LONG);
    let (_backend, _) = upgrade::open(&mut play);
    fill(&mut play.client);
    assert_eq!(play.balancer.status().in_flight, 1);
    std::mem::replace(&mut play.client, play.balancer.peer()).reset();
    expect_none_in_flight(&play.balancer);
}

#[test]
fn in_a_tunnel_after_it_had_closed_its_half() {
    let mut play = Play::with(LONG);
    let (mut backend, _) = upgrade::open(&mut play);
    play.client.finish_sending();
    backend.expect_end();
    assert!(
        play.client.is_silent_for(Duration::from_secs(2)),
        "its other half stays open"
    );
    std::mem::replace(&mut play.client, play.balancer.peer()).reset();
    expect_none_in_flight(&play.balancer);
}

#[test]
fn a_backend_that_breaks_a_tunnel_is_noticed_too() {
    let (stage, balancer) = Stage::with_balancer(LONG);
    let mut client = balancer.peer();
    client.send(upgrade::HANDSHAKE);
    let mut backend = stage.accept();
    backend.read_head();
    backend.send(upgrade::SWITCHED);
    client.read_head();
    // The client reads nothing, so that nothing more is read from the backend.
    fill(&mut backend);
    backend.reset();
    expect_none_in_flight(&balancer);
}

//! `max_connections` and bounded loads.

use std::sync::{
    Barrier,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use super::*;
use crate::harness::{Peer, Stage};

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n";

fn at_most(backend: &DummyServer, most: u32) -> String {
    format!("{{url: \"{}\", max_connections: {most}}}", backend.url())
}

#[test]
fn a_full_pool_answers_503_at_once_and_no_backend_ever_holds_more() {
    let [a, b] = backends();
    for backend in [&a, &b] {
        backend.set_behaviour(Behaviour::Hang);
    }
    let balancer = Balancer::start(&config(
        "strategy: random\nqueue: off\nretries: 0",
        &[at_most(&a, 3), at_most(&b, 2)],
    ));
    let (together, refused) = (Barrier::new(30), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                let mut client = balancer.connect();
                together.wait();
                let answer = client.request("GET", "/", &[], b"");
                match answer.status {
                    503 => {
                        assert_eq!(answer.header("Retry-After"), Some("1"));
                        let text = answer.text();
                        assert!(
                            text.starts_with("503 Service Unavailable: all backends are busy\n"),
                            "{text}"
                        );
                        refused.fetch_add(1, SeqCst);
                    }
                    status => assert_eq!(status, 502, "those that hang, when their backend is killed"),
                }
            });
        }
        wait_until("25 refusals", || refused.load(SeqCst) == 25);
        wait_until("5 requests that hang", || a.hits() + b.hits() == 5);
        assert_eq!((a.hits(), b.hits()), (3, 2));
        let status = balancer.status();
        let held: Vec<_> = status.pools[0]
            .backends
            .iter()
            .map(|backend| backend.counts.in_flight)
            .collect();
        assert_eq!(held, [3, 2]);
        assert!(
            status.pools[0]
                .backends
                .iter()
                .all(|backend| backend.counts.failures == 0),
            "to be full is no fault"
        );
        a.kill();
        b.kill();
    });
    assert_eq!(refused.load(SeqCst), 25);
}

#[test]
fn a_place_is_free_again_when_a_client_leaves() {
    let [a] = backends();
    a.set_behaviour(Behaviour::Hang);
    let balancer = Balancer::start(&config("queue: off", &[at_most(&a, 1)]));
    let mut client = balancer.connect();
    client.send_request("GET", "/", &[], b"").unwrap();
    wait_until("the request", || a.hits() == 1);
    assert_eq!(balancer.get("/").status, 503);
    a.set_behaviour(Behaviour::Ok);
    drop(client);
    wait_until("a free place", || balancer.get("/").status == 200);
}

#[test]
fn first_fills_one_backend_after_the_other() {
    let [a, b, c] = backends();
    for backend in [&a, &b] {
        backend.set_behaviour(Behaviour::Hang);
    }
    let balancer = Balancer::start(&config(
        "strategy: first",
        &[at_most(&a, 1), at_most(&b, 2), c.url()],
    ));
    let mut clients: Vec<Client> = (0..3).map(|_| balancer.connect()).collect();
    for (index, hits) in [(1, 0), (1, 1), (1, 2)].into_iter().enumerate() {
        clients[index].send_request("GET", "/", &[], b"").unwrap();
        wait_until("the next request that hangs", || (a.hits(), b.hits()) == hits);
    }
    assert_eq!(balancer.order(4), "c c c c");
}

#[test]
fn a_bounded_load_lets_one_hot_key_overflow() {
    let servers: [DummyServer; 4] = backends();
    for server in &servers {
        server.set_behaviour(Behaviour::Hang);
    }
    let urls: Vec<_> = servers.iter().map(DummyServer::url).collect();
    let balancer = Balancer::start(&config("strategy: {name: hash, bounded_load: 1.25}", &urls));
    let mut clients: Vec<Client> = (0..8).map(|_| balancer.connect()).collect();
    let hits = || -> Vec<u64> { servers.iter().map(DummyServer::hits).collect() };
    for (sent, client) in (1..).zip(&mut clients) {
        client.send_request("GET", "/", &[], b"").unwrap();
        wait_until("the request", || hits().iter().sum::<u64>() == sent);
    }
    let mut hits = hits();
    hits.sort_unstable();
    assert!(hits[3] <= 3, "8 / 4 * 1.25, rounded up: {hits:?}");
}

#[test]
fn a_tunnel_holds_its_place_as_long_as_it_lasts() {
    let stage = Stage::new();
    let backend = format!("{{url: \"{}\", max_connections: 1}}", stage.url());
    let balancer = Balancer::start(&config("queue: off", &[backend]));
    let mut client: Peer = balancer.peer();
    client.send(HANDSHAKE);
    let mut backend = stage.accept();
    backend.read_head();
    backend.send(SWITCHED);
    client.read_head();
    assert_eq!(balancer.get("/").status, 503);
    drop(client);
    drop(backend);
    wait_until("a free place", || {
        balancer.status().pools[0].backends[0].counts.in_flight == 0
    });
    let mut next = balancer.peer();
    next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    stage.accept().read_head();
}

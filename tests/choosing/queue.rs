//! The queue in front of full backends.

use std::time::Duration;

use super::*;
use crate::harness::{Peer, Stage};

/// Another worker may have the next request, and connects for itself.
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// One backend, played by the test, with one place.
fn one_place(settings: &str) -> (Stage, Balancer) {
    let stage = Stage::new();
    let backend = format!("{{url: \"{}\", max_connections: 1}}", stage.url());
    let balancer = Balancer::start(&config(settings, &[backend]));
    (stage, balancer)
}

/// Sends the request that has the only place, and takes it at the backend.
fn take_the_place(stage: &Stage, balancer: &Balancer) -> (Peer, Peer) {
    let mut first = balancer.peer();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    (first, backend)
}

fn waiting(balancer: &Balancer) -> u64 {
    balancer.status().pools[0].waiting
}

/// Sends a request that has to wait as the `place`th.
fn queue_up(balancer: &Balancer, path: &str, place: u64) -> Peer {
    let mut client = balancer.peer();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    wait_until("the request in the queue", || waiting(balancer) == place);
    client
}

#[test]
fn who_has_waited_longest_is_served_first_and_nobody_gets_past() {
    let (stage, balancer) = one_place("");
    let mut first = balancer.peer();
    first.send("GET /0 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut backend = stage.accept();
    assert!(backend.read_head().first().starts_with("GET /0 "));
    let mut clients: Vec<Peer> = (1..=5)
        .map(|number| queue_up(&balancer, &format!("/{number}"), number))
        .collect();
    for (number, client) in (1..).zip(&mut clients) {
        backend.send(OK);
        backend = stage.accept();
        let head = backend.read_head();
        let expected = format!("GET /{number} ");
        assert!(head.first().starts_with(&expected), "{}", head.first());
        assert_eq!(waiting(&balancer), 5 - number);
        assert!(client.is_silent_for(Duration::from_millis(1)));
    }
    backend.send(OK);
    for client in std::iter::once(&mut first).chain(&mut clients) {
        assert_eq!(client.read_head().status(), 200);
    }
}

#[test]
fn a_full_queue_refuses_at_once_and_a_long_wait_ends() {
    let (stage, balancer) = one_place("queue: {size: 1, timeout: 4s}");
    let (mut first, mut backend) = take_the_place(&stage, &balancer);
    let mut second = queue_up(&balancer, "/", 1);
    let table = balancer.place.run("status").stdout;
    assert!(
        table.contains("\npool default: 1 request waits for a place\n"),
        "{table}"
    );
    let third = balancer.get("/");
    assert_eq!((third.status, third.header("Retry-After")), (503, Some("1")));
    let full = "all backends are busy, and the queue is full";
    assert!(third.text().contains(full), "{}", third.text());
    assert_eq!(waiting(&balancer), 1, "the one that waits has kept its place");
    let refused = second.read_head();
    assert_eq!((refused.status(), refused.one("Retry-After")), (503, Some("1")));
    assert_eq!(waiting(&balancer), 0);
    let errors = balancer.status().errors;
    let errors: Vec<_> = errors.iter().map(|error| (&*error.reason, error.count)).collect();
    let late = "all backends are busy, and the wait was too long";
    assert_eq!(errors, [(full, 1), (late, 1)]);
    balancer.wait_for_log("and the queue is full: giving up");
    balancer.wait_for_log("and the wait in the queue is over: giving up");
    assert!(!balancer.place.run("status").stdout.contains("for a place"));
    backend.send(OK);
    assert_eq!(first.read_head().status(), 200);
}

#[test]
fn the_cap_on_the_whole_request_holds_in_the_queue_too() {
    let (stage, balancer) = one_place("queue: {timeout: 300s}\ntimeouts: {request: 2s}");
    // A tunnel, which the cap does not end, has the place.
    let mut first = balancer.peer();
    first.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    backend.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n");
    first.read_head();
    let mut second = queue_up(&balancer, "/", 1);
    assert_eq!(second.read_head().status(), 503);
}

#[test]
fn a_client_that_leaves_is_taken_out() {
    let (stage, balancer) = one_place("queue: {timeout: 300s}");
    let (_first, mut backend) = take_the_place(&stage, &balancer);
    let second = queue_up(&balancer, "/left", 1);
    let mut third = queue_up(&balancer, "/stayed", 2);
    drop(second);
    wait_until("the place of the one that left", || waiting(&balancer) == 1);
    backend.send(OK);
    let mut backend = stage.accept();
    assert!(backend.read_head().first().starts_with("GET /stayed "));
    backend.send(OK);
    assert_eq!(third.read_head().status(), 200);
}

#[test]
fn a_client_that_sends_no_more_waits_on_for_a_while() {
    let (stage, balancer) = one_place("queue: {timeout: 300s}");
    let (_first, mut backend) = take_the_place(&stage, &balancer);
    let mut second = queue_up(&balancer, "/second", 1);
    second.finish_sending();
    // Not taken for one that has left.
    assert!(second.is_silent_for(Duration::from_millis(200)));
    backend.send(OK);
    let mut backend = stage.accept();
    assert!(backend.read_head().first().starts_with("GET /second "));
    backend.send(OK);
    assert_eq!(second.read_head().status(), 200);
}

#[test]
fn a_client_that_breaks_off_is_taken_out() {
    let (stage, balancer) = one_place("queue: {timeout: 300s}");
    let (_first, _backend) = take_the_place(&stage, &balancer);
    queue_up(&balancer, "/", 1).reset();
    wait_until("an empty queue", || waiting(&balancer) == 0);
}

/// A backend with one place, played by the test, and one that refuses connections.
fn one_place_and_a_dead_one(settings: &str) -> (Stage, Balancer) {
    let (stage, dead) = (Stage::new(), DummyServer::start("dead").unwrap());
    dead.kill();
    let backends = [
        format!("{{url: \"{}\", max_connections: 1}}", stage.url()),
        dead.url(),
    ];
    let balancer = Balancer::start(&config(&format!("ejection: off\n{settings}"), &backends));
    (stage, balancer)
}

#[test]
fn a_retry_waits_for_a_place_as_well() {
    let (stage, balancer) = one_place_and_a_dead_one("queue: {timeout: 300s}");
    let mut clients = vec![balancer.peer()];
    clients[0].send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    let mut backend = stage.accept();
    backend.read_head();
    // All but one find the dead backend free, and all want the other one then.
    clients.extend((1..=4).map(|number| queue_up(&balancer, "/", number)));
    for _ in 0..4 {
        backend.send(OK);
        backend = stage.accept();
        backend.read_head();
    }
    backend.send(OK);
    for client in &mut clients {
        assert_eq!(client.read_head().status(), 200);
    }
    assert_eq!(waiting(&balancer), 0);
}

#[test]
fn a_retry_that_waits_in_vain_is_told_that_all_are_busy() {
    for settings in ["queue: {timeout: 1s}", "queue: {size: 0}"] {
        let (stage, balancer) = one_place_and_a_dead_one(settings);
        let (mut first, mut backend) = take_the_place(&stage, &balancer);
        let refused = balancer.get("/");
        assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("1")));
        assert_eq!(waiting(&balancer), 0);
        backend.send(OK);
        assert_eq!(first.read_head().status(), 200);
    }
}

#[test]
fn a_client_that_leaves_while_its_retry_waits_is_taken_out() {
    let (stage, balancer) = one_place_and_a_dead_one("queue: {timeout: 300s}");
    let (_first, _backend) = take_the_place(&stage, &balancer);
    queue_up(&balancer, "/", 1).reset();
    wait_until("an empty queue", || waiting(&balancer) == 0);
}

/// A backend whose answers are to be retried elsewhere, and one with one place, which a first client has.
fn one_that_fails_and_a_full_one(settings: &str) -> (DummyServer, (Stage, Balancer), (Peer, Peer)) {
    let (fails, stage) = (DummyServer::start("a").unwrap(), Stage::new());
    fails.set_behaviour(Behaviour::Fail);
    let backends = [
        fails.url(),
        format!("{{url: \"{}\", max_connections: 1}}", stage.url()),
    ];
    let settings = format!("ejection: off\nretries: {{statuses: [500]}}\n{settings}");
    let balancer = Balancer::start(&config(&settings, &backends));
    let mut first = balancer.peer();
    first.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    (fails, (stage, balancer), (first, backend))
}

#[test]
fn an_answer_that_was_to_be_retried_is_passed_on_when_the_wait_was_in_vain() {
    for settings in ["queue: {timeout: 1s}", "queue: {size: 0}"] {
        let (fails, (_stage, balancer), _held) = one_that_fails_and_a_full_one(settings);
        let mut client = balancer.connect();
        for _ in 0..2 {
            let answer = client.get("/");
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (500, "a fails, as it was told to\n")
            );
        }
        assert_eq!(balancer.backend(&fails.url()).counts.in_flight, 0);
    }
}

#[test]
fn a_rejected_answer_holds_no_place_while_its_request_waits_for_another() {
    let (fails, (stage, balancer), (mut first, mut backend)) =
        one_that_fails_and_a_full_one("queue: {timeout: 300s}");
    let mut second = queue_up(&balancer, "/second", 1);
    assert_eq!(balancer.backend(&fails.url()).counts.in_flight, 0);
    backend.send(OK);
    let mut backend = stage.accept();
    assert!(backend.read_head().first().starts_with("GET /second "));
    backend.send(OK);
    for client in [&mut first, &mut second] {
        assert_eq!(client.read_head().status(), 200);
    }
}

#[test]
fn a_retry_that_waits_for_one_backend_keeps_nobody_from_another() {
    let (works_again, (_stage, balancer), _held) = one_that_fails_and_a_full_one("queue: {timeout: 300s}");
    let mut waits = queue_up(&balancer, "/", 1);
    works_again.set_behaviour(Behaviour::Ok);
    for _ in 0..3 {
        assert_eq!(balancer.get("/").server(), "a");
    }
    assert_eq!(waiting(&balancer), 1);
    assert!(waits.is_silent_for(Duration::from_millis(1)));
}

#[test]
fn a_body_that_comes_while_its_request_waits_arrives_whole() {
    let (stage, balancer) = one_place("");
    let (mut first, mut backend) = take_the_place(&stage, &balancer);
    let mut second = balancer.peer();
    second.send("PUT /body HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello");
    wait_until("the request in the queue", || waiting(&balancer) == 1);
    second.send(" world");
    backend.send(OK);
    let mut backend = stage.accept();
    let head = backend.read_head();
    assert!(head.first().starts_with("PUT /body "));
    assert_eq!(backend.read(11), b"hello world");
    backend.send(OK);
    assert_eq!(second.read_head().status(), 200);
    assert_eq!(first.read_head().status(), 200);
}

#[test]
fn a_reload_that_makes_room_lets_all_in() {
    let (stage, balancer) = one_place("queue: {timeout: 300s}");
    let mut clients = vec![balancer.peer()];
    clients[0].send("GET /0 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut backends = vec![stage.accept()];
    clients.extend((1..=3).map(|number| queue_up(&balancer, "/", number)));
    let backend = format!("{{url: \"{}\", max_connections: 10}}", stage.url());
    let reload = balancer.reload_with(&config("queue: {timeout: 300s}", &[backend]));
    assert_eq!(reload.code, 0, "{reload:?}");
    backends.extend((0..3).map(|_| stage.accept()));
    for backend in &mut backends {
        backend.read_head();
        backend.send(OK);
    }
    for client in &mut clients {
        assert_eq!(client.read_head().status(), 200);
    }
}

#[test]
fn many_clients_at_few_places_are_all_served() {
    let [a, b] = backends();
    let at_most =
        |backend: &DummyServer, most| format!("{{url: \"{}\", max_connections: {most}}}", backend.url());
    for backend in [&a, &b] {
        backend.set_behaviour(Behaviour::Slow(Duration::from_millis(2)));
    }
    let balancer = Balancer::start(&config(
        "strategy: least-connections\nqueue: {timeout: 60s}",
        &[at_most(&a, 2), at_most(&b, 1)],
    ));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut client = balancer.connect();
                for _ in 0..20 {
                    assert_eq!(client.get("/").status, 200);
                }
            });
        }
    });
    assert_eq!(a.hits() + b.hits(), 320);
}

#[test]
fn when_a_reload_removes_their_pool_waiting_requests_go_where_their_route_leads() {
    let (old, new) = (Stage::new(), Stage::new());
    let config = |pool: &str, stage: &Stage| {
        format!(
            "port: 0\nhealth_check: false\nretries: 0\nqueue: {{timeout: 300s}}\nroutes: [{{pool: {pool}}}]\n\
             pools:\n  {pool}: {{backends: [{{url: \"{}\", max_connections: 1}}]}}\n",
            stage.url()
        )
    };
    let balancer = Balancer::start(&config("a", &old));
    let (mut first, mut first_backend) = take_the_place(&old, &balancer);
    let mut clients: Vec<Peer> = (1..=3)
        .map(|number| queue_up(&balancer, &format!("/{number}"), number))
        .collect();
    balancer.reload_with(&config("b", &new));
    for (number, client) in (1..).zip(&mut clients) {
        let mut backend = new.accept();
        let head = backend.read_head();
        let expected = format!("GET /{number} ");
        assert!(head.first().starts_with(&expected), "{}", head.first());
        wait_until("the others in the new queue", || waiting(&balancer) == 3 - number);
        backend.send(OK);
        assert_eq!(client.read_head().status(), 200);
    }
    first_backend.send(OK);
    assert_eq!(first.read_head().status(), 200);
}

#[test]
fn when_a_reload_removes_their_pool_and_route_waiting_requests_are_refused() {
    let stage = Stage::new();
    let pools = format!(
        "a: {{backends: [{{url: \"{}\", max_connections: 1}}]}}",
        stage.url()
    );
    let config = |routes: &str, pools: &str| {
        format!(
            "port: 0\nhealth_check: false\nqueue: {{timeout: 300s}}\nroutes: [{routes}]\npools: {{{pools}}}\n"
        )
    };
    let balancer = Balancer::start(&config("{pool: a}", &pools));
    let (_first, _backend) = take_the_place(&stage, &balancer);
    let mut second = queue_up(&balancer, "/", 1);
    let other = "{path: /other, pool: b}";
    balancer.reload_with(&config(other, &pools.replacen("a:", "b:", 1)));
    let refused = second.read_head();
    assert_eq!((refused.status(), refused.one("Retry-After")), (503, Some("1")));
}

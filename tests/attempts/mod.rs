//! What comes after an attempt has ended: whose fault it was, what is sent again, and who waits; on both lanes and in the
//! simulation alike.

mod model;

use std::time::{Duration, Instant};

use lb_core::{config::Lane, status::HealthStatus::Up};

use crate::harness::{Balancer, Peer, Recorder, Stage, backends, eventually, lane::lane, wait_until};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// Behind it, the next request takes another connection on both lanes.
const LAST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const IDLE_TIMEOUT: &str = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The requests and the failures that count at the backend.
fn counted(balancer: &Balancer, stage: &Stage) -> (u64, u64) {
    let status = balancer.backend(&stage.url());
    (status.counts.requests, status.counts.failures)
}

#[test]
fn a_backend_that_loses_patience_with_a_slow_upload_has_not_failed() {
    let (stage, balancer) = Stage::with_balancer("retries: 0\nejection: 2");
    for _ in 0..4 {
        let mut client = balancer.peer();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhalf");
        let mut backend = stage.accept();
        backend.read_until(b"half");
        drop(backend);
        assert_eq!(client.read_head().status(), 502);
    }
    assert_eq!(counted(&balancer, &stage), (4, 0));
    let status = balancer.backend(&stage.url());
    assert_eq!((status.health, status.counts.in_flight), (Up, 0));
}

#[test]
fn a_backend_that_closes_behind_a_whole_body_has_failed() {
    let (stage, balancer) = Stage::with_balancer("retries: 0");
    let mut client = balancer.peer();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    let mut backend = stage.accept();
    backend.read_until(b"body");
    drop(backend);
    assert_eq!(client.read_head().status(), 502);
    assert_eq!(counted(&balancer, &stage), (1, 1));
}

#[test]
fn an_early_response_that_breaks_off_during_an_upload_is_no_failure() {
    let (stage, balancer) = Stage::with_balancer("retries: 0");
    let mut client = balancer.peer();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhalf");
    let mut backend = stage.accept();
    backend.read_until(b"half");
    backend.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 100\r\n\r\npart");
    client.read_until(b"part");
    backend.reset();
    client.read_to_end();
    assert_eq!(counted(&balancer, &stage), (1, 0));
}

#[test]
fn a_backend_that_does_not_ask_for_a_body_that_waits_for_100_has_not_failed() {
    // On the handler lane the balancer itself asks for it.
    if lane() == Lane::Handler {
        return;
    }
    let (stage, balancer) = Stage::with_balancer("retries: 0\ntimeouts: {response_idle: 300ms}");
    let mut client = balancer.peer();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    assert_eq!(client.read_head().status(), 504);
    assert_eq!(counted(&balancer, &stage), (1, 0));
    assert_eq!(balancer.backend(&stage.url()).counts.in_flight, 0);
}

#[test]
fn a_408_on_an_idle_connection_is_its_end_like_any_other() {
    let (stage, balancer) = Stage::with_balancer("");
    let mut client = balancer.peer();
    client.send(GET);
    let mut idle = stage.accept();
    idle.read_head();
    idle.send(OK);
    client.read_until(b"ok");
    idle.send(IDLE_TIMEOUT);
    drop(idle);
    client.send(GET);
    let mut kept = stage.accept();
    // The next connection is used as often as ever.
    for _ in 0..3 {
        kept.read_head();
        kept.send(OK);
        client.read_until(b"ok");
        client.send(GET);
    }
    kept.read_head();
    assert!(!balancer.log().contains("nobody asked for"), "{}", balancer.log());
}

#[test]
fn other_bytes_on_an_idle_connection_are_still_distrusted() {
    // The handler lane closes such connections and distrusts nobody.
    if lane() == Lane::Handler {
        return;
    }
    for unasked in ["HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", OK] {
        let (stage, balancer) = Stage::with_balancer("");
        let mut client = balancer.peer();
        client.send(GET);
        let mut idle = stage.accept();
        idle.read_head();
        idle.send(OK);
        client.read_until(b"ok");
        idle.send(unasked);
        balancer.wait_for_log("sends bytes that nobody asked for");
    }
}

#[test]
fn a_get_that_meets_a_408_on_a_kept_connection_is_sent_again() {
    let (stage, balancer) = Stage::with_balancer("retries: 0");
    let mut client = balancer.peer();
    client.send(GET);
    let mut kept = stage.accept();
    kept.read_head();
    kept.send(OK);
    client.read_until(b"ok");
    client.send(GET);
    kept.read_head();
    kept.send(IDLE_TIMEOUT);
    let mut new = stage.accept();
    new.read_head();
    // On a new connection it is a response like any other.
    new.send(IDLE_TIMEOUT);
    assert_eq!(client.read_head().status(), 408);
    assert_eq!(counted(&balancer, &stage), (2, 0));
}

#[test]
fn a_put_that_meets_a_408_on_a_kept_connection_is_sent_again_with_its_body() {
    let (stage, balancer) = Stage::with_balancer("retries: 0");
    let mut client = balancer.peer();
    client.send(GET);
    let mut kept = stage.accept();
    kept.read_head();
    kept.send(OK);
    client.read_until(b"ok");
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    kept.read_until(b"body");
    kept.send(IDLE_TIMEOUT);
    let mut new = stage.accept();
    new.read_until(b"body");
    new.send(OK);
    client.read_until(b"ok");
    assert_eq!(counted(&balancer, &stage), (2, 0));
}

#[test]
fn a_post_that_meets_a_408_on_a_kept_connection_gets_it() {
    let (stage, balancer) = Stage::with_balancer("retries: 0");
    let mut client = balancer.peer();
    client.send(GET);
    let mut kept = stage.accept();
    kept.read_head();
    kept.send(OK);
    client.read_until(b"ok");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    // Over the kept one, or over a new one where the machine was slow.
    let mut backend = eventually("the request", || {
        let mut new = stage.waiting();
        match new.take() {
            Some(new) => Some(new),
            None if !kept.is_silent_for(Duration::from_millis(10)) => {
                Some(std::mem::replace(&mut kept, Peer::connect(balancer.address())))
            }
            None => None,
        }
    });
    backend.read_until(b"body");
    backend.send(IDLE_TIMEOUT);
    assert_eq!(client.read_head().status(), 408);
}

#[test]
fn a_request_without_host_carries_that_of_each_backend() {
    let [dead] = backends();
    dead.kill();
    let recorder = Recorder::start();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: false\nbackends: [\"{}\", \"{}\"]\n",
        dead.url(),
        recorder.url()
    ));
    for _ in 0..2 {
        let mut client = balancer.peer();
        client.send("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(client.read_head().status(), 200);
        let own = recorder.url().trim_start_matches("http://").to_owned();
        assert_eq!(recorder.hosts(), [own]);
    }
    assert!(
        balancer.backend(&dead.url()).counts.failures > 0,
        "the dead one was tried"
    );
}

#[test]
fn requests_that_wait_are_served_when_their_pool_was_removed_and_is_there_again() {
    let stage = Stage::new();
    let config = |pool: &str| {
        format!(
            "port: 0\nworkers: 1\nhealth_check: false\nqueue: {{size: 100, timeout: 20s}}\npools:\n  {pool}: {{backends: [{{url: \"{}\", max_connections: 1}}]}}\n",
            stage.url()
        )
    };
    let balancer = Balancer::start(&config("blue"));
    let mut first = balancer.peer();
    first.send(GET);
    let mut backend = stage.accept();
    backend.read_head();
    let mut waiting: Vec<Peer> = (1..=3)
        .map(|place| {
            let mut client = balancer.peer();
            client.send(GET);
            wait_until("the request in the queue", || {
                balancer.status().pools[0].waiting == place
            });
            client
        })
        .collect();
    balancer.reload_with(&config("green"));
    // The new pool has places of its own, and one is free.
    let mut other = stage.accept();
    other.read_head();
    wait_until("the others in its queue", || {
        balancer.status().pools[0].waiting == 2
    });
    balancer.reload_with(&config("blue"));
    wait_until("the others in the queue of the pool that is there again", || {
        balancer.status().pools[0].waiting == 2
    });
    other.send(LAST);
    assert_eq!(waiting.remove(0).read_head().status(), 200);
    let free = Instant::now();
    backend.send(LAST);
    first.read_until(b"ok");
    for client in &mut waiting {
        let mut backend = stage.accept();
        backend.read_head();
        backend.send(LAST);
        assert_eq!(client.read_head().status(), 200);
    }
    assert!(free.elapsed() < Duration::from_secs(15), "{:?}", free.elapsed());
}

#[test]
fn a_retry_that_finds_the_others_full_waits_for_a_place() {
    let [dead] = backends();
    dead.kill();
    let stage = Stage::new();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: false\nbackends: [{{url: \"{}\", max_connections: 1}}, \"{}\"]\n",
        stage.url(),
        dead.url()
    ));
    let mut first = balancer.peer();
    first.send(GET);
    let mut backend = stage.accept();
    backend.read_head();
    let mut second = balancer.peer();
    second.send(GET);
    wait_until("the retry in the queue", || {
        balancer.status().pools[0].waiting == 1
    });
    backend.send(LAST);
    first.read_until(b"ok");
    let mut backend = stage.accept();
    backend.read_head();
    backend.send(LAST);
    assert_eq!(second.read_head().status(), 200);
}

#[test]
fn retries_earn_no_retries() {
    let [a, b] = backends();
    for backend in [&a, &b] {
        backend.set_behaviour(dummy_servers::Behaviour::Reset);
    }
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: false\nejection: off\nlog: error\nretries: {{attempts: 1, budget: 50%, min_per_second: 0}}\nbackends: [\"{}\", \"{}\"]\n",
        a.url(),
        b.url()
    ));
    for _ in 0..40 {
        assert_eq!(balancer.get("/").status, 502);
    }
    // What a request earned more than ten seconds ago is forgotten on a slow machine.
    let sent = a.hits() + b.hits();
    assert!((50..=60).contains(&sent), "{sent} sent: half of 40 are retried");
}

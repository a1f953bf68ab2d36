//! Failures of a backend that a retry can spare the client, and those that it must not hide.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use dummy_servers::{Behaviour, DummyServer};
use lb_core::status::HealthStatus::Up;

use crate::harness::{Balancer, Peer, Stage, backends, hits};

/// Not probed, so that a failing backend goes on getting requests.
fn in_front_of(backends: &[&DummyServer], more: &str) -> Balancer {
    let urls: Vec<_> = backends
        .iter()
        .map(|backend| format!("\"{}\"", backend.url()))
        .collect();
    Balancer::start(&format!(
        "port: 0\nbackends: [{}]\nhealth_check: false\n{more}\n",
        urls.join(", ")
    ))
}

fn statuses(balancer: &Balancer, method: &str, requests: usize) -> Vec<u16> {
    let body: &[u8] = if method == "POST" { b"some body" } else { b"" };
    (0..requests)
        .map(|_| balancer.connect().request(method, "/", &[], body).status)
        .collect()
}

#[test]
fn get_and_head_are_retried_when_a_backend_fails_before_it_answers() {
    for behaviour in [Behaviour::Reset, Behaviour::Hang] {
        let [a, b, c] = backends();
        let balancer = in_front_of(&[&a, &b, &c], "timeouts: {response_idle: 300ms}");
        b.set_behaviour(behaviour);
        assert_eq!(statuses(&balancer, "GET", 6), [200; 6], "{behaviour}");
        assert_eq!(statuses(&balancer, "HEAD", 6), [200; 6], "{behaviour}");
        assert_eq!(a.hits() + c.hits(), 12, "{behaviour}");
        let status = balancer.backend(&b.url());
        assert!(
            status.counts.failures >= 2 && status.counts.failures == status.counts.requests,
            "{behaviour}: {status:?}"
        );
    }
}

#[test]
fn a_post_is_never_sent_twice() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "");
    b.set_behaviour(Behaviour::Reset);
    assert_eq!(statuses(&balancer, "POST", 6), [200, 502, 200, 502, 200, 502]);
    assert_eq!(hits(&[&a, &b]), "a: 3, b: 3");
    assert_eq!(statuses_without_body(&balancer, "POST"), [200, 502, 200, 502]);
    assert_eq!(hits(&[&a, &b]), "a: 5, b: 5");
}

#[test]
fn put_and_delete_are_retried_where_their_bodies_are_kept() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "");
    b.set_behaviour(Behaviour::Reset);
    for method in ["PUT", "DELETE"] {
        assert_eq!(statuses_without_body(&balancer, method), [200; 4], "{method}");
    }
}

fn statuses_without_body(balancer: &Balancer, method: &str) -> [u16; 4] {
    [(); 4].map(|()| {
        let mut client = balancer.connect();
        client.request(method, "/", &["Content-Length: 0"], b"").status
    })
}

#[test]
fn a_post_goes_elsewhere_when_no_connection_could_be_made() {
    let [a, b] = backends();
    b.kill();
    let balancer = in_front_of(&[&a, &b], "");
    assert_eq!(statuses(&balancer, "POST", 6), [200; 6]);
    assert_eq!(hits(&[&a, &b]), "a: 6, b: 0");
}

#[test]
fn a_post_survives_the_death_of_a_backend_that_connections_are_kept_to() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "workers: 1");
    assert_eq!(statuses(&balancer, "GET", 4), [200; 4]);
    b.kill();
    assert_eq!(statuses(&balancer, "POST", 4), [200; 4]);
    assert_eq!(hits(&[&a, &b]), "a: 6, b: 2");
}

#[test]
fn an_error_of_a_backend_is_passed_on_as_it_is() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "");
    b.set_behaviour(Behaviour::Fail);
    assert_eq!(statuses(&balancer, "GET", 4), [200, 500, 200, 500]);
    let answers = [balancer.get("/"), balancer.get("/")];
    assert_eq!(answers[1].text(), "b fails, as it was told to\n");
}

#[test]
fn statuses_that_are_configured_are_retried_while_another_backend_is_there() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "retries: {statuses: [500, \"502-504\"]}");
    b.set_behaviour(Behaviour::Fail);
    assert_eq!(statuses(&balancer, "GET", 6), [200; 6]);
    assert_eq!(statuses(&balancer, "POST", 2), [200, 500], "a POST is passed on");
}

#[test]
fn the_last_answer_is_better_than_none() {
    for retries in [
        "{statuses: [500]}",
        "{statuses: [500], attempts: 0}",
        "{statuses: [500], budget: 0%, min_per_second: 0}",
    ] {
        let [a, b] = backends();
        let balancer = in_front_of(&[&a, &b], &format!("retries: {retries}"));
        a.set_behaviour(Behaviour::Fail);
        b.set_behaviour(Behaviour::Fail);
        let answer = balancer.get("/");
        let passed_on = answer.text().ends_with("fails, as it was told to\n");
        assert_eq!(
            (answer.status, passed_on),
            (500, true),
            "{retries}: {}",
            answer.text()
        );
    }
}

#[test]
fn attempts_bound_the_backends_that_are_tried() {
    let [a, b, c, d] = backends();
    for backend in [&a, &b, &c, &d] {
        backend.set_behaviour(Behaviour::Reset);
    }
    let balancer = in_front_of(&[&a, &b, &c, &d], "");
    assert_eq!(balancer.get("/").status, 502);
    assert_eq!(hits(&[&a, &b, &c, &d]), "a: 1, b: 1, c: 1, d: 0");
}

#[test]
fn no_attempts_means_no_retry() {
    let [a, b] = backends();
    b.kill();
    let balancer = in_front_of(&[&a, &b], "retries: {attempts: 0}");
    assert_eq!(statuses(&balancer, "GET", 4), [200, 502, 200, 502]);
}

#[test]
fn the_budget_ends_a_storm_of_retries() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "retries: {budget: 0%, min_per_second: 0}");
    b.set_behaviour(Behaviour::Reset);
    assert_eq!(statuses(&balancer, "GET", 4), [200, 502, 200, 502]);
    // A connection that was never made is outside of it.
    b.kill();
    assert_eq!(statuses(&balancer, "GET", 4), [200; 4]);
}

#[test]
fn a_kept_alive_connection_that_its_backend_has_closed_costs_nobody_an_error() {
    let [a] = backends();
    let balancer = in_front_of(&[&a], "");
    let mut client = balancer.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/").server(), "a");
        a.kill();
        a.revive().unwrap();
        assert_eq!(client.request("POST", "/", &[], b"body").status, 200);
    }
    assert_eq!(balancer.backend(&a.url()).health, Up);
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_get_that_a_kept_connection_loses_goes_to_the_same_backend_over_a_new_one() {
    for reset in [false, true] {
        let (stage, balancer) = Stage::with_balancer("retries: 0");
        let mut client = balancer.peer();
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.send(get);
        let mut kept = stage.accept();
        kept.read_head();
        kept.send(OK);
        client.read_until(b"ok");
        client.send(get);
        kept.read_head();
        match reset {
            true => kept.reset(),
            false => drop(kept),
        }
        let mut new = stage.accept();
        new.read_head();
        new.send(OK);
        assert_eq!(client.read_head().status(), 200);
        client.read_until(b"ok");
        let status = balancer.backend(&stage.url());
        assert_eq!((status.counts.requests, status.counts.failures), (2, 0));
    }
}

/// Answers the first request of each connection, and breaks off at the second.
fn breaks_off_at_second_requests(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let (mut peer, mut piece) = (stream.try_clone().unwrap(), [0; 4096]);
            let came = matches!(peer.read(&mut piece), Ok(count) if count > 0);
            if came && peer.write_all(OK.as_bytes()).is_ok() {
                let _gone = peer.read(&mut piece);
            }
            Peer::of(stream).reset();
        });
    }
}

#[test]
fn connections_that_break_at_their_second_request_cost_nobody_an_error_even_where_others_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || breaks_off_at_second_requests(&listener));
    for max_connections in ["", ", max_connections: 2"] {
        let balancer = Balancer::start(&format!(
            "port: 0\nworkers: 2\nhealth_check: false\nbackends: [{{url: \"{url}\"{max_connections}}}]\n"
        ));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut client = balancer.connect();
                    for _ in 0..25 {
                        assert_eq!(client.get("/").status, 200, "{max_connections}");
                    }
                });
            }
        });
    }
}

#[test]
fn the_only_backend_is_asked_twice_at_most() {
    let [only] = backends();
    let balancer = in_front_of(&[&only], "retries: 10");
    only.set_behaviour(Behaviour::Reset);
    assert_eq!(balancer.get("/").status, 502);
    assert!((1..=2).contains(&only.hits()), "{} times", only.hits());
}

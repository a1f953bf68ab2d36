//! What a running balancer holds of the machine: sockets to backends that are gone are closed, whatever the lane, and a start
//! without the descriptors that its workers need fails.

use std::fs;

use dummy_servers::{DummyServer, NameServer};
use lb_core::status::HealthStatus::Up;
use rustix::process::Signal;

use crate::harness::{Balancer, FAST_CHECKS, Place, backends, wait_until};

/// Requests at once, each over a connection of its own on both sides.
const AT_ONCE: usize = 20;

/// What may still be open beside what was at the start: probes, and the command that asks.
const BESIDE: usize = 10;

fn config(backend: &DummyServer, connect: usize) -> String {
    format!(
        "port: 0\nworkers: 1\nbackends: [\"{}\"]\ntimeouts: {{upstream_idle: 1s, connect: {connect}s}}\n",
        backend.url()
    )
}

fn open_files(balancer: &Balancer) -> usize {
    fs::read_dir(format!("/proc/{}/fd", balancer.process.id()))
        .unwrap()
        .count()
}

fn ask_at_once(balancer: &Balancer) {
    let mut clients: Vec<_> = (0..AT_ONCE).map(|_| balancer.connect()).collect();
    for client in &mut clients {
        client
            .send_request("GET", "/drip?bytes=10&for=200ms", &[], b"")
            .unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.read_response("GET").unwrap().status, 200);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn sockets_to_removed_backends_are_closed_and_so_are_those_of_other_timeouts() {
    let all = backends::<4>();
    let balancer = Balancer::start(&config(&all[0], 1));
    let before = open_files(&balancer);
    for (number, backend) in all.iter().enumerate() {
        // Another backend each time, and another time to connect to it.
        if number > 0 {
            balancer.reload_with(&config(backend, number + 1));
        }
        ask_at_once(&balancer);
    }
    wait_until("the end of sockets that nobody needs", || {
        open_files(&balancer) <= before + BESIDE
    });
    ask_at_once(&balancer);
}

/// A reload that shortens how long connections are kept closes those that are too old by that.
#[test]
#[cfg(target_os = "linux")]
fn kept_connections_end_by_the_times_of_the_newest_configuration() {
    let [backend] = backends();
    let config = |timeouts: &str| {
        let url = backend.url();
        format!("port: 0\nworkers: 1\nhealth_check: off\nbackends: [\"{url}\"]\ntimeouts: {{{timeouts}}}\n")
    };
    let balancer = Balancer::start(&config("upstream_idle: 1h, upstream_age: 2h"));
    let before = open_files(&balancer);
    for timeouts in [
        "upstream_idle: 1s, upstream_age: 2h",
        "upstream_idle: 1h, upstream_age: 1s",
    ] {
        balancer.reload_with(&config("upstream_idle: 1h, upstream_age: 2h"));
        ask_at_once(&balancer);
        wait_until("the end of the clients' connections", || {
            open_files(&balancer) <= before + AT_ONCE + BESIDE
        });
        assert!(
            open_files(&balancer) >= before + AT_ONCE,
            "the backend's are kept"
        );
        balancer.reload_with(&config(timeouts));
        wait_until("the end of connections that are too old", || {
            open_files(&balancer) <= before + BESIDE
        });
    }
}

/// New descriptors are refused at every place that wants one, and nothing that is there is lost.
#[test]
#[cfg(target_os = "linux")]
fn what_needs_a_descriptor_waits_or_fails_clearly_and_all_goes_on_when_there_are_some() {
    let [a, b] = backends();
    let names = NameServer::start().unwrap();
    names.set("b.test", &["127.0.0.1".parse().unwrap()]);
    let named = b.url().replace("127.0.0.1", "b.test");
    let config = format!(
        "port: 0\nworkers: 1\nresolver: {{nameservers: [\"{}\"]}}\nbackends: [\"{}\", \"{named}\"]\n{FAST_CHECKS}\n",
        names.address(),
        a.url()
    );
    let balancer = Balancer::start(&config);
    balancer.wait_for_health(&named, Up);
    let mut clients = [balancer.connect(), balancer.connect(), balancer.connect()];
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200);
    }
    let before = open_files(&balancer);
    // No number is left that a new descriptor could have.
    let limit = limit_of_files(&balancer, None);
    limit_of_files(&balancer, Some(3));
    // Clients that wait, commands, and a reload.
    let mut waits = balancer.peer();
    waits.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut status = balancer.place.start(&["status", "--json"]);
    balancer.signal(Signal::HUP);
    balancer.wait_for_log("reload refused");
    balancer.wait_for_log("cannot accept connections for now");
    // Those that are connected are served over connections that are kept, or told.
    let [first, second, third] = &mut clients;
    for slow in [first, second] {
        slow.send_request("GET", "/drip?bytes=10&for=2s", &[], b"")
            .unwrap();
    }
    wait_until("both connections to be in use", || a.hits() + b.hits() >= 5);
    assert_eq!(third.get("/").status, 503);
    // Probes say nothing of their backends, and there are some meanwhile.
    balancer.wait_for_log("cannot probe");
    assert!(!balancer.log().contains("is down"), "{}", balancer.log());
    limit_of_files(&balancer, limit);
    assert_eq!(waits.read_head().status(), 200);
    drop(waits);
    status.wait();
    for client in &mut clients[..2] {
        assert_eq!(client.read_response("GET").unwrap().status, 200);
    }
    assert_eq!(clients[2].get("/").status, 200);
    balancer.reload_with(&config.replace("workers: 1", "workers: 1\nretries: 1"));
    balancer.wait_for_health(&named, Up);
    let state = balancer.status();
    assert_eq!((state.panics, state.actor_restarts), (0, 0));
    wait_until("the end of what was begun", || {
        open_files(&balancer) <= before + BESIDE
    });
    assert!(!balancer.log().contains("is down"), "{}", balancer.log());
}

/// Idle connections to one backend give way to those that requests to another one need.
#[test]
#[cfg(target_os = "linux")]
fn idle_connections_give_their_descriptors_back() {
    let [a, b] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: off\npools: {{a: {{backends: [\"{}\"]}}, b: {{backends: [\"{}\"]}}}}\n\
         routes: [{{host: a.test, pool: a}}, {{pool: b}}]\n",
        a.url(),
        b.url()
    ));
    let mut clients: Vec<_> = (0..AT_ONCE).map(|_| balancer.connect()).collect();
    let mut ask_all = |host| {
        for client in &mut clients {
            let drip = format!("GET /drip?bytes=10&for=200ms HTTP/1.1\r\nHost: {host}\r\n\r\n");
            client.send(drip.as_bytes()).unwrap();
        }
        for client in &mut clients {
            assert_eq!(client.read_response("GET").unwrap().status, 200);
        }
    };
    ask_all("a.test");
    limit_of_files(&balancer, Some(open_files(&balancer) as u64 + 1));
    ask_all("b.test");
    assert_eq!((a.hits(), b.hits()), (AT_ONCE as u64, AT_ONCE as u64));
}

/// How many files it may open from now on, if that is to change; returns what held before.
#[cfg(target_os = "linux")]
fn limit_of_files(balancer: &Balancer, to: Option<u64>) -> Option<u64> {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let id = Pid::from_raw(i32::try_from(balancer.process.id()).unwrap());
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = to.or(maximum);
    // A process that is not root may not raise the hard limit again.
    let before = prlimit(id, Resource::Nofile, Rlimit { current, maximum }).unwrap();
    before.current
}

#[test]
fn a_start_without_the_descriptors_that_it_needs_fails_and_says_how_many_those_are() {
    let [backend] = backends();
    for (limit, workers, least) in [(60, 64, 288), (12, 1, 36), (35, 1, 36)] {
        let place = Place::new();
        let config = format!(
            "port: 0\nworkers: {workers}\nbackends: [\"{}\"]\nhealth_check: false\n",
            backend.url()
        );
        place.write("config.yaml", &crate::harness::lane::with_lane(&config));
        let start = format!("sh -c 'ulimit -n {limit} && exec simple-lb --config config.yaml'");
        let mut process = place.start_shell(&start);
        assert_eq!(process.wait(), 1);
        let said = process.stdout() + &process.stderr();
        let expected =
            format!("cannot start: the limit of file descriptors is {limit}, and {least} are needed");
        assert!(said.contains(&expected), "{said}");
        assert!(!said.contains("listening on"), "{said}");
        assert!(!said.contains("panic"), "{said}");
    }
}

/// With the fewest that are allowed, requests, probes and commands have theirs.
#[test]
#[cfg(target_os = "linux")]
fn the_least_number_of_descriptors_is_enough_to_serve() {
    let [backend] = backends();
    let config = format!(
        "port: 0\nworkers: 1\nbackends: [\"{}\"]\n{FAST_CHECKS}\n",
        backend.url()
    );
    let balancer = Balancer::start(&config);
    // The numbers below the limit are those that a start with it would have.
    limit_of_files(&balancer, Some(36));
    assert_eq!(balancer.get("/").status, 200);
    balancer.reload_with(&config.replace("workers: 1", "workers: 1\nretries: 1"));
    balancer.wait_for_health(&backend.url(), Up);
    assert_eq!(balancer.get("/").status, 200);
}

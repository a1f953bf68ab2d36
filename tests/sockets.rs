//! What a running balancer holds of the machine: sockets to backends that are gone are closed, whatever the lane, and a start
//! without the descriptors that its workers need fails.

use std::fs;

use dummy_servers::DummyServer;
use lb_core::status::HealthStatus::Up;

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

/// How many files it may open from now on.
#[cfg(target_os = "linux")]
fn limit_of_files(balancer: &Balancer, to: u64) {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let id = Pid::from_raw(i32::try_from(balancer.process.id()).unwrap());
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(to);
    prlimit(id, Resource::Nofile, Rlimit { current, maximum }).unwrap();
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
    limit_of_files(&balancer, 36);
    assert_eq!(balancer.get("/").status, 200);
    balancer.reload_with(&config.replace("workers: 1", "workers: 1\nretries: 1"));
    balancer.wait_for_health(&backend.url(), Up);
    assert_eq!(balancer.get("/").status, 200);
}

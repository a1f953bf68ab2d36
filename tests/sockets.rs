//! What a running balancer holds of the machine: sockets to backends that are gone are closed, whatever the lane, and a start
//! without the descriptors that its workers need fails.

use std::fs;

use dummy_servers::DummyServer;

use crate::harness::{Balancer, Place, backends, wait_until};

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

#[test]
fn a_start_without_what_its_workers_need_fails_and_never_says_that_it_listens() {
    let place = Place::new();
    let [backend] = backends();
    let lane = crate::harness::lane::with_lane(&format!(
        "port: 0\nworkers: 64\nbackends: [\"{}\"]\nhealth_check: false\n",
        backend.url()
    ));
    place.write("config.yaml", &lane);
    let mut process = place.start_shell("sh -c 'ulimit -n 60 && exec simple-lb --config config.yaml'");
    assert_eq!(process.wait(), 1);
    let said = process.stdout() + &process.stderr();
    assert!(!said.contains("listening on"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

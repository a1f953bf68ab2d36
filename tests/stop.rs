//! Stopping without cutting anybody off.

use std::time::Duration;

use dummy_servers::{Behaviour, DummyServer, body_byte};
use rustix::process::Signal;

use crate::harness::{
    Balancer, Client, FullBackend, Place, Process, backends, lane::with_lane, pause, wait_until,
};

/// A balancer that is in the middle of a download of three seconds.
fn downloading(backend: &DummyServer, more: &str) -> (Balancer, Client) {
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n{more}\n", backend.url()));
    let mut client = balancer.connect();
    client
        .send_request("GET", "/drip?bytes=3000&for=3s", &[], b"")
        .unwrap();
    wait_until("the request at the backend", || backend.hits() == 1);
    (balancer, client)
}

#[track_caller]
fn assert_complete(client: &mut Client) {
    let answer = client.read_response("GET").unwrap();
    let expected: Vec<u8> = (0..3000).map(body_byte).collect();
    assert_eq!(
        (answer.status, answer.body.len(), answer.body == expected),
        (200, 3000, true)
    );
}

#[track_caller]
fn wait_until_it_stops(balancer: &Balancer) {
    balancer.wait_for_log("stopping: ");
}

#[test]
fn a_download_gets_every_byte_and_the_stop_waits_for_it() {
    let [backend] = backends();
    let (mut balancer, mut client) = downloading(&backend, "");
    let stop = balancer.place.start(&["--stop"]);
    assert_complete(&mut client);
    assert_eq!(balancer.process.wait(), 0);
    let stop = crate::harness::Finished::of(stop);
    assert_eq!((stop.code, stop.stderr.as_str()), (0, ""));
    let expected = format!(
        "stopped pid {}: 1 request finished while it stopped\n",
        balancer.process.id()
    );
    assert_eq!(stop.stdout, expected);
}

#[test]
fn sigterm_and_sigint_do_the_same() {
    for signal in [Signal::TERM, Signal::INT] {
        let [backend] = backends();
        let (mut balancer, mut client) = downloading(&backend, "");
        balancer.signal(signal);
        assert_complete(&mut client);
        assert_eq!(balancer.process.wait(), 0);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let [backend] = backends();
    let (mut balancer, mut client) = downloading(&backend, "");
    balancer.signal(Signal::TERM);
    wait_until_it_stops(&balancer);
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.process.wait(), 1);
    assert!(client.read_response("GET").is_err());
}

#[test]
fn a_signal_after_a_command_to_stop_ends_it_at_once() {
    let [backend] = backends();
    let (mut balancer, mut client) = downloading(&backend, "");
    let _stop = balancer.place.start(&["--stop"]);
    wait_until_it_stops(&balancer);
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.process.wait(), 1);
    assert!(client.read_response("GET").is_err());
}

#[test]
fn a_reload_that_shortens_the_time_counts_for_a_stop_under_way() {
    let [backend] = backends();
    backend.set_behaviour(Behaviour::Hang);
    let config = |timeout: &str| {
        let url = backend.url();
        format!("port: 0\nbackends: [\"{url}\"]\nhealth_check: false\nshutdown_timeout: {timeout}\n")
    };
    let mut balancer = Balancer::start(&config("1h"));
    let mut client = balancer.connect();
    client.send_request("GET", "/", &[], b"").unwrap();
    wait_until("the request at the backend", || backend.hits() == 1);
    balancer.signal(Signal::TERM);
    wait_until_it_stops(&balancer);
    balancer.reload_with(&config("1s"));
    assert_eq!(balancer.process.wait(), 1);
}

#[test]
fn a_stop_does_not_wait_for_a_reload_and_the_reload_says_so() {
    let ([backend], full) = (backends(), FullBackend::new());
    let config = |more: &str| {
        let url = backend.url();
        format!("port: 0\nbackends: [\"{url}\"{more}]\nhealth_check: {{interval: 3m, timeout: 2m}}\n")
    };
    let mut balancer = Balancer::start(&config(""));
    balancer.write_config(&config(&format!(", \"http://127.0.0.1:{}\"", full.port())));
    let reload = balancer.place.start(&["--reload"]);
    wait_until("the change in force", || balancer.status().generation == 2);
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.process.wait(), 0);
    let reload = crate::harness::Finished::of(reload);
    assert_ne!(reload.code, 0);
    let said = "the instance stops, before the reload was done";
    assert!(reload.stderr.contains(said), "{reload:?}");
}

#[test]
fn what_hangs_is_cut_when_the_time_is_over() {
    let [backend] = backends();
    backend.set_behaviour(Behaviour::Hang);
    let mut balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\nshutdown_timeout: 1s\n",
        backend.url()
    ));
    let mut client = balancer.connect();
    client.send_request("GET", "/", &[], b"").unwrap();
    wait_until("the request at the backend", || backend.hits() == 1);
    let stop = balancer.place.run("--stop");
    assert_eq!(stop.code, 1);
    assert!(
        stop.stdout
            .contains("0 requests finished while it stopped, 1 request cut"),
        "{stop:?}"
    );
    assert_eq!(balancer.process.wait(), 1);
}

#[test]
fn kept_alive_connections_end_and_new_ones_are_refused() {
    let [backend] = backends();
    let (mut balancer, mut client) = downloading(&backend, "");
    let mut idle = balancer.connect();
    assert_eq!(idle.get("/").server(), "a");
    balancer.signal(Signal::TERM);
    wait_until_it_stops(&balancer);
    // An idle connection is closed, or its next answer is its last.
    match idle.try_request("GET", "/", &[], b"") {
        Ok(answer) => assert_eq!((answer.status, answer.header("Connection")), (200, Some("close"))),
        Err(error) => assert!(!matches!(error.kind(), std::io::ErrorKind::WouldBlock), "{error}"),
    }
    wait_until("new connections to be refused", || {
        match Client::try_connect(balancer.address()) {
            Ok(mut client) => client.try_request("GET", "/", &[], b"").is_err(),
            Err(_) => true,
        }
    });
    assert_complete(&mut client);
    assert_eq!(balancer.process.wait(), 0);
    assert!(Client::try_connect(balancer.address()).is_err());
}

#[test]
fn the_status_says_that_it_stops() {
    let [backend] = backends();
    let (mut balancer, mut client) = downloading(&backend, "");
    let mut stops: Vec<Process> = (0..2).map(|_| balancer.place.start(&["--stop"])).collect();
    wait_until_it_stops(&balancer);
    let status = balancer.status();
    assert_eq!((status.stopping, status.in_flight), (true, 1));
    assert_complete(&mut client);
    assert_eq!(balancer.process.wait(), 0);
    // Whoever asks for it while it stops waits for the same end.
    assert_eq!(stops.iter_mut().map(Process::wait).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_stop_does_not_wait_for_a_reload_that_waits_for_a_probe() {
    let [a, b] = backends();
    b.set_behaviour(Behaviour::Hang);
    let checks = "health_check: {timeout: 300s}";
    let config = |urls: &str| format!("port: 0\n{checks}\nbackends: [{urls}]\n");
    let mut balancer = Balancer::start(&config(&format!("\"{}\"", a.url())));
    balancer.write_config(&config(&format!("\"{}\", \"{}\"", a.url(), b.url())));
    balancer.signal(Signal::HUP);
    wait_until("the probe that hangs", || b.hits_total() > 0);
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn who_has_connected_when_a_stop_begins_is_answered() {
    let [backend] = backends();
    let (mut balancer, mut download) = downloading(&backend, "");
    let mut connected = balancer.connect();
    balancer.signal(Signal::TERM);
    wait_until_it_stops(&balancer);
    // Longer than the balancer looks away from idle connections.
    pause(Duration::from_millis(400));
    let answer = connected.try_request("GET", "/", &[], b"").unwrap();
    assert_eq!((answer.status, answer.header("Connection")), (200, Some("close")));
    assert_complete(&mut download);
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn a_pipe_in_the_place_of_the_file_keeps_nobody_from_ending() {
    let [backend] = backends();
    let mut balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n", backend.url()));
    let file = balancer.place.folder().join("config.yaml");
    std::fs::remove_file(&file).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::RWXU).unwrap();
    // Nobody ever writes into it: to wait for its content would be to wait for ever.
    let reload = balancer.reload();
    assert_eq!(reload.code, 1);
    assert!(
        reload.stderr.contains("is a pipe, not a regular file"),
        "{reload:?}"
    );
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn a_stop_during_the_start_ends_it_at_once_and_says_nothing_of_listening() {
    let [backend] = backends();
    backend.set_behaviour(Behaviour::Hang);
    let config = format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: {{timeout: 300s}}\n",
        backend.url()
    );
    let place = Place::new();
    place.write("config.yaml", &with_lane(&config));
    for by_command in [false, true] {
        let hits = backend.hits_total();
        let mut process = place.start(&["run"]);
        wait_until("the first probe", || backend.hits_total() > hits);
        if by_command {
            let stop = place.run("stop");
            assert_eq!(stop.code, 0, "{stop:?}");
        } else {
            process.signal(Signal::TERM);
        }
        assert_eq!(process.wait(), 0);
        assert_eq!(process.stdout(), "");
        assert!(process.stderr().contains("stopping: "), "{}", process.stderr());
    }
}

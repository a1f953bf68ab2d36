//! What is taken for alive, what is done when nobody is, and a person's word.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use dummy_servers::Behaviour;
use lb_core::status::HealthStatus::{Down, Draining, Maintenance, Up};

use crate::harness::{Balancer, FAST_CHECKS, Load, RawBackend, Stage, backends, pause, wait_until};

/// The health of backends with these lines in the file, after their first probes.
fn health_of(backends: &[String], more: &str) -> Vec<String> {
    let lines: String = backends
        .iter()
        .map(|backend| format!("  - {backend}\n"))
        .collect();
    let balancer = Balancer::start(&format!("port: 0\nbackends:\n{lines}{more}\n"));
    let backends = balancer.status().pools.remove(0).backends;
    backends
        .iter()
        .map(|backend| match &backend.last_probe {
            Some(probe) => format!("{}: {}", backend.health, probe.detail),
            None => backend.health.to_string(),
        })
        .collect()
}

fn url(backend: &RawBackend) -> String {
    format!("http://127.0.0.1:{}", backend.port())
}

#[test]
fn a_tcp_check_is_content_with_a_connection() {
    let silent = Stage::new();
    let [dead] = backends();
    let dead_url = dead.url();
    drop(dead);
    assert_eq!(
        health_of(&[silent.url(), dead_url], "health_check: {type: tcp}"),
        ["up: connected", "down: connection refused"]
    );
}

#[test]
fn a_body_must_hold_what_is_asked_for_whatever_its_framing() {
    let good = RawBackend::start("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nstate: good");
    let chunked = RawBackend::start(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nstate: \r\n4\r\ngood\r\n0\r\n\r\n",
    );
    let ill = RawBackend::start("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstate: ill");
    let cut = RawBackend::start("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstate: good");
    let urls = [&good, &chunked, &ill, &cut].map(url);
    assert_eq!(
        health_of(&urls, "health_check: {body: {regex: \"^state: (good|fair)$\"}}"),
        [
            "up: 200 OK",
            "up: 200 OK",
            "down: 200 OK, but its body has no {regex: \"^state: (good|fair)$\"}",
            "down: its answer was cut short",
        ]
    );
}

#[test]
fn a_backend_has_a_port_and_settings_of_its_own() {
    let [a, b] = backends();
    let health = RawBackend::start("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n");
    a.set_health_behaviour(Some(Behaviour::Fail));
    b.set_health_behaviour(Some(Behaviour::Fail));
    let own = format!(
        "{{url: \"{}\", health_check: {{port: {}, status: 418}}}}",
        a.url(),
        health.port()
    );
    assert_eq!(
        health_of(&[own, b.url()], "health_check: {path: /health}"),
        ["up: 418 I'm a teapot", "down: 500 Internal Server Error"]
    );
    assert_eq!(a.probes(), 0);
}

#[test]
fn a_probe_says_what_it_is_told_to() {
    let stage = Stage::new();
    let port = stage.port();
    let taken = thread::spawn(move || {
        let mut peer = stage.accept();
        let head = peer.read_head();
        peer.send("HTTP/1.1 204 No Content\r\n\r\n");
        head
    });
    let said = health_of(
        &[format!("http://127.0.0.1:{port}")],
        "health_check: {method: HEAD, path: \"/up?all\", host: \"api.example\", headers: {X-Probe: \"yes\"}, timeout: 10s}",
    );
    assert_eq!(said, ["up: 204 No Content"]);
    let head = taken.join().unwrap();
    assert_eq!(head.first(), "HEAD /up?all HTTP/1.1");
    assert_eq!(
        (head.one("host"), head.one("x-probe")),
        (Some("api.example"), Some("yes"))
    );
    assert!(
        head.one("user-agent")
            .is_some_and(|agent| agent.starts_with("simple-lb-health/"))
    );
}

#[test]
fn all_down_fail_refuses_at_once() {
    let [a, b] = backends();
    a.set_health_behaviour(Some(Behaviour::Fail));
    b.set_health_behaviour(Some(Behaviour::Fail));
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\"]\nall_down: fail\n{FAST_CHECKS}\n",
        a.url(),
        b.url()
    ));
    let answer = balancer.get("/");
    assert_eq!((answer.status, a.hits() + b.hits()), (503, 0));
    assert!(
        answer.text().contains("no backend is ready for requests"),
        "{answer:?}"
    );
    balancer.wait_for_log("no backend of pool default is up: requests are refused");
    b.set_health_behaviour(None);
    balancer.wait_for_health(&b.url(), Up);
    assert_eq!(balancer.order(2), "b b");
}

#[test]
fn a_drain_lets_running_requests_finish_and_takes_no_new_ones() {
    let [a, b] = backends();
    let file = |b_line: String| {
        format!(
            "port: 0\nbackends:\n  - {}\n  - {b_line}\n{FAST_CHECKS}\n",
            a.url()
        )
    };
    let balancer = Balancer::start(&file(b.url()));
    a.set_behaviour(Behaviour::Slow(Duration::from_secs(2)));
    b.set_behaviour(Behaviour::Slow(Duration::from_secs(2)));
    let address = balancer.address();
    let running: Vec<_> = (0..4)
        .map(|_| thread::spawn(move || crate::harness::get(address, "/").status))
        .collect();
    wait_until("two requests at the backend", || {
        balancer.backend(&b.url()).counts.in_flight == 2
    });
    let reload = balancer.reload_with(&file(format!("{{url: \"{}\", drain: true}}", b.url())));
    assert!(
        reload.stdout.contains(&format!("~ {} drain off -> on", b.url())),
        "{reload:?}"
    );
    let status = balancer.backend(&b.url());
    assert_eq!(status.health, Draining);
    a.set_behaviour(Behaviour::Ok);
    assert_eq!(balancer.order(3), "a a a");
    for request in running {
        assert_eq!(request.join().unwrap(), 200);
    }
    balancer.wait_for_log(&format!("backend {} is drained: nothing is in flight", b.url()));
    assert_eq!(balancer.backend(&b.url()).counts.in_flight, 0);
    b.set_behaviour(Behaviour::Ok);
    balancer.reload_with(&file(b.url()));
    assert_eq!(
        balancer.order(4).matches('b').count(),
        2,
        "at once: it was probed all the time"
    );
}

#[test]
fn a_backend_in_maintenance_gets_neither_requests_nor_probes_and_no_client_notices() {
    let [a, b] = backends();
    let file = |b_line: String| {
        format!(
            "port: 0\nbackends:\n  - {}\n  - {b_line}\n{FAST_CHECKS}\n",
            a.url()
        )
    };
    let balancer = Balancer::start(&file(b.url()));
    let load = Load::start(balancer.address(), 4);
    balancer.reload_with(&file(format!("{{url: \"{}\", maintenance: true}}", b.url())));
    load.wait_for_those_in_flight();
    b.kill();
    let (hits, probes) = (b.hits(), b.probes());
    load.wait_for_more(200);
    assert_eq!((b.hits(), b.probes()), (hits, probes));
    assert_eq!(balancer.backend(&b.url()).health, Maintenance);
    // Even when it is the only one that might still work.
    b.revive().unwrap();
    balancer.reload_with(&file(b.url()));
    balancer.wait_for_health(&b.url(), Up);
    load.finish_without_failure();
    a.kill();
    balancer.reload_with(&file(format!("{{url: \"{}\", maintenance: true}}", b.url())));
    balancer.wait_for_health(&a.url(), Down);
    let hits = b.hits();
    assert_eq!((balancer.get("/").status, b.hits()), (502, hits));
}

/// Listens at every loopback address, answers slowly, and counts the connections that are open.
struct Crowd {
    address: SocketAddr,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    probes: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Crowd {
    fn start() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let crowd = Self {
            address: listener.local_addr().unwrap(),
            open: Arc::default(),
            most: Arc::default(),
            probes: Arc::default(),
            stop: Arc::default(),
        };
        let counters = [&crowd.open, &crowd.most, &crowd.probes].map(Arc::clone);
        let stop = Arc::clone(&crowd.stop);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(SeqCst) {
                    return;
                }
                let [open, most, probes] = counters.each_ref().map(Arc::clone);
                most.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
                probes.fetch_add(1, SeqCst);
                thread::spawn(move || {
                    let _left = answer(stream);
                    open.fetch_sub(1, SeqCst);
                });
            }
        });
        crowd
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = [0; 1024];
    let _length = stream.read(&mut head)?;
    pause(Duration::from_millis(10));
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        // Wakes the thread up.
        let _woken = TcpStream::connect(("127.0.0.1", self.address.port()));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_thousand_backends_are_probed_over_a_few_dozen_connections() {
    let crowd = Crowd::start();
    let port = crowd.address.port();
    let lines: String = (0..1000)
        .map(|index| {
            format!(
                "  - http://127.0.{}.{}:{port}\n",
                1 + index / 250,
                1 + index % 250
            )
        })
        .collect();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends:\n{lines}health_check: {{path: /, interval: 3s, timeout: 15s}}\n"
    ));
    wait_until("three probes each", || crowd.probes.load(SeqCst) >= 3000);
    let most = crowd.most.load(SeqCst);
    assert!(most <= 40, "{most} connections at once");
    let backends = balancer.status().pools.remove(0).backends;
    assert!(backends.iter().all(|backend| backend.health == Up));
}

//! What a running instance says of itself.

use std::time::Duration;

use dummy_servers::Behaviour;
use lb_core::status::HealthStatus::{Down, Up};

use crate::harness::{Balancer, FAST_CHECKS, Place, Process, backends, lane::lane, wait_until};

#[test]
fn counters_count() {
    let [a, b] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nstrategy: weighted\nhealth_check: false\nbackends: [{{url: \"{}\", weight: 2}}, \"{}\"]\n",
        a.url(),
        b.url()
    ));
    b.set_behaviour(Behaviour::Reset);
    let mut client = balancer.connect();
    for _ in 0..6 {
        assert_eq!(client.get("/").status, 200);
    }
    let status = balancer.status();
    let pool = &status.pools[0];
    assert_eq!(
        (
            status.requests,
            status.in_flight,
            status.panics,
            status.actor_restarts
        ),
        (6, 0, 0, 0)
    );
    assert_eq!((pool.name.as_str(), pool.backends.len()), ("default", 2));
    let [a_status, b_status] = [&pool.backends[0], &pool.backends[1]];
    assert_eq!(
        (
            a_status.url.clone(),
            a_status.weight,
            a_status.counts.answers,
            a_status.counts.failures
        ),
        (a.url(), 2, 6, 0)
    );
    assert_eq!(
        (b_status.url.clone(), b_status.weight, b_status.counts.answers),
        (b.url(), 1, 0)
    );
    // Only what a kept-alive connection loses is sent to the same backend again, and uncounted.
    assert_eq!(
        (
            a_status.counts.requests,
            b_status.counts.requests,
            b_status.counts.failures
        ),
        (6, b.hits(), b.hits())
    );
    assert!(a_status.counts.latency_micros_total > 0);
}

#[test]
fn a_request_is_in_flight_until_its_last_byte() {
    let [a] = backends();
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n", a.url()));
    let mut slow = balancer.connect();
    a.set_behaviour(Behaviour::Slow(Duration::from_secs(2)));
    slow.send_request("GET", "/", &[], b"").unwrap();
    let mut long = balancer.connect();
    long.send_request("GET", "/drip?bytes=50&for=4s", &[], b"")
        .unwrap();
    wait_until("both to be in flight", || {
        let status = balancer.status();
        (
            status.in_flight,
            status.requests,
            status.pools[0].backends[0].counts.in_flight,
        ) == (2, 2, 2)
    });
    assert_eq!(slow.read_response("GET").unwrap().status, 200);
    assert_eq!(long.read_response("GET").unwrap().body.len(), 50);
    wait_until("none to be in flight", || {
        let status = balancer.status();
        (status.in_flight, status.pools[0].backends[0].counts.in_flight) == (0, 0)
    });
}

#[test]
fn the_instance_describes_itself() {
    let [a, b] = backends();
    b.kill();
    let balancer = Balancer::start(&format!(
        "port: \"127.0.0.1:0\"\nworkers: 3\nbackends: [\"{}\", \"{}\"]\n{FAST_CHECKS}\n",
        a.url(),
        b.url()
    ));
    let status = balancer.status();
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (status.pid, status.generation, status.workers),
        (balancer.process.id(), 1, 3)
    );
    assert_eq!(status.listeners, [balancer.address().to_string()]);
    assert_eq!(
        (status.config.as_str(), status.lane.as_str(), status.stopping),
        ("config.yaml", lane().as_str(), false)
    );
    let health: Vec<_> = status.pools[0]
        .backends
        .iter()
        .map(|backend| backend.health)
        .collect();
    assert_eq!(health, [Up, Down]);
    let probes: Vec<_> = status.pools[0]
        .backends
        .iter()
        .map(|backend| backend.last_probe.clone().unwrap())
        .collect();
    assert_eq!((probes[0].ok, probes[0].detail.as_str()), (true, "200 OK"));
    assert_eq!(
        (probes[1].ok, probes[1].detail.as_str()),
        (false, "connection refused")
    );
}

#[test]
fn the_limit_of_open_files_is_raised_and_said() {
    let place = Place::new();
    place.write(
        "config.yaml",
        "port: 0\nworkers: 3\nbackends: [\"http://127.0.0.1:1\"]\n",
    );
    let mut shell = place.command("sh");
    let program = env!("CARGO_BIN_EXE_simple-lb");
    shell.args([
        "-c",
        &format!("ulimit -S -n 256 && exec {program} --config config.yaml"),
    ]);
    let balancer = Balancer::of(&place, Process::start(&mut shell));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", balancer.process.id())).unwrap();
    let values = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    let values: Vec<_> = values.split_whitespace().collect();
    assert_eq!(values[0], values[1], "soft and hard");
    assert_eq!(balancer.status().open_files_limit.to_string(), values[1]);
    let first_lines = balancer.process.stdout();
    let line = format!("3 workers, at most {} open files\n", values[1]);
    assert!(first_lines.contains(&line), "{first_lines}");
}

#[test]
fn the_table_has_a_line_a_backend() {
    let [a, b] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\"]\n{FAST_CHECKS}\n",
        a.url(),
        b.url()
    ));
    b.set_health_behaviour(Some(Behaviour::Fail));
    balancer.wait_for_health(&b.url(), Down);
    balancer.order(4);
    let table = balancer.place.run("status");
    assert_eq!((table.code, table.stderr.as_str()), (0, ""));
    let cells = |wanted: &str| {
        let line = table
            .stdout
            .lines()
            .find(|line| line.contains(wanted))
            .unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let heading = "POOL BACKEND WEIGHT HEALTH SINCE REQUESTS SHARE IN FLIGHT FAILED 5XX LATENCY LAST PROBE";
    assert_eq!(cells("BACKEND").join(" "), heading);
    assert_eq!(cells(&a.url())[..4], ["default", &a.url(), "1", "up"]);
    assert_eq!(cells(&a.url())[5..8], ["4", "100.0%", "0"]);
    assert_eq!(cells(&b.url())[..4], ["default", &b.url(), "1", "down"]);
    assert!(
        cells(&b.url())
            .join(" ")
            .contains("500 Internal Server Error, took "),
        "{}",
        table.stdout
    );
    assert!(
        table
            .stdout
            .contains(&format!("pid {}, generation 1, up ", balancer.process.id())),
        "{}",
        table.stdout
    );
}

//! `docs/tour.md`, from its first step to its last.

use std::time::Duration;

use rustix::process::Signal;

use super::{
    block::{Same::Bytes, Same::Words, show},
    session::Session,
};
use crate::{
    everyday::is_installed,
    harness::{BUILD_DEADLINE, Balancer, Process, eventually, eventually_within, wait_until},
};

const THREE_KEYS: &str = "port: 8000
strategy: \"round-robin\"
backends:
  - \"http://localhost:9001\"
  - \"http://localhost:9002\"
  - \"http://localhost:9003\"
";

const WEIGHTS: &str = "backends:
  - url: \"http://localhost:9001\"
    weight: 3
  - \"http://localhost:9002\"
  - \"http://localhost:9003\"
";

const BROKEN: &str = "port: 8000
stratgy: \"round-robin\"
backends:
  - \"http://localhost:9001\"
  - url: \"http://localhost:9002\"
    weight: 0
  - \"https://localhost:9003\"
shutdown_timeout: 30
";

/// Quicker than the defaults, but with seconds between probes, so that requests meet a backend that has just died, however
/// busy the machine is.
const CHECKS: &str = "health_check: {interval: 2s, fast_interval: 2s, timeout: 10s}";

/// Slow start does not end while a test counts.
const WARMING: &str = "slow_start: 1h";

/// It is over.
const WARM: &str = "slow_start: 0s";

const COUNT: &str = "for i in $(seq 40); do curl -s http://127.0.0.1:8000/; done | sort | uniq -c";

/// What 40 requests show when all four backends have their whole share.
const EVEN: [&str; 4] = [
    "10 Hello from Server 9001",
    "10 Hello from Server 9002",
    "10 Hello from Server 9003",
    "10 Hello from Server 9004",
];

#[test]
fn the_tour_is_what_a_reader_will_see() {
    if !is_installed("curl") {
        return;
    }
    let mut session = Session::new();
    let mut servers = three_servers(&mut session);
    let mut balancer = session.balancer(THREE_KEYS, &format!("{CHECKS}\n{WARMING}"));
    let start = session.shown(&balancer.process.stdout());
    show(
        "tour-start",
        &session.prompt("simple-lb --config config.yaml", &start),
        Words,
    );
    let received = servers.wait_for_line("request received!");
    assert!(received.ends_with("request received! GET /"), "{received}");

    let requests = session.types(&["for i in 1 2 3 4; do curl -s http://127.0.0.1:8000/; done"]);
    show("tour-requests", &requests, Bytes);
    show("tour-status", &session.types(&["simple-lb status"]), Words);

    let mut fourth = a_fourth(&mut session, &balancer);
    it_dies(&session, &balancer, &mut fourth);
    the_file_changes(&session);
    the_end(&session, &mut balancer);
}

/// `--release` is left out: the same program, built by the test already.
fn three_servers(session: &mut Session) -> Process {
    let mut servers = Process::cargo("run --quiet --bin dummy_servers -- --lang en --names port");
    eventually_within(BUILD_DEADLINE, "three servers", || {
        (servers.stdout().matches("listening").count() == 3).then_some(())
    });
    let output = servers.stdout();
    for (documented, line) in (9001..).zip(output.lines()) {
        session.port(documented, line.rsplit(':').next().unwrap().parse().unwrap());
    }
    assert!(servers.is_running());
    let line = "cargo run --release --bin dummy_servers -- --lang en --names port";
    show(
        "tour-servers",
        &session.prompt(line, &session.shown(&output)),
        Bytes,
    );
    servers
}

/// It is added by a reload, and begins with a part of its share.
fn a_fourth(session: &mut Session, balancer: &Balancer) -> Process {
    let mut fourth = Process::cargo("run --quiet --bin dummy_servers -- --ports 0 --lang en --names port");
    let line = fourth.wait_for_line_within(BUILD_DEADLINE, "listening");
    session.port(9004, line.rsplit(':').next().unwrap().parse().unwrap());
    let typed = "cargo run --release --bin dummy_servers -- --ports 9004 --lang en --names port";
    show(
        "tour-fourth-server",
        &session.prompt(typed, &session.shown(&line)),
        Bytes,
    );

    let four = format!("{THREE_KEYS}  - \"http://localhost:9004\"\n");
    session.configure(&four, &format!("{CHECKS}\n{WARMING}"));
    show("tour-add", &session.types(&["simple-lb --reload"]), Bytes);
    let first = eventually("the first request to the fourth", || {
        Some(count(session)).filter(|counts| counts.contains("9004"))
    });
    let named: Vec<_> = first
        .lines()
        .map(|line| line.trim_start().split_once(' ').unwrap())
        .collect();
    let turns = |name: &str| -> u32 {
        let turns = named.iter().find(|(_, from)| from.ends_with(name));
        turns.map_or(0, |(turns, _)| turns.parse().unwrap())
    };
    assert!(
        turns("9004") < turns("9001"),
        "a backend that is new has its share at once: {first}"
    );
    show("tour-slow-start", &session.prompt(COUNT, &first), Words);
    assert_eq!(balancer.status().generation, 2);
    // A reader waits.
    session.configure(&four, &format!("{CHECKS}\n{WARM}"));
    let _reloaded = session.result("simple-lb --reload");
    let even = eventually("even shares", || {
        let counts = count(session);
        let lines: Vec<_> = counts.lines().map(str::trim_start).collect();
        (lines == EVEN).then_some(counts)
    });
    show("tour-even", &session.prompt(COUNT, &even), Bytes);
    fourth
}

/// What [`COUNT`] shows. It sorts by the real ports, and a reader's are in another order.
fn count(session: &Session) -> String {
    let counts = session.result(COUNT);
    let mut lines: Vec<_> = counts.lines().collect();
    lines.sort_by_key(|line| line.rsplit(' ').next());
    lines.join("\n") + "\n"
}

fn it_dies(session: &Session, balancer: &Balancer, fourth: &mut Process) {
    fourth.signal(Signal::INT);
    assert_eq!(fourth.wait(), 0);
    let line =
        "for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null -w '%{http_code} ' http://127.0.0.1:8000/; done";
    show("tour-dies", &session.types(&[line]), Bytes);
    balancer.wait_for_log("is down: connection refused");
    show("tour-status-down", &session.types(&["simple-lb status"]), Words);
    let log = session.shown(&balancer.log());
    let of = |text: &str| {
        let line = log.lines().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no line `{text}` in the log:\n{log}"))
    };
    let lines = [
        of("connecting: cannot connect: "),
        of("is down: connection refused"),
    ];
    show("tour-log", &lines.join("\n"), Words);
}

fn the_file_changes(session: &Session) {
    // One of the reloads so far was no reader's.
    let typed = |lines: &[&str]| session.types(lines).replace("generation 4", "generation 3");
    let more = format!("{CHECKS}\n{WARM}");
    show("tour-weights", WEIGHTS, Bytes);
    session.configure(&format!("port: 8000\n{WEIGHTS}"), &more);
    show("tour-weights-reload", &typed(&["simple-lb --reload"]), Bytes);

    session.place.write("config.yaml", BROKEN);
    let lines = ["cat config.yaml", "simple-lb --reload; echo \"exit code $?\""];
    show("tour-broken", &typed(&lines), Bytes);

    session.configure(&format!("port: 8001\nworkers: 4\n{WEIGHTS}"), &more);
    show("tour-restart", &typed(&["simple-lb --reload"]), Words);
}

fn the_end(session: &Session, balancer: &mut Balancer) {
    let download = "curl -s -o download 'http://127.0.0.1:8000/drip?bytes=3000000&for=5s'";
    let mut under_way = session.start(download);
    wait_until("the download", || balancer.status().in_flight == 1);
    let mut shown = session.prompt(&format!("{download} &"), "");
    shown += &session.types(&["simple-lb --stop"]);
    assert_eq!(under_way.wait_within(Duration::from_secs(60)), 0);
    shown += &session.types(&["wc -c download"]);
    show("tour-stop", &shown, Words);
    assert!(shown.ends_with("3000000 download\n"), "{shown}");
    assert_eq!(balancer.process.wait(), 0);
}

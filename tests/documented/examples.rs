//! The other commands that documents show.

use super::{
    block::{Same::Bytes, Same::Words, root, show},
    session::Session,
};
use crate::{everyday::is_installed, harness::wait_until};

/// Three backends on the ports of the document.
const THREE: &str = "port: 8000\nbackends: [\"http://localhost:9001\", \"http://localhost:9002\", \"http://localhost:9003\"]\n";

#[test]
fn the_lines_of_the_readme_can_be_typed() {
    if !is_installed("curl") {
        return;
    }
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, lines) = readme.split_once("## Ten lines").unwrap();
    let lines = lines.split("```").nth(1).unwrap().lines().skip(1);
    let typed = lines.map(|line| {
        line.split('#')
            .next()
            .unwrap()
            .trim_start_matches("$ ")
            .trim_end()
    });
    // What stays running, the test starts itself.
    let typed: Vec<_> = typed.filter(|line| !line.ends_with('&')).collect();
    assert!(
        typed.len() == 8 && typed.last() == Some(&"simple-lb --stop"),
        "{typed:?}"
    );
    let mut session = Session::new();
    let [_a, _b, _c] = session.backends();
    let mut balancer = session.balancer(THREE, "");
    for line in typed {
        let mut process = session.start(line);
        assert_eq!(process.wait(), 0, "{line}: {}", process.stdout());
    }
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn live_changes_are_what_a_reader_will_see() {
    let mut session = Session::new();
    let [_a, b, _c] = session.backends();
    let balancer = session.balancer(THREE, "workers: 2");
    let downloads: Vec<_> = (0..6)
        .map(|_| {
            let mut client = balancer.connect();
            client
                .send_request("GET", "/drip?bytes=300&for=5s", &[], b"")
                .unwrap();
            client
        })
        .collect();
    let at_b = || {
        balancer
            .backend(&format!("http://localhost:{}", b.port()))
            .counts
            .in_flight
    };
    wait_until("two downloads at the second", || at_b() == 2);
    let lines = [
        "simple-lb drain http://localhost:9002 --for 10m --wait",
        "simple-lb weight http://localhost:9003=10 --for 1h",
        "simple-lb status | tail -n 3",
    ];
    // The two may end apart.
    let output = session.types(&lines).replace("waiting: 1 in flight\n", "");
    show("live-changes", &output, Words);
    drop(downloads);
}

#[test]
fn a_dry_run_is_what_a_reader_will_see() {
    let mut session = Session::new();
    let [_a, _b, _c] = session.backends();
    let balancer = session.balancer(THREE, "workers: 2");
    session.configure(
        &THREE.replace("\"http://localhost:9002\", ", ""),
        "workers: 2\nretries: 1",
    );
    show("dry-run", &session.types(&["simple-lb reload --dry-run"]), Bytes);
    assert_eq!(balancer.status().generation, 1);
}

#[test]
fn errors_are_what_a_reader_will_see() {
    if !is_installed("curl") {
        return;
    }
    let mut session = Session::new();
    let [a] = session.backends();
    a.kill();
    let _balancer = session.balancer("port: 8000\nbackends: [\"http://localhost:9001\"]\n", "");
    let lines = [
        "curl -i http://127.0.0.1:8000/",
        "curl -H 'Accept: application/json' http://127.0.0.1:8000/",
    ];
    let lines = lines.map(|line| {
        // A reader's curl shows no progress on a terminal.
        let output = session.result(&line.replacen("curl", "curl -s", 1));
        session.prompt(line, &output.replace('\r', ""))
    });
    show("errors", &lines.concat(), Words);
}

#[test]
fn what_check_shows_is_what_a_reader_will_see() {
    let session = Session::new();
    let example = std::fs::read_to_string(root().join("config.yaml")).unwrap();
    session.place.write("config.yaml", &example);
    let output = session.result("simple-lb check");
    let lines: Vec<_> = output.lines().collect();
    let rest = lines.iter().position(|line| line.starts_with("limit:")).unwrap();
    let excerpt = [&lines[..8], &["..."][..], &lines[rest..]].concat();
    show(
        "check",
        &session.prompt("simple-lb check", &excerpt.join("\n")),
        Words,
    );
}

#[test]
fn what_simulate_shows_is_what_a_reader_will_see() {
    let session = Session::new();
    let example = std::fs::read_to_string(root().join("config.yaml")).unwrap();
    session.place.write("config.yaml", &example);
    show(
        "simulate",
        &session.types(&["simple-lb simulate --slow b2=10x"]),
        Bytes,
    );
}

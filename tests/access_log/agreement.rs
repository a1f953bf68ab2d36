//! Lines agree exactly with what was sent: over workers, retries, tunnels, errors and reloads.

use std::{collections::BTreeMap, thread};

use super::{lines, wait_for_lines};
use crate::harness::{Balancer, Load, Peer, RawBackend, Stage, backends, eventually};

const ROUNDS: usize = 40;
const CLIENTS: usize = 4;

/// What one client does in a round, and what it is sent: method, path, body and status code.
const MIX: [(&str, &str, usize, u16); 5] = [
    ("GET", "/bytes/1000", 0, 200),
    ("POST", "/echo", 333, 200),
    ("GET", "/nowhere", 0, 404),
    ("GET", "/retried", 0, 200),
    ("HEAD", "/bytes/77", 0, 200),
];

#[test]
fn a_mix_of_known_size_is_what_the_lines_add_up_to() {
    let [a, dead] = backends();
    dead.kill();
    let tunnels = RawBackend::start(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello",
    );
    let config = |file: &str| {
        format!(
            "port: 0\nworkers: 2\nhealth_check: false\nejection: off\n\
             pools:\n  good: [\"{a}\"]\n  half: {{backends: [{{url: \"{dead}\", priority: 0}}, {{url: \"{a}\", priority: 1}}]}}\n  \
             tunnels: [\"http://127.0.0.1:{}\"]\n\
             routes:\n  - {{path: /bytes, pool: good}}\n  - {{path: /echo, pool: good}}\n  - {{path: /retried, pool: half}}\n  \
             - {{path: /tunnel, pool: tunnels}}\n\
             access_log: {file}\n",
            tunnels.port(),
            a = a.url(),
            dead = dead.url(),
        )
    };
    let balancer = Balancer::start(&config("first.log"));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let address = balancer.address();
            thread::spawn(move || {
                let mut client = crate::harness::Client::connect(address);
                let mut received = 0;
                for _ in 0..ROUNDS {
                    for (method, path, body, status) in MIX {
                        let response = client.request(method, path, &[], &vec![b'x'; body]);
                        assert_eq!(response.status, status, "{path}");
                        received += response.body.len() as u64;
                    }
                }
                let mut peer = Peer::connect(address);
                peer.send("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
                peer.read_until(b"hello");
                received
            })
        })
        .collect();
    // Into another file in the middle of it, and back.
    for file in ["second.log", "first.log", "second.log"] {
        balancer.reload_with(&config(file));
    }
    let received: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
    let count = CLIENTS * (ROUNDS * MIX.len() + 1);
    let all = eventually("every line", || {
        let all = [lines(&balancer, "first.log"), lines(&balancer, "second.log")].concat();
        (all.len() == count).then_some(all)
    });
    let mut counts = BTreeMap::new();
    let (mut sent, mut uploaded) = (0, 0);
    for line in &all {
        let shown = line.show("method path status attempts retried outcome tunnel");
        *counts.entry(shown).or_insert(0) += 1;
        if line.0["tunnel"] == false {
            sent += line.number("bytes_sent").unwrap();
        } else {
            assert_eq!(line.number("bytes_sent"), Some(5));
        }
        uploaded += line.number("bytes_received").unwrap();
    }
    let each = CLIENTS * ROUNDS;
    let of = |what: &str| counts.get(what).copied().unwrap_or_default();
    assert_eq!(of("GET /bytes/1000 200 1 - complete false"), each, "{counts:?}");
    assert_eq!(of("POST /echo 200 1 - complete false"), each, "{counts:?}");
    assert_eq!(of("GET /nowhere 404 0 - complete false"), each, "{counts:?}");
    assert_eq!(
        of("GET /retried 200 2 connect complete false"),
        each,
        "{counts:?}"
    );
    assert_eq!(of("HEAD /bytes/77 200 1 - complete false"), each, "{counts:?}");
    let tunnels: usize = counts
        .iter()
        .filter(|(shown, _)| shown.starts_with("GET /tunnel 101 1 - ") && shown.ends_with(" true"))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(tunnels, CLIENTS, "{counts:?}");
    assert_eq!(
        sent, received,
        "every byte of content that clients got, errors' too"
    );
    assert_eq!(uploaded as usize, CLIENTS * ROUNDS * 333);
    let status = balancer.status();
    assert_eq!(
        (status.requests, status.access_log.lines),
        (count as u64, count as u64)
    );
    assert_eq!(status.access_log.lines_dropped, 0);
}

#[test]
fn a_reload_turns_it_on_and_off_and_a_refused_one_does_not() {
    let [backend] = backends();
    let config = |log: &str| {
        format!(
            "port: 0\nworkers: 2\nbackends: [\"{}\"]\nhealth_check: false\n{log}\n",
            backend.url()
        )
    };
    let balancer = Balancer::start(&config(""));
    balancer.get("/before");
    let reload = balancer.reload_with(&config("access_log: {path: access.log}"));
    assert!(reload.stdout.contains("~ access_log off -> on"), "{reload:?}");
    balancer.get("/one");
    let lines = wait_for_lines(&balancer, "access.log", 1);
    assert_eq!(lines[0].text("path"), "/one");

    balancer.write_config(&config("access_log: none/access.log"));
    let plan = balancer.place.run("reload --dry-run");
    assert!(
        plan.stderr.contains("cannot be opened") || plan.stdout.contains("cannot be opened"),
        "{plan:?}"
    );
    let refused = balancer.reload();
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("config.yaml:5:13: access_log.path: "),
        "{refused:?}"
    );
    balancer.get("/two");
    wait_for_lines(&balancer, "access.log", 2);

    balancer.reload_with(&config("access_log: off"));
    balancer.get("/after");
    balancer.reload_with(&config("access_log: other.log"));
    balancer.get("/three");
    let lines = wait_for_lines(&balancer, "other.log", 1);
    assert_eq!(lines[0].text("path"), "/three");
    assert_eq!(super::lines(&balancer, "access.log").len(), 2);
    assert_eq!(balancer.status().access_log.lines, 3);
    // What a plan only shows makes no file.
    balancer.write_config(&config("access_log: new.log"));
    assert_eq!(balancer.place.run("reload --dry-run").code, 0);
    assert!(!balancer.place.folder().join("new.log").exists());
}

#[test]
fn reloads_under_load_lose_no_line() {
    let [backend] = backends();
    let config = |file: &str| {
        format!(
            "port: 0\nworkers: 2\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: {file}\n",
            backend.url()
        )
    };
    let balancer = Balancer::start(&config("a.log"));
    let load = Load::start(balancer.address(), 8);
    for file in [
        "b.log",
        "{path: b.log, format: json, sample: 100%}",
        "{path: c.log, rotate: 100MiB}",
    ] {
        load.wait_for_more(50);
        balancer.reload_with(&config(file));
    }
    load.wait_for_more(50);
    load.finish_without_failure();
    let requests = eventually("no request in flight", || {
        let status = balancer.status();
        (status.in_flight == 0).then_some(status.requests)
    });
    eventually("every line", || {
        let all = ["a.log", "b.log", "c.log"].map(|file| lines(&balancer, file).len());
        (all.iter().sum::<usize>() as u64 == requests).then_some(())
    });
}

#[test]
fn the_end_of_a_stop_writes_what_was_cut() {
    let (stage, mut balancer) = Stage::with_balancer("shutdown_timeout: 0s\naccess_log: access.log");
    let mut client = balancer.peer();
    client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    balancer.signal(rustix::process::Signal::TERM);
    assert_eq!(balancer.process.wait(), 1);
    let lines = lines(&balancer, "access.log");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].show("path status outcome"), "/cut - cut");
}

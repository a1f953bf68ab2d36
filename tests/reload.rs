//! Changing the configuration under load.

use std::time::Duration;

use dummy_servers::Behaviour;
use lb_core::status::HealthStatus::{Down, Up};
use rustix::process::Signal;

use crate::harness::{Balancer, FAST_CHECKS, Load, backends, wait_until};

fn config(urls: &[&str]) -> String {
    let backends = urls
        .iter()
        .map(|url| format!("  - \"{url}\"\n"))
        .collect::<String>();
    format!("port: 0\n{FAST_CHECKS}\nbackends:\n{backends}")
}

#[test]
fn removing_a_backend_under_load_fails_no_request_and_leaves_it_alone() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&config(&[&a.url(), &b.url(), &c.url()]));
    let load = Load::start(balancer.address(), 50);
    wait_until("requests at the backend", || b.hits() > 50);

    let reload = balancer.reload_with(&config(&[&a.url(), &c.url()]));
    // What was sent before the answer may still arrive.
    load.wait_for_those_in_flight();
    let (hits, probes) = (b.hits(), b.probes());
    assert_eq!(
        reload.stdout.lines().next(),
        Some(format!("- {}", b.url()).as_str())
    );
    assert!(
        reload.stdout.ends_with("config.yaml: generation 2\n"),
        "{reload:?}"
    );

    let probes_elsewhere = a.probes();
    load.wait_for_more(1000);
    wait_until("a second of probes", || a.probes() > probes_elsewhere + 10);
    assert_eq!(
        (b.hits(), b.probes()),
        (hits, probes),
        "requests and probes at the removed backend"
    );
    load.finish_without_failure();
}

#[test]
fn not_even_one_more_probe_reaches_a_removed_backend() {
    let [a, b] = backends();
    let checks = "health_check: {path: /health, interval: 1s, jitter: 0%}";
    let config = |urls: &str| format!("port: 0\n{checks}\nbackends: [{urls}]\n");
    let balancer = Balancer::start(&config(&format!("\"{}\", \"{}\"", a.url(), b.url())));
    // Right after a probe, so that none is under way when the reload answers.
    let probes = b.probes();
    wait_until("a probe", || b.probes() > probes);
    let (probes, probes_elsewhere) = (b.probes(), a.probes());
    balancer.reload_with(&config(&format!("\"{}\"", a.url())));
    wait_until("two probes at the other", || a.probes() >= probes_elsewhere + 3);
    assert_eq!(b.probes(), probes, "probes at the removed backend");
}

#[test]
fn a_reload_prints_what_it_changes() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&config(&[&a.url(), &b.url()]));
    let folder = balancer.place.folder().canonicalize().unwrap();
    let reload = balancer.reload_with(&format!(
        "port: 0\n{FAST_CHECKS}\nretries: 1\nbackends:\n  - {{url: \"{}\", weight: 3}}\n  - \"{}\"\n",
        a.url(),
        c.url()
    ));
    let mut lines: Vec<_> = reload.stdout.lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap();
    lines.sort();
    let expected = [
        format!("+ {}", c.url()),
        format!("- {}", b.url()),
        format!("~ {} weight 1 -> 3", a.url()),
        "~ retries.attempts 2 -> 1".to_owned(),
    ];
    assert_eq!(lines, expected);
    assert_eq!(
        last,
        format!("reloaded {}/config.yaml: generation 2", folder.display())
    );
    assert_eq!(balancer.order(8), "a a c a a a c a");
}

#[test]
fn a_reload_without_changes_changes_nothing() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[&a.url()]));
    let folder = balancer.place.folder().canonicalize().unwrap();
    for _ in 0..2 {
        let reload = balancer.reload();
        let unchanged = format!(
            "no changes in {}/config.yaml: generation 1 goes on serving\n",
            folder.display()
        );
        assert_eq!(
            (reload.code, reload.stdout, reload.stderr.as_str()),
            (0, unchanged, "")
        );
    }
    assert_eq!(balancer.status().generation, 1);
}

#[test]
fn an_invalid_file_is_refused_with_all_its_problems_and_disturbs_nobody() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(&[&a.url(), &b.url()]));
    let load = Load::start(balancer.address(), 10);
    balancer.write_config(&format!(
        "port: 0\nstrategie: round-robin\nbackends:\n  - {{weight: 0, url: \"{a}\"}}\n  - \"{a}\"\nshutdown_timeout: 30\n",
        a = a.url()
    ));
    let reload = balancer.reload();
    assert_eq!((reload.code, reload.stdout.as_str()), (1, ""));
    let problems = [
        "config.yaml:2:1: strategie: is not a known key; did you mean `strategy`?",
        "config.yaml:4:14: backends[0].weight: must be a whole number from 1 to 256, got \"0\"",
        "config.yaml:5:5: backends[1]: must not be there twice",
        "config.yaml:6:19: shutdown_timeout: must be a duration with its unit",
        "reload refused: generation 1 goes on serving, unchanged",
    ];
    let lines: Vec<_> = reload.stderr.lines().collect();
    assert_eq!(lines.len(), problems.len(), "{reload:?}");
    for (line, problem) in lines.iter().zip(problems) {
        assert!(line.starts_with(problem), "{line}\ninstead of\n{problem}");
    }
    let hits = b.hits();
    load.wait_for_more(100);
    assert_eq!(balancer.status().generation, 1);
    assert!(b.hits() - hits >= 50, "the old configuration serves");
    load.finish_without_failure();
}

#[test]
fn what_cannot_change_live_is_refused_by_name() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[&a.url()]));
    balancer.write_config(&config(&[&a.url()]).replace("port: 0", "port: 8123\nworkers: 7"));
    let reload = balancer.reload();
    assert_eq!((reload.code, reload.stdout.as_str()), (1, ""));
    let refused = |name: &str| {
        reload
            .stderr
            .lines()
            .any(|line| line.contains(name) && line.ends_with("needs a restart"))
    };
    assert!(refused("port") && refused("workers"), "{reload:?}");
    assert_eq!(balancer.order(2), "a a");
    assert_eq!(balancer.status().generation, 1);
}

#[test]
fn as_many_workers_as_before_are_no_change_and_timeouts_of_clients_change_live() {
    let [a] = backends();
    let with = |more: &str| config(&[&a.url()]).replace("port: 0", &format!("port: 0\n{more}"));
    let balancer = Balancer::start(&with("workers: auto"));
    let cores = std::thread::available_parallelism().unwrap();
    balancer.write_config(&with(&format!(
        "workers: {cores}\ntimeouts: {{request_header: 5s, client_idle: 70s}}"
    )));
    let reload = balancer.reload();
    let changes = [
        "~ timeouts.request_header 10s -> 5s",
        "~ timeouts.client_idle 75s -> 70s",
    ];
    assert_eq!(reload.code, 0, "{reload:?}");
    let changed = |change: &&str| reload.stdout.contains(change);
    assert!(changes.iter().all(changed), "{reload:?}");
    assert!(!reload.stdout.contains("workers"), "{reload:?}");
}

#[test]
fn sighup_reloads_too() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(&[&a.url()]));
    balancer.write_config(&config(&[&b.url()]));
    balancer.signal(Signal::HUP);
    wait_until("the second generation", || balancer.status().generation == 2);
    balancer.wait_for_health(&b.url(), Up);
    assert_eq!(balancer.order(2), "b b");

    balancer.write_config("port: 0\n");
    balancer.signal(Signal::HUP);
    balancer.wait_for_log("reload refused, generation 2 goes on serving");
    balancer.wait_for_log("config.yaml:1:1: backends: ");
}

#[test]
fn what_is_known_of_a_backend_that_stays_survives() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&config(&[&a.url(), &b.url()]));
    b.set_health_behaviour(Some(Behaviour::Hang));
    balancer.wait_for_health(&b.url(), Down);
    balancer.order(5);
    let before = balancer.backend(&a.url());
    balancer.reload_with(&config(&[&c.url(), &b.url(), &a.url()]));
    let after = balancer.backend(&a.url());
    assert_eq!(
        (after.counts.requests, after.counts.answers),
        (before.counts.requests, before.counts.answers)
    );
    assert!(after.since_seconds >= before.since_seconds);
    assert_eq!((balancer.backend(&b.url()).health, b.hits()), (Down, 0));
}

#[test]
fn an_added_backend_gets_nothing_before_its_first_probe_and_the_reload_answers_after_it() {
    let [a, b, dead] = backends();
    b.set_health_behaviour(Some(Behaviour::Slow(Duration::from_secs(1))));
    dead.kill();
    let balancer = Balancer::start(&config(&[&a.url()]));
    let load = Load::start(balancer.address(), 4);
    balancer.write_config(&config(&[&a.url(), &b.url(), &dead.url()]));
    let mut reload = balancer.place.start(&["--reload"]);
    wait_until("the probe to begin", || b.probes() == 1);
    let answered = load.answered();
    load.wait_for_more(40);
    // A second is long, but this machine may be slow: what counts is that nothing came before the probe's end.
    if reload.is_running() {
        assert_eq!(
            b.hits(),
            0,
            "requests before the first probe has ended, beside {answered}"
        );
    }
    assert_eq!(reload.wait(), 0);
    let note = format!("note: {} is down: connection refused\n", dead.url());
    assert!(reload.stdout().contains(&note), "{}", reload.stdout());
    assert_eq!(balancer.backend(&b.url()).health, Up);
    wait_until("requests at the added backend", || b.hits() > 0);
    load.finish_without_failure();
    assert_eq!(balancer.backend(&dead.url()).counts.requests, 0);
}

#[test]
fn a_removed_backend_can_come_back() {
    let [a, b] = backends();
    let both = config(&[&a.url(), &b.url()]);
    let balancer = Balancer::start(&both);
    let load = Load::start(balancer.address(), 10);
    for generation in [2, 4, 6] {
        balancer.reload_with(&config(&[&b.url()]));
        balancer.reload_with(&both);
        let hits = a.hits();
        wait_until("requests at the backend that came back", || a.hits() > hits);
        assert_eq!(balancer.status().generation, generation + 1);
    }
    load.finish_without_failure();
}

#[test]
fn replacing_all_backends_under_load_fails_no_request() {
    let [a, b, c, d] = backends();
    let balancer = Balancer::start(&config(&[&a.url(), &b.url()]));
    // Not known to be up for a while, and not serving yet either.
    for added in [&c, &d] {
        added.set_behaviour(Behaviour::Slow(Duration::from_millis(700)));
    }
    let load = Load::start(balancer.address(), 20);
    wait_until("requests at a backend", || b.hits() > 50);
    let reload = balancer.reload_with(&config(&[&c.url(), &d.url()]));
    assert_eq!(reload.code, 0, "{reload:?}");
    for added in [&c, &d] {
        added.set_behaviour(Behaviour::Ok);
    }
    load.wait_for_those_in_flight();
    let hits = a.hits() + b.hits();
    load.wait_for_more(500);
    assert_eq!(a.hits() + b.hits(), hits, "requests at the removed backends");
    load.finish_without_failure();
}

//! The configuration of a fresh installation, `examples/first-start/config.yaml`, and the way from it to backends.

use std::fs;

use crate::harness::{Balancer, backends};

/// As the package installs it, on a free port.
fn installed() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/first-start/config.yaml");
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("\nport: 8000\n"));
    text.replace("\nport: 8000\n", "\nport: 0\n")
}

#[test]
fn without_backends_visitors_are_told_what_to_do() {
    let balancer = Balancer::start(&installed());
    let mut client = balancer.connect();
    for (accept, content_type) in [
        (
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/html; charset=utf-8",
        ),
        ("application/json", "application/json"),
        ("*/*", "text/plain; charset=utf-8"),
    ] {
        client
            .send_request("GET", "/any?thing", &[&format!("Accept: {accept}")], b"")
            .unwrap();
        let response = client.read_response("GET").unwrap();
        assert_eq!(response.status, 503, "{accept}");
        assert_eq!(response.header("content-type"), Some(content_type));
        let body = String::from_utf8(response.body).unwrap();
        for words in ["/etc/simple-lb/config.yaml", "systemctl reload simple-lb"] {
            assert!(body.contains(words), "{body}");
        }
        if accept == "application/json" {
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
    }
    let check = balancer.place.run("check");
    assert_eq!(
        (check.code, check.stdout.contains("warning")),
        (0, false),
        "{check:?}"
    );
    let status = balancer.place.run("status");
    assert_eq!(status.code, 0, "{status:?}");
    assert!(
        balancer
            .process
            .stdout()
            .contains("no backends: the routes respond")
    );
}

#[test]
fn a_reload_brings_the_first_backends_and_takes_the_last_ones_away() {
    let [a, b] = backends();
    let balancer = Balancer::start(&installed());
    let served = format!("port: 0\nbackends: [\"{}\", \"{}\"]\n", a.url(), b.url());
    balancer.reload_with(&served);
    assert_eq!(balancer.order(4), "a b a b");
    balancer.reload_with(&installed());
    assert_eq!(balancer.get("/").status, 503);
    balancer.reload_with(&served);
    assert_eq!(balancer.get("/").status, 200);
}

#[test]
fn a_simulation_without_backends_says_what_it_needs() {
    let balancer = Balancer::start(&installed());
    let simulate = balancer.place.run("simulate");
    assert_eq!(simulate.code, 2, "{simulate:?}");
    assert!(simulate.stderr.contains("--backends"), "{simulate:?}");
}

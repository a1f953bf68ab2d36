//! hey and wrk: thousands of requests over many connections, not one of which may fail.

use super::{is_installed, run};
use crate::harness::{Balancer, backends, hits};

fn balancer_of(backends: &[dummy_servers::DummyServer]) -> Balancer {
    let urls: Vec<_> = backends
        .iter()
        .map(|backend| format!("\"{}\"", backend.url()))
        .collect();
    Balancer::start(&format!(
        "port: 0\nbackends: [{}]\nhealth_check: false\n",
        urls.join(", ")
    ))
}

#[test]
fn hey_gets_an_answer_to_each_request() {
    if !is_installed("hey") {
        return;
    }
    let backends: [_; 3] = backends();
    let balancer = balancer_of(&backends);
    let address = balancer.address();
    let report = run(
        &balancer.place,
        &format!("hey -n 6000 -c 30 -t 15 http://{address}/"),
    );
    assert!(report.contains("[200]\t6000 responses"), "{report}");
    assert!(!report.contains("Error distribution"), "{report}");
    let [a, b, c] = &backends;
    assert_eq!(hits(&[a, b, c]), "a: 2000, b: 2000, c: 2000");
    // A new connection for each, and a body.
    let report = run(
        &balancer.place,
        &format!("hey -n 1500 -c 30 -t 15 -disable-keepalive -m POST -d hello http://{address}/echo"),
    );
    assert!(report.contains("[200]\t1500 responses"), "{report}");
    assert!(!report.contains("Error distribution"), "{report}");
}

#[test]
fn wrk_has_no_socket_error_and_no_status_but_200() {
    if !is_installed("wrk") {
        return;
    }
    let backends: [_; 3] = backends();
    let balancer = balancer_of(&backends);
    let address = balancer.address();
    for path in ["/", "/bytes/65536"] {
        let report = run(
            &balancer.place,
            &format!("wrk --threads 2 --connections 40 --duration 2s --timeout 15s http://{address}{path}"),
        );
        let requests = report.lines().find_map(|line| line.split_once(" requests in "));
        let requests: u64 = requests
            .unwrap_or_else(|| panic!("{report}"))
            .0
            .trim()
            .parse()
            .unwrap();
        assert!(requests > 100, "{report}");
        assert!(
            !report.contains("Socket errors") && !report.contains("Non-2xx"),
            "{report}"
        );
    }
}

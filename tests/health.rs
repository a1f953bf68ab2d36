//! Backends that go down and come back, and what clients notice of it.

use dummy_servers::Behaviour;
use lb_core::status::HealthStatus::{Down, Up};

use crate::harness::{Balancer, FAST_CHECKS, Load, RawBackend, backends, hits, wait_until};

#[test]
fn a_killed_backend_costs_no_client_an_error_and_is_back_after_it_recovered() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\", \"{}\"]\n{FAST_CHECKS}\n",
        a.url(),
        b.url(),
        c.url()
    ));
    let load = Load::start(balancer.address(), 10);
    b.kill();
    balancer.wait_for_health(&b.url(), Down);
    load.wait_for_those_in_flight();
    let attempts = balancer.backend(&b.url()).counts.requests;
    load.wait_for_more(300);
    assert_eq!(
        balancer.backend(&b.url()).counts.requests,
        attempts,
        "requests tried at a backend that is down"
    );

    let hits = b.hits();
    b.revive().unwrap();
    balancer.wait_for_health(&b.url(), Up);
    wait_until("requests at the recovered backend", || b.hits() > hits + 20);
    load.finish_without_failure();
}

#[test]
fn neighbours_share_the_load_of_a_backend_that_is_down() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\", \"{}\"]\n{FAST_CHECKS}\n",
        a.url(),
        b.url(),
        c.url()
    ));
    b.set_health_behaviour(Some(Behaviour::Fail));
    balancer.wait_for_health(&b.url(), Down);
    balancer.order(12);
    assert_eq!(hits(&[&a, &b, &c]), "a: 6, b: 0, c: 6");

    b.set_health_behaviour(None);
    balancer.wait_for_health(&b.url(), Up);
    balancer.order(12);
    assert_eq!(hits(&[&a, &b, &c]), "a: 10, b: 4, c: 10");
}

#[test]
fn a_backend_changes_its_state_after_rise_and_fall_probes_in_a_row() {
    let [a] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: {{path: /health, interval: 100ms, timeout: 3s, rise: 3, fall: 4}}\n",
        a.url(),
    ));
    a.set_health_behaviour(Some(Behaviour::Fail));
    let good = a.probes();
    balancer.wait_for_health(&a.url(), Down);
    assert!(
        a.probes() - good >= 4,
        "down after {} bad probes",
        a.probes() - good
    );
    a.set_health_behaviour(None);
    let bad = a.probes();
    balancer.wait_for_health(&a.url(), Up);
    assert!(a.probes() - bad >= 3, "up after {} good probes", a.probes() - bad);
}

#[test]
fn a_backend_that_is_down_at_the_start_gets_not_even_the_first_request() {
    let [a, b, c] = backends();
    c.kill();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\", \"{}\"]\n{FAST_CHECKS}\n",
        c.url(),
        a.url(),
        b.url(),
    ));
    let order = balancer.order(4);
    assert!(["a b a b", "b a b a"].contains(&order.as_str()), "{order}");
    let status = balancer.backend(&c.url());
    assert_eq!(
        (status.health, status.counts.requests, status.counts.failures),
        (Down, 0, 0)
    );
    assert_eq!(status.last_probe.unwrap().detail, "connection refused");
}

#[test]
fn when_all_are_down_all_are_tried() {
    let [a, b] = backends();
    a.set_health_behaviour(Some(Behaviour::Fail));
    b.set_health_behaviour(Some(Behaviour::Fail));
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\"]\n{FAST_CHECKS}\n",
        a.url(),
        b.url()
    ));
    assert_eq!(balancer.order(4), "a b a b");
    assert_eq!(
        (
            balancer.backend(&a.url()).health,
            balancer.backend(&b.url()).health
        ),
        (Down, Down)
    );
    a.kill();
    b.kill();
    let answer = balancer.get("/");
    assert_eq!(answer.status, 502);
    assert!(
        answer
            .text()
            .starts_with("502 Bad Gateway: no backend could be reached\nrequest id: "),
        "{answer:?}"
    );
}

#[test]
fn a_backend_that_is_not_probed_is_up_whatever_its_health_page_says() {
    let [a, b] = backends();
    b.set_health_behaviour(Some(Behaviour::Fail));
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", {{url: \"{}\", health_check: false}}]\n{FAST_CHECKS}\n",
        a.url(),
        b.url()
    ));
    let probes = a.probes();
    wait_until("more probes", || a.probes() > probes + 5);
    assert_eq!((balancer.backend(&b.url()).health, b.probes()), (Up, 0));
    assert_eq!(balancer.order(4), "a b a b");
}

#[test]
fn without_health_check_any_answer_below_500_is_alive() {
    let missing =
        RawBackend::start("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let failing = RawBackend::start("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let urls = [&missing, &failing].map(|backend| format!("http://127.0.0.1:{}", backend.port()));
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\"]\n",
        urls[0], urls[1]
    ));
    let health = urls.map(|url| balancer.backend(&url).health);
    assert_eq!(health, [Up, Down]);
}

#[test]
fn a_name_that_does_not_resolve_is_down_and_the_start_succeeds() {
    let [a] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"http://no-such-host.invalid:1\", \"{}\"]\n{FAST_CHECKS}\n",
        a.url()
    ));
    balancer.wait_for_health("http://no-such-host.invalid:1", Down);
    assert_eq!(balancer.order(3), "a a a");
}

#[test]
fn every_address_of_a_name_is_tried() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nHello from v4";
    let only_ipv4 = RawBackend::start(ok);
    let url = format!("http://localhost:{}", only_ipv4.port());
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{url}\"]\n{FAST_CHECKS}\n"));
    assert_eq!(balancer.order(3), "v4 v4 v4");
    assert_eq!(balancer.backend(&url).health, Up);
}

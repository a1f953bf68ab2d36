//! Backends that fail requests while their probes are good, and what clients notice of it.

use std::time::Duration;

use dummy_servers::{Behaviour, DummyServer};
use lb_core::status::HealthStatus::{Down, Ejected, Up};

use crate::harness::{Balancer, Load, RawBackend, backends, eventually, wait_until};

/// A balancer whose probes see nothing of what these backends do to requests.
fn in_front_of(backends: &[&DummyServer], more: &str) -> Balancer {
    for backend in backends {
        backend.set_health_behaviour(Some(Behaviour::Ok));
    }
    let urls: Vec<_> = backends
        .iter()
        .map(|backend| format!("\"{}\"", backend.url()))
        .collect();
    Balancer::start(&format!(
        "port: 0\nbackends: [{}]\nhealth_check: {{path: /health, timeout: 5s}}\n{more}\n",
        urls.join(", ")
    ))
}

#[test]
fn a_backend_that_answers_everything_with_errors_is_ejected_beside_one_that_does_not() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "ejection: {base: 1h, max: 2h}");
    b.set_behaviour(Behaviour::Fail);
    let load = Load::start(balancer.address(), 4);
    balancer.wait_for_health(&b.url(), Ejected);
    drop(load);
    assert_eq!(balancer.order(6), "a a a a a a");
    let status = balancer.backend(&b.url());
    assert_eq!((status.health, status.ejections), (Ejected, 1));
    let reason = status.reason.unwrap();
    assert_eq!(reason, "success rate 0%, pool 100%");
    assert!((3000..=3600).contains(&status.until_seconds.unwrap()));
    assert!(status.last_probe.unwrap().ok);
    balancer.wait_for_log(&format!(
        "backend {} is ejected for 1h: {reason} (ejection 1)",
        b.url()
    ));
    let table = balancer.place.run("status").stdout;
    assert!(
        table.contains("  ejected  ") && table.contains(&format!("  {reason}, ")),
        "{table}"
    );
}

#[test]
fn only_the_statuses_that_are_named_are_failures() {
    let [a] = backends();
    let failing = ["503 Busy", "500 Oops"].map(|status| {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        RawBackend::start(answer.leak())
    });
    let [busy, oops] = failing
        .each_ref()
        .map(|backend| format!("http://127.0.0.1:{}", backend.port()));
    // Two may be out: the one that is not is not because of the share.
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{busy}\", \"{oops}\"]\nhealth_check: {{type: tcp}}\n\
         ejection: {{statuses: 503, base: 1h, max: 1h, max_share: 100%}}\n",
        a.url()
    ));
    let mut client = balancer.connect();
    eventually("the ejection", || {
        client.get("/");
        (balancer.backend(&busy).health == Ejected).then_some(())
    });
    for _ in 0..40 {
        assert_ne!(client.get("/").status, 503);
    }
    let status = balancer.backend(&oops);
    assert!(status.health == Up && status.counts.requests > 20, "{status:?}");
}

#[test]
fn with_retries_of_that_status_no_client_notices() {
    let [a, b] = backends();
    let more = "ejection: {statuses: 500-599}\nretries: {statuses: 500, min_per_second: 1000}";
    let balancer = in_front_of(&[&a, &b], more);
    b.set_behaviour(Behaviour::Fail);
    let load = Load::start(balancer.address(), 4);
    balancer.wait_for_health(&b.url(), Ejected);
    load.finish_without_failure();
}

#[test]
fn backends_that_hang_reset_or_are_dead_are_ejected_and_cost_no_client_an_error() {
    for behaviour in [Some(Behaviour::Hang), Some(Behaviour::Reset), None] {
        let [a, b, c] = backends();
        // Probed so seldom that only requests can notice.
        let balancer = Balancer::start(&format!(
            "port: 0\nbackends: [\"{}\", \"{}\", \"{}\"]\nhealth_check: {{interval: 1h, fast_interval: 1h}}\n\
             timeouts: {{response_idle: 2s}}\nretries: {{min_per_second: 1000}}\nejection: {{base: 1h, max: 1h}}\n",
            a.url(),
            b.url(),
            c.url()
        ));
        let load = Load::start(balancer.address(), 6);
        match behaviour {
            Some(behaviour) => b.set_behaviour(behaviour),
            None => b.kill(),
        }
        balancer.wait_for_health(&b.url(), Ejected);
        load.wait_for_those_in_flight();
        let attempts = balancer.backend(&b.url()).counts.requests;
        load.wait_for_more(100);
        assert_eq!(
            balancer.backend(&b.url()).counts.requests,
            attempts,
            "{behaviour:?}: tried while ejected"
        );
        load.finish_without_failure();
    }
}

#[test]
fn a_flapping_backend_is_out_for_longer_each_time_and_no_client_notices() {
    let [a, b] = backends();
    let balancer = in_front_of(
        &[&a, &b],
        "ejection: {base: 2s, max: 6s}\nretries: {min_per_second: 1000}\nslow_start: 0s",
    );
    let load = Load::start(balancer.address(), 4);
    for length in [2, 4, 6] {
        b.set_behaviour(Behaviour::Reset);
        balancer.wait_for_health(&b.url(), Ejected);
        let said = format!("backend {} is ejected for {length}s: ", b.url());
        balancer.wait_for_log(&said);
        b.set_behaviour(Behaviour::Ok);
        let hits = b.hits();
        wait_until("requests at the backend that is back", || b.hits() > hits);
    }
    let ejections = balancer.log().matches("is ejected for").count();
    assert_eq!(ejections, 3);
    load.finish_without_failure();
}

#[test]
fn an_ejected_backend_that_then_dies_is_down_and_back_when_its_probes_are() {
    let [a, b] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\"]\nejection: {{base: 1h, max: 1h}}\n\
         health_check: {{path: /health, interval: 300ms, timeout: 5s, fall: 3}}\n",
        a.url(),
        b.url()
    ));
    let load = Load::start(balancer.address(), 8);
    b.kill();
    balancer.wait_for_health(&b.url(), Down);
    b.revive().unwrap();
    balancer.wait_for_health(&b.url(), Up);
    load.finish_without_failure();
}

#[test]
fn at_most_half_of_a_pool_is_out_and_a_single_backend_never() {
    let [a, b, c, d] = backends();
    let all = [&a, &b, &c, &d];
    let balancer = in_front_of(&all, "retries: 0");
    all.iter()
        .for_each(|backend| backend.set_behaviour(Behaviour::Reset));
    let health = |wanted| {
        let backends = balancer.status().pools.remove(0).backends;
        backends.iter().filter(|backend| backend.health == wanted).count()
    };
    let mut client = balancer.connect();
    for _ in 0..100 {
        assert_eq!(client.get("/").status, 502);
    }
    wait_until("half of the pool is out", || health(Ejected) == 2);
    assert_eq!(health(Up), 2);
    balancer.wait_for_log("is not ejected though it had");

    let [a] = backends();
    let balancer = in_front_of(&[&a], "retries: 0");
    a.set_behaviour(Behaviour::Reset);
    let mut client = balancer.connect();
    (0..20).for_each(|_| assert_eq!(client.get("/").status, 502));
    assert_eq!(balancer.backend(&a.url()).health, Up);
}

#[test]
fn what_clients_do_wrong_ejects_nobody() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "ejection: 1\ntimeouts: {body_stall: 1s}");
    for _ in 0..10 {
        assert_eq!(balancer.get("/status/404").status, 404);
        // Leaves in the middle of its upload.
        let mut leaving = balancer.connect();
        leaving
            .send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly a part")
            .unwrap();
        drop(leaving);
        // A body that is no body.
        let mut broken = balancer.connect();
        broken
            .send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
            .unwrap();
        let _refused = broken.read_response("POST");
    }
    // Stalls in the middle of its upload.
    let mut stalling = balancer.connect();
    stalling
        .send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly a part")
        .unwrap();
    let answer = stalling.read_response("POST").map(|answer| answer.status);
    assert!(
        answer.is_err() || answer.as_ref().is_ok_and(|status| *status == 408),
        "{answer:?}"
    );
    // Leaves while the backend works.
    a.set_behaviour(Behaviour::Slow(Duration::from_secs(1)));
    b.set_behaviour(Behaviour::Slow(Duration::from_secs(1)));
    for _ in 0..4 {
        let mut leaving = balancer.connect();
        leaving.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    wait_until("nothing in flight", || balancer.status().in_flight == 0);
    let backends = balancer.status().pools.remove(0).backends;
    let said: Vec<_> = backends
        .iter()
        .map(|b| (b.health, b.counts.failures, b.ejections))
        .collect();
    assert_eq!(said, [(Up, 0, 0), (Up, 0, 0)], "{}", balancer.log());
}

#[test]
fn a_backend_with_far_more_errors_than_the_others_is_ejected_though_never_five_in_a_row() {
    let all: [DummyServer; 5] = backends();
    let more = "ejection: {interval: 2s, success_rate: {min_volume: 20}}";
    let balancer = in_front_of(&all.each_ref(), more);
    all[2].set_behaviour("flaky:50%".parse().unwrap());
    let load = Load::start(balancer.address(), 10);
    balancer.wait_for_health(&all[2].url(), Ejected);
    let reason = balancer.backend(&all[2].url()).reason.unwrap();
    assert!(
        reason.starts_with("success rate ") && reason.ends_with("%, pool 100%"),
        "{reason}"
    );
    let ejected = balancer.log().matches("is ejected for").count();
    assert_eq!(ejected, 1, "{}", balancer.log());
    drop(load);
}

#[test]
fn a_url_that_fails_wherever_it_goes_ejects_nobody() {
    let [a, b, c, d] = backends();
    let all = [&a, &b, &c, &d];
    let balancer = in_front_of(&all, "ejection: {interval: 1s}");
    let mut client = balancer.connect();
    for _ in 0..400 {
        assert_eq!(client.get("/status/503").status, 503);
    }
    // That the judge has looked is seen by what it finds.
    d.set_behaviour(Behaviour::Reset);
    let load = Load::start(balancer.address(), 4);
    balancer.wait_for_health(&d.url(), Ejected);
    drop(load);
    let ejected = balancer.log().matches("is ejected for").count();
    assert_eq!(ejected, 1, "{}", balancer.log());
}

#[test]
fn least_connections_sends_no_more_to_a_backend_that_fails_at_once_than_to_one_that_works() {
    let [a, b] = backends();
    a.set_behaviour(Behaviour::Slow(Duration::from_millis(20)));
    let balancer = in_front_of(&[&a, &b], "strategy: least-connections\nejection: off");
    b.set_behaviour(Behaviour::Slow(Duration::from_millis(20)));
    let load = Load::start(balancer.address(), 8);
    load.wait_for_more(400);
    b.set_behaviour(Behaviour::Fail);
    let (before, attempts) = (b.hits(), a.hits() + b.hits());
    load.wait_for_more(600);
    let share = (b.hits() - before) as f64 / (a.hits() + b.hits() - attempts) as f64;
    drop(load);
    assert!(share < 0.7, "{share} of all requests go where they fail");
}

#[test]
fn a_backend_far_slower_than_the_others_is_ejected_if_latency_is_asked_for() {
    let [a, b, c] = backends();
    let rule = "ejection: {interval: 2s, latency: {min_volume: 10, floor: 200ms}}";
    let balancer = in_front_of(&[&a, &b, &c], rule);
    b.set_behaviour(Behaviour::Slow(Duration::from_secs(1)));
    let load = Load::start(balancer.address(), 20);
    balancer.wait_for_health(&b.url(), Ejected);
    let reason = balancer.backend(&b.url()).reason.unwrap();
    assert!(
        reason.starts_with("typical latency 9") || reason.starts_with("typical latency 1"),
        "{reason}"
    );
    load.finish_without_failure();
}

#[test]
fn a_reload_keeps_an_ejection_and_shows_what_of_the_rules_changes() {
    let [a, b] = backends();
    let balancer = in_front_of(&[&a, &b], "ejection: {base: 1h, max: 2h}");
    b.set_behaviour(Behaviour::Reset);
    let mut client = balancer.connect();
    eventually("the ejection", || {
        assert_eq!(client.get("/").status, 200);
        (balancer.backend(&b.url()).health == Ejected).then_some(())
    });
    let config = std::fs::read_to_string(balancer.place.folder().join("config.yaml"))
        .unwrap()
        .replace("max: 2h", "max: 3h, consecutive: 7");
    let reload = balancer.reload_with(&config);
    assert!(
        reload.stdout.contains("~ ejection.consecutive 5 -> 7")
            && reload.stdout.contains("~ ejection.max 2h -> 3h"),
        "{reload:?}"
    );
    assert_eq!(balancer.backend(&b.url()).health, Ejected);
    balancer.reload_with(&format!(
        "{}\n",
        config.replace("ejection: {", "ejection: off\n#")
    ));
    balancer.wait_for_health(&b.url(), Up);
}

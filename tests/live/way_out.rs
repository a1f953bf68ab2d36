use std::time::Duration;

use dummy_servers::{Behaviour, DummyServer, body_byte};
use lb_core::status::HealthStatus::{Draining, Maintenance, Pending, Up};
use rustix::process::Signal;

use super::{balancer, config, done, urls};
use crate::harness::{Balancer, Client, Load, Stage, backends, wait_until};

/// A download of three seconds that the second backend serves.
fn downloading(balancer: &Balancer, [a, b]: [&DummyServer; 2]) -> Client {
    let before = b.hits();
    loop {
        let hits = a.hits() + b.hits();
        let mut client = balancer.connect();
        client
            .send_request("GET", "/drip?bytes=3000&for=3s", &[], b"")
            .unwrap();
        wait_until("the request at a backend", || a.hits() + b.hits() > hits);
        if b.hits() > before {
            return client;
        }
    }
}

#[track_caller]
fn assert_complete(client: &mut Client) {
    let answer = client.read_response("GET").unwrap();
    let expected: Vec<u8> = (0..3000).map(body_byte).collect();
    assert_eq!((answer.status, answer.body == expected), (200, true));
}

#[test]
fn a_drain_lets_running_downloads_finish_and_sends_new_requests_elsewhere() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    let mut client = downloading(&balancer, [&a, &b]);
    let drain = done(&balancer, &format!("drain {}", b.url()));
    assert_eq!(
        drain.stdout,
        format!(
            "{url} is draining: no new requests; 1 in flight finishes\n  \
             until `simple-lb undrain {url}` or a restart: serving again, as the file says\n",
            url = b.url()
        )
    );
    assert_eq!(balancer.order(6), "a a a a a a");
    let status = balancer.backend(&b.url());
    assert_eq!(
        (status.health, status.counts.in_flight, status.drained_seconds),
        (Draining, 1, None)
    );
    assert_complete(&mut client);
    wait_until("the drain to be done", || {
        balancer.backend(&b.url()).drained_seconds.is_some()
    });
    let table = done(&balancer, "status").stdout;
    let row = table
        .lines()
        .find(|line| line.starts_with(&b.url()))
        .unwrap_or_default();
    assert!(
        row.contains(&b.url()) && row.contains("no end") && row.contains("serving"),
        "{table}"
    );
    balancer.wait_for_log(&format!("backend {} is drained: nothing is in flight", b.url()));
    balancer.wait_for_log(&format!(
        "{} of pool default: draining by command, 1 in flight",
        b.url()
    ));
    let back = done(&balancer, &format!("undrain {}", b.url()));
    assert_eq!(back.stdout, format!("{} serves\n  as the file says\n", b.url()));
    assert_eq!(balancer.order(4).matches('b').count(), 2);
}

#[test]
fn a_client_with_a_sticky_cookie_stays_until_the_drain_is_done() {
    let [a, b] = backends();
    let sticky = "sticky: {cookie: srv, key: 0123456789abcdef}\n";
    let balancer = Balancer::start(&format!("{sticky}{}", config(&urls(&[&a, &b]))));
    let cookie_of_b = || loop {
        let answer = balancer.get("/");
        if answer.server() == "b" {
            let cookie = answer.header("Set-Cookie").unwrap();
            return format!("Cookie: {}", cookie.split(';').next().unwrap());
        }
    };
    let cookie = cookie_of_b();
    let mut download = downloading(&balancer, [&a, &b]);
    let ask = || balancer.connect().request("GET", "/", &[&cookie], b"").server();
    done(&balancer, &format!("drain {}", b.url()));
    assert_eq!(balancer.order(2), "a a");
    assert_eq!(ask(), "b", "it has a session there");
    assert_complete(&mut download);
    wait_until("the drain to be done", || {
        balancer.backend(&b.url()).drained_seconds.is_some()
    });
    assert_eq!(ask(), "a", "b may have been stopped");
}

#[test]
fn nobody_notices_a_drain_under_load() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    let load = Load::start(balancer.address(), 20);
    wait_until("requests at the backend", || b.hits() > 50);
    let drain = done(&balancer, &format!("drain {} --wait", b.url()));
    assert!(drain.stdout.contains("drained after "), "{drain:?}");
    let hits = b.hits();
    load.wait_for_more(500);
    assert_eq!(
        b.hits(),
        hits,
        "requests at a backend that was reported as drained"
    );
    done(&balancer, &format!("resume {}", b.url()));
    wait_until("requests at the backend again", || b.hits() > hits + 50);
    load.finish_without_failure();
}

#[test]
fn wait_waits_for_the_last_download() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    let mut client = downloading(&balancer, [&a, &b]);
    let url = b.url();
    let mut wait = balancer.place.start(&["drain", &url, "--wait"]);
    wait.wait_for_line("waiting: 1 in flight");
    assert!(wait.is_running());
    assert_complete(&mut client);
    assert_eq!(wait.wait(), 0);
    assert!(wait.stdout().contains("\ndrained after "), "{}", wait.stdout());
}

#[test]
fn wait_ends_with_1_when_the_time_is_over_and_the_backend_serves_again() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    b.set_behaviour(Behaviour::Hang);
    let mut clients: Vec<Client> = (0..2).map(|_| balancer.connect()).collect();
    for client in &mut clients {
        client.send_request("GET", "/", &[], b"").unwrap();
    }
    wait_until("a request that hangs", || {
        balancer.backend(&b.url()).counts.in_flight == 1
    });
    let wait = balancer.place.run(&format!("drain {} --wait --for 1s", b.url()));
    assert_eq!(wait.code, 1, "{wait:?}");
    let ended = format!(
        "not drained: {} is back in service before that, with 1 in flight\n",
        b.url()
    );
    assert_eq!(wait.stderr, ended);
    balancer.wait_for_health(&b.url(), Up);
    b.set_behaviour(Behaviour::Ok);
    assert!(balancer.order(4).contains('b'));
    balancer.wait_for_log("live draining is over: serving again, as the file has it");
}

#[test]
fn ctrl_c_ends_the_waiting_and_not_the_drain() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    let _client = downloading(&balancer, [&a, &b]);
    let url = b.url();
    let mut wait = balancer.place.start(&["drain", &url, "--wait"]);
    wait.wait_for_line("waiting: 1 in flight");
    wait.signal(Signal::INT);
    assert_eq!(wait.wait(), 1);
    assert!(wait.stderr().contains("no longer waiting"), "{}", wait.stderr());
    assert_eq!(balancer.backend(&url).health, Draining);
}

#[test]
fn the_last_backend_may_be_drained_with_a_warning_and_its_tunnel_goes_on() {
    let (stage, balancer) = Stage::with_balancer("lane: wire");
    let mut client = balancer.peer();
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: words\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    backend.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: words\r\n\r\n");
    assert_eq!(client.read_head().status(), 101);

    let drain = balancer.place.run(&format!("drain {}", stage.url()));
    assert_eq!(drain.code, 0);
    assert_eq!(
        drain.stderr,
        "warning: no backend of pool default is up: requests are answered with 503 until one is\n"
    );
    assert!(drain.stdout.contains("1 in flight finishes"), "{drain:?}");
    assert_eq!(balancer.get("/").status, 503);
    client.send("up");
    assert_eq!(backend.read(2), b"up");
    backend.send("down");
    assert_eq!(client.read(4), b"down");
    assert_eq!(balancer.backend(&stage.url()).drained_seconds, None);
    drop((client, backend));
    wait_until("the end of the tunnel", || {
        balancer.backend(&stage.url()).drained_seconds.is_some()
    });
}

#[test]
fn a_maintenance_ends_requests_and_probes_and_the_backend_is_probed_before_it_is_back() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    let out = done(&balancer, &format!("maintenance {} --for 1h", b.url()));
    let (first, second) = out.stdout.split_once('\n').unwrap();
    assert_eq!(
        first,
        format!(
            "{} is in maintenance: no requests and no probes; nothing is in flight",
            b.url()
        )
    );
    assert!(
        second.starts_with("  for ") && second.contains("; then serving again, as the file says; sooner"),
        "{out:?}"
    );
    let (hits, probes, elsewhere) = (b.hits(), b.probes(), a.probes());
    assert_eq!(balancer.order(4), "a a a a");
    wait_until("probes of the other", || a.probes() > elsewhere + 5);
    assert_eq!((b.hits(), b.probes()), (hits, probes));
    let status = balancer.backend(&b.url());
    assert_eq!(status.health, Maintenance);
    assert!(status.until_seconds.is_some_and(|left| left > 3500));

    b.set_health_behaviour(Some(Behaviour::Slow(Duration::from_secs(2))));
    let back = done(&balancer, &format!("resume {}", b.url()));
    assert!(
        back.stdout.contains("serves as soon as a probe is good"),
        "{back:?}"
    );
    assert_eq!(balancer.backend(&b.url()).health, Pending);
    assert_eq!(balancer.order(3), "a a a");
    balancer.wait_for_health(&b.url(), Up);
}

#[test]
fn a_pool_of_its_own_keeps_a_backend_that_is_drained_in_another() {
    let [a, b] = backends();
    let [at_a, at_b] = [a.url(), b.url()];
    let balancer = Balancer::start(&format!(
        "{}pools:\n  api: [\"{at_a}\", \"{at_b}\"]\nroutes:\n  - {{path: /api, pool: api}}\n  - {{pool: default}}\n",
        config(&urls(&[&a, &b]))
    ));
    let servers = |path: &str| {
        let mut client = balancer.connect();
        let servers: Vec<String> = (0..4).map(|_| client.get(path).server()).collect();
        servers.join(" ")
    };
    let drain = done(&balancer, &format!("drain {at_b} --pool api"));
    assert!(
        drain.stdout.starts_with(&format!("api {at_b} is draining")),
        "{drain:?}"
    );
    assert!(
        drain
            .stdout
            .contains(&format!("`simple-lb undrain {at_b} --pool api`")),
        "{drain:?}"
    );
    assert_eq!(servers("/api"), "a a a a");
    assert_eq!(servers("/").matches('b').count(), 2);
    let drain = done(&balancer, &format!("drain {at_b}"));
    assert_eq!(drain.stdout.lines().count(), 4, "both pools: {drain:?}");
    assert_eq!(servers("/"), "a a a a");
}

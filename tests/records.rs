//! What a request says of itself when it ends, on both lanes. That each one ends once, the harness looks at behind every test.

use crate::harness::{Balancer, Stage, backends, wait_until};

const GET: &str = "GET /a?b HTTP/1.1\r\nHost: h.example\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Behind it, the next request takes another connection on both lanes.
const LAST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// These fields of the only request that has ended.
#[track_caller]
fn only(balancer: &Balancer, fields: &str) -> String {
    balancer.wait_for_records(1)[0].show(fields)
}

#[test]
fn a_request_says_what_it_was_and_where_it_went() {
    let (stage, balancer) = Stage::with_balancer("");
    let mut client = balancer.peer();
    client.send("GET /a?b HTTP/1.1\r\nHost: h.example\r\nX-Request-Id: mine\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    backend.send(OK);
    client.read_until(b"ok");
    let record = &balancer.wait_for_records(1)[0];
    let expected = format!("mine Http11 GET h.example /a default {} 1 -", stage.url());
    assert_eq!(
        record.show("id version method host path pool backend attempts retried"),
        expected
    );
    assert_eq!(
        record.show("status responder received sent tunnel queued end fault"),
        "200 Backend 0 2 false 0 Complete -"
    );
    assert!(record.number("first_byte") > Some(0));
    assert!(record.text("peer").starts_with("127.0.0.1:"));
}

#[test]
fn a_connection_that_is_opened_takes_time_and_a_kept_one_none() {
    let (stage, balancer) = Stage::with_balancer("");
    let mut client = balancer.peer();
    client.send(GET);
    let mut backend = stage.accept();
    for again in [GET, ""] {
        backend.read_head();
        backend.send(OK);
        client.read_until(b"ok");
        client.send(again);
    }
    let records = balancer.wait_for_records(2);
    let connects: Vec<_> = records.iter().map(|record| record.number("connect")).collect();
    assert!(connects[0].is_some() && connects[1].is_none(), "{connects:?}");
}

#[test]
fn bytes_are_those_of_the_content_whatever_frames_it() {
    let (stage, balancer) = Stage::with_balancer("");
    let mut client = balancer.peer();
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n");
    let mut backend = stage.accept();
    backend.read_until(b"body");
    client.send("3;x=y\r\nend\r\n0\r\n\r\n");
    backend.read_until(b"end");
    backend.read_until(b"0\r\n\r\n");
    backend.send("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    client.read_until(b"0\r\n\r\n");
    assert_eq!(only(&balancer, "status received sent end"), "201 7 5 Complete");
}

#[test]
fn a_retry_says_why_and_names_the_backend_that_responded() {
    let [dead, alive] = backends();
    dead.kill();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: false\nbackends: [\"{}\", \"{}\"]\n",
        dead.url(),
        alive.url()
    ));
    assert_eq!(balancer.get("/").status, 200);
    let fields = "backend attempts retried status responder end fault";
    let expected = format!("{} 2 Failure(Connect) 200 Backend Complete -", alive.url());
    assert_eq!(only(&balancer, fields), expected);
}

#[test]
fn a_status_that_is_retried_is_the_reason() {
    let [failing, alive] = backends();
    failing.set_behaviour(dummy_servers::Behaviour::Fail);
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: false\nretries: {{statuses: [500]}}\nbackends: [\"{}\", \"{}\"]\n",
        failing.url(),
        alive.url()
    ));
    assert_eq!(balancer.get("/").status, 200);
    assert_eq!(only(&balancer, "attempts retried status"), "2 Status 200");
    alive.set_behaviour(dummy_servers::Behaviour::Fail);
    assert_eq!(balancer.get("/").status, 500);
    assert_eq!(
        balancer.wait_for_records(2)[1].show("attempts retried status responder end"),
        "2 Status 500 Backend Complete"
    );
}

#[test]
fn responses_of_the_balancers_own_say_whose_fault_they_are() {
    let [a, b] = backends();
    a.kill();
    b.kill();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: false\nbackends: [\"{}\", \"{}\"]\nroutes:\n  - {{path: /gone, pool: default}}\n  - {{path: /here, respond: {{status: 204}}}}\n",
        a.url(),
        b.url()
    ));
    for (request, expected) in [
        (
            "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
            "- - 0 404 Balancer Complete Client",
        ),
        (
            "GET /here HTTP/1.1\r\nHost: a\r\n\r\n",
            "- - 0 204 Balancer Complete -",
        ),
        (
            "GET /gone HTTP/1.1\r\nHost: a\r\n\r\n",
            "default Failure(Connect) 2 502 Balancer Complete Backend",
        ),
        (
            "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
            "- - 0 405 Balancer Complete Client",
        ),
        ("nonsense\r\n\r\n", "- - 0 400 Balancer Complete Client"),
    ] {
        let before = balancer.records().len();
        let mut client = balancer.peer();
        client.send(request);
        client.read_head();
        let record = &balancer.wait_for_records(before + 1)[before];
        assert_eq!(
            record.show("pool retried attempts status responder end fault"),
            expected,
            "{request}"
        );
    }
}

#[test]
fn a_wait_in_the_queue_is_timed_and_one_in_vain_is_the_balancers() {
    let stage = Stage::new();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: false\nqueue: 1\nbackends: [{{url: \"{}\", max_connections: 1}}]\n",
        stage.url()
    ));
    let mut first = balancer.peer();
    first.send(GET);
    let mut backend = stage.accept();
    backend.read_head();
    let mut second = balancer.peer();
    second.send(GET);
    wait_until("the request in the queue", || {
        balancer.status().pools[0].waiting == 1
    });
    let mut third = balancer.peer();
    third.send(GET);
    assert_eq!(third.read_head().status(), 503);
    let refused = only(&balancer, "pool backend attempts status responder end fault");
    assert_eq!(refused, "default - 0 503 Balancer Complete Balancer");
    backend.send(LAST);
    first.read_until(b"ok");
    let mut backend = stage.accept();
    backend.read_head();
    backend.send(LAST);
    second.read_until(b"ok");
    let records = balancer.wait_for_records(3);
    assert_eq!(records[1].number("queued"), Some(0));
    assert!(records[2].number("queued") > Some(0), "{records:?}");
    assert_eq!(records[2].show("status attempts end"), "200 1 Complete");
}

#[test]
fn a_client_that_leaves_is_named() {
    let (stage, balancer) = Stage::with_balancer("");
    let mut client = balancer.peer();
    client.send(GET);
    let mut backend = stage.accept();
    backend.read_head();
    client.reset();
    let expected = "default 1 - Nobody ClientGone Client";
    assert_eq!(
        only(&balancer, "pool attempts status responder end fault"),
        expected
    );
}

#[test]
fn a_response_that_breaks_off_says_how_far_it_came() {
    let (stage, balancer) = Stage::with_balancer("");
    let mut client = balancer.peer();
    client.send(GET);
    let mut backend = stage.accept();
    backend.read_head();
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    client.read_until(b"part");
    drop(backend);
    client.read_to_end();
    let expected = "1 200 Backend 4 BrokenOff Backend";
    assert_eq!(
        only(&balancer, "attempts status responder sent end fault"),
        expected
    );
}

#[test]
fn a_tunnel_is_one_request_with_all_its_bytes() {
    let (stage, balancer) = Stage::with_balancer("");
    let mut client = balancer.peer();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    backend.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello");
    client.read_until(b"hello");
    client.send("ping");
    backend.read_until(b"ping");
    assert!(balancer.records().is_empty(), "it lasts");
    client.finish_sending();
    drop(backend);
    let fields = "tunnel status responder received sent attempts end";
    assert_eq!(only(&balancer, fields), "true 101 Backend 4 5 1 Complete");
}

use dummy_servers::Behaviour;

use super::*;
use crate::harness::{backends, eventually, wait_until};

#[test]
fn clients_that_do_nothing_keep_nobody_from_being_served() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], &with_tokens("")));
    let address = address(&balancer);
    // More than it takes at once, half of them with a head that does not end.
    let mut silent: Vec<Client> = (0..40).map(|_| Client::connect(address)).collect();
    for client in silent.iter_mut().step_by(2) {
        client
            .send(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n")
            .unwrap();
    }
    assert_eq!(balancer.order(50).matches('a').count(), 50);
    // Their time is over, and others have their turn.
    assert_eq!(get(&balancer, "/v1/status", OPS).status, 200);
    let mut slow = Client::connect(address);
    let head = format!(
        "POST /v1/backends/drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPS}\r\nContent-Length: 9\r\n\r\n{{"
    );
    slow.send(head.as_bytes()).unwrap();
    let refused = slow.read_response("POST").unwrap();
    assert_eq!(refused.status, 408);
    assert!(
        said(&refused).contains("did not arrive within 5 s"),
        "{}",
        refused.text()
    );
}

#[test]
fn it_is_not_ready_before_the_first_probes_and_says_so() {
    let [a] = backends();
    a.set_behaviour(Behaviour::Hang);
    let place = crate::harness::Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    place.write(
        "config.yaml",
        &format!(
            "port: 0\nadmin: \"{port}\"\nhealth_check: {{timeout: 3s}}\nbackends: [\"{}\"]\n",
            a.url()
        ),
    );
    let _starting = place.start(&["--config", "config.yaml"]);
    let first = eventually("a response", || {
        Client::try_connect(port)
            .ok()?
            .try_request("GET", "/readyz", &[], b"")
            .ok()
    });
    assert_eq!(first.status, 503, "{}", first.text());
    assert_eq!(first.json()["reasons"][0], "the first probes are not in yet");
    assert_eq!(Client::connect(port).get("/healthz").status, 200);
    wait_until("readiness", || Client::connect(port).get("/readyz").status == 200);
}

#[test]
fn it_responds_while_the_balancer_drains_and_says_that_it_is_not_ready() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], &with_tokens("")));
    assert_eq!(
        get(&balancer, "/readyz", "").json(),
        serde_json::json!({"ready": true, "reasons": []})
    );
    let address = address(&balancer);
    a.set_behaviour(Behaviour::Hang);
    let mut waiting = balancer.connect();
    waiting.send_request("GET", "/", &[], b"").unwrap();
    wait_until("a request in flight", || balancer.status().in_flight == 1);
    let mut stopping = Client::connect(address);
    let bearer = format!("Authorization: Bearer {OPS}");
    stopping
        .send_request("POST", "/v1/stop", &[&bearer], b"")
        .unwrap();
    let readiness = eventually("a drain", || {
        let response = Client::connect(address).get("/readyz");
        (response.status == 503).then_some(response)
    });
    assert_eq!(readiness.json()["reasons"][0], "the instance stops");
    let status = Client::connect(address).request("GET", "/v1/status", &[&bearer], b"");
    assert_eq!((status.status, &status.json()["stopping"]), (200, &true.into()));
    assert_eq!(Client::connect(address).get("/healthz").status, 200);
    a.set_behaviour(Behaviour::Ok);
    drop(waiting);
    let stopped = stopping.read_response("POST").unwrap();
    assert_eq!(stopped.status, 200, "{}", stopped.text());
    assert_eq!(stopped.json()["cut"], 0);
}

//! Answers that awc alone would mistake, through the handler lane. What the guarded transport does with them in detail
//! is tested beside it, in `src/upstream/guarded/tests`.

use crate::harness::{Balancer, RawBackend};

/// A backend that always says this, behind a balancer.
fn saying(answer: &'static str) -> (RawBackend, Balancer) {
    let backend = RawBackend::start(answer);
    let balancer = Balancer::start(&format!(
        "port: 0\nlane: handler\nretries: 0\nbackends:\n  - url: \"http://127.0.0.1:{}\"\n    health_check: false\n",
        backend.port()
    ));
    (backend, balancer)
}

#[test]
fn every_answer_reaches_its_own_client() {
    for (answer, status, body) in [
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end"),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
            200,
            "ok",
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, ""),
    ] {
        let (_backend, balancer) = saying(answer);
        let mut client = balancer.connect();
        for _ in 0..3 {
            let response = client.get("/");
            assert_eq!(
                (response.status, response.text().as_str()),
                (status, body),
                "{answer:?}"
            );
        }
    }
}

#[test]
fn a_304_keeps_the_length_that_it_tells_and_waits_for_no_body() {
    let (_backend, balancer) =
        saying("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n");
    let mut client = balancer.connect();
    for method in ["GET", "HEAD", "GET"] {
        let response = client.request(method, "/", &[], b"");
        assert_eq!(response.status, 304);
        assert_eq!(response.header("Content-Length"), Some("5"));
        assert_eq!(response.header("Omitted-Length"), None);
    }
}

#[test]
fn an_answer_that_is_no_http_is_a_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let (_backend, balancer) = saying(answer);
        let response = balancer.get("/");
        assert_eq!(response.status, 502, "{answer:?}");
        assert!(
            response.text().contains("could not be understood"),
            "{answer:?}: {}",
            response.text()
        );
    }
}

#[test]
fn a_body_cut_short_is_broken_for_the_client_too() {
    for answer in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nHost: a\r\n\r\n",
    ] {
        let (_backend, balancer) = saying(answer);
        let told = balancer.connect().try_request("GET", "/", &[], b"");
        let whole = told.as_ref().is_ok_and(|response| response.status == 200);
        assert!(!whole, "{answer:?}: {told:?}");
    }
}

#[test]
fn an_answer_that_comes_while_the_client_sends_is_delivered() {
    for framing in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let (_backend, balancer) = saying("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
        let mut client = balancer.connect();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n5\r\nhello\r\n");
        client.send(head.as_bytes()).unwrap();
        let response = client.read_response("POST").unwrap();
        assert_eq!(
            (response.status, response.text().as_str()),
            (413, "big"),
            "{framing}"
        );
        let connection = response.header("Connection").map(str::to_ascii_lowercase);
        assert_eq!(connection.as_deref(), Some("close"), "{framing}");
    }
}

#[test]
fn http_1_0_clients_get_no_chunks() {
    let (_backend, balancer) =
        saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let mut client = balancer.connect();
    client
        .send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        .unwrap();
    let all = client.read_to_end().unwrap();
    assert!(all.starts_with("HTTP/1.1 200 OK\r\n"), "{all}");
    assert!(all.ends_with("\r\n\r\nhello"), "{all}");
    assert!(!all.to_ascii_lowercase().contains("transfer-encoding"), "{all}");
}

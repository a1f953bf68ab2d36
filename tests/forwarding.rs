//! What reaches the backend and what comes back, line by line.

use dummy_servers::DummyServer;
use lb_core::config::Lane;

use crate::harness::{Balancer, Response, backends, lane::lane};

fn in_front_of(backend: &DummyServer, more: &str) -> Balancer {
    Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\n{more}\n",
        backend.url()
    ))
}

/// The header lines with this name that the backend saw, according to /echo.
fn seen(answer: &Response, name: &str) -> Vec<String> {
    let echo = answer.json();
    let lines = echo["headers"].as_array().unwrap().iter();
    let lines = lines.map(|line| {
        (
            line[0].as_str().unwrap().to_owned(),
            line[1].as_str().unwrap().to_owned(),
        )
    });
    lines
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn every_method_passes_with_its_body() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "");
    let mut client = balancer.connect();
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "REPORT"] {
        let body = if matches!(method, "GET" | "OPTIONS") {
            ""
        } else {
            "some body"
        };
        let echo = client.request(method, "/echo", &[], body.as_bytes()).json();
        let shown = (
            echo["method"].as_str(),
            echo["body"].as_str(),
            echo["version"].as_str(),
        );
        assert_eq!(shown, (Some(method), Some(body), Some("HTTP/1.1")));
    }
    let head = client.request("HEAD", "/bytes/1234", &[], b"");
    assert_eq!(
        (head.status, head.header("Content-Length"), head.body.len()),
        (200, Some("1234"), 0)
    );
    assert_eq!(client.get("/").server(), "a", "the connection is still usable");
}

#[test]
fn the_target_passes_unchanged() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "");
    let mut client = balancer.connect();
    let targets = [
        "/echo",
        "/echo?",
        "/echo?a=1&b=%20c&&d",
        "/%65cho/%2F%2e%2E/%C3%A9",
        "/a/../echo/./b//c",
        "/echo;x=1?q=a/b?c",
        "/%EC%95%88?%EB%85%95",
    ];
    for target in targets {
        assert_eq!(client.get(target).status, 200, "{target}");
        assert_eq!(backend.last_request().unwrap().path, target);
    }
}

#[test]
fn repeated_headers_survive_both_ways() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "");
    let mut client = balancer.connect();
    let answer = client.request(
        "GET",
        "/echo",
        &["Cookie: a=1", "X-Many: 1", "Cookie: b=2", "X-Many: 2"],
        b"",
    );
    assert_eq!(seen(&answer, "Cookie"), ["a=1", "b=2"]);
    assert_eq!(seen(&answer, "X-Many"), ["1", "2"]);
    assert_eq!(client.get("/headers").all("Set-Cookie"), ["a=1", "b=2"]);
}

#[test]
fn headers_of_one_connection_end_here_both_ways() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "");
    let mut client = balancer.connect();
    let lines = [
        "Connection: keep-alive, X-Private",
        "X-Private: secret",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Trailer: X-End",
        "Upgrade: h2c",
        "X-Public: yes",
    ];
    let answer = client.request("GET", "/echo", &lines, b"");
    for name in [
        "X-Private",
        "Keep-Alive",
        "Proxy-Connection",
        "Trailer",
        "Upgrade",
    ] {
        assert_eq!(seen(&answer, name), Vec::<String>::new(), "{name}");
    }
    // Asked for anew on the wire lane, which passes trailers on; the framework knows none.
    let te: &[&str] = if lane() == Lane::Wire { &["trailers"] } else { &[] };
    assert_eq!(seen(&answer, "TE"), te);
    assert!(!seen(&answer, "Connection").join(",").contains("X-Private"));
    assert_eq!(seen(&answer, "X-Public"), ["yes"]);
    // The backend says `Connection: X-Hop`, `X-Hop: 1`.
    let answer = client.get("/headers");
    assert_eq!((answer.all("X-Hop"), answer.status), (vec![], 200));
    assert!(
        !answer.all("Connection").join(",").contains("X-Hop"),
        "{answer:?}"
    );
}

#[test]
fn the_host_is_the_clients() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "");
    let mut client = balancer.connect();
    let answer = client.request("GET", "/echo", &["Host: shop.example:8080"], b"");
    assert_eq!(seen(&answer, "Host"), ["shop.example:8080"]);
    assert_eq!(seen(&answer, "X-Forwarded-Host"), ["shop.example:8080"]);
    // An absolute target wins over the header: RFC 9112, section 3.2.2.
    client
        .send(b"GET http://target.example/echo HTTP/1.1\r\nHost: header.example\r\n\r\n")
        .unwrap();
    assert_eq!(
        seen(&client.read_response("GET").unwrap(), "Host"),
        ["target.example"]
    );
}

const CLAIMS: [&str; 5] = [
    "Host: shop.example",
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: bank.example",
    "Forwarded: for=10.0.0.1",
];

#[test]
fn what_an_untrusted_client_says_of_its_origin_is_replaced() {
    let [backend] = backends();
    let answer = in_front_of(&backend, "")
        .connect()
        .request("GET", "/echo", &CLAIMS, b"");
    assert_eq!(seen(&answer, "X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(seen(&answer, "X-Forwarded-Proto"), ["http"]);
    assert_eq!(seen(&answer, "X-Forwarded-Host"), ["shop.example"]);
    assert_eq!(
        seen(&answer, "Forwarded"),
        ["for=127.0.0.1;host=shop.example;proto=http"]
    );
}

#[test]
fn what_a_trusted_proxy_says_is_kept_and_appended_to() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "trusted_proxies: [\"127.0.0.0/8\", \"::1\"]");
    let answer = balancer.connect().request("GET", "/echo", &CLAIMS, b"");
    assert_eq!(seen(&answer, "X-Forwarded-For"), ["10.0.0.1, 127.0.0.1"]);
    assert_eq!(seen(&answer, "X-Forwarded-Proto"), ["https"]);
    assert_eq!(seen(&answer, "X-Forwarded-Host"), ["bank.example"]);
    assert_eq!(
        seen(&answer, "Forwarded"),
        ["for=10.0.0.1, for=127.0.0.1;host=shop.example;proto=http"]
    );
}

#[test]
fn a_request_id_is_kept_or_made() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "");
    let mut client = balancer.connect();
    let kept = client.request("GET", "/echo", &["X-Request-Id: from-the-client-7"], b"");
    assert_eq!(seen(&kept, "X-Request-Id"), ["from-the-client-7"]);
    let made: Vec<String> = (0..2)
        .map(|_| seen(&client.get("/echo"), "X-Request-Id").remove(0))
        .collect();
    assert!(
        made.iter()
            .all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())),
        "{made:?}"
    );
    assert_ne!(made[0], made[1]);
}

#[test]
fn answers_pass_untouched() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "");
    let mut client = balancer.connect();
    let redirect = client.get("/redirect");
    assert_eq!(
        (redirect.status, redirect.header("Location")),
        (302, Some("/")),
        "redirects are not followed"
    );
    let direct = crate::harness::get(([127, 0, 0, 1], backend.port()).into(), "/gzip-claim");
    let through = client.get("/gzip-claim");
    assert_eq!(through.body, direct.body, "nothing is decoded");
    let names = ["Content-Encoding", "Content-Length", "Content-Type", "X-Server"];
    for name in names {
        assert_eq!(through.header(name), direct.header(name), "{name}");
    }
    for status in [200, 201, 400, 404, 418, 500, 503, 599] {
        let answer = client.get(&format!("/status/{status}"));
        assert_eq!((answer.status, answer.text()), (status, format!("{status}\n")));
    }
}

#[test]
fn answers_without_a_body_end_at_once() {
    let [backend] = backends();
    let balancer = in_front_of(&backend, "");
    let mut client = balancer.connect();
    for path in ["/status/204", "/status/304", "/status/205", "/status/204"] {
        let answer = client.get(path);
        assert_eq!(answer.body, b"", "{path}");
        assert_eq!(answer.all("Transfer-Encoding"), Vec::<&str>::new(), "{path}");
        // A stray byte of a body would be read as the next answer.
        assert_eq!(client.get("/").server(), "a", "after {path}");
    }
    let head = client.request("HEAD", "/drip?bytes=10&for=100ms", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(client.get("/").server(), "a");
}

//! What clients and the log are told when something breaks.

use dummy_servers::{Behaviour, DummyServer};

use crate::harness::{Balancer, RawBackend, backends, eventually, wait_until};

fn in_front_of(backend: &DummyServer, more: &str) -> Balancer {
    Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\n{more}\n",
        backend.url()
    ))
}

fn in_front_of_raw(answer: &'static str) -> (RawBackend, Balancer) {
    let backend = RawBackend::start(answer);
    let url = format!("http://127.0.0.1:{}", backend.port());
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{url}\"]\nhealth_check: false\n"));
    (backend, balancer)
}

#[test]
fn an_error_is_text_or_json_as_the_client_accepts() {
    let [a] = backends();
    a.kill();
    let balancer = in_front_of(&a, "");
    let mut client = balancer.connect();
    let text = client.request("GET", "/", &["X-Request-Id: r-1"], b"");
    assert_eq!(
        (text.status, text.header("Content-Type")),
        (502, Some("text/plain; charset=utf-8"))
    );
    assert_eq!(
        text.text(),
        "502 Bad Gateway: no backend could be reached\nrequest id: r-1\n"
    );
    let json = client.request(
        "GET",
        "/",
        &["X-Request-Id: r-2", "Accept: application/json"],
        b"",
    );
    assert_eq!(
        (json.status, json.header("Content-Type")),
        (502, Some("application/json"))
    );
    let expected = serde_json::json!({
        "status": 502, "error": "no backend could be reached", "request_id": "r-2"
    });
    assert_eq!(json.json(), expected);
    let made = client.get("/");
    let id = made.header("X-Request-Id").unwrap();
    assert!(made.text().ends_with(&format!("request id: {id}\n")), "{made:?}");
    let head = client.request("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.body.len()), (502, 0));
    for answer in [text, json, made] {
        let whole = format!("{:?} {}", answer.headers, answer.text());
        assert!(
            !whole.contains(&a.port().to_string()) && !whole.contains("127.0.0.1"),
            "{whole}"
        );
    }
}

#[test]
fn a_failed_attempt_is_logged_in_one_line() {
    let [a, b] = backends();
    a.set_behaviour(Behaviour::Reset);
    b.kill();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\"]\nhealth_check: false\nretries: {{attempts: 1}}\n",
        a.url(),
        b.url()
    ));
    let lines = failure_lines(&balancer, 2);
    assert!(lines[0].contains(&format!("backend {}: ", a.url())), "{lines:?}");
    assert!(lines[0].ends_with(": trying another backend"), "{lines:?}");
    assert!(
        lines[1].contains(&format!("backend {}: connecting: cannot connect: ", b.url())),
        "{lines:?}"
    );
    assert!(lines[1].ends_with(": giving up"), "{lines:?}");
}

#[test]
fn a_failure_line_names_what_was_asked_for_where_and_by_whom() {
    let [a] = backends();
    a.kill();
    let balancer = Balancer::start(&format!(
        "port: 0\nhealth_check: false\nretries: 0\nejection: off\npools: {{p: {{backends: [\"{}\"]}}}}\n\
         routes: [{{name: api, path: /v1, pool: p, strip_prefix: /v1, send_host: b.example}}, {{path: /plain, pool: p}}]\n",
        a.url()
    ));
    let [mut client, mut other] = [balancer.connect(), balancer.connect()];
    for (client, path) in [(&mut client, "/v1/a%1b?secret=1"), (&mut other, "/plain")] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nX-Request-Id: find-me\r\n\r\n");
        client.send(head.as_bytes()).unwrap();
        assert_eq!(client.read_response("GET").unwrap().status, 502);
    }
    for said in [
        "request find-me: client 127.0.0.1, GET a.example/v1/a%1b, route api, pool p, backend ",
        "request find-me: client 127.0.0.1, GET a.example/plain, route path /plain, pool p, backend ",
    ] {
        balancer.wait_for_log(said);
    }
    assert!(!balancer.log().contains("secret"), "{}", balancer.log());
}

#[test]
fn what_is_refused_is_logged_for_those_who_look_for_it_and_counted() {
    let [a] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nlog: debug\npools: {{p: {{backends: [\"{}\"]}}}}\nroutes: [{{name: api, path: /v1, pool: p}}]\n",
        a.url()
    ));
    a.set_behaviour(Behaviour::Fail);
    let mut client = balancer.connect();
    for (path, status) in [("/v1", 500), ("/v2", 404), ("/v2", 404), ("/v1/..", 400)] {
        assert_eq!(client.get(path).status, status, "{path}");
    }
    let mut broken = balancer.connect();
    broken.send(b"GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(broken.read_response("GET").unwrap().status, 400);
    balancer.wait_for_log("/v2: no route matches the request: giving up");
    balancer
        .wait_for_log("GET a/\\x1b[2J: the request's head is refused: malformed request target: giving up");
    let status = balancer.status();
    assert_eq!(status.responses.to_string(), "4 4xx, 1 5xx");
    assert_eq!(balancer.backend(&a.url()).counts.responses.to_string(), "1 5xx");
    let errors = status.errors.iter();
    let errors: Vec<_> = errors
        .map(|error| format!("{} {}: {}", error.status, error.reason, error.count))
        .collect();
    assert_eq!(
        errors,
        [
            "400 malformed request target: 1",
            "400 the request's path has dot segments: 1",
            "404 no route matches the request: 2"
        ]
    );
    let table = balancer.place.run("status").stdout;
    for said in [
        "\nresponses: 4 4xx, 1 5xx\n",
        "  5XX  ",
        "\napi    p          1\n",
        "      404  no route matches the request             2\n",
    ] {
        assert!(table.contains(said), "{said}: {table}");
    }
}

#[test]
fn a_failure_after_which_no_backend_is_left_is_logged_as_the_last() {
    let [a] = backends();
    a.kill();
    let balancer = in_front_of(&a, "");
    let lines = failure_lines(&balancer, 1);
    assert!(lines[0].ends_with(": giving up"), "{lines:?}");
}

/// Sends a request that fails, and waits for what the log says of it.
fn failure_lines(balancer: &Balancer, count: usize) -> Vec<String> {
    let answer = balancer
        .connect()
        .request("GET", "/", &["X-Request-Id: find-me"], b"");
    assert_eq!(answer.status, 502);
    eventually("the lines in the log", || {
        let log = balancer.log();
        let lines = log.lines().filter(|line| line.contains("request find-me: "));
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        (lines.len() == count).then_some(lines)
    })
}

#[test]
fn a_flood_of_failures_does_not_flood_the_log() {
    let [a] = backends();
    a.kill();
    let balancer = in_front_of(&a, "");
    let mut client = balancer.connect();
    let mut failures = 0;
    wait_until("the count of lines left out", || {
        failures += (0..300).filter(|_| client.get("/").status == 502).count();
        balancer.log().contains(" more failures not logged: ")
    });
    let log = balancer.log();
    let said = log
        .lines()
        .find(|line| line.contains(" more failures not logged: "));
    let (_, reasons) = said.and_then(|line| line.rsplit_once(": ")).unwrap();
    assert!(reasons.ends_with(" no backend could be reached"), "{reasons}");
    let lines = balancer.log().lines().count();
    // Two seconds at most of one worker, at ten lines a second, unless the machine is very slow.
    assert!(
        failures >= 300 && lines * 5 < failures,
        "{lines} lines for {failures} failures"
    );
}

#[test]
fn an_answer_that_breaks_off_never_ends_cleanly() {
    let [a] = backends();
    let balancer = in_front_of(&a, "");
    a.set_behaviour(Behaviour::Cut);
    let mut client = balancer.connect();
    // The framework may drop the head and the 100 bytes that came, as long as it does not pretend that this is all.
    let error = client
        .try_request("GET", "/", &["X-Request-Id: cut"], b"")
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
    balancer.wait_for_log("receiving the answer: answer cut short after 100 bytes: giving up");
    assert_eq!(balancer.backend(&a.url()).counts.failures, 1);
}

#[test]
fn a_chunked_answer_that_breaks_off_never_ends_cleanly() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let (_backend, balancer) = in_front_of_raw(answer);
    let mut client = balancer.connect();
    assert!(client.try_request("GET", "/", &[], b"").is_err());
}

#[test]
fn an_answer_that_ends_with_its_connection_is_passed_on() {
    let (_backend, balancer) = in_front_of_raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
    assert_eq!(balancer.get("/").text(), "all of it");
}

#[test]
fn nonsense_from_a_backend_is_a_502() {
    for nonsense in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 999999 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
    ] {
        let (_backend, balancer) = in_front_of_raw(nonsense);
        let answer = balancer.get("/");
        assert_eq!(answer.status, 502, "{nonsense}: {}", answer.text());
    }
}

#[test]
fn a_broken_request_is_refused_and_reaches_no_backend() {
    let [a] = backends();
    let balancer = in_front_of(&a, "");
    let big = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Big: {}\r\n\r\n",
        "x".repeat(200 * 1024)
    );
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Many: 1\r\n".repeat(200));
    let broken = [
        big.as_str(),
        &many,
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ];
    for request in broken {
        let mut client = balancer.connect();
        // It may close before it has read all.
        let _sent = client.send(request.as_bytes());
        let shown = &request[..request.len().min(70)];
        match client.read_response("GET") {
            Ok(answer) => assert!((400..500).contains(&answer.status), "{shown}: {answer:?}"),
            Err(error) => {
                let closed = matches!(
                    error.kind(),
                    std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset
                );
                assert!(closed, "{shown}: {error}");
            }
        }
    }
    assert_eq!(a.hits(), 0);
    assert_eq!(balancer.get("/").server(), "a");
    assert_eq!(balancer.status().panics, 0);
}

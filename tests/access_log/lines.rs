//! What a line says.

use lb_core::access_log::FIELDS;
use rustix::process::Signal;

use super::{wait_for_lines, wait_for_text};
use crate::harness::{Balancer, Place, RawBackend, Stage, backends, lane, wait_until};

#[test]
fn a_line_has_every_field_in_json_by_default() {
    let (stage, balancer) = Stage::with_balancer("access_log: access.log");
    let mut client = balancer.peer();
    client.send("PUT /a?token=secret HTTP/1.1\r\nHost: h.example:8000\r\nX-Request-Id: mine\r\nCookie: secret\r\nAuthorization: secret\r\nContent-Length: 4\r\n\r\nbody");
    let mut backend = stage.accept();
    backend.read_until(b"body");
    backend.send("HTTP/1.1 201 Created\r\nContent-Length: 2\r\nSet-Cookie: secret\r\n\r\nok");
    client.read_until(b"ok");
    let text = wait_for_text(&balancer, "access.log", 1);
    assert!(!text.contains("secret"), "{text}");
    let line = &wait_for_lines(&balancer, "access.log", 1)[0];
    for (name, ..) in FIELDS {
        assert!(line.0.get(name).is_some(), "{name}");
    }
    let fields = "id client method host path protocol status bytes_received bytes_sent pool backend";
    let expected = format!(
        "mine 127.0.0.1 PUT h.example /a HTTP/1.1 201 4 2 default {}",
        stage.url()
    );
    assert_eq!(line.show(fields), expected);
    let fields = "attempts retried outcome responder fault reason tunnel lane tls trace_id";
    let lane = lane::lane();
    assert_eq!(
        line.show(fields),
        format!("1 - complete backend - - false {lane} - -")
    );
    let millis = |field: &str| line.0[field].as_f64().unwrap();
    assert!(millis("connect_ms") > 0.0 && millis("connect_ms") <= millis("first_byte_ms"));
    assert!(millis("first_byte_ms") <= millis("total_ms") && millis("queue_ms") < 1.0);
}

#[test]
fn a_pattern_writes_what_it_names() {
    let (stage, balancer) = Stage::with_balancer(
        "access_log: {path: access.log, format: '{target} [{header cookie}] \"{header x-none}\" {response_header set-cookie} {client_ip} {scheme}'}",
    );
    let mut client = balancer.peer();
    client.send("GET /a?b=c HTTP/1.1\r\nHost: h\r\nCookie: d=\"e\"\r\n\r\n");
    let mut backend = stage.accept();
    backend.read_head();
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: f=g\r\n\r\nok");
    client.read_until(b"ok");
    assert_eq!(
        wait_for_text(&balancer, "access.log", 1),
        "/a?b=c [d=\\x22e\\x22] \"-\" f=g 127.0.0.1 http\n"
    );
}

#[test]
fn the_client_is_who_trusted_proxies_say_it_is() {
    let [backend] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\ntrusted_proxies: 127.0.0.1\naccess_log: {{path: access.log, format: '{{client}} {{peer}} {{scheme}}'}}\n",
        backend.url()
    ));
    let headers = ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"];
    balancer.connect().request("GET", "/", &headers, b"");
    let text = wait_for_text(&balancer, "access.log", 1);
    assert!(
        text.starts_with("192.0.2.7 127.0.0.1:") && text.ends_with(" https\n"),
        "{text}"
    );
}

#[test]
fn combined_and_text_are_lines_of_their_own() {
    let [backend] = backends();
    let config = |format: &str| {
        format!(
            "port: 0\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: {{path: {format}.log, format: {format}}}\n",
            backend.url()
        )
    };
    let balancer = Balancer::start(&config("combined"));
    let headers = ["User-Agent: test \"1\"", "Referer: http://r.example/?q=secret"];
    balancer
        .connect()
        .request("GET", "/bytes/5?secret", &headers, b"");
    let text = wait_for_text(&balancer, "combined.log", 1);
    assert!(
        text.starts_with("127.0.0.1 - - [") && text.contains(" +0000] "),
        "{text}"
    );
    let rest = "\"GET /bytes/5 HTTP/1.1\" 200 5 \"http://r.example/\" \"test \\x221\\x22\"\n";
    assert!(text.ends_with(rest), "{text}");
    balancer.reload_with(&config("text"));
    balancer
        .connect()
        .request("GET", "/bytes/5?secret", &headers, b"");
    let text = wait_for_text(&balancer, "text.log", 1);
    assert!(
        text.contains("/bytes/5 HTTP/1.1 200 0 5 ") && !text.contains("secret"),
        "{text}"
    );
}

#[test]
fn what_is_no_request_has_a_line_and_keeps_it() {
    let [backend] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: access.log\n",
        backend.url()
    ));
    let mut client = balancer.peer();
    client.send("GET /\u{1b}[2J\"\\ HTTP/1.1\r\nHost: a\x00b\r\n\r\n");
    client.read_head();
    let text = wait_for_text(&balancer, "access.log", 1);
    assert!(
        text.trim_end().bytes().all(|byte| (0x20..0x7f).contains(&byte)),
        "{text:?}"
    );
    let line = &wait_for_lines(&balancer, "access.log", 1)[0];
    assert_eq!(
        line.show("status outcome responder fault pool"),
        "400 complete balancer client -"
    );
    assert_ne!(line.text("reason"), "-");
}

#[test]
fn a_sample_leaves_out_what_went_well_and_nothing_else() {
    let backend = RawBackend::start("HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n");
    let [good] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nhealth_check: false\npools: {{good: [\"{}\"], bad: [\"http://127.0.0.1:{}\"]}}\n\
         routes: [{{path: /good, pool: good}}, {{path: /bad, pool: bad}}, {{path: /here, respond: {{status: 204}}}}]\n\
         access_log: {{path: access.log, sample: 0%, slow: none, format: '{{path}} {{status}}'}}\n",
        good.url(),
        backend.port()
    ));
    let mut client = balancer.connect();
    for path in ["/good", "/bad", "/here", "/nowhere", "/good"] {
        client.get(path);
    }
    assert_eq!(
        wait_for_text(&balancer, "access.log", 2),
        "/bad 503\n/nowhere 404\n"
    );
    // Slower than nothing at all is every request.
    let config = std::fs::read_to_string(balancer.place.folder().join("config.yaml")).unwrap();
    balancer
        .place
        .write("config.yaml", &config.replace("slow: none", "slow: 1ms"));
    assert_eq!(balancer.reload().code, 0);
    good.set_behaviour(dummy_servers::Behaviour::Slow(std::time::Duration::from_millis(
        5,
    )));
    client.get("/good");
    assert!(wait_for_text(&balancer, "access.log", 3).ends_with("/good 200\n"));
}

#[test]
fn lines_can_go_to_stdout() {
    let [backend] = backends();
    let mut balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: on\n",
        backend.url()
    ));
    balancer.get("/hello");
    wait_until("the line", || {
        balancer.process.stdout().contains("\"path\":\"/hello\"")
    });
    balancer.get("/last");
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.process.wait(), 0);
    let stdout = balancer.process.stdout();
    assert!(
        stdout.contains("\"path\":\"/last\""),
        "the end waits for it: {stdout}"
    );
}

#[test]
fn a_place_that_cannot_be_opened_ends_the_start_with_its_line() {
    let place = Place::new();
    place.write(
        "config.yaml",
        "port: 0\nbackends: [\"http://127.0.0.1:9\"]\naccess_log:\n  format: json\n  path: none/access.log\n",
    );
    let start = place.run("run");
    assert_eq!(start.code, 64, "{start:?}");
    let said = "config.yaml:5:9: access_log.path: ";
    assert!(start.stderr.contains(said), "{start:?}");
    assert!(
        start
            .stderr
            .contains("none/access.log cannot be opened: No such file or directory"),
        "{start:?}"
    );
}

//! What a backend is told of where a request comes from (RFC 7239, RFC 9110 section 7.6.3).

use super::exchange::{GET, OK, Play};

const CLAIMS: &str = "GET / HTTP/1.1\r\nHost: shop.example:81\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n\
     X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 6.6.6.6\r\n\
     Forwarded: for=6.6.6.6;proto=https\r\nForwarded: for=\"[2001:db8::1]:80\"\r\n\r\n";

#[test]
fn claims_of_strangers_are_replaced() {
    let mut play = Play::new();
    let (_backend, head) = play.request(CLAIMS);
    assert_eq!(head.all("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(head.all("X-Forwarded-Proto"), ["http"]);
    assert_eq!(head.all("X-Forwarded-Host"), ["shop.example:81"]);
    assert_eq!(
        head.all("Forwarded"),
        ["for=127.0.0.1;host=\"shop.example:81\";proto=http"]
    );
    assert!(
        !head.0.contains("6.6.6.6") && !head.0.contains("443") && !head.0.contains("evil"),
        "{head:?}"
    );
}

#[test]
fn claims_of_trusted_proxies_are_kept_and_appended_to() {
    let mut play = Play::with("trusted_proxies: [\"127.0.0.1\"]");
    let (_backend, head) = play.request(CLAIMS);
    assert_eq!(
        head.all("X-Forwarded-For").join(", "),
        "6.6.6.6, 7.7.7.7, 127.0.0.1"
    );
    assert_eq!(head.all("X-Forwarded-Proto"), ["https"]);
    assert_eq!(head.all("X-Forwarded-Host"), ["evil.example"]);
    assert_eq!(
        head.all("Forwarded").join(", "),
        "for=6.6.6.6;proto=https, for=\"[2001:db8::1]:80\", for=127.0.0.1;host=\"shop.example:81\";proto=http"
    );
}

#[test]
fn what_a_trusted_proxy_says_twice_goes_on_once() {
    let mut play = Play::with("trusted_proxies: [\"127.0.0.1\"]");
    let (_backend, head) = play.request(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: one\r\nX-Forwarded-Proto: http\r\n\
         X-Forwarded-Host: two\r\n\r\n",
    );
    assert_eq!(head.all("X-Forwarded-Proto"), ["http"]);
    assert_eq!(head.all("X-Forwarded-Host"), ["two"]);
}

#[test]
fn a_malformed_forwarded_is_replaced() {
    for malformed in [
        "Forwarded: for=\"unbalanced",
        "Forwarded: for=6.6.6.6\r\nForwarded: for=\"a\\",
        "Forwarded: for=a b",
    ] {
        let mut play = Play::with("trusted_proxies: [\"127.0.0.1\"]");
        let (_backend, head) = play.request(&format!("GET / HTTP/1.1\r\nHost: a\r\n{malformed}\r\n\r\n"));
        assert_eq!(
            head.all("Forwarded"),
            ["for=127.0.0.1;host=a;proto=http"],
            "{malformed:?}"
        );
    }
}

#[test]
fn one_request_id_goes_on_and_it_is_fit_to_be_logged() {
    for more in ["", "trusted_proxies: [\"127.0.0.1\"]"] {
        let mut play = Play::with(more);
        for (lines, expected) in [
            ("X-Request-Id: good", Some("good")),
            ("X-Request-Id: good\r\nX-Request-Id: evil\"x", Some("good")),
            ("X-Request-Id: evil\"x\r\nX-Request-Id: good", None),
            ("X-Request-Id: evil\"x", None),
            ("X: y", None),
        ] {
            play.client = play.balancer.peer();
            play.client.send(format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\nConnection: close\r\n\r\n"
            ));
            let mut backend = play.stage.accept();
            let head = backend.read_head();
            let id = head.one("X-Request-Id").unwrap().to_owned();
            match expected {
                Some(expected) => assert_eq!(id, expected, "{lines:?}"),
                None => assert!(
                    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    "{head:?}"
                ),
            }
            backend.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
            play.reads_ok();
        }
    }
}

#[test]
fn without_claims_the_usual_headers_are_added() {
    for more in ["", "trusted_proxies: [\"127.0.0.1\"]"] {
        let mut play = Play::with(more);
        let (_backend, head) = play.request(GET);
        assert_eq!(head.one("X-Forwarded-For"), Some("127.0.0.1"));
        assert_eq!(head.one("X-Forwarded-Proto"), Some("http"));
        assert_eq!(head.one("X-Forwarded-Host"), Some("a"));
        assert_eq!(head.one("Forwarded"), None);
    }
}

#[test]
fn via_is_written_where_it_is_on() {
    let mut play = Play::new();
    let (mut backend, head) = play.request("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 fred\r\n\r\n");
    assert_eq!(head.all("Via"), ["1.0 fred"], "off: what others wrote stays");
    backend.send(OK);
    assert_eq!(play.reads_ok().all("Via"), Vec::<&str>::new());
    let mut play = Play::with("via: edge");
    let (mut backend, head) =
        play.request("GET / HTTP/1.0\r\nHost: a\r\nVia: 1.1 fred (x), 1.1 p.example\r\n\r\n");
    assert_eq!(
        head.all("Via").join(", "),
        "1.1 fred (x), 1.1 p.example, 1.0 edge"
    );
    backend.send("HTTP/1.0 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(play.reads_ok().all("Via").join(", "), "1.1 inner, 1.0 edge");
}

#[test]
fn a_request_that_came_through_here_before_is_a_loop() {
    let mut play = Play::with("via: edge");
    play.client
        .send("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 fred, 1.1 edge\r\n\r\n");
    play.reads_error(508);
    assert!(play.stage.waiting().is_none());
    play.client = play.balancer.peer();
    let (mut backend, _) = play.request("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 edge2, 1.1 my.edge\r\n\r\n");
    backend.send(OK);
    play.reads_ok();
}

//! What is taken for alive, byte by byte and all at once.
#![allow(clippy::unwrap_used)]

use futures::FutureExt;
use lb_core::config::{self, BodyMatch, StatusRanges};
use tokio::io::duplex;

use super::*;

fn url(text: &str) -> BackendUrl {
    text.parse().unwrap()
}

fn check() -> HealthCheck {
    HealthCheck {
        status: StatusRanges::default(),
        ..HealthCheck::default()
    }
}

/// What comes of a backend that answers so and closes. The answer arrives in pieces of `piece` bytes.
fn probe_in_pieces(answer: &str, check: &HealthCheck, piece: usize) -> Result<String, String> {
    let (mut ours, mut theirs) = duplex(64 * 1024);
    let talk = async {
        let backend = async {
            for bytes in answer.as_bytes().chunks(piece) {
                // The probe may have seen enough and closed.
                if theirs.write_all(bytes).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let _ = theirs.shutdown().await;
        };
        let probe = async {
            let result = exchange(&mut ours, &url("http://a:8080"), check).await;
            drop(ours);
            result
        };
        futures::join!(probe, backend).0
    };
    futures::executor::block_on(talk).map_err(|error| error.to_string())
}

fn probe(answer: &str, check: &HealthCheck) -> Result<String, String> {
    let whole = probe_in_pieces(answer, check, usize::MAX);
    for piece in [1, 7] {
        assert_eq!(
            probe_in_pieces(answer, check, piece),
            whole,
            "in pieces of {piece}"
        );
    }
    whole
}

fn alive(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn dead(text: &str) -> Result<String, String> {
    Err(text.to_owned())
}

#[test]
fn the_status_decides() {
    assert_eq!(
        probe("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", &check()),
        alive("200 OK")
    );
    assert_eq!(probe("HTTP/1.1 500 Oops\r\n\r\n", &check()), dead("500 Oops"));
    assert_eq!(probe("HTTP/1.0 204\r\n\r\n", &check()), alive("204"));
    assert_eq!(
        probe("HTTP/1.1 200 O\x01K\r\n\r\n", &check()),
        probe("HTTP/1.1 200 O\x01K\r\n\r\n", &check()),
        "whatever it says of it, it does not panic"
    );
}

#[test]
fn interim_answers_are_not_the_answer() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n";
    assert_eq!(probe(early, &check()), dead("503 Busy"));
    let endless = "HTTP/1.1 102 Processing\r\n\r\n".repeat(101);
    assert_eq!(probe(&endless, &check()), dead("too many interim answers"));
}

#[test]
fn what_is_no_usable_http_is_not_alive() {
    assert_eq!(probe("", &check()), dead("closed without an answer"));
    assert_eq!(
        probe("HTTP/1.1 200 OK\r\nA: b", &check()),
        dead("the head of its answer was cut short")
    );
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\n\n",
        "HTTP/2.0 200 OK\r\n\r\n",
    ] {
        let said = probe(answer, &check()).unwrap_err();
        assert!(said.starts_with("not an HTTP answer: "), "{answer:?}: {said}");
    }
    let large = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(70_000));
    assert!(probe_in_pieces(&large, &check(), 10_000).is_err());
}

fn with_body(body: BodyMatch) -> HealthCheck {
    HealthCheck {
        body: Some(body),
        ..check()
    }
}

#[test]
fn a_body_is_read_whatever_its_framing_and_must_hold_what_is_asked_for() {
    let check = with_body(BodyMatch::contains("\"ok\": true").unwrap());
    let good = [
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"ok\": true}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"ok\r\n8;x=y\r\n\": true}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n{\"ok\": true}",
        "HTTP/1.0 200 OK\r\n\r\n{\"ok\": true}",
    ];
    for answer in good {
        assert_eq!(probe(answer, &check), alive("200 OK"), "{answer}");
    }
    assert_eq!(
        probe(
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"ok\": false}",
            &check
        ),
        dead("200 OK, but its body has no {contains: \"\\\"ok\\\": true\"}")
    );
    let dots = with_body(BodyMatch::contains("a.c").unwrap());
    assert!(
        probe("HTTP/1.1 200 OK\r\n\r\nabc", &dots).is_err(),
        "no expression"
    );
    let regex = with_body(BodyMatch::regex("^a.c$").unwrap());
    assert_eq!(probe("HTTP/1.1 200 OK\r\n\r\nabc", &regex), alive("200 OK"));
    assert_eq!(probe("HTTP/1.1 404 No\r\n\r\nabc", &regex), dead("404 No"));
}

#[test]
fn a_body_that_is_cut_short_is_not_alive_even_if_it_says_so() {
    let check = with_body(BodyMatch::contains("ok").unwrap());
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ] {
        assert_eq!(
            probe(answer, &check),
            dead("its answer was cut short"),
            "{answer}"
        );
    }
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n";
    assert!(
        probe(broken, &check)
            .unwrap_err()
            .starts_with("not an HTTP answer")
    );
}

#[test]
fn no_more_of_a_body_is_looked_at_than_max_body() {
    let mut check = with_body(BodyMatch::contains("ok").unwrap());
    check.max_body = config::parse_size("4B").unwrap();
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}ok", "-".repeat(100_000));
    assert_eq!(
        probe_in_pieces(&endless, &check, 1000),
        dead("200 OK, but the beginning of its body has no {contains: \"ok\"}")
    );
    assert_eq!(
        probe("HTTP/1.1 200 OK\r\n\r\n--ok and more", &check),
        alive("200 OK")
    );
    assert!(probe("HTTP/1.1 200 OK\r\n\r\n---ok and more", &check).is_err());
}

#[test]
fn asks_as_it_is_told() {
    let plain = request(&url("http://a"), &check());
    assert_eq!(
        plain,
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: {USER_AGENT}\r\n\r\n")
    );
    let told = HealthCheck {
        port: Some(81),
        method: CheckMethod::Post,
        path: "/up?x".into(),
        headers: [("X-A", "b"), ("user-agent", "me")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        ..check()
    };
    assert_eq!(
        request(&url("http://[::1]:8080"), &told),
        "POST /up?x HTTP/1.1\r\nHost: [::1]:81\r\nConnection: close\r\nContent-Length: 0\r\nX-A: b\r\nuser-agent: me\r\n\r\n"
    );
    let named = HealthCheck {
        host: Some("b.example".into()),
        ..told
    };
    assert!(request(&url("http://a"), &named).contains("\r\nHost: b.example\r\n"));
}

#[test]
fn sends_what_people_are_not_shown() {
    let text = "port: 1\nbackends: [http://a]\n\
         health_check: {path: \"/up?${KEY}\", headers: {Authorization: Bearer abc, X-A: \"${KEY}\"}}";
    let config = config::load(text, "config.yaml", &|_| Some("secret".to_owned())).unwrap();
    let sent = request(&url("http://a"), &config.pools["default"].health_check);
    for line in [
        "GET /up?secret ",
        "\r\nAuthorization: Bearer abc\r\n",
        "\r\nX-A: secret\r\n",
    ] {
        assert!(sent.contains(line), "{sent}");
    }
}

#[test]
fn an_answer_to_head_has_no_body_to_wait_for() {
    let check = HealthCheck {
        method: CheckMethod::Head,
        ..check()
    };
    let (mut ours, mut theirs) = duplex(1024);
    let answered = async {
        theirs
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            .await
            .unwrap();
        exchange(&mut ours, &url("http://a"), &check).await
    };
    let result = answered.now_or_never().unwrap();
    assert_eq!(
        result.map_err(|error| error.to_string()),
        alive("200 OK"),
        "while the connection stays open"
    );
}

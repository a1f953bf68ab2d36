//! Requests.

use super::super::*;
use crate::{
    Limits, Lines, Parsed, parse_request,
    rules::{Action, RULES},
};

const V4: &str = "192.0.2.9";
/// What every request without origin headers gets at its end.
const ADDED: &str = "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n";

fn plain(client: &ClientAddress) -> ForwardContext<'_> {
    ForwardContext {
        edits: None,
        client,
        secure: false,
        trusted: false,
        forwarded: false,
        via: None,
        request_id: None,
        default_host: "127.0.0.1:9001",
        close: false,
    }
}

fn rewritten(bytes: &str, change: impl FnOnce(&mut ForwardContext<'_>)) -> String {
    let client = ClientAddress::new(V4.parse().unwrap());
    let mut context = plain(&client);
    change(&mut context);
    let mut lines = Lines::new();
    let parsed = parse_request(bytes.as_bytes(), &mut lines, &Limits::default());
    let Ok(Parsed::Complete(head)) = parsed else {
        panic!("{parsed:?}: {bytes:?}")
    };
    let mut out = Vec::new();
    write_request_head(&head.view(bytes.as_bytes(), &lines), &context, &mut out);
    String::from_utf8(out).unwrap()
}

/// A POST with these lines, sent on; what comes between Host and our own lines at the end.
fn lines(lines: &str) -> String {
    let out = rewritten(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n"), |_| ());
    let rest = out
        .strip_prefix("POST / HTTP/1.1\r\nHost: a\r\n")
        .unwrap_or_else(|| panic!("{out:?}"));
    rest.strip_suffix(&format!("{ADDED}\r\n"))
        .unwrap_or_else(|| panic!("{out:?}"))
        .trim_end()
        .to_owned()
}

fn trusted(lines: &str) -> String {
    let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
    let out = rewritten(&bytes, |context| context.trusted = true);
    out.strip_prefix("GET / HTTP/1.1\r\nHost: a\r\n")
        .unwrap()
        .to_owned()
}

#[test]
fn lines_that_stay_are_copied_byte_for_byte() {
    let kept =
        "accept:*/*\r\nX-A:\t one \r\nx-a: two\r\nX_B: three\r\nX-Empty:\r\nCookie: a=b; c=d\r\nX-C: \u{e9}";
    assert_eq!(lines(kept), kept);
}

#[test]
fn rfc_9112_3_2_the_target_goes_in_origin_form_with_its_own_host() {
    for (target, origin) in [
        ("http://real:81/a/../b?c", "/a/../b?c"),
        ("http://real:81", "/"),
        ("http://real:81?q", "/?q"),
        ("HTTP://real:81/?", "/?"),
    ] {
        let out = rewritten(&format!("GET {target} HTTP/1.1\r\nhost:  fake\r\n\r\n"), |_| ());
        assert!(
            out.starts_with(&format!("GET {origin} HTTP/1.1\r\nhost: real:81\r\n")),
            "{out:?}"
        );
        assert!(out.contains("X-Forwarded-Host: real:81\r\n"), "{out:?}");
    }
    let out = rewritten("OPTIONS http://real HTTP/1.1\r\nHost: a\r\n\r\n", |_| ());
    assert!(out.starts_with("OPTIONS * HTTP/1.1\r\nHost: real\r\n"), "{out:?}");
    let out = rewritten("OPTIONS * HTTP/1.1\r\nHost:\ta\r\n\r\n", |_| ());
    assert!(out.starts_with("OPTIONS * HTTP/1.1\r\nHost: a\r\n"), "{out:?}");
}

#[test]
fn rfc_9112_2_3_the_version_is_ours_and_host_is_there() {
    let out = rewritten("GET /x HTTP/1.0\r\nX: y\r\n\r\n", |_| ());
    let expected = "GET /x HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nX: y\r\nX-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: http\r\n\r\n";
    assert_eq!(out, expected);
    let out = rewritten("\r\nGET http://b/ HTTP/1.0\r\n\r\n", |_| ());
    assert!(out.starts_with("GET / HTTP/1.1\r\nHost: b\r\n"), "{out:?}");
    assert!(
        rewritten("GET /x HTTP/1.9\r\nHost: a\r\n\r\n", |_| ()).starts_with("GET /x HTTP/1.1\r\nHost: a\r\n")
    );
}

#[test]
fn rfc_9112_6_framing_lines_are_written_plainly() {
    assert_eq!(lines("content-length:\t007 "), "content-length: 7");
    assert_eq!(lines("Content-Length: 000"), "Content-Length: 0");
    assert_eq!(lines("Transfer-encoding:\tCHUNKED"), "Transfer-encoding: chunked");
    assert_eq!(
        lines("Transfer-Encoding: chunked\r\nTrailer: ETag"),
        "Transfer-Encoding: chunked\r\nTrailer: ETag"
    );
    assert_eq!(lines("Content-Length: 1\r\nTrailer: ETag"), "Content-Length: 1");
}

#[test]
fn rfc_9110_7_6_1_connection_and_what_it_names_stay_here() {
    assert_eq!(
        lines("Connection: X-Mine, close\r\nx-mine: 1\r\nX-Other: 2\r\nKeep-Alive: 5"),
        "X-Other: 2"
    );
    assert_eq!(
        lines("A: 1\r\nConnection: keep-alive\r\nB: 2\r\nConnection: a"),
        "B: 2"
    );
}

#[test]
fn connection_cannot_name_away_what_the_table_protects() {
    for rule in RULES.iter().filter(|rule| rule.request == Action::Keep) {
        let kept = format!("{}: x", rule.name);
        assert_eq!(lines(&format!("Connection: {}\r\n{kept}", rule.name)), kept);
    }
    assert_eq!(
        lines("Connection: Content-Length\r\nContent-Length: 3"),
        "Content-Length: 3"
    );
    assert_eq!(
        lines("Connection: transfer-encoding\r\nTransfer-Encoding: chunked"),
        "Transfer-Encoding: chunked"
    );
    assert_eq!(lines("Connection: Host, X-Forwarded-For"), "");
    assert_eq!(
        lines("Connection: expect\r\nExpect: 100-continue\r\nContent-Length: 1"),
        "Expect: 100-continue\r\nContent-Length: 1"
    );
}

#[test]
fn what_the_table_drops_is_gone() {
    for rule in RULES.iter().filter(|rule| rule.request == Action::Drop) {
        assert_eq!(
            lines(&format!("A: 1\r\n{}: x\r\nB: 2", rule.name)),
            "A: 1\r\nB: 2",
            "{}",
            rule.name
        );
    }
}

#[test]
fn rfc_9110_10_1_4_te_keeps_trailers_only() {
    assert_eq!(
        lines("TE: gzip;q=1, Trailers\r\nConnection: TE"),
        "TE: trailers\r\nConnection: TE"
    );
    assert_eq!(lines("TE: gzip\r\nConnection: TE"), "");
}

#[test]
fn rfc_9110_7_8_upgrade_is_kept_with_its_option() {
    assert_eq!(
        lines("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k"),
        "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade"
    );
    assert_eq!(lines("Upgrade: websocket"), "");
    assert_eq!(
        lines("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x"),
        ""
    );
}

#[test]
fn rfc_9110_10_1_1_expect_is_kept_with_a_body() {
    assert_eq!(
        lines("Expect: 100-continue\r\nContent-Length: 1"),
        "Expect: 100-continue\r\nContent-Length: 1"
    );
    assert_eq!(lines("Expect: 100-continue"), "");
}

#[test]
fn rfc_9110_7_6_2_max_forwards_counts_down() {
    let out = rewritten(
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 010\r\n\r\n",
        |_| (),
    );
    assert!(out.contains("Max-Forwards: 9\r\n"), "{out:?}");
    assert_eq!(lines("Max-Forwards: 10"), "Max-Forwards: 10");
}

#[test]
fn origin_headers_of_strangers_are_replaced() {
    let spoofed = "X-Forwarded-For: 6.6.6.6\r\nX-FORWARDED-FOR: 7.7.7.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
                   X-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Request-Id: kept\r\nA: 1";
    assert_eq!(lines(spoofed), "X-Request-Id: kept\r\nA: 1");
    assert_eq!(
        rewritten(
            "GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=evil\r\nX-Request-Id: x\r\n\r\n",
            |context| {
                context.secure = true;
                context.request_id = Some(b"ours");
            }
        ),
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n\
         Forwarded: for=192.0.2.9;host=a;proto=https\r\nX-Request-Id: ours\r\n\r\n"
    );
}

#[test]
fn origin_headers_of_trusted_proxies_are_appended_to() {
    assert_eq!(
        trusted(
            "x-forwarded-for: 1.1.1.1\r\nA: 1\r\nX-Forwarded-For: 2.2.2.2, 3.3.3.3\r\nX-Forwarded-Proto: https"
        ),
        "x-forwarded-for: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.9\r\nA: 1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n\r\n"
    );
    assert_eq!(
        trusted(
            "Forwarded: for=1.1.1.1\r\nX-Forwarded-Host: b\r\nForwarded: for=_x\r\nX-Real-IP: 1.1.1.1\r\nX-Forwarded-For:"
        ),
        "Forwarded: for=1.1.1.1, for=_x, for=192.0.2.9;host=a;proto=http\r\nX-Forwarded-Host: b\r\nX-Real-IP: 1.1.1.1\r\n\
         X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: http\r\n\r\n"
    );
}

#[test]
fn rfc_7239_addresses_and_hosts_are_quoted_where_they_must_be() {
    let client = ClientAddress::new("2001:db8::1".parse().unwrap());
    let context = ForwardContext {
        forwarded: true,
        ..plain(&client)
    };
    let bytes = b"GET / HTTP/1.1\r\nHost: a:81\r\n\r\n";
    let (mut lines, mut out) = (Lines::new(), Vec::new());
    let Ok(Parsed::Complete(head)) = parse_request(bytes, &mut lines, &Limits::default()) else {
        panic!()
    };
    write_request_head(&head.view(bytes, &lines), &context, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\r\nX-Forwarded-For: 2001:db8::1\r\n"), "{text:?}");
    assert!(
        text.contains("\r\nForwarded: for=\"[2001:db8::1]\";host=\"a:81\";proto=http\r\n"),
        "{text:?}"
    );
}

#[test]
fn via_and_close_come_last_and_only_where_wanted() {
    let out = rewritten("GET / HTTP/1.0\r\nHost: a\r\nVia: 1.0 fred\r\n\r\n", |context| {
        context.via = Some("lb");
        context.close = true;
    });
    assert_eq!(
        out,
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 fred\r\nConnection: close\r\n{ADDED}Via: 1.0 lb\r\n\r\n"
        )
    );
}

#[test]
fn rfc_9110_6_6_2_only_trailers_that_go_on_are_announced() {
    let announced = |named: &str, trailer: &str| {
        lines(&format!(
            "Connection: {named}\r\nTransfer-Encoding: chunked\r\nTrailer: {trailer}"
        ))
    };
    for (named, trailer, expected) in [
        ("x", "X-End,ETag", "\r\nTrailer: X-End,ETag"),
        ("x-hop", "X-End, X-Hop,ETag", "\r\nTrailer: X-End, ETag"),
        ("x-hop", "x-hop", ""),
        ("x", "Host, X-End, Cache-Control", "\r\nTrailer: X-End"),
        ("x", &"X-End,".repeat(65), ""),
    ] {
        assert_eq!(
            announced(named, trailer),
            format!("Transfer-Encoding: chunked{expected}"),
            "{trailer}"
        );
    }
}

#[test]
fn one_line_says_what_a_trusted_proxy_said_in_two() {
    assert_eq!(
        trusted(
            "X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: c\r\nX-Forwarded-For: 1.1.1.1"
        ),
        "X-Forwarded-Proto: http\r\nX-Forwarded-Host: c\r\nX-Forwarded-For: 1.1.1.1, 192.0.2.9\r\n\r\n"
    );
}

#[test]
fn rfc_7239_4_what_cannot_be_appended_to_is_replaced() {
    for malformed in [
        "Forwarded: for=\"unbalanced",
        "Forwarded: for=1.1.1.1\r\nForwarded: for=\"a",
        "Forwarded: for=\"a\r\nForwarded: b\"",
    ] {
        let out = trusted(malformed);
        assert_eq!(
            out,
            format!("{ADDED}Forwarded: for=192.0.2.9;host=a;proto=http\r\n\r\n"),
            "{malformed:?}"
        );
    }
}

#[test]
fn one_request_id_goes_on() {
    let two = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: first\r\nX-Request-Id: second\r\n\r\n";
    let host = "GET / HTTP/1.1\r\nHost: a\r\n";
    for is_trusted in [false, true] {
        let kept = rewritten(two, |context| context.trusted = is_trusted);
        assert_eq!(kept, format!("{host}X-Request-Id: first\r\n{ADDED}\r\n"));
        let ours = rewritten(two, |context| {
            context.trusted = is_trusted;
            context.request_id = Some(b"ours");
        });
        assert_eq!(ours, format!("{host}{ADDED}X-Request-Id: ours\r\n\r\n"));
    }
}

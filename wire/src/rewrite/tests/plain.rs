//! Heads for a server within the process.

use super::super::write_plain_request_head;
use crate::{Limits, Lines, Parsed, RequestHead, parse_request};

fn parse(bytes: &str, lines: &mut Lines) -> RequestHead {
    match parse_request(bytes.as_bytes(), lines, &Limits::default()) {
        Ok(Parsed::Complete(head)) => head,
        other => panic!("{other:?}: {bytes:?}"),
    }
}

/// What is written for these lines, which is plain and means the same.
fn plain(bytes: &str) -> String {
    let (mut lines, mut again) = (Lines::new(), Lines::new());
    let head = parse(bytes, &mut lines);
    let view = head.view(bytes.as_bytes(), &lines);
    let mut out = Vec::new();
    write_plain_request_head(&view, &mut out);
    let out = String::from_utf8(out).unwrap();
    let written = parse(&out, &mut again);
    let written_view = written.view(out.as_bytes(), &again);
    assert_eq!(
        (
            written.method,
            written.version,
            written.keep_alive,
            written.expect_continue
        ),
        (head.method, head.version, head.keep_alive, head.expect_continue),
        "{bytes:?}"
    );
    assert_eq!(
        (view.host(), view.query()),
        (written_view.host(), written_view.query()),
        "{bytes:?}"
    );
    assert_eq!(head.framing.is_empty(), written.framing.is_empty(), "{bytes:?}");
    // HTTP/1.0, and OPTIONS and TRACE with a count, are written anew each time.
    if bytes.contains(" HTTP/1.1") && written.max_forwards.is_none() {
        assert!(written_view.is_plain(), "{out:?}");
    }
    assert!(
        !view.is_plain() || out == bytes,
        "{bytes:?} is as plain as {out:?}"
    );
    out
}

fn of_lines(lines: &str) -> String {
    let out = plain(&format!("POST /p HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n"));
    let lines = out.strip_prefix("POST /p HTTP/1.1\r\nHost: a\r\n").unwrap();
    lines.strip_suffix("\r\n").unwrap().trim_end().to_owned()
}

#[test]
fn a_usual_head_is_plain() {
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /?q HTTP/1.1\r\nHost: a:80\r\nUser-Agent: b\r\nAccept: */*\r\nX-Forwarded-For: c\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut lines = Lines::new();
        let parsed = parse(head, &mut lines);
        assert!(parsed.view(head.as_bytes(), &lines).is_plain(), "{head:?}");
        assert_eq!(plain(head), head);
    }
    let kept = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
    let mut lines = Lines::new();
    assert!(parse(kept, &mut lines).view(kept.as_bytes(), &lines).is_plain());
}

#[test]
fn targets_are_in_origin_form_and_the_host_is_theirs() {
    for (line, target) in [
        ("GET http://b:80/x?y", "GET /x?y HTTP/1.1\r\nHost: b:80"),
        ("GET http://b?y", "GET /?y HTTP/1.1\r\nHost: b"),
        ("OPTIONS http://b", "OPTIONS * HTTP/1.1\r\nHost: b"),
        ("OPTIONS http://b/", "OPTIONS / HTTP/1.1\r\nHost: b"),
    ] {
        let out = plain(&format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(out, format!("{target}\r\n\r\n"));
    }
    assert!(plain("\r\nGET / HTTP/1.7\r\nHost: a\r\n\r\n").starts_with("GET / HTTP/1.1\r\n"));
}

#[test]
fn what_is_of_one_connection_or_in_disguise_is_left_out() {
    assert_eq!(
        of_lines("X_Forwarded_For: 1\r\nX-Forwarded_For: 2\r\nX_REAL_IP: 3\r\nmy_own: 4"),
        "my_own: 4"
    );
    assert_eq!(
        of_lines("Proxy: a\r\nProxy-Authorization: b\r\nKeep-Alive: c\r\nTE: trailers\r\nY: d"),
        "Y: d"
    );
    assert_eq!(
        of_lines("Connection: X-Hop, Upgrade\r\nUpgrade: websocket\r\nX-Hop: a\r\nY: b"),
        "Y: b"
    );
    assert_eq!(
        of_lines("Connection: X-Hop, close\r\nX-Hop: a"),
        "Connection: close"
    );
    assert_eq!(of_lines("Connection: Cookie\r\nCookie: a"), "Cookie: a");
    assert_eq!(of_lines("Expect: 100-continue\r\nTrailer: a\r\nY: b"), "Y: b");
}

#[test]
fn hops_are_counted_where_they_count() {
    let options = plain("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n");
    assert!(options.contains("\r\nMax-Forwards: 6\r\n"), "{options}");
    let get = plain("GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n");
    assert!(get.contains("\r\nMax-Forwards: 7\r\n"), "{get}");
}

#[test]
fn http_1_0_stays_what_it_is() {
    for (lines, expected) in [
        (
            "",
            "POST / HTTP/1.0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            "Host: a\r\nConnection: keep-alive\r\nContent-Length: 005\r\n",
            "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
        ),
    ] {
        assert_eq!(plain(&format!("POST / HTTP/1.0\r\n{lines}\r\n")), expected);
    }
}

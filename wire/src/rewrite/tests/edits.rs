//! Changes beyond the table, and that they never make two messages of one.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::super::*;
use crate::{Framing, Limits, Lines, Method, Parsed, parse_request, parse_response};

fn added(lines: &[(&str, &str)]) -> AddedLines {
    let mut all = AddedLines::default();
    lines
        .iter()
        .for_each(|(name, value)| assert!(all.push(name, value.as_bytes()), "{name}: {value}"));
    all
}

fn dropped(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|name| (*name).into()).collect()
}

struct Wanted<'a> {
    target: Option<&'a str>,
    host: Option<&'a str>,
    dropped: &'a [Box<str>],
    added: &'a AddedLines,
}

/// The request as the backend gets it.
fn request(bytes: &str, wanted: &Wanted<'_>) -> String {
    let client = ClientAddress::new([192, 0, 2, 9].into());
    let edits = RequestEdits {
        target: wanted.target.map(str::as_bytes),
        host: wanted.host.map(str::as_bytes),
        lines: LineEdits {
            dropped: wanted.dropped,
            added: wanted.added,
        },
    };
    let context = ForwardContext {
        client: &client,
        secure: false,
        trusted: false,
        forwarded: false,
        via: Some("lb"),
        request_id: Some(b"r1"),
        default_host: "b:1",
        close: false,
        edits: Some(&edits),
    };
    let mut lines = Lines::new();
    let Ok(Parsed::Complete(head)) = parse_request(bytes.as_bytes(), &mut lines, &Limits::default()) else {
        panic!("{bytes:?}")
    };
    let mut out = Vec::new();
    write_request_head(&head.view(bytes.as_bytes(), &lines), &context, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn target_host_and_lines_are_changed_and_the_rest_stays() {
    let wanted = Wanted {
        target: Some("/new?q=1"),
        host: Some("api.internal"),
        dropped: &dropped(&["cookie", "x-set", "x-forwarded-proto", "x-request-id"]),
        added: &added(&[("X-Set", "2"), ("X-Forwarded-Proto", "https")]),
    };
    assert_eq!(
        request(
            "POST /old?q=1 HTTP/1.1\r\nhost:  a\r\nCookie: c\r\nX-SET: 1\r\nX-Keep: k\r\nContent-Length: 3\r\n\r\n",
            &wanted
        ),
        "POST /new?q=1 HTTP/1.1\r\nhost: api.internal\r\nX-Keep: k\r\nContent-Length: 3\r\nX-Forwarded-For: 192.0.2.9\r\n\
         X-Forwarded-Host: a\r\nX-Set: 2\r\nX-Forwarded-Proto: https\r\nVia: 1.1 lb\r\n\r\n"
    );
}

#[test]
fn a_request_without_host_gets_the_one_that_is_wanted() {
    let wanted = Wanted {
        target: None,
        host: Some("x:1"),
        dropped: &[],
        added: &AddedLines::default(),
    };
    assert!(
        request("GET http://abs/p HTTP/1.0\r\n\r\n", &wanted).starts_with("GET /p HTTP/1.1\r\nHost: x:1\r\n")
    );
    let wanted = Wanted {
        host: Some("no host"),
        target: Some("no path"),
        ..wanted
    };
    assert!(
        request("GET /p HTTP/1.1\r\nHost: a\r\n\r\n", &wanted).starts_with("GET /p HTTP/1.1\r\nHost: a\r\n")
    );
}

#[test]
fn framing_and_connection_are_neither_left_out_nor_added() {
    let kept = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "expect",
        "via",
    ];
    let wanted = Wanted {
        target: None,
        host: None,
        dropped: &dropped(&kept),
        added: &AddedLines::default(),
    };
    let out = request(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nVia: 1.1 x\r\n\r\n",
        &wanted,
    );
    assert!(
        out.contains("Host: a\r\n")
            && out.contains("Content-Length: 3\r\n")
            && out.contains("Via: 1.1 x\r\n")
    );
    let mut lines = AddedLines::default();
    for name in kept
        .iter()
        .chain(&["", "a b", "a:", "content_length", "date", "keep-alive", "a\r\nb"])
    {
        assert!(!lines.push(name, b"1"), "{name}");
    }
    for value in ["a\r\nb: c", "a\nb", "\0", "a\x7f"] {
        assert!(!lines.push("x-a", value.as_bytes()), "{value:?}");
    }
    assert!(lines.is_empty() && lines.push("x-a", b" \t") && lines.as_bytes() == b"x-a: \r\n");
}

#[test]
fn another_host_can_be_put_into_a_head_that_is_written() {
    let mut message = b"POST / HTTP/1.1\r\nX: Host: no\r\nhOST: a:1\r\nContent-Length: 3\r\n\r\nabc".to_vec();
    assert!(replace_host(&mut message, b"longer.example:8080"));
    assert_eq!(
        message,
        b"POST / HTTP/1.1\r\nX: Host: no\r\nhOST: longer.example:8080\r\nContent-Length: 3\r\n\r\nabc"
    );
    assert!(!replace_host(&mut message, b"a b") && !replace_host(&mut b"nonsense".to_vec(), b"a"));
}

#[test]
fn answers_are_changed_but_interim_ones_are_not() {
    let (names, lines) = (dropped(&["server", "content-length"]), added(&[("X-A", "1")]));
    let answer = |bytes: &str| {
        let mut parsed = Lines::new();
        let asked = crate::Asked {
            method: Method::Get,
            offers: b"",
        };
        let Ok(Parsed::Complete(head)) =
            parse_response(bytes.as_bytes(), &mut parsed, &Limits::default(), asked)
        else {
            panic!("{bytes:?}")
        };
        let context = AnswerContext {
            client: crate::Version::Http11,
            keep_alive: true,
            body: BodyPlan::Copy,
            length_without_body: true,
            date: None,
            via: None,
            edits: Some(LineEdits {
                dropped: &names,
                added: &lines,
            }),
        };
        let mut out = Vec::new();
        write_response_head(&head.view(bytes.as_bytes(), &parsed), &context, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        answer("HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\n\r\n"
    );
    assert_eq!(
        answer("HTTP/1.1 103 Hints\r\nServer: s\r\n\r\n"),
        "HTTP/1.1 103 Hints\r\nServer: s\r\n\r\n"
    );
}

proptest! {
    #[test]
    fn whatever_is_wanted_one_request_stays_one(
        method in select(vec!["GET", "POST"]),
        target in option::of(".{0,20}"),
        host in option::of(".{0,12}"),
        names in vec(".{0,12}", 0..4),
        more in vec((".{0,10}", ".{0,16}"), 0..4),
        framing in select(vec!["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"]),
    ) {
        let mut lines = AddedLines::default();
        for (name, value) in &more {
            lines.push(name, value.as_bytes());
        }
        let names: Vec<Box<str>> = names.iter().map(|name| name.to_lowercase().into()).collect();
        let wanted = Wanted { target: target.as_deref(), host: host.as_deref(), dropped: &names, added: &lines };
        let out = request(&format!("{method} / HTTP/1.1\r\nHost: a\r\n{framing}X: y\r\n\r\n"), &wanted);
        let mut parsed = Lines::new();
        let Ok(Parsed::Complete(head)) = parse_request(out.as_bytes(), &mut parsed, &Limits::default()) else {
            panic!("{out:?}")
        };
        prop_assert_eq!(head.len, out.len());
        let expected = match framing {
            "" => Framing::None,
            length if length.starts_with("Content") => Framing::Length(5),
            _ => Framing::Chunked,
        };
        prop_assert_eq!((head.method, head.framing), (Method::from_bytes(method.as_bytes()), expected));
    }
}

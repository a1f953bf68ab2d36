#![allow(clippy::unwrap_used)]

use std::{borrow::Cow, time::Instant};

use lb_core::attempts::{Cause, Fault};
use lb_wire::{Lines, Parsed, parse_request};
use serde_json::Value;

use super::*;
use crate::{proxy::RequestId, telemetry::RequestEnd};

fn line(format: &AccessLogFormat, facts: &RequestFacts) -> String {
    let mut out = Vec::new();
    LineFormat::new(format, Lane::Wire).write(facts, &mut out);
    String::from_utf8(out).unwrap()
}

fn pattern(text: &str) -> AccessLogFormat {
    AccessLogFormat::Pattern(LogPattern::parse(text).unwrap())
}

/// Facts of a request with this head, as a format needs them.
fn asked(format: &AccessLogFormat, head: &[u8]) -> RequestFacts {
    let mut facts = facts();
    let mut lines = Lines::new();
    let Ok(Parsed::Complete(parsed)) = parse_request(head, &mut lines, &lb_wire::Limits::default()) else {
        panic!("no head");
    };
    let needs = LineFormat::new(format, Lane::Wire).needs();
    facts.asked(&parsed.view(head, &lines), &needs);
    facts.id = Some(RequestId::new(Some(b"r1"), 0));
    facts.version = Some(Version::Http11);
    facts
}

const HEAD: &[u8] =
    b"GET /a?token=secret HTTP/1.1\r\nHost: h.example:8000\r\nReferer: http://r.example/p?q=secret\r\n\
    User-Agent: x \"y\"\r\nAuthorization: secret\r\nCookie: secret\r\n\r\n";

#[test]
fn json_has_every_field_and_nothing_that_nobody_named() {
    let mut facts = asked(&AccessLogFormat::Json, HEAD);
    facts.retried = Some(Retried::Failure(Cause::Connect));
    facts.times.first_byte = Some(Duration::from_nanos(1_000_999));
    let line = line(&AccessLogFormat::Json, &facts);
    assert!(line.ends_with("}\n") && !line.contains("secret"), "{line}");
    let read: Value = serde_json::from_str(&line).unwrap();
    for (name, ..) in FIELDS {
        assert!(read.get(name).is_some(), "{name}");
    }
    assert_eq!(read.as_object().unwrap().len(), FIELDS.len());
    for (field, expected) in [
        ("id", "\"r1\""),
        ("client", "\"192.0.2.7\""),
        ("peer", "\"192.0.2.7:40000\""),
        ("method", "\"GET\""),
        ("host", "\"h.example\""),
        ("path", "\"/a\""),
        ("protocol", "\"HTTP/1.1\""),
        ("status", "200"),
        ("retried", "\"connect\""),
        ("connect_ms", "null"),
        ("first_byte_ms", "1.0"),
        ("total_ms", "1.234"),
        ("outcome", "\"complete\""),
        ("fault", "null"),
        ("tunnel", "false"),
        ("lane", "\"wire\""),
        ("tls", "null"),
        ("trace_id", "null"),
    ] {
        assert_eq!(read[field].to_string(), expected, "{field}");
    }
    assert!(line.contains("\"first_byte_ms\":1.000,"), "{line}");
    assert_eq!(
        read["time"].as_str().map(str::len),
        Some("2026-11-30T09:30:00.000Z".len())
    );
}

#[test]
fn combined_is_what_web_servers_write_without_queries() {
    let format = AccessLogFormat::Combined;
    let line = line(&format, &asked(&format, HEAD));
    let (begin, rest) = line.split_once(" [").unwrap();
    let (time, rest) = rest.split_once("] ").unwrap();
    assert_eq!(begin, "192.0.2.7 - -");
    assert_eq!(time.len(), "30/Nov/2026:09:30:00 +0000".len());
    assert_eq!(
        rest,
        "\"GET /a HTTP/1.1\" 200 0 \"http://r.example/p\" \"x \\x22y\\x22\"\n"
    );
}

#[test]
fn text_is_for_people_and_lacks_nothing_that_helps() {
    let format = AccessLogFormat::Text;
    let mut facts = asked(&format, HEAD);
    (facts.fault, facts.reason) = (
        Some(Fault::Backend),
        Some(Cow::Borrowed("no backend could be reached")),
    );
    (facts.status, facts.end) = (Some(502), RequestEnd::Complete);
    let line = line(&format, &facts);
    let (_, rest) = line.split_once("Z ").unwrap();
    assert_eq!(
        rest,
        "192.0.2.7 GET h.example/a HTTP/1.1 502 0 0 1.234ms pool=- backend=- attempts=0 outcome=complete fault=backend \
         reason=\"no backend could be reached\" id=r1\n"
    );
}

#[test]
fn a_pattern_names_what_is_written_otherwise_never() {
    let format = pattern(
        "{{{target}}} {query} {authority} {scheme} {header authorization} {header x} {response_header set-cookie}",
    );
    let mut facts = asked(&format, HEAD);
    facts
        .response_headers
        .push(("set-cookie".into(), (*b"a=b").into()));
    assert_eq!(
        line(&format, &facts),
        "{/a?token=secret} token=secret h.example:8000 http secret - a=b\n"
    );
}

#[test]
fn no_client_can_begin_a_line_or_leave_its_quotes() {
    for format in [
        AccessLogFormat::Json,
        AccessLogFormat::Combined,
        AccessLogFormat::Text,
    ] {
        let mut facts = asked(&format, b"GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: a\tb\r\n\r\n");
        facts
            .headers
            .push(("user-agent".into(), (*b"\r\n\"\x1b[2J").into()));
        let line = line(&format, &facts);
        assert_eq!(
            line.matches(|letter: char| letter.is_control()).count(),
            1,
            "{line:?}"
        );
        assert!(line.is_ascii() && line.ends_with('\n'), "{line:?}");
    }
}

#[test]
fn a_request_of_which_no_head_was_read_has_a_line_too() {
    let facts = RequestFacts::of_test("[2001:db8::1]:7".parse().unwrap());
    let json = line(&AccessLogFormat::Json, &facts);
    let read: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["peer"], "[2001:db8::1]:7");
    for field in [
        "id", "method", "host", "path", "status", "route", "pool", "backend",
    ] {
        assert_eq!(read[field], Value::Null, "{field}");
    }
    assert!(line(&AccessLogFormat::Combined, &facts).contains("] \"- - -\" - 0 \"-\" \"-\"\n"));
}

#[test]
fn a_line_allocates_nothing() {
    let format = LineFormat::new(&AccessLogFormat::Json, Lane::Wire);
    let facts = asked(&AccessLogFormat::Json, HEAD);
    let mut out = Vec::with_capacity(4096);
    format.write(&facts, &mut out);
    out.clear();
    let counted = allocation_counter::measure(|| format.write(&facts, &mut out));
    assert_eq!(counted.count_total, 0);
}

/// Not a test: `cargo test --release --lib -- --ignored --nocapture cost_of_a_line`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_line() {
    let format = LineFormat::new(&AccessLogFormat::Json, Lane::Wire);
    let facts = asked(&AccessLogFormat::Json, HEAD);
    let mut out = Vec::with_capacity(4096);
    let begun = Instant::now();
    for _ in 0..1_000_000 {
        out.clear();
        format.write(&facts, &mut out);
    }
    println!("{:?} a line of {} bytes", begun.elapsed() / 1_000_000, out.len());
}

//! Each rule on request heads, by the section it comes from.

mod fields;
mod start_line;

use super::*;

fn parse(bytes: &[u8]) -> Result<Parsed<RequestHead>, RequestError> {
    parse_request(bytes, &mut Lines::new(), &Limits::default())
}

fn head(bytes: &[u8]) -> RequestHead {
    match parse(bytes) {
        Ok(Parsed::Complete(head)) => head,
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
}

/// Every head must be refused with this error, and must be so whatever follows it.
fn refused(error: RequestError, heads: &[&[u8]]) {
    for bytes in heads {
        assert_eq!(parse(bytes), Err(error), "{}", bytes.escape_ascii());
        assert_eq!(
            parse(&[bytes, &b"GET / HTTP/1.1\r\n\r\n"[..]].concat()),
            Err(error),
            "{}",
            bytes.escape_ascii()
        );
    }
}

/// A GET with these header lines besides Host.
fn with(lines: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").into_bytes()
}

fn refused_lines(error: RequestError, lines: &[&str]) {
    for line in lines {
        assert_eq!(parse(&with(line)), Err(error), "{line:?}");
    }
}

#[test]
fn a_plain_request_is_understood() {
    let bytes = b"GET /a/../b?x=%zz HTTP/1.1\r\nHost: example.com:81\r\nX-A: one\r\nx-a:\ttwo \r\nX-Empty:\r\n\r\nrest";
    let mut lines = Lines::new();
    let Ok(Parsed::Complete(head)) = parse_request(bytes, &mut lines, &Limits::default()) else {
        panic!()
    };
    let view = head.view(bytes, &lines);
    assert_eq!(head.len, bytes.len() - 4);
    assert_eq!(
        (head.method, head.form, head.version),
        (Method::Get, TargetForm::Origin, Version::Http11)
    );
    assert_eq!(
        (head.framing, head.keep_alive, head.upgrade),
        (Framing::None, true, false)
    );
    assert_eq!(
        (view.method(), view.target()),
        (&b"GET"[..], &b"/a/../b?x=%zz"[..])
    );
    assert_eq!(
        (view.path(), view.query()),
        (&b"/a/../b"[..], Some(&b"x=%zz"[..]))
    );
    assert_eq!(
        view.authority(),
        Some(Authority {
            host: b"example.com",
            port: Some(81)
        })
    );
    assert_eq!(view.header("x-A").collect::<Vec<_>>(), [&b"one"[..], b"two"]);
    assert_eq!(view.header("x-empty").collect::<Vec<_>>(), [b""]);
}

#[test]
fn rfc_9112_2_2_lines_end_in_crlf_only() {
    refused(
        RequestError::LineEnding,
        &[
            b"GET / HTTP/1.1\nHost: a\n\n",
            b"GET / HTTP/1.1\r\nHost: a\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a \n\r\n",
            b"GET / HTTP/1.1\r\nHost:\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: z\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\n",
            b"GET / HTTP/1.1\rHost: a\r\n\r\n",
            b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
    refused(
        RequestError::LineEnding,
        &[b"GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"],
    );
    refused_lines(RequestError::HeaderValue, &["X: a\rb", "X: a\r\rb", "X: \ra"]);
}

#[test]
fn limits_are_exact_whatever_the_split() {
    let limits = Limits {
        head_bytes: 100,
        header_count: 3,
        target_bytes: 10,
    };
    let parse = |bytes: &[u8]| parse_request(bytes, &mut Lines::new(), &limits);
    assert_eq!(parse(b"GET /234567890 "), Ok(Parsed::Partial));
    assert_eq!(parse(b"GET /2345678901"), Err(RequestError::TargetTooLong));

    let fitting = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(100 - 32));
    assert_eq!(fitting.len(), 100);
    assert!(matches!(parse(fitting.as_bytes()), Ok(Parsed::Complete(_))));
    assert!(matches!(
        parse(format!("{fitting}body").as_bytes()),
        Ok(Parsed::Complete(_))
    ));
    let longer = fitting.replacen("X:", "XX:", 1);
    assert_eq!(parse(longer.as_bytes()), Err(RequestError::HeadTooLarge));
    assert_eq!(parse(&longer.as_bytes()[..100]), Err(RequestError::HeadTooLarge));
    assert_eq!(parse(&longer.as_bytes()[..99]), Ok(Parsed::Partial));

    assert!(matches!(
        parse(b"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\n\r\n"),
        Ok(Parsed::Complete(_))
    ));
    assert_eq!(
        parse(b"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\n"),
        Err(RequestError::TooManyHeaders)
    );
}

#[test]
fn more_lines_than_the_usual_table_holds_are_parsed_too() {
    let lines: String = (0..99)
        .map(|number| format!("X-{number}: {number}\r\n"))
        .collect();
    let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let mut parsed = Lines::new();
    let result = parse_request(bytes.as_bytes(), &mut parsed, &Limits::default());
    assert!(matches!(result, Ok(Parsed::Complete(head)) if head.len == bytes.len()));
    assert_eq!(parsed.as_slice().len(), 100);
    assert_eq!(
        parsed.values(bytes.as_bytes(), "X-98").collect::<Vec<_>>(),
        [b"98"]
    );
    let more = bytes.replacen("\r\n\r\n", "\r\nY:\r\n\r\n", 1);
    assert_eq!(parse(more.as_bytes()), Err(RequestError::TooManyHeaders));
}

#[test]
fn connection_options_are_bounded() {
    head(&with(&format!("Connection: {}", "a,".repeat(32))));
    refused_lines(
        RequestError::ConnectionOptions,
        &[&format!("Connection: {}", "a,".repeat(33))],
    );
}

#[test]
fn every_start_of_a_good_request_is_partial() {
    let bytes = b"\r\nPOST http://a/b?c HTTP/1.1\r\nHost: a\r\nX-Y:  z \r\nContent-Length: 3\r\n\r\n";
    for end in 0..bytes.len() {
        assert_eq!(
            parse(&bytes[..end]),
            Ok(Parsed::Partial),
            "{}",
            bytes[..end].escape_ascii()
        );
    }
    assert_eq!(head(bytes).len, bytes.len());
}

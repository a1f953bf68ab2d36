//! Header lines, and what they decide.

use super::*;

#[test]
fn rfc_9112_5_header_lines_are_token_colon_value() {
    refused_lines(
        RequestError::HeaderName,
        &[
            "X : y",
            "X\t: y",
            ": y",
            "X y",
            "X",
            " X: y",
            "X: y\r\n folded",
            "X: y\r\n\tfolded",
            "X(: y",
            "X\0: y",
            "X@: y",
            "\u{e9}: y",
            "X\r: y",
            "\"X\": y",
            "X[0]: y",
        ],
    );
    for byte in (0..=8).chain([0xb, 0xc]).chain(0xe..=0x1f).chain([0x7f]) {
        let bytes = [b"GET / HTTP/1.1\r\nHost: a\r\nX: a", &[byte][..], b"b\r\n\r\n"].concat();
        assert_eq!(parse(&bytes), Err(RequestError::HeaderValue), "{byte:#x}");
    }
    head(b"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\xff \t b\r\n\r\n");
    refused(RequestError::HeaderName, &[b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"]);
}

#[test]
fn rfc_9112_6_1_transfer_encoding_is_chunked_and_nothing_else() {
    for line in [
        "Transfer-Encoding: chunked",
        "transfer-encoding:\tCHUNKED \t",
        "Transfer-Encoding:chunked",
    ] {
        assert_eq!(head(&with(line)).framing, Framing::Chunked, "{line:?}");
    }
    refused_lines(
        RequestError::TransferEncoding,
        &[
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked;a=b",
            "Transfer-Encoding:",
            "Transfer-Encoding: ,chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nX: y\r\ntransfer-encoding: identity",
            "Transfer-Encoding: 'chunked'",
            "Transfer-Encoding: \u{a0}chunked",
        ],
    );
    refused_lines(
        RequestError::TransferEncodingUnknown,
        &[
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: identity,chunked",
            "Transfer-Encoding: gzip,\tchunked",
        ],
    );
    refused_lines(
        RequestError::HeaderValue,
        &["Transfer-Encoding: \u{b}chunked", "Transfer-Encoding: chunked\0"],
    );
    refused_lines(
        RequestError::HeaderName,
        &["Transfer-Encoding : chunked", "Transfer-Encoding\r\n : chunked"],
    );
    refused(
        RequestError::TransferEncodingInHttp10,
        &[b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"],
    );
}

#[test]
fn rfc_9112_6_3_one_framing_or_none() {
    assert_eq!(head(&with("Content-Length: 5")).framing, Framing::Length(5));
    assert_eq!(head(&with("Content-Length: 0")).framing, Framing::Length(0));
    assert_eq!(head(&with("content-length:005\t")).framing, Framing::Length(5));
    assert_eq!(head(&with("X: y")).framing, Framing::None);
    refused_lines(
        RequestError::LengthAndEncoding,
        &[
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 0",
        ],
    );
    refused_lines(
        RequestError::ContentLengthRepeated,
        &[
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nX: y\r\ncontent-length: 6",
        ],
    );
    refused_lines(
        RequestError::ContentLength,
        &[
            "Content-Length: 5, 5",
            "Content-Length: 5 ,5",
            "Content-Length: +5",
            "Content-Length: -5",
            "Content-Length: 0x5",
            "Content-Length: 5 5",
            "Content-Length:",
            "Content-Length: five",
            "Content-Length: 5;",
            "Content-Length: 1e1",
            "Content-Length: 18446744073709551617",
            "Content-Length: 9223372036854775808",
        ],
    );
    refused(
        RequestError::TraceContent,
        &[b"TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"],
    );
}

#[test]
fn rfc_9112_9_3_keep_alive_by_version_and_connection() {
    for (version, connection, expected) in [
        ("1.1", "", true),
        ("1.1", "close", false),
        ("1.1", "keep-alive, Close", false),
        ("1.0", "", false),
        ("1.0", "Keep-Alive", true),
        ("1.0", "keep-alive, close", false),
        ("1.2", "", true),
    ] {
        let bytes = format!("GET / HTTP/{version}\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
        assert_eq!(
            head(bytes.as_bytes()).keep_alive,
            expected,
            "{version} {connection}"
        );
    }
}

#[test]
fn rfc_9110_10_1_1_expectations() {
    assert!(head(&with("Expect: 100-Continue\r\nContent-Length: 1")).expect_continue);
    assert!(
        !head(&with("Expect: 100-continue")).expect_continue,
        "no body to wait with"
    );
    assert!(!head(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").expect_continue);
    refused_lines(
        RequestError::Expectation,
        &["Expect: 200-ok", "Expect:", "Expect: 100-continue, x"],
    );
}

#[test]
fn rfc_9110_7_8_upgrades_are_named_by_connection_and_never_to_http2() {
    assert!(head(&with("Connection: keep-alive, Upgrade\r\nUpgrade: websocket")).upgrade);
    assert!(head(&with("Connection: upgrade\r\nUpgrade: irc, foo/2")).upgrade);
    for lines in [
        "Upgrade: websocket",
        "Connection: upgrade",
        "Connection: upgrade\r\nUpgrade: h2c",
        "Connection: upgrade\r\nUpgrade:",
    ] {
        assert!(!head(&with(lines)).upgrade, "{lines:?}");
    }
    assert!(!head(b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").upgrade);
    let offering = |count: usize| format!("Connection: upgrade\r\nUpgrade: {}", vec!["irc"; count].join(","));
    assert!(head(&with(&offering(16))).upgrade);
    assert!(!head(&with(&offering(17))).upgrade, "so many are ignored");
}

#[test]
fn rfc_9110_7_6_2_max_forwards_matters_to_options_and_trace() {
    assert_eq!(
        head(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n").max_forwards,
        Some(3)
    );
    assert_eq!(
        head(b"GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n").max_forwards,
        None
    );
    assert_eq!(
        head(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 99999999999999999999999\r\n\r\n").max_forwards,
        Some(u64::MAX)
    );
    refused(
        RequestError::MaxForwards,
        &[
            b"TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n",
            b"TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n",
        ],
    );
}

#[test]
fn rfc_9110_7_6_3_via_tells_of_loops() {
    let bytes = with("Via: 1.0 fred, 1.1 lb (simple)");
    let mut lines = Lines::new();
    let Ok(Parsed::Complete(head)) = parse_request(&bytes, &mut lines, &Limits::default()) else {
        panic!()
    };
    let view = head.view(&bytes, &lines);
    assert!(view.went_through("lb") && view.went_through("fred") && !view.went_through("simple"));
}

#[test]
fn rfc_9110_9_3_8_a_trace_shows_the_request_without_credentials() {
    let bytes =
        b"\r\nTRACE /a HTTP/1.1\r\nhost: a\r\nAuthorization: Basic x\r\nX-A:  1 \r\ncookie: b=c\r\nX-B:2\r\n\
                  Proxy-Authorization: Basic y\r\nMax-Forwards: 0\r\n\r\nnext";
    let mut lines = Lines::new();
    let Ok(Parsed::Complete(head)) = parse_request(bytes, &mut lines, &Limits::default()) else {
        panic!()
    };
    let mut out = Vec::new();
    head.view(bytes, &lines).write_trace(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "TRACE /a HTTP/1.1\r\nhost: a\r\nX-A:  1 \r\nX-B:2\r\nMax-Forwards: 0\r\n\r\n"
    );
}

//! Each rule on the heads of answers, by the section it comes from.

use super::*;

const GET: Asked<'_> = Asked {
    method: Method::Get,
    offers: b"",
};

fn ask(bytes: &[u8], asked: Asked<'_>) -> Result<Parsed<ResponseHead>, ResponseError> {
    parse_response(bytes, &mut Lines::new(), &Limits::default(), asked)
}

fn parse(text: &str) -> Result<Parsed<ResponseHead>, ResponseError> {
    ask(text.as_bytes(), GET)
}

fn head(text: &str, asked: Asked<'_>) -> ResponseHead {
    match ask(text.as_bytes(), asked) {
        Ok(Parsed::Complete(head)) => head,
        other => panic!("{other:?}: {text:?}"),
    }
}

fn answer(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n")
}

#[test]
fn rfc_9112_4_status_lines() {
    let bytes = b"HTTP/1.1 404 Nicht da, \xfc!\r\n\r\n";
    let Ok(Parsed::Complete(head)) = ask(bytes, GET) else {
        panic!()
    };
    assert_eq!((head.status, head.len), (404, bytes.len()));
    assert_eq!(head.view(bytes, &Lines::new()).reason(), b"Nicht da, \xfc!");
    for text in [
        "HTTP/1.1 200 \r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.3 999 ?\r\n\r\n",
    ] {
        assert!(matches!(parse(text), Ok(Parsed::Complete(_))), "{text:?}");
    }
    for text in [
        "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 +20 OK\r\n\r\n",
        "HTTP/1.1\t200 OK\r\n\r\n",
        "HTTP/1.1 200\tOK\r\n\r\n",
        "HTTP/1.1200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        " HTTP/1.1 200 OK\r\n\r\n",
        "<html>",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "200 OK\r\n",
        "\n",
    ] {
        assert_eq!(parse(text), Err(ResponseError::StatusLine), "{text:?}");
    }
}

#[test]
fn rfc_9112_2_2_and_5_lines_are_strict() {
    for text in [
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200\n\n",
        "HTTP/1.1 200 OK\rX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\n\r\n",
        "HTTP/1.1 200 OK\r\n\n",
    ] {
        assert_eq!(parse(text), Err(ResponseError::LineEnding), "{text:?}");
    }
    for lines in [
        "X: y\r\n folded",
        " X: y",
        ": y",
        " : y",
        "X",
        "X y: z",
        "X y",
        "X \u{b}: y",
        "X \r\n : y",
    ] {
        assert_eq!(parse(&answer(lines)), Err(ResponseError::HeaderName), "{lines:?}");
    }
    for lines in ["X: a\rb", "X: a\0", "X: \u{7f}"] {
        assert_eq!(
            parse(&answer(lines)),
            Err(ResponseError::HeaderValue),
            "{lines:?}"
        );
    }
    assert!(
        matches!(
            ask(b"HTTP/1.1 200 OK\r\nX: \xe9\r\n\r\n", GET),
            Ok(Parsed::Complete(_))
        ),
        "obs-text"
    );
}

#[test]
fn rfc_9112_5_1_white_space_before_a_colon_is_not_of_the_name() {
    let head_of = |lines: &str| head(&answer(lines), GET);
    assert_eq!(head_of("Content-Length : 5").framing, Framing::Length(5));
    assert_eq!(
        head_of("X \t : y\r\nTransfer-Encoding\t:chunked").framing,
        Framing::Chunked
    );
    for (lines, error) in [
        (
            "Content-Length : 5\r\nContent-Length: 5",
            ResponseError::ContentLengthRepeated,
        ),
        (
            "Content-Length : 5\r\nTransfer-Encoding : chunked",
            ResponseError::LengthAndEncoding,
        ),
        ("X : y\r\nX: a\rb", ResponseError::HeaderValue),
        ("X : y\r\nX: y\n", ResponseError::LineEnding),
        ("X : y\r\n folded", ResponseError::HeaderName),
    ] {
        assert_eq!(parse(&answer(lines)), Err(error), "{lines:?}");
    }
    let text = answer("X : y\r\nY: z");
    for end in 0..text.len() {
        assert_eq!(parse(&text[..end]), Ok(Parsed::Partial), "{:?}", &text[..end]);
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X : y\r\n".repeat(101));
    assert_eq!(parse(&many), Err(ResponseError::TooManyHeaders));
}

#[test]
fn rfc_9110_8_6_a_body_that_must_not_be_costs_the_connection() {
    for (text, expected) in [
        ("204 N\r\nContent-Length: 5", false),
        ("204 N\r\nTransfer-Encoding: chunked", false),
        ("103 E\r\nContent-Length: 5", false),
        ("204 N\r\nContent-Length: 0", true),
        ("204 N", true),
        ("103 E", true),
        ("304 N\r\nContent-Length: 5", true),
        ("304 N\r\nTransfer-Encoding: chunked", true),
    ] {
        let text = format!("HTTP/1.1 {text}\r\n\r\n");
        assert_eq!(head(&text, GET).keep_alive, expected, "{text:?}");
    }
}

#[test]
fn rfc_9110_7_6_1_options_of_answers_are_bounded() {
    let with = |count: usize| {
        answer(&format!(
            "Content-Length: 0\r\nConnection: {}",
            "a,".repeat(count)
        ))
    };
    head(&with(256), GET);
    assert_eq!(parse(&with(257)), Err(ResponseError::ConnectionOptions));
}

#[test]
fn rfc_9112_6_3_framing() {
    let head_of = |lines: &str| head(&answer(lines), GET);
    assert_eq!(head_of("Content-Length: 5").framing, Framing::Length(5));
    assert_eq!(head_of("Transfer-Encoding: Chunked").framing, Framing::Chunked);
    assert_eq!(head_of("X: y").framing, Framing::UntilClose);
    assert!(head_of("Content-Length: 5").keep_alive && !head_of("X: y").keep_alive);
    let cases = [
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            ResponseError::LengthAndEncoding,
        ),
        (
            "Content-Length: 5\r\nContent-Length: 5",
            ResponseError::ContentLengthRepeated,
        ),
        (
            "Content-Length: 5\r\nContent-Length: 6",
            ResponseError::ContentLengthRepeated,
        ),
        ("Content-Length: 5, 5", ResponseError::ContentLength),
        ("Content-Length: +5", ResponseError::ContentLength),
        (
            "Transfer-Encoding: gzip, chunked",
            ResponseError::TransferEncoding,
        ),
        ("Transfer-Encoding: identity", ResponseError::TransferEncoding),
        ("Transfer-Encoding: gzip", ResponseError::TransferEncoding),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            ResponseError::TransferEncoding,
        ),
    ];
    for (lines, error) in cases {
        assert_eq!(parse(&answer(lines)), Err(error), "{lines:?}");
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(parse(old), Err(ResponseError::TransferEncodingInHttp10));
}

#[test]
fn rfc_9112_6_3_answers_without_a_body_whatever_they_say() {
    for status in [100, 102, 103, 199, 204, 304] {
        for lines in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"] {
            let text = format!("HTTP/1.1 {status} X\r\n{lines}\r\n\r\n");
            let head = head(&text, GET);
            assert_eq!(
                (head.framing, head.is_interim()),
                (Framing::None, status < 200),
                "{text:?}"
            );
        }
    }
    let head = head(
        &answer("Content-Length: 5"),
        Asked {
            method: Method::Head,
            offers: b"",
        },
    );
    assert_eq!(
        (head.framing, head.content_length, head.keep_alive),
        (Framing::None, Some(5), true)
    );
}

#[test]
fn rfc_9110_15_2_2_a_switch_must_have_been_asked_for() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(parse(switch), Err(ResponseError::UnaskedSwitch));
    let asked = Asked {
        method: Method::Get,
        offers: b"websocket",
    };
    let accepted = head(switch, asked);
    assert!(accepted.tunnel && !accepted.is_interim() && !accepted.keep_alive);
    assert_eq!(
        ask(b"HTTP/1.1 101 X\r\n\r\n", asked),
        Err(ResponseError::UnaskedSwitch)
    );
    for other in ["h2c", "foo", "websocket, foo", ",", ""] {
        let switch = switch.replace("websocket", other);
        assert_eq!(
            ask(switch.as_bytes(), asked),
            Err(ResponseError::UnaskedSwitch),
            "{other:?}"
        );
    }
    assert!(head(&switch.replace("websocket", "WebSocket"), asked).tunnel);
    assert!(!head(&answer("Content-Length: 0"), asked).tunnel);
    assert!(
        head(
            "HTTP/1.1 200 OK\r\n\r\n",
            Asked {
                method: Method::Connect,
                offers: b""
            }
        )
        .tunnel
    );
}

#[test]
fn rfc_9112_9_3_keep_alive_by_version_and_connection() {
    for (version, connection, expected) in [
        ("1.1", "", true),
        ("1.1", "close", false),
        ("1.0", "", false),
        ("1.0", "keep-alive", true),
        ("1.0", "keep-alive, close", false),
    ] {
        let text = format!("HTTP/{version} 200 OK\r\nContent-Length: 0\r\nConnection: {connection}\r\n\r\n");
        assert_eq!(head(&text, GET).keep_alive, expected, "{text:?}");
    }
}

#[test]
fn every_start_of_a_good_answer_is_partial() {
    for text in [
        "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
    ] {
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Ok(Parsed::Partial), "{:?}", &text[..end]);
        }
    }
    let limits = Limits {
        head_bytes: 20,
        ..Limits::default()
    };
    let text = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n";
    assert_eq!(
        parse_response(text, &mut Lines::new(), &limits, GET),
        Err(ResponseError::HeadTooLarge)
    );
}

//! Where a request's body ends (RFC 9112 sections 6, 7 and 11.2).

use super::{ambiguous::Scene, exchange::Play};
use crate::harness::{Ending, latin1};

fn post(lines: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

#[test]
fn a_length_beside_an_encoding_is_refused() {
    let scene = Scene::new();
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "content-length: 5\r\ntransfer-encoding: CHUNKED\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: \tchunked\t\r\n",
    ] {
        scene.refuses(400, &post(lines, "0\r\n\r\n"));
    }
}

#[test]
fn more_than_one_length_is_refused() {
    let scene = Scene::new();
    for lines in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nX: y\r\ncontent-length: 0\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,6\r\n",
        "Content-Length: 5 ,5\r\n",
        "Content-Length: 5\r\nContent-Length:\r\n",
    ] {
        scene.refuses(400, &post(lines, "hello"));
    }
}

#[test]
fn a_length_that_is_no_number_is_refused() {
    let scene = Scene::new();
    for value in [
        "+5",
        "-5",
        "0x5",
        "5 5",
        "5.0",
        "5;",
        "5a",
        "\"5\"",
        "",
        ",5",
        "5,",
        "five",
        "5e0",
        "5_0",
        "\u{b2}",
        "9223372036854775808",
        "18446744073709551616",
        "18446744073709551621",
        "99999999999999999999999999999999999999999",
    ] {
        scene.refuses(400, &post(&format!("Content-Length: {value}\r\n"), "hello"));
    }
}

#[test]
fn a_length_with_zeros_or_spaces_around_it_is_one_length() {
    let scene = Scene::new();
    for value in ["5", "  5  ", "\t5\t", "0005", "00000000000000000000000000005"] {
        let request = scene.passes(&post(&format!("Content-Length:{value}\r\n"), "hello"));
        assert_eq!(request.body, b"hello", "{value:?}");
        assert_eq!(request.all("Content-Length"), ["5"], "{value:?}");
    }
}

#[test]
fn a_transfer_encoding_that_not_all_read_alike_is_refused() {
    let scene = Scene::new();
    for value in [
        "chunked, identity",
        "identity, chunked, identity",
        "xchunked",
        "chunkedx",
        "x chunked",
        "chunked;q=1",
        "chunked;",
        ";chunked",
        "\"chunked\"",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        ", chunked",
        "chunked\u{b}",
        "identity",
        "gzip",
        "",
        "chunked gzip",
        "chun ked",
        "\u{a0}chunked",
    ] {
        scene.refuses(
            400,
            &post(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n"),
        );
    }
    for lines in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
    ] {
        scene.refuses(400, &post(lines, "0\r\n\r\n"));
    }
}

#[test]
fn a_coding_that_is_not_known_is_501() {
    let scene = Scene::new();
    for value in ["gzip, chunked", "foo,chunked", "identity, chunked"] {
        scene.refuses(
            501,
            &post(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n"),
        );
    }
}

#[test]
fn chunked_is_written_in_one_way_whatever_its_case() {
    let scene = Scene::new();
    for value in ["chunked", "Chunked", "CHUNKED", "\tchunked \t"] {
        let request = scene.passes(&post(
            &format!("Transfer-Encoding:{value}\r\n"),
            "5\r\nhello\r\n0\r\n\r\n",
        ));
        assert_eq!(request.body, b"hello", "{value:?}");
        assert_eq!(request.all("Transfer-Encoding"), ["chunked"], "{value:?}");
    }
}

#[test]
fn an_encoding_in_http_1_0_is_refused() {
    let scene = Scene::new();
    for lines in [
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        scene.refuses(
            400,
            &format!("POST / HTTP/1.0\r\nHost: a\r\n{lines}\r\n0\r\n\r\n"),
        );
    }
}

#[test]
fn a_chunk_whose_size_is_in_doubt_is_refused() {
    let scene = Scene::new();
    for chunk in [
        "0x5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "-1\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "5\t\r\nhello\r\n",
        "5 5\r\nhello\r\n",
        "g\r\nhello\r\n",
        "\r\nhello\r\n",
        ";x\r\nhello\r\n",
        "5,\r\nhello\r\n",
        "5\u{0}\r\nhello\r\n",
        "5_\r\nhello\r\n",
        "10000000000000005\r\nhello\r\n",
        "fffffffffffffffff\r\nhello\r\n",
        "ffffffffffffffff\r\nhello\r\n",
        "8000000000000000\r\nhello\r\n",
        "00000000000000000000000000000000005\r\nhello\r\n",
    ] {
        scene.breaks_off(&post(
            "Transfer-Encoding: chunked\r\n",
            &format!("{chunk}0\r\n\r\n"),
        ));
    }
}

#[test]
fn a_chunk_line_that_does_not_end_in_crlf_is_refused() {
    let scene = Scene::new();
    for chunk in [
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5\r\rhello\r\n",
        "5\n\nhello\r\n",
        "5;x\nhello\r\n",
        "5;x=\"a\nb\"\r\nhello\r\n",
        "5;x=\"a\r\nb\"\r\nhello\r\n",
        "5;x\r;y\r\nhello\r\n",
        "5\r\nhello\n",
        "5\r\nhello\r",
        "5\r\nhello",
        "5\r\nhelloXX",
        "5\r\nhello!\r\n",
        "4\r\nhello\r\n",
        "6\r\nhello\r\n",
    ] {
        scene.breaks_off(&post(
            "Transfer-Encoding: chunked\r\n",
            &format!("{chunk}0\r\n\r\n"),
        ));
    }
    for end in ["0\n\r\n", "0\r\n\n", "0\r\n\rX", "0\r\rX", "0;\r\n\r\n"] {
        scene.breaks_off(&post("Transfer-Encoding: chunked\r\n", end));
    }
}

#[test]
fn chunk_extensions_pass_or_are_refused_but_never_hide_data() {
    let scene = Scene::new();
    for extension in [";a", ";a=b", ";a=\"b\"", ";a=\"b\\\"c;\"", ";a;b=c"] {
        let body = format!("5{extension}\r\nhello\r\n0\r\n\r\n");
        let request = scene.passes(&post("Transfer-Encoding: chunked\r\n", &body));
        assert_eq!(request.body, b"hello", "{extension:?}");
    }
    for extension in [
        ";a=\"b",
        ";a=b\"c",
        ";;",
        ";=b",
        ";a=",
        ";a=\u{1}",
        ";a=\"\u{0}\"",
        ";(a)",
        " ;a",
        "\t;a",
        "; a",
        ";a =b",
        ";a= b",
        ";a=b ;c",
        ";a=\"b\" ",
    ] {
        let body = format!("5{extension}\r\nhello\r\n0\r\n\r\n");
        scene.breaks_off(&post("Transfer-Encoding: chunked\r\n", &body));
    }
    let long = format!("5;a={}\r\nhello\r\n0\r\n\r\n", "x".repeat(100_000));
    scene.breaks_off(&post("Transfer-Encoding: chunked\r\n", &long));
}

#[test]
fn a_body_that_is_broken_from_its_start_costs_no_backend_anything() {
    let scene = Scene::new();
    for body in [
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 ;a\r\nhello\r\n0\r\n\r\n",
        "5\nhello",
    ] {
        // In one piece with its head, so that all of it is there before a backend is asked.
        scene.refuses(400, &post("Transfer-Encoding: chunked\r\n", body));
    }
}

#[test]
fn a_chunk_that_is_broken_later_ends_the_message_at_both_sides() {
    for body in [
        "0x5\r\nhello\r\n",
        "5 ;a\r\nhello\r\n",
        "5\r\nhelloX",
        "0\r\nHost: b\r\n\r\n",
    ] {
        let mut play = Play::new();
        let (mut backend, _) = play.request(&post("Transfer-Encoding: chunked\r\n", "3\r\nyes\r\n"));
        assert_eq!(backend.read(8), b"3\r\nyes\r\n");
        play.client.send(body);
        let (rest, _) = backend.read_to_end();
        assert!(
            !latin1(&rest).ends_with("0\r\n\r\n"),
            "{body:?} became {:?}",
            latin1(&rest)
        );
        let head = play.reads_error(400);
        assert_eq!(head.list("Connection"), ["close"], "{body:?}");
        assert_eq!(play.client.expect_end(), Ending::Closed, "{body:?}");
    }
}

#[test]
fn trailers_pass_unless_they_would_change_the_message() {
    let scene = Scene::new();
    let with = |trailers: &str| {
        post(
            "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
            &format!("5\r\nhello\r\n0\r\n{trailers}\r\n"),
        )
    };
    let request = scene.passes(&with("X-Sum: 42\r\nX-sum:  43\r\n"));
    let trailer = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(request.trailers, [trailer("X-Sum", "42"), trailer("X-sum", "43")]);
    // Whoever would take these for headers is not told of them.
    let request = scene.passes(&with(
        "X-Sum: 42\r\nPragma: x\r\nCache-Control: x\r\nDate: x\r\nContent-Type: x\r\n",
    ));
    assert_eq!(request.trailers, [trailer("X-Sum", "42")]);
    for trailers in [
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: b\r\n",
        "Max-Forwards: 1\r\n",
        "Authorization: Basic x\r\n",
        "Cookie: a=b\r\n",
        "X-Forwarded-For: 1.2.3.4\r\n",
        "X Sum: 1\r\n",
        "X-Sum : 1\r\n",
        "X-Sum\r\n",
        ": 1\r\n",
        "X-Sum: a\rb\r\n",
        "X-Sum: a\nX: b\r\n",
        "X-Sum: a\r\n folded\r\n",
        "X-Sum: \u{0}\r\n",
    ] {
        scene.breaks_off(&with(trailers));
    }
    scene.breaks_off(&with(&"X-Sum: 1\r\n".repeat(10_000)));
}

#[test]
fn a_body_that_no_header_announces_is_no_body() {
    let scene = Scene::new();
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let request = scene.passes(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(request.body, b"", "{method}");
        let none: [&str; 0] = [];
        assert_eq!(request.all("Transfer-Encoding"), none, "{method}");
    }
    // Methods that usually have none may have one, and it goes on in its own framing.
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        let request = scene.passes(&format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        ));
        assert_eq!(
            (request.body.as_slice(), request.all("Content-Length")),
            (&b"hello"[..], vec!["5"])
        );
    }
}

#[test]
fn a_body_cut_short_never_becomes_a_message() {
    let scene = Scene::new();
    for request in [
        post("Content-Length: 10\r\n", "hello"),
        post("Transfer-Encoding: chunked\r\n", "5\r\nhel"),
        post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
        post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n"),
        post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX: y\r\n"),
    ] {
        let outcome = scene.send(request.as_bytes());
        assert!(
            matches!(outcome.statuses[..], [] | [400]),
            "{request:?}: {outcome:?}"
        );
        for arrival in outcome.arrivals {
            assert!(
                matches!(arrival, crate::harness::Arrival::Unfinished(_)),
                "{request:?} became {arrival:?}"
            );
        }
    }
}

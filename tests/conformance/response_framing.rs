//! Answers that leave something in doubt (RFC 9112 sections 4, 5, 6, 7 and 11.1): never passed on, and their connection
//! never used again.

use super::exchange::{OK, Play};
use crate::harness::{Ending, latin1};

/// Such an answer becomes a 502. Behind it waits one that must not be taken for the answer to anything.
#[track_caller]
fn refuses(answers: &[&str]) {
    let mut play = Play::new();
    for answer in answers {
        let bytes: Vec<u8> = answer.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let (mut backend, _) = play.request(super::exchange::GET);
        backend.send([&bytes[..], b"HTTP/1.1 200 Evil\r\nContent-Length: 0\r\n\r\n"].concat());
        let head = play.client.read_head();
        assert_eq!(head.status(), 502, "{answer:?}: {head:?}");
        let length = head.one("Content-Length").unwrap().parse().unwrap();
        let body = latin1(&play.client.read(length));
        let foreign = ["Evil", "hello", "127.0.0.1"]
            .iter()
            .any(|text| body.contains(text));
        assert!(!foreign, "{answer:?}: {body}");
        play.goes_on_without(&mut backend);
    }
}

#[test]
fn an_answer_whose_length_is_in_doubt_is_refused() {
    let with = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\nhello");
    let lines = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: five",
        "Content-Length: 5;",
        "Content-Length: 18446744073709551621",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: \u{b}chunked",
    ];
    let answers = lines.map(with);
    refuses(&answers.each_ref().map(String::as_str));
    refuses(&["HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]);
}

#[test]
fn a_status_line_that_is_none_is_refused() {
    let lines = [
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 abc OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 -20 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 000 OK",
        "HTTP/1.1",
        "HTTP/2.0 200 OK",
        "HTTP/2 200 OK",
        "HTTP/0.9 200 OK",
        "HTTP/11 200 OK",
        "http/1.1 200 OK",
        "HTTPS/1.1 200 OK",
        "ICY 200 OK",
        "200 OK",
        " HTTP/1.1 200 OK",
        "\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 200 O\u{0}K",
        "HTTP/1.1 200 O\u{1}K",
        "HTTP/1.1 200 O\rK",
        "HTTP/1.1 200 O\nK",
        "HTTP/1.1 +200 OK",
        "HTTP/1.1 2 00 OK",
        "nonsense",
        "<html>",
    ]
    .map(|line| format!("{line}\r\nContent-Length: 0\r\n\r\n"));
    refuses(&lines.each_ref().map(String::as_str));
}

#[test]
fn header_lines_of_answers_that_are_none_are_refused() {
    let lines = [
        "X: a\rb",
        "X: a\nSet-Cookie: evil=1",
        "X: a\u{0}b",
        "X: a\u{8}b",
        "X: a\u{7f}b",
        "X: a\r\n folded",
        "X: a\r\n\tfolded",
        "X Y: z",
        "X",
        ": y",
        "X\u{0}: y",
        " X: y",
        "X\u{e9}: y",
        "Content-Length : 5",
        "X : y\r\n folded",
        "X \r\n : y",
        "Content-Length : 5\r\nTransfer-Encoding : chunked",
        "X: a\r\r\nY: b",
        "X: y\n",
    ]
    .map(|line| format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 0\r\n\r\n"));
    refuses(&lines.each_ref().map(String::as_str));
    let large = [
        format!(
            "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
            "x".repeat(100_000)
        ),
        format!(
            "HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n",
            "X: y\r\n".repeat(1000)
        ),
        format!(
            "HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n",
            "x".repeat(100_000)
        ),
    ];
    refuses(&large.each_ref().map(String::as_str));
}

#[test]
fn a_switch_of_protocols_that_nobody_asked_for_is_refused() {
    refuses(&[
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\n",
    ]);
}

#[test]
fn a_switch_to_what_was_not_offered_is_refused() {
    for (offered, switched) in [
        ("websocket", "h2c"),
        ("websocket", "foo"),
        ("websocket", "websocket, foo"),
        ("websocket", ","),
        ("foo/1", "foo/2"),
        ("a, b", "c"),
    ] {
        let mut play = Play::new();
        let (mut backend, _) = play.request(&format!(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: {offered}\r\nConnection: Upgrade\r\n\r\n"
        ));
        backend.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: {switched}\r\nConnection: Upgrade\r\n\r\nraw"
        ));
        play.reads_error(502);
        backend.expect_end();
        play.goes_on_with_another();
    }
}

#[test]
fn a_body_that_must_not_be_costs_the_connection() {
    for answer in [
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let mut play = Play::new();
        let (mut backend, mut head) = play.answer(answer);
        if head.status() == 103 {
            head = play.client.read_head();
        }
        assert_eq!(
            (head.status(), head.one("Content-Length")),
            (204, None),
            "{answer:?}"
        );
        play.goes_on_without(&mut backend);
    }
}

#[test]
fn a_connection_that_ends_before_its_answer_does_is_a_502() {
    let mut play = Play::new();
    for answer in [
        "H",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        for reset in [false, true] {
            let (mut backend, _) = play.request(super::exchange::GET);
            backend.send(answer);
            match reset {
                true => backend.reset(),
                false => drop(backend),
            }
            play.reads_error(502);
        }
    }
}

#[test]
fn bytes_behind_an_answer_go_no_further_and_neither_does_their_connection() {
    let evil = "HTTP/1.1 200 Evil\r\nContent-Length: 4\r\n\r\nevil";
    for (answer, body) in [
        (OK, "ok"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "2\r\nok\r\n0\r\n\r\n",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", ""),
    ] {
        for behind in [evil, "x", "\r\n", "ok"] {
            let mut play = Play::new();
            let (mut backend, head) = play.answer(format!("{answer}{behind}"));
            assert!(!head.0.contains("Evil"), "{answer:?}");
            assert_eq!(latin1(&play.client.read(body.len())), body);
            play.goes_on_without(&mut backend);
        }
    }
    // What HEAD is answered with has no body, whatever its head says.
    let mut play = Play::new();
    let (mut backend, _) = play.request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    backend.send(OK);
    assert_eq!(play.client.read_head().one("Content-Length"), Some("2"));
    play.goes_on_without(&mut backend);
}

#[test]
fn an_idle_connection_over_which_something_comes_is_not_used_again() {
    for behind in ["HTTP/1.1 200 Evil\r\nContent-Length: 4\r\n\r\nevil", "\r\n", "x"] {
        let mut play = Play::new();
        let (mut backend, _) = play.answer(OK);
        assert_eq!(play.client.read(2), b"ok");
        backend.send(behind);
        play.goes_on_with_another();
        backend.expect_end();
    }
}

#[test]
fn a_body_that_breaks_off_is_never_ended_cleanly() {
    for (answer, received) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "hello"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "5\r\nhello\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello",
            "a\r\nhello",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            "5\r\nhello\r\n0\r\n",
        ),
    ] {
        let mut play = Play::new();
        let (backend, head) = play.answer(answer);
        assert_eq!(head.status(), 200, "{answer:?}");
        assert_eq!(latin1(&play.client.read(received.len())), received, "{answer:?}");
        drop(backend);
        play.client.expect_end();
        play.balancer.wait_for_log("answer cut short");
    }
}

#[test]
fn a_chunked_answer_that_turns_into_nonsense_is_broken_off() {
    for body in [
        "5\r\nhelloXX",
        "0x5\r\nhello\r\n",
        "5\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 5\r\nhello\r\n",
        "5 ;a b\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n",
        "zz\r\n",
        "ffffffffffffffff\r\nhello",
        "5\r\nhello\r\n0\r\nContent Length: 5\r\n\r\n",
        "0\r\nX: a\rb\r\n\r\n",
        "0\n\n",
    ] {
        let mut play = Play::new();
        let (mut backend, head) = play.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(head.status(), 200);
        backend.send(body);
        let (rest, _) = play.client.read_to_end();
        assert!(
            !latin1(&rest).ends_with("0\r\n\r\n"),
            "{body:?} became {:?}",
            latin1(&rest)
        );
        backend.expect_end();
    }
}

#[test]
fn a_cut_that_an_http_1_0_client_could_not_see_is_a_reset() {
    // Its message ends with the connection (RFC 9112 section 6.3), so an orderly end would be a lie.
    for (answer, cut) in [
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            Ending::Reset,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            Ending::Closed,
        ),
    ] {
        let mut play = Play::new();
        let (mut backend, _) = play.request("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        backend.send(answer);
        let head = play.client.read_head();
        assert_eq!(head.all("Transfer-Encoding"), Vec::<&str>::new());
        assert_eq!(play.client.read(5), b"hello");
        drop(backend);
        assert_eq!(play.client.expect_end(), cut, "{answer:?}");
    }
}

#[test]
fn a_backend_that_resets_a_close_delimited_answer_has_not_ended_it() {
    for version in ["1.0", "1.1"] {
        let mut play = Play::new();
        let (mut backend, _) = play.request(&format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"));
        backend.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
        play.client.read_until(b"hello");
        backend.reset();
        let (rest, ending) = play.client.read_to_end();
        match version {
            "1.0" => assert_eq!(ending, Ending::Reset),
            _ => assert!(!latin1(&rest).contains("0\r\n\r\n"), "{:?}", latin1(&rest)),
        }
    }
}

//! Every form that a message may have (RFC 9110 sections 6, 8, 9 and 15, RFC 9112 sections 6 and 9).

use super::{
    exchange::{GET, OK, Play},
    trailers::chunked_answer,
};
use crate::harness::{Ending, latin1};

#[test]
fn the_reason_phrase_is_the_backends() {
    let mut play = Play::new();
    let mut backend = play.goes_on_with_another();
    for reason in ["OK", "All Is Well", "", "caf\u{e9} \u{ff}", "\ttabs\t"] {
        play.client.send(GET);
        backend.read_head();
        let answer: Vec<u8> = format!("HTTP/1.1 200 {reason}\r\nContent-Length: 0\r\n\r\n")
            .chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect();
        backend.send(answer);
        assert_eq!(play.client.read_head().first(), format!("HTTP/1.1 200 {reason}"));
    }
    // Many servers leave the space out; a status line of ours has it (RFC 9112 section 4).
    play.client.send(GET);
    backend.read_head();
    backend.send("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(play.client.read_head().first(), "HTTP/1.1 200 ");
}

#[test]
fn statuses_pass_whether_known_or_not() {
    let mut play = Play::new();
    let mut backend = play.goes_on_with_another();
    for status in [
        200, 201, 206, 226, 299, 300, 307, 399, 400, 418, 451, 499, 500, 503, 511, 599,
    ] {
        play.client.send(GET);
        backend.read_head();
        backend.send(format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok"));
        assert_eq!(play.client.read_head().status(), status);
        assert_eq!(play.client.read(2), b"ok");
    }
}

#[test]
fn headers_of_answers_keep_case_order_and_bytes() {
    let lines = [
        "server: x",
        "X-Second:   spaces  ",
        "Set-Cookie: a=1",
        "SET-cookie: b=2; Path=/",
        "X-Obs: caf\u{e9}\u{ff}",
        "x-empty:",
        "Date: Mon, 01 Jan 2024 00:00:00 GMT",
        "Set-Cookie: c=3",
    ];
    let text = format!(
        "HTTP/1.1 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n",
        lines.join("\r\n")
    );
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let mut play = Play::new();
    let (_backend, head) = play.answer(bytes);
    let ours: Vec<_> = head
        .lines()
        .into_iter()
        .filter(|line| !line.to_ascii_lowercase().starts_with("content-length"))
        .map(|line| {
            line.replace(": ", ":")
                .replace("spaces  ", "spaces")
                .replace(":  ", ":")
        })
        .collect();
    let theirs: Vec<_> = lines
        .iter()
        .map(|line| {
            line.replace(": ", ":")
                .replace("spaces  ", "spaces")
                .replace(":  ", ":")
        })
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_date_is_added_where_there_is_none() {
    let mut play = Play::new();
    let (_backend, head) = play.answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let date = head.one("Date").unwrap();
    // Such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
    let form: String = date
        .chars()
        .map(|c| match c {
            '0'..='9' => '9',
            'A'..='Z' => 'A',
            'a'..='z' => 'a',
            c => c,
        })
        .collect();
    assert_eq!(form, "Aaa, 99 Aaa 9999 99:99:99 AAA");
    assert!(date.ends_with(" GMT"));
}

#[test]
fn headers_of_one_connection_end_here() {
    let mut play = Play::new();
    let (mut backend, head) = play.request(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-One, keep-alive\r\nconnection: x-two\r\nX-One: 1\r\nX-Two: 2\r\n\
         x-two: 3\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: gzip;q=0.5\r\nProxy-Authorization: Basic x\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: x\r\nX-Kept: 1\r\n\r\n",
    );
    for name in [
        "X-One",
        "X-Two",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Proxy-Authorization",
        "Upgrade",
        "HTTP2-Settings",
    ] {
        assert_eq!(head.all(name), Vec::<&str>::new(), "{head:?}");
    }
    assert_eq!(head.all("X-Kept"), ["1"]);
    let options = head.list("Connection");
    assert!(
        !options.iter().any(|option| option.starts_with("x-")),
        "{options:?}"
    );
    backend.send(
        "HTTP/1.1 200 OK\r\nConnection: X-One\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok",
    );
    let head = play.client.read_head();
    for name in [
        "X-One",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Upgrade",
    ] {
        assert_eq!(head.all(name), Vec::<&str>::new(), "{head:?}");
    }
    assert_eq!((head.all("X-Kept"), head.list("Connection")), (vec!["1"], vec![]));
    assert_eq!(play.client.read(2), b"ok");
    play.goes_on(&mut backend);
}

#[test]
fn connection_cannot_name_away_what_others_rely_on() {
    // RFC 9110 section 7.6.1: options never name fields that are meant for all recipients.
    let mut play = Play::new();
    let (_backend, head) = play.request(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: Host, Content-Length, Cookie, Authorization, X-Forwarded-For\r\n\
         Content-Length: 2\r\nCookie: a=1\r\nAuthorization: Basic x\r\n\r\nok",
    );
    for (name, value) in [
        ("Host", "a"),
        ("Content-Length", "2"),
        ("Cookie", "a=1"),
        ("Authorization", "Basic x"),
        ("X-Forwarded-For", "127.0.0.1"),
    ] {
        assert_eq!(head.one(name), Some(value), "{head:?}");
    }
}

#[test]
fn what_has_no_body_ends_with_its_head() {
    for (method, answer, length) in [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            Some("1000"),
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            None,
        ),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n", None),
        (
            "HEAD",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n",
            Some("7"),
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        (
            "DELETE",
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            None,
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
            None,
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n",
            Some("1000"),
        ),
        ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", None),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some("0")),
    ] {
        let mut play = Play::new();
        let (mut backend, _) = play.request(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        backend.send(answer);
        let head = play.client.read_head();
        assert_eq!(head.one("Content-Length"), length, "{method} {answer:?}");
        assert_eq!(
            head.list("Connection"),
            Vec::<String>::new(),
            "{method} {answer:?}"
        );
        play.goes_on(&mut backend);
    }
}

#[test]
fn a_body_that_ends_with_its_connection_arrives_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
    ] {
        let mut play = Play::new();
        let (mut backend, head) = play.answer(format!("{answer}first"));
        assert_eq!(head.first(), "HTTP/1.1 200 OK", "our own version");
        assert_eq!(
            (head.one("Transfer-Encoding"), head.one("Content-Length")),
            (Some("chunked"), None)
        );
        assert_eq!(play.client.read_until(b"\r\n"), b"5\r\n");
        assert_eq!(play.client.read(7), b"first\r\n");
        backend.send("second");
        assert_eq!(play.client.read_until(b"\r\n"), b"6\r\n");
        assert_eq!(play.client.read(8), b"second\r\n");
        drop(backend);
        assert_eq!(play.client.read(5), b"0\r\n\r\n");
        play.goes_on_with_another();
        // To HTTP/1.0 as it is.
        let mut play = Play::new();
        let (mut backend, _) = play.request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        backend.send(format!("{answer}all"));
        drop(backend);
        let head = play.client.read_head();
        assert!(
            !head.list("Connection").contains(&"keep-alive".to_owned()),
            "{head:?}"
        );
        assert_eq!(play.client.read_to_end(), (b"all".to_vec(), Ending::Closed));
    }
}

#[test]
fn an_http_1_0_client_gets_what_it_understands() {
    let mut play = Play::new();
    let (mut backend, head) = play.request("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(head.first(), "GET /old HTTP/1.1", "our own version");
    assert_eq!(
        head.one("Host"),
        Some(format!("127.0.0.1:{}", play.stage.port()).as_str())
    );
    backend.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
    backend.send("3\r\nall\r\n4;x=y\r\n of \r\n2\r\nit\r\n0\r\nX-Sum: 9\r\n\r\n");
    let head = play.client.read_head();
    assert_eq!(
        (head.status(), head.one("Transfer-Encoding"), head.one("Trailer")),
        (200, None, None)
    );
    assert_eq!(play.client.read_to_end(), (b"all of it".to_vec(), Ending::Closed));
}

#[test]
fn an_http_1_0_client_is_kept_only_if_it_asks() {
    let mut play = Play::new();
    let (mut backend, _) = play.request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    backend.send(OK);
    assert_eq!(play.reads_ok().list("Connection"), ["keep-alive"]);
    play.client.send("GET /2 HTTP/1.0\r\n\r\n");
    assert_eq!(backend.read_head().first(), "GET /2 HTTP/1.1");
    backend.send(OK);
    assert_ne!(play.reads_ok().list("Connection"), ["keep-alive"]);
    assert_eq!(play.client.expect_end(), Ending::Closed);
    // The same for our own errors: who is not told that the connection goes on waits for its end.
    let mut play = Play::new();
    let (backend, _) = play.request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    drop(backend);
    let head = play.reads_error(502);
    if head.list("Connection") != ["keep-alive"] {
        assert_eq!(play.client.expect_end(), Ending::Closed, "{head:?}");
    }
}

#[test]
fn an_http_1_0_backend_is_taken_at_its_word() {
    let mut play = Play::new();
    let (mut backend, head) = play.answer("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(
        (head.first(), head.one("Content-Length")),
        ("HTTP/1.1 200 OK", Some("2"))
    );
    assert_eq!(play.client.read(2), b"ok");
    play.goes_on_without(&mut backend);
    let mut play = Play::new();
    let (mut backend, _) =
        play.answer("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(play.client.read(2), b"ok");
    play.goes_on(&mut backend);
}

#[test]
fn close_on_one_side_is_not_close_on_the_other() {
    let mut play = Play::new();
    let (mut backend, head) =
        play.answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(head.list("Connection"), Vec::<String>::new());
    assert_eq!(play.client.read(2), b"ok");
    play.goes_on_without(&mut backend);
    let mut play = Play::new();
    let (mut backend, head) = play.request("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(!head.list("Connection").contains(&"close".to_owned()), "{head:?}");
    backend.send(OK);
    assert_eq!(play.reads_ok().list("Connection"), ["close"]);
    assert_eq!(play.client.expect_end(), Ending::Closed);
    play.client = play.balancer.peer();
    play.goes_on(&mut backend);
}

#[test]
fn white_space_in_the_chunk_sizes_of_answers_is_taken_out() {
    for (line, plain) in [
        ("2  ", "2"),
        ("2\t; a = b ", "2;a=b"),
        ("2 ;a=\"b c\"", "2;a=\"b c\""),
    ] {
        let mut play = Play::new();
        let (mut backend, got) = chunked_answer(&mut play, "", &format!("{line}\r\nok\r\n0 \r\n\r\n"));
        assert_eq!(got, format!("{plain}\r\nok\r\n0\r\n\r\n"), "{line:?}");
        play.goes_on(&mut backend);
    }
}

#[test]
fn white_space_before_the_colons_of_answers_is_taken_out() {
    let mut play = Play::new();
    let (mut backend, head) = play.answer(
        "HTTP/1.1 200 OK\r\nX-A : 1\r\nX-B: 2\r\nConnection : X-Hop\r\nX-Hop\t: 3\r\nContent-Length : 2\r\n\r\nok",
    );
    assert_eq!(
        head.lines()[..3],
        ["X-A: 1", "X-B: 2", "Content-Length: 2"],
        "{head:?}"
    );
    assert_eq!(head.one("X-Hop"), None, "{head:?}");
    assert_eq!(play.client.read(2), b"ok");
    play.goes_on(&mut backend);
    let body = "2\r\nok\r\n0\r\n\r\n";
    play.client.send(GET);
    backend.read_head();
    backend.send(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n{body}"
    ));
    assert_eq!(play.client.read_head().one("Transfer-Encoding"), Some("chunked"));
    assert_eq!(latin1(&play.client.read(body.len())), body);
    play.goes_on(&mut backend);
}

#[test]
fn a_407_says_how_to_authenticate() {
    let mut play = Play::new();
    let (mut backend, head) = play
        .answer("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"a\"\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(head.one("Proxy-Authenticate"), Some("Basic realm=\"a\""));
    assert_eq!(play.client.read(2), b"no");
    play.goes_on(&mut backend);
}

#[test]
fn answers_may_have_many_connection_options() {
    let options: Vec<_> = (0..200).map(|number| format!("X-{number}")).collect();
    let mut play = Play::new();
    let (mut backend, head) = play.answer(format!(
        "HTTP/1.1 200 OK\r\nX-199: a\r\nX-200: b\r\nConnection: {}\r\nContent-Length: 2\r\n\r\nok",
        options.join(",")
    ));
    assert_eq!((head.one("X-199"), head.one("X-200")), (None, Some("b")));
    assert_eq!(play.client.read(2), b"ok");
    play.goes_on(&mut backend);
    play.client.send(GET);
    backend.read_head();
    let more = "a,".repeat(300);
    backend.send(format!(
        "HTTP/1.1 200 OK\r\nConnection: {more}\r\nContent-Length: 0\r\n\r\n"
    ));
    play.reads_error(502);
}

#[test]
fn max_forwards_counts_for_options_and_trace_only() {
    let mut play = Play::with("trace: on");
    let mut backend = play.goes_on_with_another();
    for (method, sent, expected) in [
        ("OPTIONS", "5", "4"),
        ("OPTIONS", "1", "0"),
        ("TRACE", "10", "9"),
        ("OPTIONS", "99999999999999999999999999", "18446744073709551614"),
        ("GET", "5", "5"),
        ("GET", "0", "0"),
        ("POST", "x", "x"),
    ] {
        play.client.send(format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: {sent}\r\n\r\n"
        ));
        assert_eq!(
            backend.read_head().one("Max-Forwards"),
            Some(expected),
            "{method} {sent}"
        );
        backend.send(OK);
        play.reads_ok();
    }
    let mut client = play.balancer.peer();
    for _ in 0..2 {
        client.send("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
        let head = client.read_head();
        assert_eq!(
            (head.status(), head.list("Connection")),
            (200, vec![]),
            "{head:?}"
        );
        for method in ["get", "trace"] {
            assert!(head.list("Allow").contains(&method.to_owned()), "{head:?}");
        }
        client.read(head.one("Content-Length").unwrap().parse().unwrap());
    }
    assert!(
        backend.is_silent_for(std::time::Duration::from_millis(50)),
        "OPTIONS went on"
    );
    assert!(play.stage.waiting().is_none());
}

#[test]
fn a_trace_that_goes_no_further_shows_what_came() {
    let mut play = Play::with("trace: on");
    for _ in 0..2 {
        play.client.send(
            "TRACE /a?b HTTP/1.1\r\nHost: a\r\nX-A:  1\r\nCookie: c=d\r\nAuthorization: Basic x\r\nMax-Forwards: 0\r\n\
             proxy-authorization: Basic y\r\n\r\n",
        );
        let head = play.client.read_head();
        assert_eq!(
            (head.status(), head.one("Content-Type"), head.list("Connection")),
            (200, Some("message/http"), vec![])
        );
        let body = play
            .client
            .read(head.one("Content-Length").unwrap().parse().unwrap());
        assert_eq!(
            latin1(&body),
            "TRACE /a?b HTTP/1.1\r\nHost: a\r\nX-A:  1\r\nMax-Forwards: 0\r\n\r\n"
        );
    }
    assert!(play.stage.waiting().is_none());
    // Where it is not allowed it is not named either.
    let mut play = Play::new();
    play.client
        .send("TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
    let head = play.client.read_head();
    assert_eq!(head.status(), 405);
    assert!(!head.list("Allow").contains(&"trace".to_owned()), "{head:?}");
}

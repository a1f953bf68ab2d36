//! Trailers, and which of them end here (RFC 9110 section 6.5).

use super::exchange::{OK, Play};
use crate::harness::{Ending, latin1};

#[test]
fn chunks_and_trailers_pass_both_ways() {
    let mut play = Play::new();
    let up = "4;sig=\"a;b\"\r\nWiki\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\nx-sum:  2 \r\n\r\n";
    let (mut backend, head) = play.request(&format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers, deflate\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n{up}"
    ));
    assert_eq!(
        (
            head.one("TE"),
            head.one("Trailer"),
            head.one("Transfer-Encoding"),
            head.one("Content-Length")
        ),
        (Some("trailers"), Some("X-Sum"), Some("chunked"), None)
    );
    assert!(
        head.list("Connection").contains(&"te".to_owned()),
        "RFC 9110 section 10.1.4"
    );
    assert_eq!(latin1(&backend.read(up.len())), up);
    let down = "2;x\r\nok\r\n0\r\nServer-Timing: db;dur=1\r\nX-Sum: caf\u{e9}\r\n\r\n";
    let bytes: Vec<u8> =
        format!("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n{down}")
            .chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect();
    backend.send(bytes);
    let head = play.client.read_head();
    assert_eq!(
        (head.one("Trailer"), head.one("Transfer-Encoding")),
        (Some("X-Sum"), Some("chunked"))
    );
    assert_eq!(latin1(&play.client.read(down.chars().count())), down);
    play.goes_on(&mut backend);
}

/// Plays an answer in chunks with these trailers, and the bytes of its body as the client gets them.
#[track_caller]
pub(super) fn chunked_answer(play: &mut Play, lines: &str, body: &str) -> (crate::harness::Peer, String) {
    let (backend, head) = play.answer(format!(
        "HTTP/1.1 200 OK\r\n{lines}Transfer-Encoding: chunked\r\n\r\n{body}"
    ));
    assert_eq!(head.one("Transfer-Encoding"), Some("chunked"));
    assert_eq!(head.one("Trailer"), None, "none of these is announced: {head:?}");
    (backend, latin1(&play.client.read_until(b"\r\n\r\n")))
}

#[test]
fn trailers_that_connection_names_end_here() {
    let scene = super::ambiguous::Scene::new();
    let request = scene.passes(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop\r\nTrailer: X-Hop, X-End\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Hop: 1\r\nX-End: 2\r\nx-hop: 3\r\n\r\n",
    );
    assert_eq!(request.body, b"hello");
    assert_eq!(request.trailers, [("X-End".to_owned(), "2".to_owned())]);
    assert_eq!(request.all("Trailer"), ["X-End"]);
    // However it comes.
    let mut play = Play::new();
    let (mut backend, _) = play.request(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    );
    assert_eq!(backend.read(6), b"1\r\nx\r\n");
    for byte in b"0\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n" {
        play.client.send([*byte]);
    }
    assert_eq!(latin1(&backend.read_until(b"\r\n\r\n")), "0\r\nX-End: 2\r\n\r\n");
    backend.send(OK);
    play.reads_ok();
    let mut play = Play::new();
    let lines = "Connection: x-hop\r\nTrailer: X-Hop\r\n";
    let body = "2\r\nok\r\n0\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n";
    let (mut backend, got) = chunked_answer(&mut play, lines, body);
    assert_eq!(got, "2\r\nok\r\n0\r\nX-End: 2\r\n\r\n");
    play.goes_on(&mut backend);
}

#[test]
fn trailers_that_a_route_removes_end_here() {
    let changes = "routes: [{path: /, pool: default, request_headers: {remove: [X-Gone], set: {X-User: anon}}, \
                   response_headers: {remove: [X-Secret]}}]";
    let trailers = "X-Gone: 1\r\nX-User: root\r\nx_user: root\r\nX-End: 2\r\n";
    let request = super::ambiguous::Scene::with(changes).passes(&format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{trailers}\r\n"
    ));
    assert_eq!(request.body, b"hello");
    assert_eq!(request.trailers, [("X-End".to_owned(), "2".to_owned())]);
    // However they are cut into packets.
    let mut play = Play::with(changes);
    let (mut backend, _) =
        play.request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    assert_eq!(backend.read(6), b"1\r\nx\r\n");
    for byte in format!("0\r\n{trailers}\r\n").bytes() {
        play.client.send([byte]);
    }
    assert_eq!(latin1(&backend.read_until(b"\r\n\r\n")), "0\r\nX-End: 2\r\n\r\n");
    backend.send(OK);
    play.reads_ok();
    let mut play = Play::with(changes);
    let body = "2\r\nok\r\n0\r\nX-Secret: 1\r\nX_SECRET: 2\r\nX-Gone: 3\r\n\r\n";
    let (mut backend, received) = chunked_answer(&mut play, "", body);
    assert_eq!(received, "2\r\nok\r\n0\r\nX-Gone: 3\r\n\r\n");
    play.goes_on(&mut backend);
}

#[test]
fn trailers_of_answers_that_are_to_be_headers_are_left_out() {
    for name in [
        "Date",
        "Vary",
        "Via",
        "Age",
        "Cache-Control",
        "Pragma",
        "Expires",
        "Content-Type",
        "Location",
        "Set-Cookie",
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Connection",
        "Authorization",
    ] {
        let mut play = Play::new();
        let body = format!("2\r\nok\r\n0\r\nX-One: 1\r\n{name}: 5\r\nX-Two: 2\r\n\r\n");
        let (mut backend, got) = chunked_answer(&mut play, "", &body);
        assert_eq!(got, "2\r\nok\r\n0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n", "{name}");
        play.goes_on(&mut backend);
        // HTTP/1.0 has none, and none can break its answer.
        let mut play = Play::new();
        let (mut backend, _) = play.request("GET / HTTP/1.0\r\n\r\n");
        backend.send(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ));
        play.client.read_head();
        assert_eq!(
            play.client.read_to_end(),
            (b"ok".to_vec(), Ending::Closed),
            "{name}"
        );
    }
}

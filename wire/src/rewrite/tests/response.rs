//! Answers.

use super::super::*;
use crate::{
    Asked, BodyTracker, Framing, Limits, Lines, Method, Name, Parsed,
    Version::{self, Http10, Http11},
    parse_response,
    rules::{Action, RULES},
};

const DATE: &[u8] = b"Tue, 01 Jul 2025 10:00:00 GMT";

fn answered(text: &str, asked: Method, client: Version) -> (String, bool) {
    let mut lines = Lines::new();
    let asked = Asked {
        method: asked,
        offers: b"websocket",
    };
    let parsed = parse_response(text.as_bytes(), &mut lines, &Limits::default(), asked);
    let Ok(Parsed::Complete(head)) = parsed else {
        panic!("{parsed:?}: {text:?}")
    };
    let context = AnswerContext {
        edits: None,
        client,
        keep_alive: true,
        body: BodyPlan::choose(head.framing, client),
        length_without_body: true,
        date: Some(DATE),
        via: None,
    };
    let mut out = Vec::new();
    let goes_on = write_response_head(&head.view(text.as_bytes(), &lines), &context, &mut out);
    (String::from_utf8(out).unwrap(), goes_on)
}

fn answers(cases: &[(&str, Version, &str, bool)]) {
    for (text, client, expected, goes_on) in cases {
        assert_eq!(
            answered(text, Method::Get, *client),
            ((*expected).to_owned(), *goes_on),
            "{text:?}"
        );
    }
}

#[test]
fn an_answer_keeps_its_lines_and_reason_and_gets_a_date() {
    answers(&[
        (
            "HTTP/1.1 200 Fine, thanks\r\nset-cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n",
            Http11,
            "HTTP/1.1 200 Fine, thanks\r\nset-cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\
             Date: Tue, 01 Jul 2025 10:00:00 GMT\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.0 404 No\r\nDate: then\r\nContent-Length: 0\r\nX: 1\r\nConnection: x\r\n\r\n",
            Http10,
            "HTTP/1.1 404 No\r\nDate: then\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 500\r\nDate: d\r\nContent-Length: 00\r\n\r\n",
            Http11,
            "HTTP/1.1 500 \r\nDate: d\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
    ]);
}

#[test]
fn bodies_without_a_length_end_visibly() {
    answers(&[
        (
            "HTTP/1.1 200 OK\r\nDate: d\r\n\r\n",
            Http11,
            "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nDate: d\r\n\r\n",
            Http10,
            "HTTP/1.1 200 OK\r\nDate: d\r\nConnection: close\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\nTrailer: ETag\r\n\r\n",
            Http10,
            "HTTP/1.1 200 OK\r\nDate: d\r\nConnection: close\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding:Chunked\r\nTrailer: ETag\r\n\r\n",
            Http11,
            "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\nTrailer: ETag\r\n\r\n",
            true,
        ),
    ]);
}

#[test]
fn answers_without_a_body_never_announce_chunks() {
    answers(&[
        (
            "HTTP/1.1 204 No\r\nDate: d\r\nContent-Length: 5\r\n\r\n",
            Http11,
            "HTTP/1.1 204 No\r\nDate: d\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 204 No\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n",
            Http11,
            "HTTP/1.1 204 No\r\nDate: d\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 304 Not\r\nDate: d\r\nContent-Length: 5\r\n\r\n",
            Http11,
            "HTTP/1.1 304 Not\r\nDate: d\r\nContent-Length: 5\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 103 Early\r\nLink: x\r\nContent-Length: 5\r\n\r\n",
            Http11,
            "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\n",
            Http11,
            "HTTP/1.1 100 Continue\r\n\r\n",
            true,
        ),
    ]);
    let head = "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(answered(head, Method::Head, Http11), (head.to_owned(), true));
    let head = "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        answered(head, Method::Head, Http11).0,
        "HTTP/1.1 200 OK\r\nDate: d\r\n\r\n"
    );
}

#[test]
fn a_length_without_a_body_goes_where_it_would_be_waited_for() {
    let text = b"HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n";
    let (mut lines, mut out) = (Lines::new(), Vec::new());
    let asked = Asked {
        method: Method::Get,
        offers: b"",
    };
    let Ok(Parsed::Complete(head)) = parse_response(text, &mut lines, &Limits::default(), asked) else {
        panic!()
    };
    let context = AnswerContext {
        edits: None,
        client: Http11,
        keep_alive: false,
        body: BodyPlan::Copy,
        length_without_body: false,
        date: None,
        via: Some("lb"),
    };
    assert!(!write_response_head(&head.view(text, &lines), &context, &mut out));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 304 Not\r\nConnection: close\r\nVia: 1.1 lb\r\n\r\n"
    );
}

#[test]
fn upgrade_belongs_to_101_and_426() {
    answers(&[
        (
            "HTTP/1.1 101 Switch\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            Http11,
            "HTTP/1.1 101 Switch\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nDate: Tue, 01 Jul 2025 10:00:00 GMT\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 426 Up\r\nDate: d\r\nUpgrade: TLS/1.2\r\nConnection: Upgrade, close\r\nContent-Length: 0\r\n\r\n",
            Http11,
            "HTTP/1.1 426 Up\r\nDate: d\r\nUpgrade: TLS/1.2\r\nContent-Length: 0\r\nConnection: Upgrade\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nDate: d\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
            Http11,
            "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
    ]);
}

#[test]
fn what_the_table_does_to_answers() {
    for rule in RULES {
        let text = format!("HTTP/1.1 200 OK\r\nDate: d\r\n{}: x\r\nB: 2\r\n\r\n", rule.name);
        let kept = match rule.response {
            Action::Keep => true,
            Action::Drop => false,
            Action::Rewrite | Action::Combine => continue,
        };
        let (out, _) = answered(&text, Method::Head, Http11);
        assert_eq!(
            out.matches(&format!("\r\n{}: x\r\n", rule.name)).count(),
            usize::from(kept),
            "{out:?}"
        );
    }
    assert_eq!(Name::Other.on_response(), Action::Keep);
}

#[test]
fn a_plan_ends_the_connection_where_nothing_else_ends_the_body() {
    for framing in [
        Framing::None,
        Framing::Length(3),
        Framing::Chunked,
        Framing::UntilClose,
    ] {
        for client in [Http10, Http11] {
            let plan = BodyPlan::choose(framing, client);
            let ends = client == Http10 && matches!(framing, Framing::Chunked | Framing::UntilClose);
            assert_eq!(plan.ends_connection(framing), ends);
        }
    }
    assert!(BodyPlan::Copy.ends_connection(Framing::UntilClose));
    assert!(BodyTracker::new(Framing::UntilClose).on_eof().is_ok());
}

#[test]
fn rfc_9112_5_1_white_space_before_colons_is_taken_out() {
    answers(&[
        (
            "HTTP/1.1 200 OK\r\nX-A : 1\r\nX-B: 2\r\nDate\t :d\r\nContent-Length : 5\r\nConnection : X-Hop\r\nX-Hop : 3\r\n\r\n",
            Http11,
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\nDate: d\r\nContent-Length: 5\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 426 Up\r\nDate: d\r\nUpgrade : a\r\nTrailer : X-A\r\nTransfer-Encoding : chunked\r\n\r\n",
            Http11,
            "HTTP/1.1 426 Up\r\nDate: d\r\nUpgrade: a\r\nTrailer: X-A\r\nTransfer-Encoding: chunked\r\nConnection: Upgrade\r\n\r\n",
            true,
        ),
    ]);
}

#[test]
fn rfc_9110_15_5_8_a_407_says_how_to_authenticate() {
    answers(&[
        (
            "HTTP/1.1 407 Who\r\nDate: d\r\nProxy-Authenticate: Basic\r\nProxy-Authenticate: Digest\r\nContent-Length: 0\r\n\r\n",
            Http11,
            "HTTP/1.1 407 Who\r\nDate: d\r\nProxy-Authenticate: Basic\r\nProxy-Authenticate: Digest\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 401 Who\r\nDate: d\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
            Http11,
            "HTTP/1.1 401 Who\r\nDate: d\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
    ]);
}

//! Heads: no panic, no dependence on how bytes arrive, and the same message on both sides.

use crate::naive::{self, End};
use lb_wire::{
    AnswerContext, Asked, BodyPlan, ClientAddress, ForwardContext, Framing, Limits, Lines, Method, Name,
    Parsed, RequestError, RequestHead, Version, parse_request, parse_response, write_request_head,
    write_response_head,
};
use proptest::prelude::*;

pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed<RequestHead>, RequestError> {
    parse_request(bytes, &mut Lines::new(), &Limits::default())
}

/// The head sent on, if it is complete.
pub(crate) fn forward(bytes: &[u8], trusted: bool) -> Option<(RequestHead, Vec<u8>)> {
    let mut lines = Lines::new();
    let Ok(Parsed::Complete(head)) = parse_request(bytes, &mut lines, &Limits::default()) else {
        return None;
    };
    let client = ClientAddress::new([192, 0, 2, 9].into());
    let context = ForwardContext {
        edits: None,
        client: &client,
        secure: false,
        trusted,
        forwarded: true,
        via: Some("lb"),
        request_id: Some(b"id"),
        default_host: "default",
        close: false,
    };
    let mut out = Vec::new();
    write_request_head(&head.view(bytes, &lines), &context, &mut out);
    Some((head, out))
}

pub(crate) fn same_end(framing: Framing, end: Option<End>) -> bool {
    match framing {
        Framing::None => end == Some(End::Unsaid),
        Framing::Length(length) => end == Some(End::Length(length)),
        Framing::Chunked => end == Some(End::Chunked),
        Framing::UntilClose => false,
    }
}

/// Names and values that nobody between client and backend may touch.
fn end_to_end(head: &naive::Head) -> Vec<(String, Vec<u8>)> {
    let named: Vec<String> = (head.all("connection").iter())
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|option| String::from_utf8_lossy(option).trim().to_ascii_lowercase())
        .collect();
    let free = |name: &String| match Name::classify(name.as_bytes()) {
        Name::Other => !named.contains(name),
        kind => kind == Name::Protected,
    };
    head.headers
        .iter()
        .filter(|(name, _)| free(name))
        .cloned()
        .collect()
}

/// Whatever was accepted means the same to the naive reader, and so does what was sent on.
pub(crate) fn check_request(bytes: &[u8]) -> Result<bool, TestCaseError> {
    for trusted in [false, true] {
        let Some((head, out)) = forward(bytes, trusted) else {
            return Ok(false);
        };
        let shown = || format!("{} -> {}", bytes.escape_ascii(), out.escape_ascii());
        let empty_lines = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let before = naive::read(&bytes[empty_lines..]).ok_or_else(|| TestCaseError::fail(shown()))?;
        let after = naive::read(&out).ok_or_else(|| TestCaseError::fail(shown()))?;
        prop_assert_eq!(
            (before.len + empty_lines, after.len),
            (head.len, out.len()),
            "{}",
            shown()
        );
        prop_assert!(
            same_end(head.framing, before.end()) && same_end(head.framing, after.end()),
            "{}",
            shown()
        );
        prop_assert_eq!(&before.start[0], &after.start[0]);
        prop_assert_eq!(&after.start[2], b"HTTP/1.1");
        prop_assert_eq!(after.all("host").len(), 1, "{}", shown());
        prop_assert_eq!(after.all("x-forwarded-for").len(), 1, "{}", shown());
        prop_assert_eq!(end_to_end(&before), end_to_end(&after), "{}", shown());
        if head.form == lb_wire::TargetForm::Origin {
            prop_assert_eq!(&before.start[1], &after.start[1]);
        }
        let Some((again, twice)) = forward(&out, true) else {
            return Err(TestCaseError::fail(shown()));
        };
        prop_assert_eq!(
            (again.framing, again.method, again.upgrade),
            (head.framing, head.method, head.upgrade)
        );
        let twice = naive::read(&twice).ok_or_else(|| TestCaseError::fail(shown()))?;
        prop_assert_eq!(end_to_end(&twice), end_to_end(&after));
    }
    Ok(true)
}

/// Pieces that heads are made of, right and wrong.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"\0",
        b":",
        b": ",
        b" :",
        b",",
        b";",
        b"#",
        b"\x7f",
        b"\xff",
        b"_",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"HTTP/1.2",
        b"Host: a",
        b"Host: b:1",
        b"Content-Length: 5",
        b"Content-Length: 0",
        b"Transfer-Encoding: chunked",
        b"chunked",
        b"Connection: close",
        b"Connection: x-a, host",
        b"Connection: upgrade",
        b"Upgrade: h2c",
        b"Upgrade: websocket",
        b"TE: trailers",
        b"X-A: 1",
        b"x-a: 2",
        b"Expect: 100-continue",
        b"X-Forwarded-For: 1.1.1.1",
        b"X_Forwarded_For: 2",
        b"Forwarded: for=x",
        b"Trailer: x",
        b"Date: d",
        b"Via: 1.1 a",
        b"X-Request-Id: r",
        b"Max-Forwards: 3",
        b"http://h/",
        b"*",
        b"0",
        b"5",
    ];
    proptest::sample::select(pieces).prop_map(<[u8]>::to_vec)
}

/// A request that is right, then hurt in up to three places.
fn hurt(message: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let wound = (any::<prop::sample::Index>(), 0..3_usize, piece());
    (Just(message), prop::collection::vec(wound, 0..4)).prop_map(|(mut bytes, wounds)| {
        for (at, remove, insert) in wounds {
            let at = at.index(bytes.len() + 1);
            let end = (at + remove).min(bytes.len());
            bytes.splice(at..end, insert);
        }
        bytes
    })
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..6).prop_map(|pieces| {
        let mut lines = Vec::new();
        for piece in pieces
            .iter()
            .filter(|piece| piece.len() > 4 && piece.contains(&b':') && !piece.starts_with(b"Host"))
        {
            lines.extend_from_slice(piece);
            lines.extend_from_slice(b"\r\n");
        }
        lines
    })
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let methods = prop::sample::select(vec!["GET", "POST", "OPTIONS", "TRACE", "CONNECT", "M-X"]);
    let targets = prop::sample::select(vec!["/", "/a?b", "http://h:1/p", "http://h", "*", "a:1", "//x"]);
    let versions = prop::sample::select(vec!["1.1", "1.1", "1.0", "1.4"]);
    (methods, targets, versions, lines(), any::<bool>()).prop_map(|(method, target, version, lines, host)| {
        let host = if host { "Host: a\r\n" } else { "" };
        let start = format!("{method} {target} HTTP/{version}\r\n{host}");
        [start.as_bytes(), &lines, b"\r\n"].concat()
    })
}

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let statuses = prop::sample::select(vec![100, 101, 103, 200, 204, 206, 304, 404, 426, 500]);
    let versions = prop::sample::select(vec!["1.1", "1.1", "1.0"]);
    (statuses, versions, lines()).prop_map(|(status, version, lines)| {
        [
            format!("HTTP/{version} {status} X\r\n").as_bytes(),
            &lines,
            b"\r\n",
        ]
        .concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_request(&bytes)?;
        let asked = Asked { method: Method::Get, offers: b"websocket" };
        let _ = parse_response(&bytes, &mut Lines::new(), &Limits::default(), asked);
    }

    #[test]
    fn a_pile_of_pieces_never_panics(pieces in prop::collection::vec(piece(), 0..40)) {
        check_request(&[b"GET / HTTP/1.1\r\n", &pieces.concat()[..]].concat())?;
    }

    #[test]
    fn an_accepted_request_means_the_same_on_both_sides(bytes in request().prop_flat_map(hurt)) {
        check_request(&bytes)?;
    }

    #[test]
    fn a_request_is_judged_alike_however_it_arrives(bytes in request().prop_flat_map(hurt)) {
        let whole = parse(&bytes);
        for end in 0..bytes.len() {
            match parse(&bytes[..end]) {
                Ok(Parsed::Partial) => {}
                Ok(complete) => prop_assert_eq!(Ok(complete), whole),
                Err(_) => prop_assert!(whole.is_err(), "{} refused, whole {:?}", bytes[..end].escape_ascii(), whole),
            }
        }
    }

    #[test]
    fn an_answer_is_judged_alike_however_it_arrives(bytes in answer().prop_flat_map(hurt)) {
        let asked = Asked { method: Method::Get, offers: b"websocket" };
        let parse = |bytes: &[u8]| parse_response(bytes, &mut Lines::new(), &Limits::default(), asked);
        let whole = parse(&bytes);
        for end in 0..bytes.len() {
            match parse(&bytes[..end]) {
                Ok(Parsed::Partial) => {}
                Ok(complete) => prop_assert_eq!(Ok(complete), whole),
                Err(_) => prop_assert!(whole.is_err(), "{} refused, whole {:?}", bytes[..end].escape_ascii(), whole),
            }
        }
    }

    #[test]
    fn an_accepted_answer_means_the_same_on_both_sides(
        bytes in answer().prop_flat_map(hurt),
        method in prop::sample::select(vec![Method::Get, Method::Head]),
        client in prop::sample::select(vec![Version::Http10, Version::Http11]),
    ) {
        let (mut lines, mut out) = (Lines::new(), Vec::new());
        let asked = Asked { method, offers: b"websocket" };
        let parsed = parse_response(&bytes, &mut lines, &Limits::default(), asked);
        let Ok(Parsed::Complete(head)) = parsed else { return Ok(()) };
        let body = BodyPlan::choose(head.framing, client);
        let context =
            AnswerContext { edits: None, client, keep_alive: true, body, length_without_body: true, date: Some(b"now"), via: None };
        let goes_on = write_response_head(&head.view(&bytes, &lines), &context, &mut out);
        let shown = format!("{} -> {}", bytes.escape_ascii(), out.escape_ascii());
        let before = naive::read(&bytes).ok_or_else(|| TestCaseError::fail(shown.clone()));
        // The naive reader knows no status line without its second space, and no space before a colon.
        let Ok(before) = before else {
            let spaced = bytes.windows(2).any(|two| matches!(two, b" :" | b"\t:"));
            prop_assert!(spaced || bytes.get(12) == Some(&b'\r'), "{}", shown);
            prop_assert!(naive::read(&out).is_some(), "{}", shown);
            return Ok(())
        };
        let after = naive::read(&out).ok_or_else(|| TestCaseError::fail(shown.clone()))?;
        prop_assert_eq!(end_to_end(&before), end_to_end(&after), "{}", shown);
        prop_assert_eq!(&before.start[1..], &after.start[1..]);
        prop_assert_eq!(after.len, out.len());

        let again = parse_response(&out, &mut Lines::new(), &Limits::default(), asked);
        let Ok(Parsed::Complete(again)) = again else { return Err(TestCaseError::fail(shown)) };
        let expected = match body {
            BodyPlan::Copy => head.framing,
            BodyPlan::Chunk => Framing::Chunked,
            BodyPlan::Unchunk => Framing::UntilClose,
        };
        prop_assert_eq!(again.framing, expected, "{}", shown);
        prop_assert!(client == Version::Http11 || expected != Framing::Chunked);
        if !head.is_interim() {
            prop_assert_eq!(again.keep_alive, goes_on, "{}", shown);
            prop_assert_eq!(after.all("date").len().max(1), after.all("date").len(), "{}", shown);
        }
        if head.status < 200 || head.status == 204 {
            prop_assert_eq!(after.end(), Some(End::Unsaid), "{}", shown);
        }
    }
}

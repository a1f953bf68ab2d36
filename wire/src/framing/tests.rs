//! Each rule on bodies, by the section it comes from.

use super::*;

fn chunked(bytes: &[u8]) -> Result<Progress, BodyError> {
    BodyTracker::new(Framing::Chunked).feed(bytes)
}

/// The body is one message, however it is split: whole, byte by byte, and cut once at every place.
fn accepted(body: &[u8], data: &[u8]) {
    let with_next = [body, b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(
        chunked(&with_next),
        Ok(Progress {
            consumed: body.len(),
            done: true
        }),
        "{}",
        body.escape_ascii()
    );
    for cut in 0..body.len() {
        let mut tracker = BodyTracker::new(Framing::Chunked);
        assert_eq!(
            tracker.feed(&body[..cut]),
            Ok(Progress {
                consumed: cut,
                done: false
            })
        );
        assert_eq!(tracker.on_eof(), Err(Truncated));
        let rest = &with_next[cut..];
        assert_eq!(
            tracker.feed(rest),
            Ok(Progress {
                consumed: body.len() - cut,
                done: true
            })
        );
        assert_eq!((tracker.is_done(), tracker.on_eof()), (true, Ok(())));
    }
    let (mut tracker, mut decoded, mut rest) =
        (BodyTracker::new(Framing::Chunked), Vec::new(), &with_next[..]);
    while !tracker.is_done() {
        let piece = tracker.step(rest).unwrap();
        decoded.extend_from_slice(&rest[piece.data.clone()]);
        rest = &rest[piece.consumed..];
    }
    assert_eq!(decoded, data);
}

fn refused(error: BodyError, bodies: &[&[u8]]) {
    for body in bodies {
        assert_eq!(chunked(body), Err(error), "{}", body.escape_ascii());
        let mut tracker = BodyTracker::new(Framing::Chunked);
        let first = body.iter().find_map(|byte| tracker.feed(&[*byte]).err());
        assert_eq!(first, Some(error), "byte by byte: {}", body.escape_ascii());
    }
}

#[test]
fn a_length_ends_where_it_says() {
    let mut tracker = BodyTracker::new(Framing::Length(5));
    assert_eq!(
        tracker.feed(b"abc"),
        Ok(Progress {
            consumed: 3,
            done: false
        })
    );
    assert_eq!((tracker.remaining(), tracker.on_eof()), (Some(2), Err(Truncated)));
    assert_eq!(
        tracker.feed(b"defg"),
        Ok(Progress {
            consumed: 2,
            done: true
        })
    );
    assert_eq!(
        tracker.feed(b"g"),
        Ok(Progress {
            consumed: 0,
            done: true
        })
    );
    assert_eq!(tracker.on_eof(), Ok(()));
}

#[test]
fn no_body_is_done_at_once() {
    for framing in [Framing::None, Framing::Length(0)] {
        let mut tracker = BodyTracker::new(framing);
        assert!(tracker.is_done());
        assert_eq!(
            tracker.feed(b"x"),
            Ok(Progress {
                consumed: 0,
                done: true
            })
        );
    }
}

#[test]
fn until_close_ends_with_the_connection_only() {
    let mut tracker = BodyTracker::new(Framing::UntilClose);
    assert_eq!(
        tracker.feed(b"0\r\n\r\n"),
        Ok(Progress {
            consumed: 5,
            done: false
        })
    );
    assert_eq!((tracker.remaining(), tracker.on_eof()), (None, Ok(())));
}

#[test]
fn rfc_9112_7_1_chunks() {
    accepted(b"0\r\n\r\n", b"");
    accepted(b"000\r\n\r\n", b"");
    accepted(b"5\r\nhello\r\n0\r\n\r\n", b"hello");
    accepted(
        b"1\r\na\r\n0000000000000002\r\n\r\n\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        b"a\r\n01234567890123456789",
    );
}

#[test]
fn rfc_9112_7_1_sizes_are_hexadecimal_digits() {
    refused(
        BodyError::ChunkSize,
        &[
            b"\r\n",
            b" 5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"+5\r\nhello\r\n",
            b"-5\r\n",
            b"g\r\n",
            b";a\r\n",
            b"5_0\r\n",
            b"5.\r\n",
            b"5,5\r\n",
            b"5 \r\nhello\r\n",
            b"5\t\r\n",
            b"5 5\r\n",
            b"5 a\r\n",
            b"5 \n",
            b"5 ;a\r\n",
            b"5\t;a\r\n",
            b"8000000000000000\r\n",
            b"ffffffffffffffff\r\n",
            b"10000000000000000\r\n",
            b"00000000000000005\r\n",
            b"\n",
        ],
    );
    assert_eq!(
        chunked(b"7fffffffffffffff\r\nx"),
        Ok(Progress {
            consumed: 19,
            done: false
        })
    );
}

#[test]
fn rfc_9112_7_1_every_line_ends_in_crlf() {
    refused(
        BodyError::LineEnding,
        &[
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\rhello",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello\r0\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhell\r\n0",
            b"5;a\nhello",
            b"5;a=\"\n",
            b"0\r\n\n",
            b"0\r\n\rX",
            b"0\r\nA: b\n\r\n",
            b"0\r\nA: b\rc\r\n",
            b"0\r\nA\n",
            b"5\r\nhello5\r\n",
            b"5\r\nhelloX\n0\r\n\r\n",
        ],
    );
}

#[test]
fn rfc_9112_7_1_1_extensions() {
    for line in [
        "5;a",
        "5;a=b",
        "5;a;b=c;d",
        "5;a=\"x;y\\\"z \u{e9}\"",
        "5;a=\"\";b",
    ] {
        accepted(
            format!("{line}\r\nhello\r\n0;last=1\r\n\r\n").as_bytes(),
            b"hello",
        );
    }
    refused(
        BodyError::ChunkExtension,
        &[
            b"5;\r\n",
            b"5;a=\r\n",
            b"5;=b\r\n",
            b"5;;a\r\n",
            b"5;a=\"b\r\n",
            b"5;a=\"b\\\r\n",
            b"5;a=b c\r\n",
            b"5; a\r\n",
            b"5;a \r\n",
            b"5;a ;b\r\n",
            b"5;a =b\r\n",
            b"5;a= b\r\n",
            b"5;a=b\t;c\r\n",
            b"5;a=\"b\" \r\n",
            b"5;a b\r\n",
            b"5;a=\"b\"c\r\n",
            b"5;a=b\0\r\n",
            b"5;a=\"\x7f\"\r\n",
            b"5;a@\r\n",
        ],
    );
    let long = |length: usize| format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(length));
    accepted(long(4000).as_bytes(), b"hello");
    refused(BodyError::ChunkLineTooLong, &[long(5000).as_bytes()]);
}

#[test]
fn rfc_9112_7_1_2_trailers() {
    accepted(b"0\r\nETag: \"x\"\r\ngrpc-status:0\r\nX-Empty:\r\n\r\n", b"");
    refused(
        BodyError::Trailer,
        &[
            b"0\r\n: x\r\n",
            b"0\r\nA : x\r\n",
            b"0\r\n A: x\r\n",
            b"0\r\nA: b\r\n c\r\n",
            b"0\r\nA\r\n",
            b"0\r\nA: \0\r\n",
        ],
    );
    let both = format!("0;{}\r\nA: {}\r\n\r\n", "a".repeat(4000), "b".repeat(8000));
    assert_eq!(
        chunked(both.as_bytes()),
        Ok(Progress {
            consumed: both.len(),
            done: true
        }),
        "each has its own bound"
    );
    let many = |count: usize| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count));
    accepted(many(64).as_bytes(), b"");
    refused(
        BodyError::TrailersTooLarge,
        &[
            many(65).as_bytes(),
            format!("0\r\nA: {}", "b".repeat(9000)).as_bytes(),
        ],
    );
}

#[test]
fn rfc_9110_6_5_1_headers_that_matter_cannot_be_trailers() {
    for rule in crate::rules::RULES {
        refused(
            BodyError::TrailerForbidden,
            &[format!("0\r\n{}: x\r\n\r\n", rule.name).as_bytes()],
        );
    }
    for name in [
        "X-FORWARDED-FOR",
        "x_forwarded_for",
        "X-Forwarded-Something-Much-Longer-Than-Any-Known-Name",
        "Content_Length",
    ] {
        refused(
            BodyError::TrailerForbidden,
            &[format!("0\r\nA: b\r\n{name}: x\r\n\r\n").as_bytes()],
        );
    }
    accepted(b"0\r\nProxy-Authentication-Info-And-More: x\r\n\r\n", b"");
}

#[test]
fn chunks_of_ours_are_chunks() {
    for size in [1, 9, 10, 15, 16, 255, 256, 65535, 1 << 20] {
        let (data, mut body) = (vec![b'x'; size], Vec::new());
        write_chunk(&data, &mut body);
        write_chunk(b"", &mut body);
        body.extend_from_slice(LAST_CHUNK);
        assert!(body.starts_with(format!("{size:x}\r\n").as_bytes()));
        assert_eq!(
            chunked(&body),
            Ok(Progress {
                consumed: body.len(),
                done: true
            })
        );
    }
}

#[test]
fn a_tracker_is_small_enough_to_copy() {
    assert!(size_of::<BodyTracker>() <= 64, "{}", size_of::<BodyTracker>());
}

/// What goes on of a body that comes in pieces of `size` bytes.
fn filtered(mut filter: BodyFilter, body: &[u8], size: usize) -> Result<Vec<u8>, BodyError> {
    let mut out = Vec::new();
    for piece in body.chunks(size) {
        let mut instead = Vec::new();
        let passed = filter.pass(piece, &mut instead)?;
        assert!(passed.changed || instead.is_empty());
        out.extend_from_slice(if passed.changed {
            &instead
        } else {
            &piece[..passed.consumed]
        });
        assert_eq!(passed.done, filter.is_done());
    }
    Ok(out)
}

#[test]
fn rfc_9110_7_6_1_trailers_that_connection_names_are_left_out() {
    let body = b"3\r\nabc\r\n0\r\nX-End: 1\r\nx-hop: 2\r\nX-Hop:\r\nX-Hops: 3\r\n\r\nGET";
    let kept = b"3\r\nabc\r\n0\r\nX-End: 1\r\nX-Hops: 3\r\n\r\n";
    for size in 1..=body.len() {
        for filter in [BodyFilter::of_request, BodyFilter::of_answer] {
            let filter = filter(Framing::Chunked, b"close, X-HOP".to_vec());
            assert_eq!(filtered(filter, body, size).unwrap(), kept, "{size}");
        }
    }
    // Nothing is copied where nothing is left out or held.
    let mut instead = Vec::new();
    let plain =
        BodyFilter::of_answer(Framing::Chunked, Vec::new()).pass(b"3\r\nabc\r\n0\r\n\r\n", &mut instead);
    assert_eq!(
        (plain.map(|passed| passed.changed), instead.len()),
        (Ok(false), 0)
    );
}

#[test]
fn rfc_9110_6_5_1_an_answer_does_without_trailers_that_are_headers() {
    for rule in crate::rules::RULES {
        let body = format!("0\r\nX-End: 1\r\n{}: x\r\n\r\n", rule.name);
        for size in [1, 7, body.len()] {
            let filter = BodyFilter::of_answer(Framing::Chunked, Vec::new());
            let out = filtered(filter, body.as_bytes(), size).unwrap();
            assert_eq!(out, b"0\r\nX-End: 1\r\n\r\n", "{}", rule.name);
        }
    }
}

#[test]
fn rfc_9110_6_5_1_a_request_is_refused_for_trailers_about_framing_routing_and_credentials() {
    let request = |name: &str| {
        let body = format!("0\r\n{name}: x\r\n\r\n");
        filtered(
            BodyFilter::of_request(Framing::Chunked, Vec::new()),
            body.as_bytes(),
            5,
        )
    };
    for name in [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Trailer",
        "TE",
        "Expect",
        "Max-Forwards",
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "Forwarded",
        "X-Request-Id",
    ] {
        assert_eq!(request(name), Err(BodyError::TrailerForbidden), "{name}");
    }
    for name in [
        "Pragma",
        "Cache-Control",
        "Date",
        "Via",
        "Content-Type",
        "Range",
        "If-Match",
        "Expires",
        "Vary",
        "Retry-After",
        "Warning",
        "WWW-Authenticate",
        "Set-Cookie",
    ] {
        assert_eq!(request(name).as_deref(), Ok(&b"0\r\n\r\n"[..]), "{name}");
    }
}

#[test]
fn rfc_9110_5_6_3_white_space_in_the_size_lines_of_answers_is_cut_out() {
    let answer = |body: &str, size| {
        filtered(
            BodyFilter::of_answer(Framing::Chunked, Vec::new()),
            body.as_bytes(),
            size,
        )
    };
    for (line, plain) in [
        ("5  ", "5"),
        ("5 \t;a", "5;a"),
        ("5; a", "5;a"),
        ("5 ; a = b ; c = \"d e\" ", "5;a=b;c=\"d e\""),
        ("5;a ", "5;a"),
        ("5;a ;b", "5;a;b"),
    ] {
        for size in [1, 2, 100] {
            let body = format!("{line}\r\nhello\r\n0 \r\n\r\n");
            let expected = format!("{plain}\r\nhello\r\n0\r\n\r\n");
            assert_eq!(answer(&body, size).unwrap(), expected.as_bytes(), "{line:?}");
        }
    }
    for line in [
        " 5",
        "5 5",
        "5 a",
        "5;a b",
        "5;a=b c",
        "5;a=\"b\" c",
        "5; ",
        "5;a= ",
        "5 \u{b}",
    ] {
        assert!(answer(&format!("{line}\r\nhello\r\n"), 100).is_err(), "{line:?}");
    }
    let endless = " ".repeat(5000);
    for start in ["5", "5;", "5;a", "5;a="] {
        let endless = answer(&format!("{start}{endless}"), 100);
        assert_eq!(endless, Err(BodyError::ChunkLineTooLong), "{start}");
    }
}

#[test]
fn rfc_9112_7_1_leading_zeros_of_chunk_sizes_are_left_out() {
    for (body, kept) in [
        ("0005\r\nhello\r\n0000\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ("05;a=0\r\nhello\r\n00;b\r\n\r\n", "5;a=0\r\nhello\r\n0;b\r\n\r\n"),
        ("00000000000000a0\r\n", "a0\r\n"),
        ("0\r\nX-End: 00\r\n\r\n", "0\r\nX-End: 00\r\n\r\n"),
    ] {
        for size in 1..=body.len() {
            for filter in [BodyFilter::of_request, BodyFilter::of_answer] {
                let filter = filter(Framing::Chunked, Vec::new());
                let out = filtered(filter, body.as_bytes(), size).unwrap();
                assert_eq!(out, kept.as_bytes(), "{body:?} in pieces of {size}");
            }
        }
    }
}

#[test]
fn rfc_9112_7_1_only_data_of_chunks_is_content() {
    let body = b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-End: 1\r\n\r\nGET";
    for size in 1..=body.len() {
        let mut filter = BodyFilter::of_request(Framing::Chunked, Vec::new());
        let pieces = body.chunks(size);
        let content = pieces.map(|piece| filter.pass(piece, &mut Vec::new()).unwrap().content);
        assert_eq!(content.sum::<usize>(), 6, "pieces of {size}");
    }
    let mut filter = BodyFilter::of_request(Framing::Length(3), Vec::new());
    assert_eq!(filter.pass(b"abcGET", &mut Vec::new()).unwrap().content, 3);
}

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

//! Bodies: ended exactly, whatever the split.

use lb_wire::{BodyError, BodyFilter, BodyTracker, Framing, LAST_CHUNK, write_chunk};
use proptest::prelude::*;

/// A chunked body as bytes, and its data.
fn chunked() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let extensions = prop::sample::select(vec!["", ";a", ";a=b", ";a=\"q\\\"\r;\"", ";a=\"x;y\""]);
    let chunk = (prop::collection::vec(any::<u8>(), 1..60), extensions, 0..4_usize);
    let trailers = prop::sample::select(vec!["", "A: b\r\n", "grpc-status: 0\r\nETag:\t\"x\" \r\n"]);
    (prop::collection::vec(chunk, 0..6), trailers).prop_map(|(chunks, trailers)| {
        let (mut body, mut data) = (Vec::new(), Vec::new());
        for (bytes, extension, zeros) in chunks {
            let extension = extension.replace('\r', "");
            body.extend_from_slice(
                format!("{}{:X}{extension}\r\n", "0".repeat(zeros), bytes.len()).as_bytes(),
            );
            body.extend_from_slice(&bytes);
            body.extend_from_slice(b"\r\n");
            data.extend_from_slice(&bytes);
        }
        body.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
        (body, data)
    })
}

/// Feeds `bytes` in pieces of these lengths, over and over; consumed, done, data.
fn feed(framing: Framing, bytes: &[u8], pieces: &[usize]) -> Result<(usize, bool, Vec<u8>), BodyError> {
    let (mut plain, mut stepping) = (BodyTracker::new(framing), BodyTracker::new(framing));
    let (mut at, mut data) = (0, Vec::new());
    for length in pieces.iter().cycle() {
        let piece = &bytes[at..(at + length).min(bytes.len())];
        let progress = plain.feed(piece)?;
        let mut stepped = 0;
        while stepped < piece.len() && !stepping.is_done() {
            let step = stepping.step(&piece[stepped..])?;
            data.extend_from_slice(&piece[stepped..][step.data.clone()]);
            assert!(step.data.is_empty() || step.data.end == step.consumed);
            stepped += step.consumed;
        }
        assert_eq!((stepped, stepping), (progress.consumed, plain));
        at += progress.consumed;
        if progress.done || at == bytes.len() {
            return Ok((at, progress.done, data));
        }
    }
    Ok((at, plain.is_done(), data))
}

/// What goes on of `bytes` that come in pieces of these lengths, and whether all of it was taken.
fn pass(mut filter: BodyFilter, mut bytes: &[u8], pieces: &[usize]) -> Result<(Vec<u8>, bool), BodyError> {
    let mut out = Vec::new();
    for length in pieces.iter().cycle() {
        let (piece, mut instead) = (&bytes[..(*length).min(bytes.len())], Vec::new());
        let passed = filter.pass(piece, &mut instead)?;
        out.extend_from_slice(if passed.changed {
            &instead
        } else {
            &piece[..passed.consumed]
        });
        bytes = &bytes[passed.consumed..];
        if passed.done || bytes.is_empty() {
            return Ok((out, passed.done));
        }
    }
    Ok((out, false))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_chunked_body_is_consumed_exactly(
        (body, data) in chunked(),
        pieces in prop::collection::vec(1..20_usize, 1..10),
        next in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let bytes = [&body[..], &next].concat();
        prop_assert_eq!(feed(Framing::Chunked, &bytes, &pieces), Ok((body.len(), true, data.clone())));
        prop_assert_eq!(feed(Framing::Chunked, &bytes, &[bytes.len()]), Ok((body.len(), true, data)));
        let cut = pieces[0] % body.len();
        let mut tracker = BodyTracker::new(Framing::Chunked);
        tracker.feed(&body[..cut]).unwrap();
        prop_assert!(tracker.on_eof().is_err());
    }

    #[test]
    fn a_length_is_consumed_exactly(length in 0..100_u64, bytes in prop::collection::vec(any::<u8>(), 1..200), piece in 1..20_usize) {
        let consumed = bytes.len().min(length as usize);
        let done = bytes.len() >= length as usize;
        prop_assert_eq!(feed(Framing::Length(length), &bytes, &[piece]), Ok((consumed, done, bytes[..consumed].to_vec())));
    }

    #[test]
    fn hurt_bodies_are_judged_alike_however_they_arrive(
        (mut body, _) in chunked(),
        at in any::<prop::sample::Index>(),
        wound in prop::sample::select(vec![&b"\r"[..], b"\n", b" ", b"0", b";", b"\"", b"x", b"", b"\r\n"]),
        pieces in prop::collection::vec(1..20_usize, 1..10),
    ) {
        let at = at.index(body.len());
        body.splice(at..at + 1, wound.iter().copied());
        prop_assert_eq!(feed(Framing::Chunked, &body, &pieces), feed(Framing::Chunked, &body, &[body.len().max(1)]));
    }

    #[test]
    fn what_goes_on_is_a_body_with_the_same_data_however_it_arrives(
        (mut body, data) in chunked(),
        pieces in prop::collection::vec(1..20_usize, 1..10),
        at in any::<prop::sample::Index>(),
        wound in prop::sample::select(vec![None, Some(&b" "[..]), Some(b";a"), Some(b"Date: x\r\n"), Some(b"ETag: y\r\n")]),
    ) {
        if let Some(wound) = wound {
            let at = at.index(body.len());
            body.splice(at..at, wound.iter().copied());
        }
        let filter = || BodyFilter::of_answer(Framing::Chunked, b"etag".to_vec());
        let whole = pass(filter(), &body, &[body.len()]);
        prop_assert_eq!(&pass(filter(), &body, &pieces), &whole);
        if let Ok((out, true)) = whole {
            let strict = feed(Framing::Chunked, &out, &[out.len()]);
            prop_assert!(matches!(strict, Ok((length, true, _)) if length == out.len()), "{}", out.escape_ascii());
            prop_assert!(!out.windows(6).any(|six| six == b"\nETag:"), "{}", out.escape_ascii());
            if wound.is_none() {
                prop_assert_eq!(strict.map(|(_, _, data)| data), Ok(data));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 1..100), hex in "[0-9a-f]{0,17}") {
        let bytes = [hex.as_bytes(), b"\r\n", &bytes].concat();
        let _ = feed(Framing::Chunked, &bytes, &[3, 7]);
    }

    #[test]
    fn what_is_written_as_chunks_is_read_as_the_data(data in prop::collection::vec(any::<u8>(), 0..500), size in 1..100_usize) {
        let mut body = Vec::new();
        for chunk in data.chunks(size) {
            write_chunk(chunk, &mut body);
        }
        body.extend_from_slice(LAST_CHUNK);
        prop_assert_eq!(feed(Framing::Chunked, &body, &[13]), Ok((body.len(), true, data)));
    }
}

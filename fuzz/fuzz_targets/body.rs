//! Any bytes as a body in pieces: the tracker takes the same bytes however they are split, and never more than there
//! are; and what goes on of an answer's body is the same, and a body that the tracker takes.
#![no_main]

use lb_wire::{BodyFilter, BodyTracker, Framing};
use libfuzzer_sys::fuzz_target;

fn feed(framing: Framing, pieces: &[&[u8]]) -> (usize, bool, bool) {
    let mut tracker = BodyTracker::new(framing);
    let mut taken = 0;
    for piece in pieces {
        if tracker.is_done() {
            break;
        }
        match tracker.feed(piece) {
            Ok(progress) => {
                assert!(progress.consumed <= piece.len());
                taken += progress.consumed;
            }
            Err(_) => return (0, false, true),
        }
    }
    (taken, tracker.is_done(), false)
}

/// What goes on, and whether it came to its end; `None` where it was refused.
fn pass(framing: Framing, pieces: &[&[u8]]) -> Option<(Vec<u8>, bool)> {
    let mut filter = BodyFilter::of_answer(framing, b"x-hop".to_vec());
    let mut out = Vec::new();
    for piece in pieces {
        if filter.is_done() {
            break;
        }
        let mut instead = Vec::new();
        let passed = filter.pass(piece, &mut instead).ok()?;
        assert!(passed.consumed <= piece.len());
        out.extend_from_slice(if passed.changed { &instead } else { &piece[..passed.consumed] });
    }
    Some((out, filter.is_done()))
}

fuzz_target!(|data: &[u8]| {
    let [kind, split, body @ ..] = data else { return };
    let framing = match kind % 3 {
        0 => Framing::Chunked,
        1 => Framing::Length(u64::from(*split)),
        _ => Framing::UntilClose,
    };
    let whole = feed(framing, &[body]);
    let (first, second) = body.split_at(usize::from(*split).min(body.len()));
    assert_eq!(whole, feed(framing, &[first, second]));
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(whole, feed(framing, &bytes));
    let whole = pass(framing, &[body]);
    assert_eq!(whole, pass(framing, &[first, second]));
    assert_eq!(whole, pass(framing, &bytes));
    if let Some((out, true)) = whole {
        assert_eq!(feed(framing, &[&out]), (out.len(), true, false), "{}", out.escape_ascii());
    }
});

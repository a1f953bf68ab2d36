//! Any bytes as a body in pieces: the tracker takes the same bytes however they are split, and never more than there
//! are.
#![no_main]

use lb_wire::{BodyTracker, Framing};
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
});

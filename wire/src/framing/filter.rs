//! Bodies on their way through: raw bytes, but for what a proxy has to leave out of them.
//!
//! That is little, and rare: trailers that `Connection` names (RFC 9110 section 7.6.1 speaks of headers and trailers alike),
//! trailers that are to be headers or nothing (section 6.5.1: whoever would merge them is served wrong; to leave them out is what
//! the section offers), in responses white space in size lines (section 5.6.3), and leading zeros of chunk sizes (RFC 9112 section
//! 7.1 allows any number of them; readers that count digits differ). A trailer line is held back until all of it
//! has come; nothing else is copied, so that a body without trailers passes as it does without a filter.

use super::{
    BodyTracker, Piece, State,
    chunked::{Fate, Reading},
};
use crate::{BodyError, Framing, Name, fields, rules::is_lookalike};

/// How far a body got, and what of it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Bytes at the front of the input that belong to this message: all of it until the message is done.
    pub consumed: usize,
    /// Bytes of content among these: chunk sizes, extensions and trailers are none (RFC 9112 section 7.1).
    pub content: usize,
    /// The message has ended; what is behind `consumed` is the next one's, or a fault.
    pub done: bool,
    /// Other bytes than these go on instead of them.
    pub changed: bool,
}

/// Follows one body to its end, and says what of it goes on. After an error it stays where it was: drop it with its
/// connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyFilter {
    tracker: BodyTracker,
    /// The last byte taken was a zero of a chunk size, which is written once it is known that no digit follows.
    zero: bool,
    /// What only bodies with trailers need. In a box, because every request moves its filter about.
    trailers: Option<Box<Trailers>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Trailers {
    /// The line that is on its way.
    line: Vec<u8>,
    /// Names of lines that are left out: a list, at first of what `Connection` names.
    named: Vec<u8>,
}

impl BodyFilter {
    /// At the start of a request's body. `named`: what its `Connection` names, as
    /// [`RequestView::named_away`](crate::RequestView::named_away) has it.
    pub fn of_request(framing: Framing, named: Vec<u8>) -> Self {
        Self::new(BodyTracker::reading(framing, Reading::Request), named)
    }

    /// At the start of an answer's body. `named`: what its `Connection` names, as
    /// [`ResponseView::named_away`](crate::ResponseView::named_away) has it.
    pub fn of_answer(framing: Framing, named: Vec<u8>) -> Self {
        Self::new(BodyTracker::of_answer(framing), named)
    }

    fn new(tracker: BodyTracker, named: Vec<u8>) -> Self {
        let named = Some(named).filter(|named| !named.is_empty());
        Self {
            tracker,
            zero: false,
            trailers: named.map(|named| {
                Box::new(Trailers {
                    line: Vec::new(),
                    named,
                })
            }),
        }
    }

    /// Leaves out trailers of these names too, and of their look-alikes.
    pub fn leave_out_trailers(&mut self, names: &[Box<str>]) {
        if matches!(self.tracker.state, State::Chunked(_)) {
            for name in names {
                let named = &mut self.trailers.get_or_insert_default().named;
                named.push(b',');
                named.extend_from_slice(name.as_bytes());
            }
        }
    }

    /// Whether the message has ended. A close-delimited one only ends with its connection.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.tracker.is_done()
    }

    /// As [`BodyTracker::step`], for data that goes on in another framing, and without trailers.
    ///
    /// # Errors
    /// As [`BodyTracker::step`].
    pub fn step(&mut self, bytes: &[u8]) -> Result<Piece, BodyError> {
        self.tracker.step(bytes)
    }

    /// Takes what belongs to this message from the front of `bytes`, which may be split anywhere. What was taken goes on as it
    /// is; where [`Passed::changed`], what was appended to `instead` goes on in its place.
    ///
    /// # Errors
    /// [`BodyError`]: none of `bytes` may be passed on, or only with the connection closed behind them.
    pub fn pass(&mut self, bytes: &[u8], instead: &mut Vec<u8>) -> Result<Passed, BodyError> {
        let State::Chunked(chunked) = &mut self.tracker.state else {
            let progress = self.tracker.feed(bytes)?;
            return Ok(Passed {
                consumed: progress.consumed,
                content: progress.consumed,
                done: progress.done,
                changed: false,
            });
        };
        let (mut consumed, mut copied, mut changed) = (0, 0, false);
        let mut content = 0;
        if let Some(next) = bytes.first().filter(|_| std::mem::take(&mut self.zero))
            && !next.is_ascii_hexdigit()
        {
            instead.push(b'0');
            changed = true;
        }
        while consumed < bytes.len() && !chunked.is_done() {
            let data = chunked.skip_data(bytes.len() - consumed);
            if data > 0 {
                consumed += data;
                content += data;
                continue;
            }
            let byte = bytes[consumed];
            let mut fate = chunked.byte(byte)?;
            consumed += 1;
            if fate == Fate::Zero {
                let next = bytes.get(consumed);
                self.zero = next.is_none();
                fate = match next {
                    Some(next) if !next.is_ascii_hexdigit() => Fate::Passes,
                    _ => Fate::Cut,
                };
            }
            if fate == Fate::Passes {
                continue;
            }
            instead.extend_from_slice(&bytes[copied..consumed - 1]);
            (copied, changed) = (consumed, true);
            if fate == Fate::Cut {
                continue;
            }
            let trailers = self.trailers.get_or_insert_default();
            trailers.line.push(byte);
            if fate == Fate::EndsLine {
                let line = &mut trailers.line;
                let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
                if passes(name, &trailers.named) {
                    instead.extend_from_slice(line);
                }
                line.clear();
            }
        }
        if changed {
            instead.extend_from_slice(&bytes[copied..consumed]);
        }
        let done = chunked.is_done();
        if done {
            self.tracker.state = State::Done;
        }
        Ok(Passed {
            consumed,
            content,
            done,
            changed,
        })
    }
}

/// Whether a trailer of this name goes on; `named` are those that do not. Look-alikes may be left out too, as any trailer may
/// (RFC 9110 section 6.5.1).
fn passes(name: &[u8], named: &[u8]) -> bool {
    Name::classify(name).is_free() && !fields::list(named).any(|left_out| is_lookalike(name, left_out))
}

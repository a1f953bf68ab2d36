//! Body framing: where a message ends, found in raw bytes that are passed on as they are (RFC 9112 sections 6 and 7).
//!
//! Nothing is decoded on the usual way: chunk extensions survive because nobody takes them apart. The tracker only says how
//! many of the bytes at hand belong to this message, and refuses what the next reader could count differently. It is small, has
//! no buffer, and skips chunk data instead of looking at it. [`BodyTracker::step`] also says which bytes are data, for those who
//! must send the body in another framing. [`BodyFilter`] is for those who pass the bytes on, and leaves out of them what ends here.

mod chunked;
mod encode;
mod filter;
#[cfg(test)]
mod tests;

pub use encode::{CHUNK_END, LAST_CHUNK, write_chunk, write_chunk_head};

pub use filter::{BodyFilter, Passed};

use crate::{BodyError, Framing, Truncated};
use chunked::{Chunked, Reading};
use std::ops::Range;

/// How far a body got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes at the front of the input that belong to this message: all of it until the message is done.
    pub consumed: usize,
    /// The message has ended; what is behind `consumed` is the next one's, or a fault.
    pub done: bool,
}

/// One step through a body: framing, then at most one run of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes at the front of the input that this step took, data included.
    pub consumed: usize,
    /// Which of them are data; ends at `consumed` unless it is empty.
    pub data: Range<usize>,
    /// The message has ended.
    pub done: bool,
}

/// Follows one body to its end. After an error it stays where it was: drop it with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTracker {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Done,
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl BodyTracker {
    /// At the start of a body of this framing, whose bytes go on as they are; done already where there is none.
    pub fn new(framing: Framing) -> Self {
        Self::reading(framing, Reading::Strict)
    }

    /// For the body of an answer that ends here or is written anew: trailers that nobody may pass on, and white space in size
    /// lines, are no fault of it.
    pub fn of_answer(framing: Framing) -> Self {
        Self::reading(framing, Reading::Answer)
    }

    fn reading(framing: Framing, reading: Reading) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::new(reading)),
            Framing::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Whether the message has ended. A close-delimited one only ends with its connection.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes still to come, where a Content-Length told; 0 once done.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            State::Chunked(_) | State::UntilClose => None,
        }
    }

    /// Takes what belongs to this message from the front of `bytes`, which may be split anywhere.
    ///
    /// # Errors
    /// [`BodyError`]: none of `bytes` may be passed on, or only with the connection closed behind them.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, BodyError> {
        let mut consumed = 0;
        loop {
            let piece = self.step(&bytes[consumed..])?;
            consumed += piece.consumed;
            if piece.done || consumed == bytes.len() {
                return Ok(Progress {
                    consumed,
                    done: piece.done,
                });
            }
        }
    }

    /// As [`feed`](Self::feed), but stops behind the first run of data and tells where it is. Call again with the rest until
    /// all is consumed or `done`; each call takes at least one byte of what is not empty, unless done.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    #[inline]
    pub fn step(&mut self, bytes: &[u8]) -> Result<Piece, BodyError> {
        let (consumed, data) = match &mut self.state {
            State::Done => (0, 0..0),
            State::UntilClose => (bytes.len(), 0..bytes.len()),
            State::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= take as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
                (take, 0..take)
            }
            State::Chunked(chunked) => {
                let (consumed, data) = chunked.step(bytes)?;
                if chunked.is_done() {
                    self.state = State::Done;
                }
                (consumed, data)
            }
        };
        Ok(Piece {
            consumed,
            data,
            done: self.is_done(),
        })
    }

    /// The connection ended here.
    ///
    /// # Errors
    /// [`Truncated`] unless the message is done or this end is its end (RFC 9112 section 8).
    pub fn on_eof(&self) -> Result<(), Truncated> {
        match self.state {
            State::Done | State::UntilClose => Ok(()),
            State::Length(_) | State::Chunked(_) => Err(Truncated),
        }
    }
}

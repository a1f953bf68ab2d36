//! The way out: the server's bytes go to the client as they are, while the end of the answer is looked for in them.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use lb_wire::{Asked, BodyTracker, Framing, Limits, Parsed, Version, parse_response};
use tokio::time::Instant;

use super::{
    connection::{Connection, Phase},
    ending::Refusal,
};
use crate::proxy::Transport;

/// A backend's head and what is added to it.
const ANSWER_LIMITS: Limits = Limits {
    head_bytes: 1024 * 1024,
    header_count: 1000,
    target_bytes: 0,
};

/// How often within the longest silence a client that takes no bytes is asked whether there is room.
const ASKED: u32 = 4;

/// Our own version, whatever the client's is (RFC 9110 section 6.2). The server repeats the client's.
const VERSION: &[u8] = b"HTTP/1.1";

/// How far the answer has come.
#[derive(Default)]
pub(super) struct Answer {
    /// Of the final head; `None` before it.
    body: Option<BodyTracker>,
    /// Bytes of the last head, and how many of them are not sent.
    head: usize,
    unsent: usize,
    keep_alive: bool,
    /// It ends with its connection.
    until_close: bool,
    /// Since when the client takes no bytes, and when it was last asked.
    stalled: Option<(Instant, Instant)>,
    /// It has not taken any for too long.
    timed_out: bool,
    /// It is the server's own, and ours goes out in its place.
    taken_back: bool,
}

impl Answer {
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// Whether a client cannot tell from its connection's end that the answer is not whole.
    pub(super) fn looks_whole(&self) -> bool {
        self.body.is_some() && (self.until_close || self.timed_out)
    }

    /// `HTTP/1.` digit, as far as it is not sent; it is as long as ours.
    fn unsent_version(&self) -> usize {
        VERSION
            .len()
            .saturating_sub(self.head - self.unsent)
            .min(self.unsent)
    }
}

/// The server did what it is not expected to do; sending it on could end one message within another.
fn out_of_order() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "answer out of order")
}

impl<Io: Transport> Connection<Io> {
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.exchange.answer.taken_back {
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.phase != Phase::Exchange {
            return Poll::Ready(Err(out_of_order()));
        }
        if self.exchange.answer.body.is_none() && self.exchange.answer.unsent == 0 {
            self.read_answer_head(bytes)?;
            if self.exchange.answer.taken_back {
                return Poll::Ready(Ok(bytes.len()));
            }
        }
        let answer = &self.exchange.answer;
        // Behind an interim head another one follows.
        let bytes = match answer.body {
            None => &bytes[..answer.unsent.min(bytes.len())],
            Some(_) => bytes,
        };
        let old = match self.exchange.version {
            Version::Http10 => answer.unsent_version().min(bytes.len()),
            Version::Http11 => 0,
        };
        let sent = if old == 0 {
            Pin::new(&mut self.io).poll_write(cx, bytes)
        } else {
            let slices = [
                IoSlice::new(&VERSION[VERSION.len() - old..]),
                IoSlice::new(&bytes[old..]),
            ];
            Pin::new(&mut self.io).poll_write_vectored(cx, &slices)
        };
        let sent = match sent {
            Poll::Ready(sent) => sent?,
            Poll::Pending if old == 0 => ready!(self.poll_stalled(cx, bytes))?,
            Poll::Pending => ready!(self.poll_stalled(cx, &VERSION[VERSION.len() - old..]))?,
        };
        self.exchange.answer.stalled = None;
        if self.eof {
            self.half_closed = Instant::now();
        }
        self.note_sent(cx, &bytes[..sent])?;
        Poll::Ready(Ok(sent))
    }

    /// Reads the head at the front of what the server writes, which is always whole.
    fn read_answer_head(&mut self, bytes: &[u8]) -> io::Result<()> {
        let asked = Asked {
            method: self.exchange.method,
            offers: &[],
        };
        let parsed = parse_response(bytes, &mut self.shared.lines.borrow_mut(), &ANSWER_LIMITS, asked);
        let Ok(Parsed::Complete(head)) = parsed else {
            return Err(out_of_order());
        };
        let answer = &mut self.exchange.answer;
        if !head.is_interim() && !self.link.is_reached() {
            // The server knows better than our parser, or is stricter.
            answer.taken_back = true;
            self.refusal = Some(Refusal::new(head.status, "the request cannot be understood"));
            return Ok(());
        }
        (answer.head, answer.unsent) = (head.len, head.len);
        if !head.is_interim() {
            answer.body = Some(BodyTracker::new(head.framing));
            answer.keep_alive = head.keep_alive;
            answer.until_close = head.framing == Framing::UntilClose;
        }
        Ok(())
    }

    fn note_sent(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        let answer = &mut self.exchange.answer;
        let of_head = answer.unsent.min(bytes.len());
        answer.unsent -= of_head;
        let Some(body) = &mut answer.body else {
            return Ok(());
        };
        let rest = &bytes[of_head..];
        if !rest.is_empty() {
            let taken = body.feed(rest).map_err(|_| out_of_order())?;
            if taken.consumed < rest.len() {
                return Err(out_of_order());
            }
        }
        if answer.unsent == 0 && body.is_done() {
            self.complete(cx);
        }
        Ok(())
    }

    fn complete(&mut self, cx: &mut Context<'_>) {
        let exchange = &self.exchange;
        if exchange.answer.keep_alive && exchange.body.is_done() && !exchange.failed {
            self.go_on(cx);
        } else {
            self.phase = Phase::Over;
            self.said_last = true;
            // The server may still wait for the rest of the body.
            cx.waker().wake_by_ref();
        }
    }

    /// The client takes no bytes, or takes them so slowly that the kernel does not say it: so it is asked a few times before
    /// its time is over.
    fn poll_stalled(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stall = self.shared.worker.stall();
        let answer = &mut self.exchange.answer;
        let now = Instant::now();
        let (since, asked) = answer.stalled.get_or_insert((now, now));
        let deadline = self.link.deadline().map(Instant::from_std);
        loop {
            let ask = *asked + stall / ASKED;
            ready!(
                self.alarm
                    .poll(cx, deadline.map_or(ask, |deadline| deadline.min(ask)))
            );
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                answer.timed_out = true;
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            *asked = now;
            match self.io.send_at_once(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if *since + stall <= now {
                        answer.timed_out = true;
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                }
                sent => return Poll::Ready(sent),
            }
        }
    }
}

//! The way from the backend: where an answer begins, where it ends, and what of it awc may see.

use std::{
    io, mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use lb_wire::{Asked, BodyTracker, Limits, Parsed, ResponseHead, parse_response, worth_parsing};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Fault, Guarded, ResponsePhase, head};
use crate::lane::handler::awc::watch::SwitchedAt;

/// awc's parser takes 96 header lines.
const LIMITS: Limits = Limits {
    head_bytes: 32 * 1024,
    header_count: 96,
    target_bytes: 0,
};

/// What the bytes of an answer turned out to be.
enum Taken {
    /// A part of a head.
    Part,
    /// An interim answer of so many bytes, and something behind it perhaps.
    Interim(usize),
    /// A final head, made fit for awc, and some of its body: so many bytes.
    Message(usize),
}

impl<Io: 'static> Guarded<Io> {
    /// Reads the bytes of an answer from its first one on, and edits them for awc.
    fn take(&mut self, bytes: &mut [u8]) -> Result<Taken, Fault> {
        let shared = Rc::clone(&self.shared);
        let lines = &mut *shared.lines.borrow_mut();
        let watch = self.sending.watch.clone();
        let asked = Asked {
            method: self.method,
            offers: watch.as_ref().map_or(b"", |watch| watch.offers()),
        };
        let parsed = match parse_response(bytes, lines, &LIMITS, asked)? {
            Parsed::Partial => return Ok(Taken::Part),
            Parsed::Complete(head) if head.tunnel => {
                self.switch(&bytes[..head.len], &bytes[head.len..]);
                return Err(Fault::Tunnel);
            }
            Parsed::Complete(head) if head.is_interim() => {
                self.interim_closes |= !head.keep_alive;
                return match watch.is_none_or(|watch| watch.interim(&bytes[..head.len])) {
                    true => Ok(Taken::Interim(head.len)),
                    false => Err(Fault::ManyInterim),
                };
            }
            Parsed::Complete(head) if self.is_idle_timeout(&head) => {
                return Err(Fault::Stale(io::ErrorKind::UnexpectedEof));
            }
            Parsed::Complete(head) => head,
        };
        if let Some(watch) = watch {
            watch.came_in(parsed.version);
        }
        let mut tracker = BodyTracker::new(parsed.framing);
        let progress = tracker.feed(&bytes[parsed.len..])?;
        let end = parsed.len + progress.consumed;
        if end < bytes.len() {
            self.note_unsolicited();
        }
        self.keep_alive = parsed.keep_alive && end == bytes.len() && !mem::take(&mut self.interim_closes);
        let length = head::prepare_response(&mut bytes[..parsed.len], &parsed, lines, self.method);
        bytes.copy_within(parsed.len..end, length);
        self.phase = ResponsePhase::Body(tracker);
        if tracker.is_done() {
            self.end();
        }
        Ok(Taken::Message(length + progress.consumed))
    }

    /// Whether the backend ends a kept connection by 408 that it took to be idle, while the request was on its way (RFC 9110
    /// section 15.5.9). A request that may be sent again is, as after a close; others' clients are told.
    fn is_idle_timeout(&self, head: &ResponseHead) -> bool {
        let may_repeat = || {
            self.sending
                .watch
                .as_ref()
                .is_some_and(|watch| watch.may_repeat())
        };
        head.status == 408 && !head.keep_alive && self.reused && may_repeat()
    }

    /// The same for what is held; whether a message was there.
    fn take_held(&mut self) -> Result<bool, Fault> {
        loop {
            let mut held = mem::take(&mut self.held);
            let taken = self.take(&mut held);
            self.held = held;
            match taken? {
                Taken::Part => return Ok(false),
                Taken::Interim(length) => {
                    self.held.drain(..length);
                    if self.held.is_empty() {
                        return Ok(false);
                    }
                }
                Taken::Message(length) => {
                    self.held.truncate(length);
                    return Ok(true);
                }
            }
        }
    }

    /// Hands the connection over to the sender of the request, if it has asked for a tunnel.
    fn switch(&mut self, head: &[u8], rest: &[u8]) {
        if let Some(watch) = self.sending.watch.clone()
            && let Some(inner) = self.inner.take()
        {
            watch.switch(SwitchedAt {
                stream: Box::new(inner),
                head: head.to_vec(),
                rest: rest.to_vec(),
                unsent: self.sending.take_unsent(),
            });
        }
    }

    /// Gives awc what is held.
    pub(super) fn deliver(&mut self, buf: &mut ReadBuf<'_>) {
        let length = buf.remaining().min(self.held.len());
        buf.put_slice(&self.held[..length]);
        self.held.drain(..length);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Guarded<Io> {
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.phase != ResponsePhase::Idle && self.sending.is_busy() {
            self.poll_send(cx)?;
        }
        match self.phase {
            ResponsePhase::Idle => self.poll_idle(cx),
            ResponsePhase::Head => self.poll_head(cx, buf),
            ResponsePhase::Body(tracker) => self.poll_body(cx, buf, tracker),
        }
    }

    /// awc asks whether a pooled connection is of use: not if it has ended, and not if it says something unasked.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.inner.is_none()
            && let (Some(keeper), Some(watch)) = (&self.keeper, self.shared.uploads.watch())
            && let Some(kept) = keeper.take(&watch)
        {
            self.inner = Some(kept);
            return Poll::Pending;
        }
        if let Some(inner) = &mut self.inner {
            let mut byte = [0];
            let _unasked = ready!(Pin::new(inner).poll_read(cx, &mut ReadBuf::new(&mut byte)));
            self.close();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            // The front takes what is there first, and lets awc go on behind it.
            if self.sending.watch.as_ref().is_some_and(|watch| watch.is_full()) {
                return Poll::Pending;
            }
            let before = buf.filled().len();
            let Some(inner) = &mut self.inner else {
                return Poll::Ready(Ok(()));
            };
            let read = ready!(Pin::new(inner).poll_read(cx, buf));
            let fresh = buf.filled().len() - before;
            if read.is_err() || fresh == 0 {
                return Poll::Ready(self.end_without_head(read));
            }
            let mut interim = 0;
            if self.held.is_empty() {
                match self.take(&mut buf.filled_mut()[before..])? {
                    Taken::Message(length) => {
                        buf.set_filled(before + length);
                        return Poll::Ready(Ok(()));
                    }
                    Taken::Interim(length) => interim = length,
                    Taken::Part => {}
                }
            }
            self.sending.note();
            let bytes = &buf.filled()[before + interim..];
            self.held.extend_from_slice(bytes);
            let worthwhile =
                interim > 0 || worth_parsing(bytes) || self.held.len() >= LIMITS.head_bytes as usize;
            buf.set_filled(before);
            if worthwhile && !self.held.is_empty() && self.take_held()? {
                self.deliver(buf);
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The connection ended before a final head. What broke it first says most; awc says itself what it means if nothing
    /// came at all.
    fn end_without_head(&mut self, read: io::Result<()>) -> io::Result<()> {
        let failure = match self.sending.take_failure() {
            Some(failure) => Some(failure),
            None => read.err(),
        };
        match failure {
            Some(failure) if self.held.is_empty() => Err(self.broken(failure)),
            Some(failure) => Err(failure),
            None if !self.held.is_empty() => Err(Fault::HeadCutShort.into()),
            None if self.reused => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            None => {
                self.close();
                Ok(())
            }
        }
    }

    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut tracker: BodyTracker,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(Ok(()));
        };
        ready!(Pin::new(inner).poll_read(cx, buf))?;
        let bytes = &buf.filled()[before..];
        if bytes.is_empty() {
            tracker.on_eof().map_err(|_| Fault::CutShort)?;
            self.close();
            return Poll::Ready(Ok(()));
        }
        let progress = tracker.feed(bytes).map_err(Fault::Body)?;
        let (consumed, all) = (progress.consumed, bytes.len());
        if consumed < all {
            self.note_unsolicited();
        }
        self.keep_alive &= consumed == all;
        buf.set_filled(before + progress.consumed);
        self.phase = ResponsePhase::Body(tracker);
        if progress.done {
            self.end();
        }
        Poll::Ready(Ok(()))
    }
}

//! A request on its way to a backend: head and body so far. As long as all of it is kept, it can be sent again to
//! another backend.

use std::{
    io,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;

use crate::{
    front::h1::{nudge, poll_send},
    proxy::Transport,
};

/// Bytes of a body that are kept for a second sending.
pub(super) const REPLAY_BODY: usize = 64 * 1024;

/// What is sent to a backend.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Begins with the head, whatever was kept of the body.
    bytes: Vec<u8>,
    head: usize,
    sent: usize,
    /// Nothing of the body has been given away.
    whole: bool,
    /// Bytes that are kept at most.
    most: usize,
    /// A byte of it has gone out in this attempt.
    touched: bool,
}

impl Outgoing {
    /// A message that begins with `bytes`: a head of `head` bytes, and what is there of its body, which may be kept if
    /// `keep_body`.
    pub(super) fn new(bytes: Vec<u8>, head: usize, keep_body: bool) -> Self {
        let most = if keep_body { head + REPLAY_BODY } else { head };
        Self {
            bytes,
            head,
            sent: 0,
            whole: true,
            most,
            touched: false,
        }
    }

    /// Its head as it goes to the backend; empty before it is written.
    pub(super) fn head(&self) -> &[u8] {
        &self.bytes[..self.head]
    }

    /// Whether it can be sent from its first byte.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether a byte has gone out in this attempt.
    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    /// Begins anew, for another backend.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
        self.touched = false;
    }

    /// Puts another `Host` into the head, before any of it has gone out in this attempt.
    pub(super) fn set_host(&mut self, host: &str) {
        let before = self.bytes.len();
        if self.whole && self.sent == 0 && lb_wire::replace_host(&mut self.bytes, host.as_bytes()) {
            let grown = |length: usize| (length + self.bytes.len()).saturating_sub(before);
            (self.head, self.most) = (grown(self.head), grown(self.most));
        }
    }

    /// Whether all that is there has gone out.
    pub(super) fn is_flushed(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Adds bytes of the body to what waits.
    pub(super) fn queue(&mut self, bytes: &[u8]) {
        if self.whole && self.touched && self.bytes.len() + bytes.len() > self.most {
            self.whole = false;
        }
        if !self.whole && self.is_flushed() {
            self.bytes.truncate(self.head);
            self.sent = self.head;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds bytes of the body and sends directly what the socket takes at once.
    pub(super) fn send<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
        mut bytes: &[u8],
    ) -> io::Result<()> {
        if self.bytes.len() + bytes.len() > self.most && self.is_flushed() && self.touched {
            self.whole = false;
            let mut sent = 0;
            if let Poll::Ready(result) = poll_send(cx, to, bytes, &mut sent) {
                result?;
            }
            bytes = &bytes[sent..];
        }
        if !bytes.is_empty() {
            self.queue(bytes);
        }
        Ok(())
    }

    /// Sends what is there.
    pub(super) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        let before = self.sent;
        let polled = poll_send(cx, to, &self.bytes, &mut self.sent);
        self.touched |= self.sent > before;
        polled
    }

    /// Sends what finds room, whatever the runtime believes: `true` when any did, so that the backend is slow but not
    /// stalled.
    pub(super) fn nudge(&mut self, to: &mut impl Transport) -> io::Result<bool> {
        let sent = nudge(to, &self.bytes[self.sent..])?;
        self.touched |= sent > 0;
        self.sent += sent;
        Ok(sent > 0)
    }

    /// What has not gone out, which is then somebody else's to send.
    pub(super) fn take_unsent(&mut self) -> Vec<u8> {
        let unsent = self.bytes.split_off(self.sent);
        self.head = self.head.min(self.sent);
        self.whole = false;
        unsent
    }

    /// The buffer, for the next request.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

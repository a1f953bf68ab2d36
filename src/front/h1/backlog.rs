//! Bytes that a socket has not taken yet. While there are any, nothing more is read for it: that is the back-pressure.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::AsyncWrite;

use crate::proxy::Transport;

/// A buffer that grew larger is given back when it is empty, so that one long answer does not stay for ever.
const KEPT: usize = 4 * 1024;

/// Up to this size a body is copied behind its head instead of being sent from where it is.
const COPIED: usize = 4 * 1024;

/// Bytes on their way to one socket.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: Vec<u8>,
    sent: usize,
}

impl Backlog {
    /// Whether the socket has taken all.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Room to write into; what is written there is sent by the next flush.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Sends what is there.
    pub(crate) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        ready!(poll_send(cx, to, &self.bytes, &mut self.sent))?;
        self.clear();
        Poll::Ready(Ok(()))
    }

    /// Sends what finds room, whatever the runtime believes: `true` when any did, so that the peer is slow but not stalled.
    pub(crate) fn nudge(&mut self, to: &mut impl Transport) -> io::Result<bool> {
        let sent = nudge(to, &self.bytes[self.sent..])?;
        self.sent += sent;
        if self.is_empty() {
            self.clear();
        }
        Ok(sent > 0)
    }

    /// Sends `bytes` behind what is there, directly as far as the socket takes them at once; the rest is kept.
    pub(crate) fn send<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
        mut bytes: &[u8],
    ) -> io::Result<()> {
        // A head and a small body are cheaper as one piece.
        let together = !self.is_empty() && bytes.len() <= COPIED;
        while !together && !bytes.is_empty() {
            let waiting = &self.bytes[self.sent..];
            let polled = if waiting.is_empty() {
                Pin::new(&mut *to).poll_write(cx, bytes)
            } else {
                let both = [IoSlice::new(waiting), IoSlice::new(bytes)];
                Pin::new(&mut *to).poll_write_vectored(cx, &both)
            };
            match polled {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(sent)) => {
                    let of_waiting = sent.min(waiting.len());
                    self.sent += of_waiting;
                    bytes = &bytes[sent - of_waiting..];
                    if self.is_empty() {
                        self.clear();
                    }
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Forgets what is there.
    pub(crate) fn clear(&mut self) {
        self.sent = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
}

/// Sends what is behind the first `sent` of `bytes`, and counts it there.
#[inline]
pub(crate) fn poll_send<W: AsyncWrite + Unpin>(
    cx: &mut Context<'_>,
    to: &mut W,
    bytes: &[u8],
    sent: &mut usize,
) -> Poll<io::Result<()>> {
    while *sent < bytes.len() {
        match ready!(Pin::new(&mut *to).poll_write(cx, &bytes[*sent..]))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            more => *sent += more,
        }
    }
    Poll::Ready(Ok(()))
}

/// Sends what finds room of `bytes`, whatever the runtime believes.
pub(crate) fn nudge(to: &mut impl Transport, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match to.write_now(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        sent => sent,
    }
}

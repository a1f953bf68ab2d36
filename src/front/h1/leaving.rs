//! Whether a client leaves while its request waits for something else: a connection to a backend, or a place in a queue.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use super::Client;
use crate::{
    front::TICK,
    proxy::{HALF_CLOSED, Transport},
};

/// Watches one client. One that closed its side may only have said that it sends no more: it is waited for as long as a
/// backend may be silent then.
#[derive(Default)]
pub(crate) struct Leaving {
    /// When it will have left, if it has closed its side.
    at: Option<Instant>,
}

impl Leaving {
    /// `Ready` when it has left. What it sends meanwhile is kept.
    pub(crate) fn poll<S: Transport>(&mut self, cx: &mut Context<'_>, client: &mut Client<S>) -> Poll<()> {
        let now = client.timer.clock().now();
        if self.at.is_none() {
            match client.poll_gone(cx) {
                Poll::Ready(Ok(())) => self.at = Some(now + HALF_CLOSED + TICK),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        match self.at {
            Some(at) if at <= now => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// When it must be asked again, whatever else happens.
    pub(crate) fn wakes<S: Transport>(&self, client: &Client<S>) -> Option<Instant> {
        self.at
            .or_else(|| client.is_far_ahead().then(|| client.looks_again()))
    }
}

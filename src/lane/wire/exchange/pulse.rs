//! Asks the sides of an exchange whether they move, while bytes wait for them.

use std::{task::Context, time::Instant};

use super::{End, Exchange};
use crate::front::Downstream;

impl<D: Downstream> Exchange<'_, D> {
    /// Asks the sides for which bytes wait, and says when to do so again.
    pub(super) fn ask_for_progress(&mut self, cx: &Context<'_>) -> Result<Option<Instant>, End> {
        let now = self.now();
        let timeouts = &self.message.destination.terms().timeouts;
        let (client, outgoing) = (&mut *self.client, &mut self.message.outgoing);
        let mut next = None;
        if client.waiting() > 0 {
            let ask = || {
                client.give_up_after(timeouts.body_stall);
                client.nudge()
            };
            if self.client_pulse.ask(timeouts.body_stall, now, ask).is_err() {
                return Err(End::ClientGone);
            }
            if client.waiting() == 0 {
                // There is no socket to wait for. Nothing was read from the backend meanwhile, so it was not silent.
                cx.waker().wake_by_ref();
                self.backend_pulse.since = now;
            }
            next = Some(self.client_pulse.due(timeouts.body_stall));
        }
        if !outgoing.is_flushed() && self.upload_failure.is_none() {
            let ask = || outgoing.nudge(&mut self.backend.stream);
            match self.backend_pulse.ask(timeouts.response_idle, now, ask) {
                // The client's body is not due as long as the backend takes none.
                Ok(true) if client.waiting() == 0 => self.client_pulse.since = now,
                Ok(_) => {}
                Err(error) => self.upload_failure = Some(error),
            }
            if outgoing.is_flushed() || self.upload_failure.is_some() {
                cx.waker().wake_by_ref();
            }
            let due = self.backend_pulse.due(timeouts.response_idle);
            next = Some(next.map_or(due, |next: Instant| next.min(due)));
        }
        Ok(next)
    }
}

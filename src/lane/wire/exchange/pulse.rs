//! Slow or stalled: when a side of an exchange last moved, and when it was last asked.
//!
//! A peer that takes bytes slowly makes its socket writable only when a third of the kernel's buffer is free, which can
//! take longer than the longest silence. So bytes that wait are offered to the kernel now and then, whatever it said: if
//! any find room, the peer has read. Costs a system call for those who are slow, and nothing for others.

use std::{
    io,
    task::Context,
    time::{Duration, Instant},
};

use super::{End, Exchange};
use crate::proxy::Transport;

/// How often within the longest silence a side is asked.
const ASKED: u32 = 4;

/// One side of an exchange.
pub(super) struct Pulse {
    /// When it last moved.
    pub(super) since: Instant,
    asked: Instant,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            asked: now,
        }
    }

    /// Asks it by `ask` if that is due: whether it has moved. `longest`: its longest silence.
    fn ask(
        &mut self,
        longest: Duration,
        now: Instant,
        ask: impl FnOnce() -> io::Result<bool>,
    ) -> io::Result<bool> {
        if self.due(longest) > now {
            return Ok(false);
        }
        self.asked = now;
        let moved = ask()?;
        if moved {
            self.since = now;
        }
        Ok(moved)
    }

    /// When it is to be asked next.
    fn due(&self, longest: Duration) -> Instant {
        self.since.max(self.asked) + longest / ASKED
    }
}

impl<S: Transport> Exchange<'_, S> {
    /// Asks the sides for which bytes wait, and says when to do so again.
    pub(super) fn ask_for_progress(&mut self, cx: &Context<'_>) -> Result<Option<Instant>, End> {
        let now = self.now();
        let timeouts = &self.message.destination.terms().timeouts;
        let (client, outgoing) = (&mut *self.client, &mut self.message.outgoing);
        let mut next = None;
        if !client.out.is_empty() {
            let ask = || {
                client.give_up_after(timeouts.body_stall);
                client.out.nudge(&client.stream)
            };
            if self.client_pulse.ask(timeouts.body_stall, now, ask).is_err() {
                return Err(End::ClientGone);
            }
            if client.out.is_empty() {
                // There is no socket to wait for.
                cx.waker().wake_by_ref();
            }
            next = Some(self.client_pulse.due(timeouts.body_stall));
        }
        if !outgoing.is_flushed() && self.upload_failure.is_none() {
            let ask = || outgoing.nudge(&self.backend.stream);
            match self.backend_pulse.ask(timeouts.response_idle, now, ask) {
                // The client's body is not due as long as the backend takes none.
                Ok(true) if client.out.is_empty() => self.client_pulse.since = now,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_asked_four_times_within_its_longest_silence() {
        let (start, longest, second) = (Instant::now(), Duration::from_secs(40), Duration::from_secs(1));
        let mut pulse = Pulse::new(start);
        let mut asked = Vec::new();
        for after in 0..=40 {
            let moved = pulse.ask(longest, start + second * after, || {
                asked.push(after);
                Ok(false)
            });
            assert!(matches!(moved, Ok(false)));
        }
        assert_eq!((asked, pulse.since), (vec![10, 20, 30, 40], start));
    }

    #[test]
    fn a_side_that_has_moved_has_its_time_again() {
        let (start, longest) = (Instant::now(), Duration::from_secs(40));
        let mut pulse = Pulse::new(start);
        let later = start + Duration::from_secs(15);
        assert!(matches!(pulse.ask(longest, later, || Ok(true)), Ok(true)));
        assert_eq!(pulse.since, later);
        assert_eq!(pulse.due(longest), later + Duration::from_secs(10));
    }
}

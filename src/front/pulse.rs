//! Slow or stalled: when a side of an exchange last moved, and when it was last asked.
//!
//! A peer that takes bytes slowly makes its socket writable only when a third of the kernel's buffer is free, which can
//! take longer than the longest silence. So bytes that wait are offered to the kernel now and then, whatever it said: if
//! any find room, the peer has read. Costs a system call for those who are slow, and nothing for others.

use std::{
    io,
    time::{Duration, Instant},
};

/// How often within the longest silence a side is asked.
const ASKED: u32 = 4;

/// One side of an exchange, as its progress shows.
pub(crate) struct Pulse {
    /// When it last moved.
    pub(crate) since: Instant,
    asked: Instant,
}

impl Pulse {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            asked: now,
        }
    }

    /// Asks it by `ask` if that is due: whether it has moved. `longest`: its longest silence.
    pub(crate) fn ask(
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
    pub(crate) fn due(&self, longest: Duration) -> Instant {
        self.since.max(self.asked) + longest / ASKED
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

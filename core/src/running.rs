//! Time in which the process ran. A process that is stopped (`SIGSTOP`, Ctrl-Z, a paused container, a snapshot of its machine)
//! finds all its timers at their ends when it goes on, though nobody was slow. So timers count time in which the process ran,
//! and a reading of the clock that comes much later than it was due shows that it did not.
//!
//! The same holds for a worker that had no processor for so long: it could not have seen what came.

use std::time::{Duration, Instant};

/// How much later than it was due a reading may come before it shows a stop: much longer than the tasks of a busy worker take
/// in one turn, and shorter than any timeout that is in use.
pub const LONGEST_DELAY: Duration = Duration::from_millis(500);

/// A clock that stands still while the process does not run. It shows what the real one shows until the first stop, and lags
/// behind it from then on.
#[derive(Debug, Clone, Copy)]
pub struct RunningClock {
    read: Instant,
    lost: Duration,
    resumed: Option<Instant>,
}

impl RunningClock {
    /// At this time of the real clock.
    pub fn new(now: Instant) -> Self {
        Self {
            read: now,
            lost: Duration::ZERO,
            resumed: None,
        }
    }

    /// Reads it, where that was due so long after the last time.
    pub fn read(&mut self, now: Instant, due_after: Duration) -> Instant {
        let delay = now.saturating_duration_since(self.read).saturating_sub(due_after);
        if delay > LONGEST_DELAY {
            self.lost += delay;
            self.resumed = Some(now);
        }
        self.read = now;
        self.at(now)
    }

    /// What the real clock showed when this one was read last.
    pub fn last_read(&self) -> Instant {
        self.read
    }

    /// What it shows when the real clock shows this, as far as is known of stops.
    pub fn at(&self, real: Instant) -> Instant {
        match self.lost.is_zero() {
            true => real,
            false => real.checked_sub(self.lost).unwrap_or(real),
        }
    }

    /// Whether the process has run all the time from then to `now`, both as the real clock shows them, where readings are due
    /// so long after each other.
    pub fn has_run(&self, from: Instant, now: Instant, due_after: Duration) -> bool {
        now <= self.read + due_after + LONGEST_DELAY && self.resumed.is_none_or(|resumed| resumed <= from)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    const TICK: Duration = Duration::from_millis(100);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn readings_that_are_a_little_late_lose_nothing() {
        let start = Instant::now();
        let mut clock = RunningClock::new(start);
        let mut now = start;
        for late in [0, 50, 400, 500] {
            now += TICK + Duration::from_millis(late);
            assert_eq!(clock.read(now, TICK), now);
        }
        assert!(clock.has_run(start, now + TICK, TICK));
    }

    #[test]
    fn a_stop_does_not_count() {
        let start = Instant::now();
        let mut clock = RunningClock::new(start);
        let stopped = start + SECOND * 60;
        assert!(!clock.has_run(start, stopped, TICK), "known before it is read");
        assert_eq!(clock.read(stopped, TICK), start + TICK);
        assert_eq!(clock.read(stopped + TICK, TICK), start + TICK * 2);
        assert_eq!(clock.at(stopped + SECOND), start + TICK + SECOND);
        assert!(!clock.has_run(start, stopped + TICK, TICK));
        assert!(clock.has_run(stopped, stopped + TICK, TICK));
        assert_eq!(clock.last_read(), stopped + TICK);
        // Another one adds to it.
        assert_eq!(
            clock.read(stopped + SECOND * 9 + TICK * 2, TICK),
            start + TICK * 3
        );
    }
}

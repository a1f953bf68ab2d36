//! One line for each failed attempt, but never a flood: a backend that fails ten thousand requests a second must not
//! fill the disk. What was left out is counted and said with the next line.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use lb_core::{attempts::Verdict, config::BackendUrl};
use log::warn;

use super::{Phase, ProxyError, RequestId};

/// The failure lines of one worker.
#[derive(Debug)]
pub struct FailureLog {
    since: Cell<Instant>,
    written: Cell<u32>,
    left_out: Cell<u64>,
}

impl FailureLog {
    /// Lines a second: enough to see what is going on, little enough to be read.
    pub const LINES_PER_SECOND: u32 = 10;

    /// A log that has written nothing yet.
    pub fn new(now: Instant) -> Self {
        Self {
            since: Cell::new(now),
            written: Cell::new(0),
            left_out: Cell::new(0),
        }
    }

    /// Logs one failed attempt.
    pub fn write(
        &self,
        id: &RequestId,
        backend: Option<&BackendUrl>,
        (phase, error): (Phase, &ProxyError),
        verdict: Verdict,
    ) {
        let Some(left_out) = self.admit(Instant::now()) else {
            return;
        };
        let then = match verdict {
            Verdict::Retried => "trying another backend",
            Verdict::GaveUp => "giving up",
        };
        let more = if left_out > 0 {
            format!(" ({left_out} more failures not logged)")
        } else {
            String::new()
        };
        match backend {
            Some(url) => warn!(
                "request {id}: backend {url}: {}: {error}: {then}{more}",
                phase.as_str()
            ),
            None => warn!("request {id}: {error}: {then}{more}"),
        }
    }

    /// `Some(left out since the last line)` when a line may be written.
    fn admit(&self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.since.get()) >= Duration::from_secs(1) {
            self.since.set(now);
            self.written.set(0);
        }
        if self.written.get() >= Self::LINES_PER_SECOND {
            self.left_out.set(self.left_out.get() + 1);
            return None;
        }
        self.written.set(self.written.get() + 1);
        Some(self.left_out.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_ten_lines_a_second_and_says_how_many_it_left_out() {
        let start = Instant::now();
        let log = FailureLog::new(start);
        assert_eq!((0..1000).filter(|_| log.admit(start).is_some()).count(), 10);
        assert_eq!(log.admit(start + Duration::from_secs(1)), Some(990));
        assert_eq!(log.admit(start + Duration::from_secs(1)), Some(0));
    }
}

//! What the clients count. Pure: the time comes from outside.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Rates and percentiles are those of this time.
const RECENT: Duration = Duration::from_secs(1);

/// Counters, and the answers of the last second.
#[derive(Default)]
pub(super) struct Counts {
    sent: u64,
    ok: u64,
    failed: u64,
    last_failure: Option<String>,
    /// When an answer was complete, and how long it had taken.
    recent: VecDeque<(Instant, Duration)>,
}

/// What the clients have seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Seen {
    /// Requests sent.
    pub(in super::super) sent: u64,
    /// Whole answers with a status below 300.
    pub(in super::super) ok: u64,
    /// Everything else that is over.
    pub(in super::super) failed: u64,
    /// Why the last failed one did.
    pub(in super::super) last_failure: Option<String>,
    /// Answers in the last second.
    pub(in super::super) rate: u64,
    /// The median of their times.
    pub(in super::super) p50: Option<Duration>,
    /// What 99 of 100 of them did not exceed.
    pub(in super::super) p99: Option<Duration>,
}

impl Counts {
    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    pub(super) fn answered(&mut self, started: Instant, now: Instant, result: Result<(), String>) {
        match result {
            Ok(()) => self.ok += 1,
            Err(failure) => {
                self.failed += 1;
                self.last_failure = Some(failure);
            }
        }
        self.recent.push_back((now, now.duration_since(started)));
        self.forget(now);
    }

    pub(super) fn seen(&mut self, now: Instant) -> Seen {
        self.forget(now);
        let mut times: Vec<_> = self.recent.iter().map(|(_, time)| *time).collect();
        times.sort_unstable();
        Seen {
            sent: self.sent,
            ok: self.ok,
            failed: self.failed,
            last_failure: self.last_failure.clone(),
            rate: times.len() as u64,
            p50: percentile(&times, 50),
            p99: percentile(&times, 99),
        }
    }

    fn forget(&mut self, now: Instant) {
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > RECENT)
        {
            self.recent.pop_front();
        }
    }
}

/// The smallest value that `percent` of 100 do not exceed (nearest rank); `None` of nothing.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let hundred = millis(1..=100);
        assert_eq!(percentile(&hundred, 50), Some(Duration::from_millis(50)));
        assert_eq!(percentile(&hundred, 99), Some(Duration::from_millis(99)));
        assert_eq!(percentile(&millis([7]), 99), Some(Duration::from_millis(7)));
        assert_eq!(percentile(&millis([1, 2, 3]), 50), Some(Duration::from_millis(2)));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn only_the_last_second_counts_for_rates_and_everything_for_totals() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut counts = Counts::default();
        for (begun, ended, result) in [
            (0, 300, Ok(())),
            (900, 1000, Err("502 Bad Gateway".to_owned())),
            (1990, 2000, Ok(())),
        ] {
            counts.sent();
            counts.answered(at(begun), at(ended), result);
        }
        counts.sent();
        let seen = counts.seen(at(2000));
        assert_eq!((seen.sent, seen.ok, seen.failed, seen.rate), (4, 2, 1, 2));
        assert_eq!(seen.last_failure.as_deref(), Some("502 Bad Gateway"));
        assert_eq!(seen.p50, Some(Duration::from_millis(10)));
        assert_eq!(seen.p99, Some(Duration::from_millis(100)));
        assert_eq!(counts.seen(at(3001)).rate, 0);
    }
}

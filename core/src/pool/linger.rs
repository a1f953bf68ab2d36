//! Failures as load. A backend that fails its requests at once holds nothing, and strategies that look for who holds the
//! least would send it nearly everything: a black hole. So a failure goes on counting as load for as long as a good
//! response of its pool takes; then a backend that fails everything gets what it would get if it worked, and no more,
//! until it is ejected. It counts for the choice only, and takes no place of `max_connections`.
//!
//! What is left of a failure fades exponentially, so one word holds any number of them and nobody has to come by to end
//! them. Its sum over time is the time that was missing: a failure that took as long as a good response leaves nothing
//! behind.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Steps of the clock, as fine as loads change on a busy backend. They begin anew after 76 hours: then what was left of a
/// failure before that may count once more, for a moment.
const UNIT_MICROS: u128 = 64;

/// How long a good response takes while nothing is known of it, in microseconds: a quick page.
const UNKNOWN: u32 = 10_000;

/// What failed requests leave behind as load, shared by all workers.
#[derive(Debug)]
pub(super) struct Linger {
    /// An `f32` of requests and 32 bits of time; 0: none has failed.
    word: AtomicU64,
    usual_micros: AtomicU32,
    epoch: OnceLock<Instant>,
}

impl Default for Linger {
    fn default() -> Self {
        Self {
            word: AtomicU64::new(0),
            usual_micros: AtomicU32::new(UNKNOWN),
            epoch: OnceLock::new(),
        }
    }
}

impl Linger {
    /// How long a good response takes in this pool.
    pub(super) fn set_usual(&self, time: Duration) {
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1);
        self.usual_micros.store(micros, Relaxed);
    }

    /// A request failed after so long.
    pub(super) fn add(&self, took: Duration, now: Instant) {
        let missing = 1.0 - took.as_secs_f32() * 1e6 / self.usual_micros() as f32;
        if missing <= 0.0 {
            return;
        }
        let at = self.units(now);
        let more = |word| {
            let requests = self.left(word, at) + missing;
            Some(u64::from(requests.to_bits()) << 32 | u64::from(at))
        };
        // Cannot fail: there is always something to store.
        let _always = self.word.fetch_update(Relaxed, Relaxed, more);
    }

    /// The load that is left, in requests.
    #[inline]
    pub(super) fn load(&self, now: Instant) -> u64 {
        match self.word.load(Relaxed) {
            0 => 0,
            word => self.left(word, self.units(now)).round() as u64,
        }
    }

    fn left(&self, word: u64, at: u32) -> f32 {
        let requests = f32::from_bits((word >> 32) as u32);
        // A worker's reading of the clock may be older than another's.
        let passed = at.wrapping_sub(word as u32).cast_signed().max(0);
        let usual = self.usual_micros() as f32 / UNIT_MICROS as f32;
        requests * (-(passed as f32) / usual).exp()
    }

    fn usual_micros(&self) -> u32 {
        self.usual_micros.load(Relaxed)
    }

    fn units(&self, now: Instant) -> u32 {
        let epoch = self.epoch.get_or_init(|| now);
        (now.saturating_duration_since(*epoch).as_micros() / UNIT_MICROS) as u32
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn failures_count_as_load_for_as_long_as_good_responses_take() {
        let (linger, start) = (Linger::default(), Instant::now());
        assert_eq!(linger.load(start), 0);
        linger.set_usual(100 * MS);
        // A thousand a second, each of which would hold its place for 100 ms.
        for step in 1..=1000 {
            linger.add(Duration::ZERO, start + step * MS);
        }
        let load = linger.load(start + 1000 * MS);
        assert!((99..=102).contains(&load), "{load}");
        assert_eq!(linger.load(start + 1800 * MS), 0, "and then no more");
    }

    #[test]
    fn a_failure_that_took_its_time_leaves_what_is_missing() {
        let (linger, now) = (Linger::default(), Instant::now());
        linger.set_usual(100 * MS);
        linger.add(100 * MS, now);
        linger.add(3000 * MS, now);
        assert_eq!(linger.load(now), 0);
        (0..40).for_each(|_| linger.add(75 * MS, now));
        assert_eq!(linger.load(now), 10);
    }

    #[test]
    fn a_clock_that_lies_behind_changes_nothing() {
        let (linger, start) = (Linger::default(), Instant::now());
        let now = start + 1000 * MS;
        linger.add(Duration::ZERO, start);
        linger.add(Duration::ZERO, now);
        assert_eq!((linger.load(now), linger.load(now - 5 * MS)), (1, 1));
    }
}

//! Smoothed latency that believes bad news at once and good news slowly: Peak EWMA, as finagle has it
//! (`com.twitter.finagle.loadbalancer.p2c`, `PeakEwma`) and linkerd after it.
//!
//! A measurement above the average replaces it. One below moves it by the time since the last measurement: after
//! `decay`, about two thirds of the way, however many measurements there were. While a candidate holds nothing, its
//! average decays towards 0, so that one that was slow is asked again some day; while it holds requests it does not,
//! or one that hangs would look better by the second.
//!
//! A failure is bad news as well: a candidate that refuses within a moment must not look fast, so a failure doubles the
//! average, to at least what the failure took and at most ten seconds. An answer that is an error took at least as long
//! as it did: it can raise the average, and not lower it.
//!
//! One word holds average and time, so that workers need no lock. Time is counted in units of 64 µs from the first
//! measurement; after 76 hours without any it begins anew, so that for as long as `decay` an average that has faded away
//! looks as it did then.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Finer than requests to one backend follow each other on a busy machine; what comes within one unit only counts if it
/// is a peak.
const UNIT_MICROS: u128 = 64;

/// Units by which one worker's reading of the clock may lie behind another's: a minute.
const SKEW: u32 = 1 << 20;

/// What failures can make of an average, in microseconds: as long as the usual decay, so that it is over soon.
const MOST_AFTER_FAILURE: f32 = 10_000_000.0;

/// What a first failure counts as, in microseconds: a failed request costs its client at least a retry, which a fast
/// pool does not need.
const LEAST_AFTER_FAILURE: f32 = 10_000.0;

/// A smoothed latency, shared by all workers.
#[derive(Debug, Default)]
pub struct PeakEwma {
    epoch: OnceLock<Instant>,
    /// An `f32` of microseconds and 32 bits of time; 0: nothing was measured.
    word: AtomicU64,
}

#[derive(Clone, Copy)]
struct Average {
    micros: f32,
    at: u32,
}

impl Average {
    fn from_word(word: u64) -> Option<Self> {
        (word != 0).then_some(Self {
            micros: f32::from_bits((word >> 32) as u32),
            at: word as u32,
        })
    }

    fn to_word(self) -> u64 {
        // Never 0, even for a latency of 0 at the very beginning.
        u64::from(self.micros.max(f32::MIN_POSITIVE).to_bits()) << 32 | u64::from(self.at)
    }

    /// What is left of it, of 1, at a later time.
    fn weight_at(self, at: u32, decay: Duration) -> f32 {
        let passed = at.wrapping_sub(self.at);
        // A worker whose clock reading is a moment older.
        let passed = if passed > u32::MAX - SKEW { 0 } else { passed };
        let units = decay.as_micros() as f64 / UNIT_MICROS as f64;
        (-f64::from(passed) / units.max(1.0)).exp() as f32
    }
}

impl PeakEwma {
    /// The average in microseconds; `None` before the first measurement. `idle`: nothing is in flight.
    pub fn estimate(&self, now: Instant, decay: Duration, idle: bool) -> Option<f64> {
        let average = Average::from_word(self.word.load(Relaxed))?;
        let left = if idle {
            average.weight_at(self.units(now), decay)
        } else {
            1.0
        };
        Some(f64::from(average.micros * left))
    }

    /// An answer took so long.
    pub fn observe(&self, latency: Duration, now: Instant, decay: Duration) {
        let measured = micros(latency);
        self.update(now, |average, at| {
            let Some(average) = average else {
                return Some(measured);
            };
            if measured >= average.micros {
                return Some(measured);
            }
            let left = average.weight_at(at, decay);
            // Within one unit nothing moves, and the time of the last move has to stay.
            (left < 1.0).then_some(average.micros * left + measured * (1.0 - left))
        });
    }

    /// An answer that says little took so long. The average stays at least what it is, and does not decay meanwhile.
    pub fn observe_at_least(&self, took: Duration, now: Instant) {
        let took = micros(took);
        self.update(now, |average, _| Some(average?.micros.max(took)));
    }

    /// A request failed after so long.
    pub fn observe_failure(&self, took: Duration, now: Instant) {
        let took = micros(took);
        self.update(now, |average, _| {
            let doubled = average.map_or(LEAST_AFTER_FAILURE, |average| average.micros * 2.0);
            let punished = doubled.clamp(LEAST_AFTER_FAILURE, MOST_AFTER_FAILURE);
            let known = average.map_or(0.0, |average| average.micros);
            Some(punished.max(took).max(known))
        });
    }

    fn update(&self, now: Instant, change: impl Fn(Option<Average>, u32) -> Option<f32>) {
        let at = self.units(now);
        // An error means that `change` left the average as it is.
        let _ = self.word.fetch_update(Relaxed, Relaxed, |word| {
            let micros = change(Average::from_word(word), at)?;
            Some(Average { micros, at }.to_word())
        });
    }

    fn units(&self, now: Instant) -> u32 {
        let epoch = self.epoch.get_or_init(|| now);
        (now.saturating_duration_since(*epoch).as_micros() / UNIT_MICROS) as u32
    }
}

fn micros(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e6
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn estimate(average: &PeakEwma, now: Instant, idle: bool) -> f64 {
        average.estimate(now, DECAY, idle).unwrap_or(-1.0) / 1000.0
    }

    #[test]
    fn believes_a_peak_at_once_and_a_recovery_slowly() {
        let (average, start) = (PeakEwma::default(), Instant::now());
        assert_eq!(average.estimate(start, DECAY, true), None);
        average.observe(ms(10), start, DECAY);
        average.observe(ms(500), start + ms(1), DECAY);
        assert!((estimate(&average, start + ms(1), false) - 500.0).abs() < 0.1);
        let mut now = start + ms(1);
        for _ in 0..1000 {
            now += ms(10);
            average.observe(ms(10), now, DECAY);
        }
        let after_decay = estimate(&average, now, false);
        let expected = 10.0 + 490.0 / std::f64::consts::E;
        assert!(
            (after_decay - expected).abs() < 3.0,
            "{after_decay} after ten seconds, {expected} expected"
        );
    }

    #[test]
    fn how_often_is_measured_changes_nothing() {
        let (often, seldom, start) = (PeakEwma::default(), PeakEwma::default(), Instant::now());
        for average in [&often, &seldom] {
            average.observe(ms(100), start, DECAY);
        }
        for step in 1..=500_000u64 {
            often.observe(ms(1), start + Duration::from_micros(10 * step), DECAY);
            if step % 5000 == 0 {
                seldom.observe(ms(1), start + Duration::from_micros(10 * step), DECAY);
            }
        }
        let end = start + Duration::from_secs(5);
        let (often, seldom) = (estimate(&often, end, false), estimate(&seldom, end, false));
        assert!((often - seldom).abs() < 1.0, "{often} and {seldom}");
    }

    #[test]
    fn decays_while_idle_and_not_while_requests_wait() {
        let (average, start) = (PeakEwma::default(), Instant::now());
        average.observe(ms(100), start, DECAY);
        let later = start + Duration::from_secs(60);
        assert!(estimate(&average, later, true) < 1.0);
        assert!((estimate(&average, later, false) - 100.0).abs() < 0.1);
    }

    #[test]
    fn an_average_stays_faded_over_a_long_weekend() {
        let (average, start) = (PeakEwma::default(), Instant::now());
        average.observe(ms(1), start, ms(10_000));
        let last = start + ms(10_000);
        average.observe(ms(10_000), last, ms(10_000));
        for hours in [1, 38, 39, 60, 76] {
            let later = last + Duration::from_secs(hours * 3600);
            let left = average.estimate(later, ms(10_000), true);
            assert!(left.is_some_and(|left| left < 1.0), "{left:?} after {hours} h");
        }
        let behind = average.estimate(last - ms(1_000), ms(10_000), true);
        assert_eq!(
            behind,
            Some(10_000_000.0),
            "a clock that lies behind changes nothing"
        );
    }

    #[test]
    fn a_failure_does_not_look_fast() {
        let (average, start) = (PeakEwma::default(), Instant::now());
        average.observe_failure(Duration::from_micros(100), start);
        assert!((estimate(&average, start, false) - 10.0).abs() < 0.1);
        for _ in 0..30 {
            average.observe_failure(Duration::from_micros(100), start);
        }
        assert!((estimate(&average, start, false) - 10_000.0).abs() < 1.0);
        average.observe_failure(Duration::from_secs(60), start);
        assert!((estimate(&average, start, false) - 60_000.0).abs() < 10.0);
        average.observe_failure(Duration::ZERO, start);
        assert!(
            (estimate(&average, start, false) - 60_000.0).abs() < 10.0,
            "a failure makes nothing better"
        );
    }

    #[test]
    fn an_error_makes_nothing_better_than_it_was() {
        let (average, start) = (PeakEwma::default(), Instant::now());
        average.observe_at_least(ms(50), start);
        assert_eq!(average.estimate(start, DECAY, false), None, "it says too little");
        average.observe(ms(10), start, DECAY);
        average.observe_at_least(ms(5), start);
        assert!((estimate(&average, start, false) - 10.0).abs() < 0.1);
        average.observe_at_least(ms(50), start);
        assert!((estimate(&average, start, false) - 50.0).abs() < 0.1);
    }
}

//! When requests come: an open loop, as users of the Internet are. Nobody waits for an earlier answer before sending the
//! next request, so a slow pool does not get less to do; a closed loop would hide exactly the waiting that matters
//! (B. Schroeder et al., "Open Versus Closed: A Cautionary Tale", NSDI 2006).
//!
//! Arrivals are a Poisson process whose rate follows a curve, by thinning (P. Lewis, G. Shedler, "Simulation of
//! Nonhomogeneous Poisson Processes by Thinning", 1979): candidates come at the highest rate there is, and each stays
//! with the chance that the curve has at its time. Where the curve is far below its highest, candidates come at the
//! highest rate of that piece of it: else a peak of a second would cost as much as if it lasted.

use std::{time::Duration, vec};

use super::{Nanos, Span, nanos, random::Random};

/// A rate and what changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Requests a second, above 0.
    pub rate: f64,
    /// What changes it; the factors of all that hold at a time are multiplied.
    pub curve: Vec<Change>,
}

/// A change of the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// The rate times `factor` while the span lasts.
    Step {
        /// 0 or more.
        factor: f64,
        /// When.
        span: Span,
    },
    /// From the rate to the rate times `factor` in a straight line, which then stays.
    Ramp {
        /// 0 or more.
        factor: f64,
        /// The begin of the change.
        from: Duration,
        /// Its end, after `from`.
        until: Duration,
    },
    /// Up and down in a sine, as days go.
    Wave {
        /// How far from the rate at most, as a share of it, 0 to 1.
        share: f64,
        /// From one high to the next, longer than 0.
        period: Duration,
    },
}

impl Change {
    fn factor_at(&self, at: Nanos) -> f64 {
        match *self {
            Self::Step { factor, span } if span.contains(at) => factor,
            Self::Step { .. } => 1.0,
            Self::Ramp { factor, from, until } => {
                let (from, until) = (nanos(from), nanos(until));
                let done = at.clamp(from, until.max(from)).saturating_sub(from) as f64;
                1.0 + (factor - 1.0) * done / (until.saturating_sub(from)).max(1) as f64
            }
            Self::Wave { share, period } => {
                let turn = at as f64 / nanos(period).max(1) as f64;
                1.0 + share * (std::f64::consts::TAU * turn).sin()
            }
        }
    }

    /// The highest factor at any time.
    fn highest(&self) -> f64 {
        match *self {
            Self::Step { factor, .. } | Self::Ramp { factor, .. } => factor.max(1.0),
            Self::Wave { share, .. } => 1.0 + share,
        }
    }

    /// The highest factor between two times, neither its begin nor its end between them.
    fn highest_within(&self, from: Nanos, until: Nanos) -> f64 {
        match *self {
            Self::Step { .. } => self.factor_at(from),
            Self::Ramp { .. } => self.factor_at(from).max(self.factor_at(until)),
            Self::Wave { .. } => self.highest(),
        }
    }

    /// When it begins and ends.
    fn bounds(&self) -> [Option<Duration>; 2] {
        match *self {
            Self::Step { span, .. } => [Some(span.from), span.until],
            Self::Ramp { from, until, .. } => [Some(from), Some(until)],
            Self::Wave { .. } => [None, None],
        }
    }
}

/// A part of the time, with a rate that its own rate is never above.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    until: Nanos,
    highest: f64,
}

/// A candidate costs a hundredth of what a request does, so that many for each request are cheap; more are not.
const SPARE: f64 = 30.0;

/// How often a piece of a curve is looked at to say how many requests it brings.
const SAMPLES: u32 = 1000;

/// The golden section: its multiples never come into step with a swing.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

impl Load {
    /// Requests a second at that time.
    pub(super) fn rate_at(&self, at: Nanos) -> f64 {
        self.rate
            * self
                .curve
                .iter()
                .map(|change| change.factor_at(at))
                .product::<f64>()
    }

    /// The highest rate that there ever is, or more.
    pub fn highest(&self) -> f64 {
        self.rate * self.curve.iter().map(Change::highest).product::<f64>()
    }

    /// How many requests come in that time, on average; to a percent or so where the rate swings.
    pub fn expected(&self, duration: Duration) -> f64 {
        self.cuts(nanos(duration))
            .windows(2)
            .map(|cuts| self.expected_between(cuts[0], cuts[1]))
            .sum()
    }

    /// The same for a time in which no change begins or ends.
    fn expected_between(&self, from: Nanos, until: Nanos) -> f64 {
        let samples = if self.curve.is_empty() { 1 } else { SAMPLES };
        let rate = |sample: u32| {
            let place = f64::from(sample) + (f64::from(sample) * GOLDEN).fract();
            let since = (until - from) as f64 * place / f64::from(samples);
            self.rate_at(from + since as Nanos)
        };
        let mean = (0..samples).map(rate).sum::<f64>() / f64::from(samples);
        mean * (until - from) as f64 / 1e9
    }

    /// 0, `end`, and all times between them when a change begins or ends; in order.
    fn cuts(&self, end: Nanos) -> Vec<Nanos> {
        let bounds = self.curve.iter().flat_map(Change::bounds).flatten().map(nanos);
        let mut cuts: Vec<Nanos> = bounds.filter(|&at| at < end).chain([0, end]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    /// The time up to `end` in pieces, and how often candidates come in each.
    fn pieces(&self, end: Nanos) -> Vec<Piece> {
        let highest = self.highest();
        let mut pieces: Vec<Piece> = Vec::new();
        for cuts in self.cuts(end).windows(2) {
            let (from, until) = (cuts[0], cuts[1]);
            let factors = self.curve.iter().map(|change| change.highest_within(from, until));
            let own = self.rate * factors.product::<f64>();
            let highest = if own * SPARE < highest { own } else { highest };
            match pieces.last_mut() {
                Some(last) if last.highest == highest => last.until = until,
                _ => pieces.push(Piece { until, highest }),
            }
        }
        pieces
    }

    /// How long `requests` take to come with this seed; at most `longest`.
    pub fn time_for(&self, requests: u64, seed: u64, longest: Duration) -> Duration {
        let before = usize::try_from(requests.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = Arrivals::new(self, seed, longest).nth(before);
        // A nanosecond more, so that the last one is still within.
        last.map_or(longest, |at| Duration::from_nanos(at + 1).min(longest))
    }
}

/// The times of all arrivals, in order.
#[derive(Debug)]
pub(super) struct Arrivals<'a> {
    load: &'a Load,
    random: Random,
    at: f64,
    piece: Option<Piece>,
    later: vec::IntoIter<Piece>,
}

/// The stream of random numbers that decides arrivals and nothing else.
const STREAM: u64 = 1;

impl<'a> Arrivals<'a> {
    /// Arrivals before `end`.
    pub(super) fn new(load: &'a Load, seed: u64, end: Duration) -> Self {
        let mut pieces = load.pieces(nanos(end)).into_iter();
        Self {
            load,
            random: Random::new(seed, STREAM),
            at: 0.0,
            piece: pieces.next(),
            later: pieces,
        }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        loop {
            let piece = self.piece?;
            self.at += self.random.exponential() / piece.highest * 1e9;
            let at = self.at as Nanos;
            if at >= piece.until {
                // How long it was since the last one says nothing of how long it will be to the next.
                self.piece = self.later.next();
                self.at = piece.until as f64;
                continue;
            }
            // A flat curve needs no second number.
            if self.load.curve.is_empty() || self.random.unit() * piece.highest < self.load.rate_at(at) {
                return Some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn counts(curve: Vec<Change>) -> Vec<usize> {
        let load = Load { rate: 1000.0, curve };
        let mut counts = vec![0; 10];
        for at in Arrivals::new(&load, 1, SECOND * 10) {
            counts[(at / nanos(SECOND)) as usize] += 1;
        }
        counts
    }

    #[track_caller]
    fn assert_near(counts: &[usize], expected: [f64; 10]) {
        // Five deviations of a Poisson variable.
        let near =
            |(&count, expected): (&usize, f64)| (count as f64 - expected).abs() <= 5.0 * expected.sqrt();
        assert!(
            counts.iter().zip(expected).all(near),
            "{counts:?} instead of {expected:?}"
        );
    }

    #[test]
    fn arrivals_follow_the_rate() {
        assert_near(&counts(Vec::new()), [1000.0; 10]);
    }

    #[test]
    fn arrivals_follow_steps_ramps_and_waves() {
        let span = Span {
            from: SECOND * 2,
            until: Some(SECOND * 4),
        };
        let spike = counts(vec![Change::Step { factor: 3.0, span }]);
        assert_near(&spike, [1e3, 1e3, 3e3, 3e3, 1e3, 1e3, 1e3, 1e3, 1e3, 1e3]);
        let ramp = Change::Ramp {
            factor: 3.0,
            from: SECOND * 2,
            until: SECOND * 4,
        };
        assert_near(
            &counts(vec![ramp]),
            [1e3, 1e3, 1.5e3, 2.5e3, 3e3, 3e3, 3e3, 3e3, 3e3, 3e3],
        );
        let wave = Change::Wave {
            share: 1.0,
            period: SECOND * 4,
        };
        let mean = 2.0 / std::f64::consts::PI * 1e3;
        let (high, low) = (1e3 + mean, 1e3 - mean);
        assert_near(
            &counts(vec![wave]),
            [high, high, low, low, high, high, low, low, high, high],
        );
    }

    /// A peak of a thousandth of the time, a million times as high.
    const PEAK: Change = Change::Step {
        factor: 1e6,
        span: Span {
            from: SECOND,
            until: Some(Duration::from_millis(1010)),
        },
    };

    #[test]
    fn arrivals_follow_a_peak_and_cost_no_candidates_beside_it() {
        let load = Load {
            rate: 10.0,
            curve: vec![PEAK],
        };
        let mut counts = [0; 10];
        let mut arrivals = Arrivals::new(&load, 1, SECOND * 10);
        for at in &mut arrivals {
            counts[(at / nanos(SECOND)) as usize] += 1;
        }
        assert_near(
            &counts,
            [10.0, 100_010.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0],
        );
        let pieces = load.pieces(nanos(SECOND * 10));
        let highest: Vec<f64> = pieces.iter().map(|piece| piece.highest).collect();
        assert_eq!(highest, [10.0, 1e7, 10.0]);
    }

    #[test]
    fn where_the_curve_is_near_its_highest_it_is_one_piece() {
        // So that seeds give the arrivals that they always gave.
        let load = Load {
            rate: 10.0,
            curve: vec![Change::Step {
                factor: 5.0,
                span: Span {
                    from: SECOND,
                    until: Some(SECOND * 2),
                },
            }],
        };
        let (until, highest) = (nanos(SECOND * 10), 50.0);
        assert_eq!(load.pieces(until), [Piece { until, highest }]);
    }

    #[test]
    fn what_is_expected_is_what_comes() {
        let step = Change::Step {
            factor: 3.0,
            span: Span {
                from: SECOND * 2,
                until: None,
            },
        };
        let ramp = Change::Ramp {
            factor: 9.0,
            from: SECOND * 3,
            until: SECOND * 7,
        };
        let wave = |millis| Change::Wave {
            share: 1.0,
            period: Duration::from_millis(millis),
        };
        let curves = [
            vec![],
            vec![step],
            vec![ramp],
            vec![step, ramp],
            // Of periods that are parts of the distance between samples, too.
            vec![wave(10)],
            vec![wave(5), ramp],
            vec![wave(4000), step],
            vec![PEAK, wave(3000)],
        ];
        for curve in curves {
            let load = Load { rate: 100.0, curve };
            let came = Arrivals::new(&load, 1, SECOND * 10).count() as f64;
            let expected = load.expected(SECOND * 10);
            let tolerance = 5.0 * expected.sqrt() + 0.01 * expected;
            assert!(
                (came - expected).abs() < tolerance,
                "{came}, expected {expected}: {load:?}"
            );
        }
    }

    #[test]
    fn the_time_for_a_number_of_requests_holds_exactly_these() {
        let load = Load {
            rate: 500.0,
            curve: vec![Change::Wave {
                share: 0.5,
                period: SECOND,
            }],
        };
        let time = load.time_for(1234, 3, SECOND * 100);
        assert_eq!(Arrivals::new(&load, 3, time).count(), 1234);
        assert_eq!(
            load.time_for(1_000_000, 3, SECOND),
            SECOND,
            "no longer than the longest"
        );
    }
}

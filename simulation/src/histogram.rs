//! Many durations in little memory: buckets that are exact to a thousandth, as in G. Tene's HdrHistogram. Each power of
//! two has 1,024 buckets, so that a bucket's width is a thousandth of what it holds, and finding it is two shifts.

/// Buckets of each power of two.
const BUCKETS: u64 = 1024;
/// Up to twice that, each microsecond has a bucket of its own.
const EXACT: u64 = 2 * BUCKETS;
/// 19 hours in microseconds; longer counts as that.
const LONGEST: u64 = (1 << 36) - 1;

#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: f64,
    max: u64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            counts: vec![0; index(LONGEST) + 1],
            count: 0,
            sum: 0.0,
            max: 0,
        }
    }

    pub(super) fn record(&mut self, micros: u64) {
        let micros = micros.min(LONGEST);
        self.counts[index(micros)] += 1;
        self.count += 1;
        self.sum += micros as f64;
        self.max = self.max.max(micros);
    }

    pub(super) fn clear(&mut self) {
        if self.count > 0 {
            self.counts.fill(0);
        }
        (self.count, self.sum, self.max) = (0, 0.0, 0);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// What that part (0 to 1) of all did not exceed; `None` of nothing.
    pub(super) fn quantile(&self, part: f64) -> Option<u64> {
        let rank = ((part * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        let holds = self.counts.iter().position(|&count| {
            seen += count;
            seen >= rank
        });
        holds.map(|index| highest(index).min(self.max))
    }
}

fn index(micros: u64) -> usize {
    let shift = (micros.max(1).ilog2() as u64).saturating_sub(BUCKETS.ilog2().into());
    if micros < EXACT {
        micros as usize
    } else {
        (shift * BUCKETS + (micros >> shift)) as usize
    }
}

/// The largest value of a bucket.
fn highest(index: usize) -> u64 {
    let index = index as u64;
    if index < EXACT {
        return index;
    }
    let shift = index / BUCKETS - 1;
    ((index - shift * BUCKETS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_of_a_thousand() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=1000).for_each(|micros| histogram.record(micros));
        let quantiles = [0.0, 0.5, 0.99, 0.999, 1.0].map(|part| histogram.quantile(part).unwrap_or(0));
        assert_eq!(quantiles, [1, 500, 990, 999, 1000]);
        assert_eq!(
            (histogram.count(), histogram.mean(), histogram.max()),
            (1000, 500.5, 1000)
        );
        histogram.clear();
        assert_eq!(histogram.quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn a_bucket_is_never_wider_than_a_thousandth(micros in 0..=LONGEST) {
            let most = highest(index(micros));
            prop_assert!(most >= micros && most - micros <= micros / 1000, "{micros} in {most}");
            prop_assert_eq!(index(most), index(micros));
        }

        #[test]
        fn buckets_are_in_order(micros in 0..LONGEST) {
            let step = index(micros + 1) - index(micros);
            prop_assert!(step <= 1);
        }
    }
}

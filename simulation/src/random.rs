//! Random numbers of the simulation: xoshiro256++ (D. Blackman, S. Vigna, "Scrambled Linear Pseudorandom Number
//! Generators", ACM TOMS 47/4, 2021), its state filled by SplitMix64, as its authors recommend.
//!
//! Own code and not a crate, because a seed has to give the same run in every later version: what a crate calls the
//! same generator may draw a range or a float in another way after an upgrade. Not for secrets.

use lb_core::strategy::mix;

/// A stream of random numbers, the same for the same seed.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: [u64; 4],
}

impl Random {
    /// One of several independent streams of a seed, so that what one part draws does not shift what another gets.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut from = mix(seed) ^ mix(stream.wrapping_mul(GOLDEN).wrapping_add(1));
        let mut next = || {
            let bits = mix(from);
            from = from.wrapping_add(GOLDEN);
            bits
        };
        Self {
            state: [next(), next(), next(), next()],
        }
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        let state = &mut self.state;
        let bits = state[0]
            .wrapping_add(state[3])
            .rotate_left(23)
            .wrapping_add(state[0]);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        bits
    }

    /// Evenly from 0 (included) to 1 (excluded).
    pub(super) fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Exponentially distributed, with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Normally distributed, with mean 0 and deviation 1 (G. Box, M. Muller, 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// One of `count` numbers from 0 on; 0 if there are none.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        // The high half of the product: off by at most `count` in 2^64, which no run can notice.
        ((u128::from(self.bits()) * u128::from(count)) >> 64) as u64
    }
}

/// 2^64 divided by the golden ratio, odd: SplitMix64's step.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The upper 53 bits as a number from 0 to 1.
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_numbers_of_the_authors_reference_code() {
        // xoshiro256++ from the state 1, 2, 3, 4.
        let mut random = Random { state: [1, 2, 3, 4] };
        let bits: Vec<u64> = (0..4).map(|_| random.bits()).collect();
        assert_eq!(
            bits,
            [
                41_943_041,
                58_720_359,
                3_588_806_011_781_223,
                3_591_011_842_654_386
            ]
        );
    }

    #[test]
    fn one_seed_gives_one_stream_and_streams_differ() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [random.bits(), random.bits()]
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn distributions_have_the_moments_they_should() {
        let mut random = Random::new(1, 1);
        let mean = |draws: &mut dyn FnMut() -> f64| (0..100_000).map(|_| draws()).sum::<f64>() / 100_000.0;
        assert!((mean(&mut || random.unit()) - 0.5).abs() < 0.01);
        assert!((mean(&mut || random.exponential()) - 1.0).abs() < 0.02);
        assert!(mean(&mut || random.normal()).abs() < 0.02);
        assert!((mean(&mut || random.normal().powi(2)) - 1.0).abs() < 0.03);
        assert!((mean(&mut || random.below(10) as f64) - 4.5).abs() < 0.05);
        assert_eq!(random.below(0), 0);
    }
}

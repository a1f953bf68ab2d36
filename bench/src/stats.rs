//! From rounds to one figure, and from figures to a verdict.

/// Ratios this near to a goal count as reached: less than what two runs of the same program differ by.
pub(crate) const TIE: f64 = 0.03;

/// The median; of an even number, the mean of the two in the middle. `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// How far the rounds lie apart: half the distance between the quartiles, as a share of the median.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = median(values).filter(|middle| *middle != 0.0)?;
    let quarter = sorted.len() / 4;
    let (low, high) = (sorted[quarter], sorted[sorted.len() - 1 - quarter]);
    Some((high - low) / 2.0 / middle)
}

/// Whether a goal is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoalVerdict {
    Reached,
    /// Missed by less than [`TIE`].
    Tie,
    Missed,
    NotMeasured,
}

impl GoalVerdict {
    /// Of a ratio that should be at most `most`.
    pub(crate) fn at_most(ratio: Option<f64>, most: f64) -> Self {
        match ratio {
            None => Self::NotMeasured,
            Some(ratio) if ratio <= most => Self::Reached,
            Some(ratio) if ratio <= most * (1.0 + TIE) => Self::Tie,
            Some(_) => Self::Missed,
        }
    }

    /// Of a ratio that should be at least `least`.
    pub(crate) fn at_least(ratio: Option<f64>, least: f64) -> Self {
        match ratio {
            None => Self::NotMeasured,
            Some(ratio) if ratio >= least => Self::Reached,
            Some(ratio) if ratio >= least * (1.0 - TIE) => Self::Tie,
            Some(_) => Self::Missed,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Reached => "ok",
            Self::Tie => "ok (tie)",
            Self::Missed => "missed",
            Self::NotMeasured => "not measured",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn the_median_ignores_order_and_outliers() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[4.0]), Some(4.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[1.0, 1000.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn the_spread_is_half_the_middle_half() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[10.0]), Some(0.0));
        assert_eq!(spread(&[8.0, 9.0, 10.0, 11.0, 1000.0]), Some(0.1));
        assert_eq!(spread(&[0.0, 0.0]), None);
    }

    #[test]
    fn three_percent_are_a_tie() {
        use GoalVerdict::{Missed, NotMeasured, Reached, Tie};
        let at_most = |ratio| GoalVerdict::at_most(Some(ratio), 0.8);
        assert_eq!(
            [at_most(0.8), at_most(0.82), at_most(0.83)],
            [Reached, Tie, Missed]
        );
        let at_least = |ratio| GoalVerdict::at_least(Some(ratio), 1.0);
        assert_eq!(
            [at_least(1.0), at_least(0.98), at_least(0.96)],
            [Reached, Tie, Missed]
        );
        assert_eq!(GoalVerdict::at_most(None, 1.0), NotMeasured);
    }
}

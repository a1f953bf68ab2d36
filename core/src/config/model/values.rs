//! Single values that have no constructor for an illegal one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A backend's weight, 1 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Weight(u16);

impl Weight {
    /// The largest weight, as in HAProxy and enough for any share that a person would write.
    pub const MAX: u16 = 256;

    /// `None` for 0 and for more than [`Weight::MAX`].
    pub fn new(value: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&value).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Weight {
    type Error = &'static str;

    fn try_from(value: u16) -> Result<Self, Self::Error> {
        Self::new(value).ok_or("a weight is a whole number from 1 to 256")
    }
}

impl From<Weight> for u16 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

/// Ranges of status codes, both ends included; each within 100-599.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRanges(Vec<(u16, u16)>);

impl StatusRanges {
    /// `None` when a range is empty, leaves 100-599, or there is none.
    pub fn new(ranges: Vec<(u16, u16)>) -> Option<Self> {
        let legal = |&(first, last): &(u16, u16)| 100 <= first && first <= last && last <= 599;
        (!ranges.is_empty() && ranges.iter().all(legal)).then_some(Self(ranges))
    }

    /// Whether a range holds this code.
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|&(first, last)| (first..=last).contains(&status))
    }
}

impl Default for StatusRanges {
    /// What a written `health_check` without `status` accepts: 200-399.
    fn default() -> Self {
        Self(vec![(200, 399)])
    }
}

impl fmt::Display for StatusRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?
            } else {
                write!(f, "{comma}{first}-{last}")?
            }
        }
        Ok(())
    }
}

/// A part of a whole, 0 to 100 %.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Share(f64);

impl Share {
    /// `None` above 100.
    pub fn percent(percent: u8) -> Option<Self> {
        (percent <= 100).then(|| Self(f64::from(percent) / 100.0))
    }

    /// 0.0 to 1.0.
    pub fn as_fraction(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 100.0).round())
    }
}

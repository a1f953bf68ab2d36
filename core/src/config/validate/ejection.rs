//! When backends are ejected for what requests meet there, and what happens when none is left.

use std::time::Duration;

use super::{Checker, one_of, timeout, whole};
use crate::config::{
    model::*,
    problem::Refusal,
    raw::{RawEjection, RawOutliers, Scalar, Written, switched},
    units::{format_duration, parse_share},
};

/// More failures in a row than anybody stands.
const MAX_FAILURES: u32 = 1000;
/// No pool is larger, and no backend busier.
const MOST: u32 = 1_000_000;

impl Checker<'_> {
    pub(super) fn ejection(&mut self, raw: Option<&RawEjection>) -> Option<EjectionRules> {
        let default = EjectionRules::default();
        let Some(raw) = raw else {
            return Some(default);
        };
        if let Some(whole) = &raw.whole {
            return match switched(whole) {
                Some(on) => on.then_some(default),
                None => Some(EjectionRules {
                    consecutive: self.check(whole, failures).flatten(),
                    ..default
                }),
            };
        }
        let base = self.value(&raw.base, timeout);
        let longest = self.value(&raw.max, |max| match timeout(max)? {
            max if base.is_none_or(|base| max >= base) => Ok(max),
            _ => Err(Refusal::new(format!(
                "must not be shorter than `base`, {}",
                format_duration(base.unwrap_or(default.base))
            ))),
        });
        let base = base.unwrap_or(default.base.min(longest.unwrap_or(default.max)));
        Some(EjectionRules {
            consecutive: self
                .value(&raw.consecutive, failures)
                .unwrap_or(default.consecutive),
            statuses: raw
                .statuses
                .as_deref()
                .and_then(|statuses| self.statuses(statuses, (500, 599)))
                .unwrap_or(default.statuses),
            base,
            max: longest.unwrap_or(default.max.max(base)),
            max_share: self
                .value(&raw.max_share, |share| parse_share(share.text(), 100))
                .unwrap_or(default.max_share),
            interval: self.value(&raw.interval, interval).unwrap_or(default.interval),
            success_rate: match &raw.success_rate {
                Some(rule) => self.success_rate(rule),
                None => default.success_rate,
            },
            latency: match &raw.latency {
                Some(rule) => self.latency(rule),
                None => default.latency,
            },
        })
    }

    fn success_rate(&mut self, raw: &RawOutliers) -> Option<SuccessRateRule> {
        let default = SuccessRateRule::default();
        let (min_hosts, min_volume) = (default.min_hosts, default.min_volume);
        let shared = self.outliers(raw, (default.factor, min_hosts, min_volume))?;
        let written = [&raw.whole, &raw.factor, &raw.min_hosts]
            .into_iter()
            .flatten()
            .next();
        let refused = raw
            .factor
            .as_ref()
            .is_some_and(|written| factor(written).is_err());
        if let (Err(refusal), Some(written), false) = (can_fire(shared.0, shared.1), written, refused) {
            self.refuse(written, refusal);
        }
        Some(SuccessRateRule {
            factor: shared.0,
            min_hosts: shared.1,
            min_volume: shared.2,
            min_gap: self
                .value(&raw.min_gap, |gap| parse_share(gap.text(), 100))
                .unwrap_or(default.min_gap),
        })
    }

    fn latency(&mut self, raw: &RawOutliers) -> Option<LatencyRule> {
        let default = LatencyRule::default();
        let (min_hosts, min_volume) = (default.min_hosts, default.min_volume);
        let shared = self.outliers(raw, (default.factor, min_hosts, min_volume))?;
        Some(LatencyRule {
            factor: shared.0,
            min_hosts: shared.1,
            min_volume: shared.2,
            floor: self.value(&raw.floor, timeout).unwrap_or(default.floor),
        })
    }

    /// What both comparisons have: factor, least hosts, least volume. `None`: it is off.
    fn outliers(&mut self, raw: &RawOutliers, default: (Factor, u32, u32)) -> Option<(Factor, u32, u32)> {
        match &raw.whole {
            Some(whole) => match switched(whole) {
                Some(false) => None,
                Some(true) => Some(default),
                None => Some((
                    self.check(whole, factor).unwrap_or(default.0),
                    default.1,
                    default.2,
                )),
            },
            None => Some((
                self.value(&raw.factor, factor).unwrap_or(default.0),
                self.value(&raw.min_hosts, |least| whole(least, 2, MOST))
                    .unwrap_or(default.1),
                self.value(&raw.min_volume, |least| whole(least, 1, MOST))
                    .unwrap_or(default.2),
            )),
        }
    }
}

/// Refuses what ejects nobody with the fewest backends that are compared: of n, one lies at most the root of n - 1 standard
/// deviations below their mean (Samuelson's inequality), and only if all others are alike.
fn can_fire(factor: Factor, min_hosts: u32) -> Result<(), Refusal> {
    let others = f64::from(min_hosts) - 1.0;
    let square = factor.get() * factor.get();
    if square < others {
        return Ok(());
    }
    // Cut off and not rounded, so that what the hint says is right.
    let most = (others.sqrt() * 100.0).floor() / 100.0;
    let refusal = Refusal::new(format!(
        "can never eject one of `min_hosts` {min_hosts}: it lies at most {most} standard deviations below their mean, and \
         `factor` is {factor}"
    ));
    let lower = format!("write a factor below {most}");
    let least = square.floor() + 2.0;
    Err(match least <= f64::from(MOST) {
        true => refusal.hint(format!("{lower}, or `min_hosts` {least} or more")),
        false => refusal.hint(lower),
    })
}

pub(super) fn all_down(written: &Written) -> Result<AllDown, Refusal> {
    one_of(written.text(), [("try", AllDown::Try), ("fail", AllDown::Fail)])
}

/// So that what was counted is more than a moment, and not yet forgotten.
fn interval(written: &Written) -> Result<Duration, Refusal> {
    match timeout(written)? {
        interval if interval >= Duration::from_secs(1) => Ok(interval),
        _ => Err(Refusal::new("must be at least 1s")),
    }
}

fn failures(written: &Written) -> Result<Option<u32>, Refusal> {
    if written.text() == "none" {
        return Ok(None);
    }
    whole(written, 1, MAX_FAILURES).map(Some).map_err(|refusal| {
        let refusal = Refusal {
            rule: format!("{}, or none", refusal.rule),
            ..refusal
        };
        match written.text() {
            "0" | "off" | "false" | "no" => refusal.did_you_mean(Some("none")),
            _ => refusal,
        }
    })
}

fn factor(written: &Written) -> Result<Factor, Refusal> {
    let number = match &written.value {
        Scalar::Bool(_) => None,
        _ => written.text().parse::<f64>().ok(),
    };
    let refused = || Refusal::new("must be a number above 0, at most 1000, such as 1.9");
    number.and_then(Factor::new).ok_or_else(refused)
}

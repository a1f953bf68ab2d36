//! Slow start: from which moment on a backend counts as warming.
//!
//! Slow start spares a backend that comes up beside others that carry the load. It is relative: a backend counts with
//! the part of its weight that it has warmed up to, measured by the warmest of its tier (see the pool's tiers). So when
//! nobody carries the load (after an outage of a whole pool, a reload that replaces all backends, an undrain of all, a
//! start), those that come up have to begin equal, or the first one would take for a while what belongs to all.
//!
//! They do not come up at one moment, because one event is seen by each backend's probe at its own. So whoever comes up
//! within the time that probes need to see one event everywhere joins those that came up before it, in their slow start,
//! unless one of its tier is warm. Later than that it begins its own, behind them; and so does a backend that has come up
//! with them once, was lost and comes back, and one that a reload has added since.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::Roll;
use crate::{
    config::{HealthCheck, PoolConfig, Priority},
    pool::Member,
};

impl Roll {
    /// Begins the slow start of those of these members that are up, because they have just come up. Those of one tier
    /// begin equal.
    pub(super) fn warm_up(&mut self, came_up: &[usize], config: &PoolConfig, now: Instant) {
        let mut is_new = vec![false; self.members.len()];
        came_up.iter().for_each(|&index| is_new[index] = true);
        let mut earliest: BTreeMap<Priority, Option<Instant>> = BTreeMap::new();
        let others = self.members.iter().zip(&is_new).filter(|(_, is_new)| !**is_new);
        for (member, _) in others.filter(|(member, _)| member.health.is_up()) {
            let begin = earliest.entry(member.priority).or_insert(member.warming_since);
            // `None`, which is warm, comes before every time.
            *begin = (*begin).min(member.warming_since);
        }
        let is_up = |(member, is_new): &(&mut Member, bool)| *is_new && member.health.is_up();
        for (member, _) in self.members.iter_mut().zip(is_new).filter(is_up) {
            let beside = earliest.get(&member.priority).copied().flatten();
            let had_its_turn = |begin| member.warming_since.is_some_and(|own| own >= begin);
            let joined = beside.filter(|&begin| joins(begin, config, now) && !had_its_turn(begin));
            member.warming_since = Some(joined.unwrap_or(now));
        }
    }
}

/// Whether a backend that comes up now begins equal to those of its tier that came up at `begin`.
fn joins(begin: Instant, config: &PoolConfig, now: Instant) -> bool {
    let age = now.saturating_duration_since(begin);
    age < config.slow_start && age <= one_event(&config.health_check)
}

/// How far apart two probes can see one event that brings their backends back: an interval, the further good results that
/// are asked for, and the time that a probe may take.
fn one_event(check: &HealthCheck) -> Duration {
    let longest = 1.0 + check.jitter.as_fraction();
    let further = check.fast_interval * check.rise.saturating_sub(1);
    (check.interval + further).mul_f64(longest) + check.timeout
}

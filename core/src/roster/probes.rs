//! What follows from one probe.

use std::{net::SocketAddr, time::Duration, time::Instant};

use super::{Event, Place, Roll, Roster, When};
use crate::{
    health::Thresholds,
    pool::{Identity, ProbeRecord},
    status::HealthStatus,
};

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// What it says of the backend.
    pub verdict: ProbeVerdict,
    /// `200 OK`, `connection refused`, …
    pub detail: String,
    /// How long it took.
    pub took: Duration,
    /// The addresses that the name has; empty when it could not be resolved.
    pub addresses: Vec<SocketAddr>,
    /// The address that passed.
    pub passed: Option<SocketAddr>,
    /// Those that failed, or kept the probe waiting, before one passed.
    pub failed: Vec<SocketAddr>,
}

/// What a probe says of its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// It is well.
    Passed,
    /// It is not.
    Failed,
    /// Nothing: the balancer itself had no file descriptor left to ask with.
    NotAsked,
}

/// When a backend is to be probed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextProbe {
    /// After the usual interval.
    Usual,
    /// Soon: its health may be about to change.
    Soon,
    /// Never: it is gone, or not probed any more.
    Never,
}

/// What follows from a probe.
#[derive(Debug)]
pub struct Probed {
    /// When to probe again.
    pub next: NextProbe,
    /// What else.
    pub events: Vec<Event>,
}

impl Roster {
    /// Takes a probe's result. `backend` is the number of the backend that was probed.
    pub fn probed(&mut self, backend: u64, report: ProbeReport, now: Instant) -> Probed {
        let thresholds = self.check_of(backend).map(|check| Thresholds {
            rise: check.rise,
            fall: check.fall,
        });
        let place = self.places.get(&backend).cloned();
        let (Some(thresholds), Some(place)) = (thresholds, place) else {
            return Probed {
                next: NextProbe::Never,
                events: Vec::new(),
            };
        };
        match report.verdict {
            ProbeVerdict::NotAsked => Probed {
                next: NextProbe::Soon,
                events: self.not_asked(&place, report.detail),
            },
            ProbeVerdict::Passed | ProbeVerdict::Failed => self.observe(&place, report, thresholds, now),
        }
    }

    fn not_asked(&self, place: &Place, detail: String) -> Vec<Event> {
        let member = self.member_at(place);
        let event = member.map(|member| Event::NotProbed {
            backend: Identity::new(&place.pool, member.backend.url()),
            detail,
        });
        event.into_iter().collect()
    }

    fn observe(
        &mut self,
        place: &Place,
        report: ProbeReport,
        thresholds: Thresholds,
        now: Instant,
    ) -> Probed {
        let mut probed = Probed {
            next: NextProbe::Never,
            events: Vec::new(),
        };
        let Some(roll) = self.pools.get_mut(&place.pool) else {
            return probed;
        };
        let Some(member) = roll.members.get_mut(place.index) else {
            return probed;
        };
        let ok = report.verdict == ProbeVerdict::Passed;
        if !report.addresses.is_empty() {
            member.backend.addresses().set(&report.addresses);
        }
        // Where none passed, that is said of the backend as a whole.
        if let Some(passed) = report.passed {
            let addresses = member.backend.addresses();
            addresses.accepted(passed);
            report
                .failed
                .iter()
                .for_each(|failed| addresses.skip(*failed, now));
        }
        let first = !member.health.is_decided();
        let before = member.health.status();
        let transition = member.health.observe(ok, thresholds);
        member.note_change(before, now);
        if before == HealthStatus::Up && first && !ok {
            // It was up until now because nothing was known of it, and has never served.
            member.warming_since = None;
        }
        if let Some(transition) = transition {
            probed.events.push(Event::Transition {
                backend: Identity::new(&place.pool, member.backend.url()),
                probed: transition.to,
                health: member.health.status(),
                detail: report.detail.clone(),
            });
        }
        member.backend.set_last_probe(ProbeRecord {
            ok,
            detail: report.detail,
            took: report.took,
            at: now,
        });
        probed.next = if member.health.is_changing() {
            NextProbe::Soon
        } else {
            NextProbe::Usual
        };
        if transition.is_some() {
            if let Some(pool) = self.config.pools.get(&place.pool) {
                roll.warm_up(&[place.index], pool, now);
            }
            // With one more or one less that could serve, others may have to come back.
            probed.events.extend(self.judge_pool(&place.pool, now));
        }
        if first || transition.is_some() {
            probed.events.push(Event::Publish(When::Soon));
        }
        if first || transition.is_some() {
            probed.events.extend(self.retire_where(Roll::is_any_up));
        }
        if transition.is_some() {
            probed.events.extend(self.none_is_up(&place.pool));
        }
        probed
    }

    fn member_at(&self, place: &Place) -> Option<&crate::pool::Member> {
        self.pools.get(&place.pool)?.members.get(place.index)
    }
}

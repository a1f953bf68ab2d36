//! Whether a backend gets requests, from three sources that know nothing of each other: its probes ([`active`]), the
//! answers that real requests got ([`ejection`], judged pool by pool in [`judge`]), and a person's word ([`admin`]).
//!
//! All of it is pure: results and counts in, transitions and rulings out, `now` as an argument. Whoever calls, the
//! registry or a simulation, logs and publishes what comes out. docs/health.md has the rules for people.

mod active;
mod admin;
mod ejection;
mod judge;
mod ours;
mod outliers;

#[cfg(test)]
mod tests;

pub use self::{
    active::{Thresholds, Transition},
    admin::{Admin, Drain},
    ejection::{Ejection, Term, Why},
    judge::{Judge, Return, Ruling, Spread, Standards, Subject},
    ours::is_out_of_files,
    outliers::Traffic,
};

pub(crate) use self::outliers::log_of;

use self::active::Probes;
use crate::status::HealthStatus;

/// What is known of one backend's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    probes: Probes,
    ejection: Ejection,
    admin: Admin,
}

impl Health {
    /// A backend that the configuration had at the start: up until its first result says otherwise.
    pub fn at_start() -> Self {
        Self::of(Probes::at_start())
    }

    /// A backend that a reload added: it gets no request before its first result.
    pub fn added() -> Self {
        Self::of(Probes::added())
    }

    /// A backend that is not probed: up, as far as probes go.
    pub fn unprobed() -> Self {
        Self::of(Probes::unprobed())
    }

    fn of(probes: Probes) -> Self {
        Self {
            probes,
            ejection: Ejection::default(),
            admin: Admin::Serving,
        }
    }

    /// The state as others see it: a person's word first, then what probes say, then what traffic says.
    pub fn status(&self) -> HealthStatus {
        match (self.admin, self.probes.status()) {
            (Admin::Maintenance, _) => HealthStatus::Maintenance,
            (Admin::Draining(_), _) => HealthStatus::Draining,
            (Admin::Serving, HealthStatus::Up) if self.ejection.term().is_some() => HealthStatus::Ejected,
            (Admin::Serving, probed) => probed,
        }
    }

    /// Whether it gets requests as a matter of course.
    pub fn is_up(&self) -> bool {
        self.status() == HealthStatus::Up
    }

    /// Whether it may get a request when nobody is up. A person's word holds even then.
    pub fn may_be_tried(&self) -> bool {
        self.admin == Admin::Serving
    }

    /// Whether it serves clients on that it has served before, though it takes no others: until its drain is done, so that
    /// whoever was told so can stop it.
    pub fn finishes_sessions(&self) -> bool {
        matches!(self.admin, Admin::Draining(Drain { done: None }))
            && self.probes.status() == HealthStatus::Up
    }

    /// What its probes say, whatever else is known: up, down or pending.
    pub fn probed(&self) -> HealthStatus {
        self.probes.status()
    }

    /// Whether a result has ever arrived (or none is waited for).
    pub fn is_decided(&self) -> bool {
        self.probes.is_decided() || self.admin == Admin::Maintenance
    }

    /// Whether the last results disagreed with the state, so that the next ones should come sooner.
    pub fn is_changing(&self) -> bool {
        self.probes.is_changing()
    }

    /// What traffic has brought upon it.
    pub fn ejection(&self) -> &Ejection {
        &self.ejection
    }

    /// What a person has ordered.
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// Takes one probe's result. `Some` when what probes say changed with it.
    pub fn observe(&mut self, ok: bool, thresholds: Thresholds) -> Option<Transition> {
        // One that was under way when the maintenance began.
        if self.admin == Admin::Maintenance {
            return None;
        }
        self.ejection.observe(ok, thresholds.rise);
        self.probes.observe(ok, thresholds)
    }

    /// Turns its probes on or off, from one configuration to the next.
    pub fn set_probed(&mut self, probed: bool) {
        self.probes = if probed {
            Probes::at_start()
        } else {
            Probes::unprobed()
        };
    }

    /// Takes a person's order. Whatever was known before a maintenance does not hold after it: the backend is as good
    /// as new, and waits for its first probe.
    pub fn set_admin(&mut self, admin: Admin, probed: bool) {
        let ends_maintenance = self.admin == Admin::Maintenance && admin != Admin::Maintenance;
        self.admin = admin;
        if ends_maintenance {
            self.probes = if probed {
                Probes::added()
            } else {
                Probes::unprobed()
            };
            self.ejection = Ejection::default();
        }
    }
}

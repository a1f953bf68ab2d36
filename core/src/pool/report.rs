//! A snapshot as the status report shows it.

use std::time::Instant;

use super::{Member, Pool, Snapshot};
use crate::{
    config::AllDown,
    live::seconds_until,
    status::{BackendStatus, HealthStatus, PoolStatus, ProbeStatus, RouteStatus},
};

impl Snapshot {
    /// Every pool with its backends, in the order of the file.
    pub fn status(&self, now: Instant) -> Vec<PoolStatus> {
        self.pools().iter().map(|pool| pool.status(now)).collect()
    }
}

impl Snapshot {
    /// Every route with its count, in the order of the file; none where there is nothing to decide.
    pub fn route_status(&self) -> Vec<RouteStatus> {
        let decided = self.plain_route().is_none();
        let routes = self.routes().iter().filter(|_| decided);
        routes
            .map(|route| RouteStatus {
                when: route.config().when.to_string(),
                then: route.config().then.to_string(),
                requests: route.requests(),
            })
            .collect()
    }
}

impl Pool {
    /// What requests meet while no backend is up; `None` while one is.
    pub fn trouble(&self) -> Option<String> {
        if self.members().iter().any(|member| member.health.is_up()) {
            return None;
        }
        let tries = self.config().all_down == AllDown::Try;
        let may_be_tried = |member: &&Member| tries && member.health.may_be_tried();
        let what = match self.members().iter().filter(may_be_tried).count() {
            0 => "requests are answered with 503 until one is".to_owned(),
            1 => "requests are tried at the one that is not".to_owned(),
            some => format!("requests are tried at the {some} that are not"),
        };
        Some(format!("no backend of pool {} is up: {what}", self.name()))
    }

    fn status(&self, now: Instant) -> PoolStatus {
        PoolStatus {
            name: self.name().to_string(),
            strategy: self.config().strategy.to_string(),
            waiting: self.queue().len() as u64,
            backends: self.members().iter().map(|member| member.status(now)).collect(),
        }
    }
}

impl Member {
    /// The backend as the status report shows it.
    pub fn status(&self, now: Instant) -> BackendStatus {
        let counts = self.backend.counts();
        let seconds_since = |then: Instant| now.saturating_duration_since(then).as_secs();
        BackendStatus {
            url: self.backend.url().to_string(),
            weight: self.weight.get(),
            health: self.health.status(),
            since_seconds: seconds_since(self.since),
            requests: counts.requests,
            in_flight: counts.in_flight,
            failures: counts.failures,
            latency_micros_total: counts.latency_micros_total,
            answers: counts.answers,
            last_probe: self.backend.last_probe().map(|probe| ProbeStatus {
                ok: probe.ok,
                detail: probe.detail,
                millis: u64::try_from(probe.took.as_millis()).unwrap_or(u64::MAX),
                ago_seconds: seconds_since(probe.at),
            }),
            reason: self.reason(counts.in_flight),
            until_seconds: self.until().map(|until| seconds_until(until, now)),
            ejections: self.health.ejection().count(),
            drained_seconds: self.health.admin().drained().map(seconds_since),
            live: self.live.status(now),
        }
    }

    fn reason(&self, in_flight: u64) -> Option<String> {
        match self.health.status() {
            HealthStatus::Ejected => self.health.ejection().term().map(|term| term.why.to_string()),
            HealthStatus::Draining if in_flight == 0 && self.health.admin().drained().is_some() => {
                Some("drained: nothing is in flight".to_owned())
            }
            HealthStatus::Draining => Some(format!("{in_flight} in flight")),
            HealthStatus::Up | HealthStatus::Down | HealthStatus::Pending | HealthStatus::Maintenance => None,
        }
    }

    fn until(&self) -> Option<Instant> {
        match self.health.status() {
            HealthStatus::Ejected => self.health.ejection().term().map(|term| term.until),
            HealthStatus::Draining | HealthStatus::Maintenance => self.live.order_until(),
            HealthStatus::Up | HealthStatus::Down | HealthStatus::Pending => None,
        }
    }
}

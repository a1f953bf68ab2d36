//! A snapshot as the status report shows it.

use std::time::Instant;

use super::{Member, Pool, Snapshot};
use crate::{
    health::Admin,
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
    fn status(&self, now: Instant) -> BackendStatus {
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
            until_seconds: self.until().map(|until| {
                // A part of a second is a second: nobody shall read that nothing is left.
                let left = until.saturating_duration_since(now);
                left.as_secs() + u64::from(left.subsec_nanos() > 0)
            }),
            ejections: self.health.ejection().count(),
        }
    }

    fn reason(&self, in_flight: u64) -> Option<String> {
        match self.health.status() {
            HealthStatus::Ejected => self.health.ejection().term().map(|term| term.why.to_string()),
            HealthStatus::Draining if in_flight == 0 => Some("drained: nothing is in flight".to_owned()),
            HealthStatus::Draining => Some(format!("{in_flight} in flight")),
            HealthStatus::Up | HealthStatus::Down | HealthStatus::Pending | HealthStatus::Maintenance => None,
        }
    }

    fn until(&self) -> Option<Instant> {
        match (self.health.status(), self.health.admin()) {
            (HealthStatus::Ejected, _) => self.health.ejection().term().map(|term| term.until),
            (_, Admin::Draining(drain)) => drain.until,
            _ => None,
        }
    }
}

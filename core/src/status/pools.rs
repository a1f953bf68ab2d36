//! Pools, backends and routes: what the report says of them, and where it is taken from a snapshot.

use std::{fmt, sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    live::seconds_until,
    pool::{BackendCounts, Member, Pool, Snapshot},
};

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RouteStatus {
    /// Its name, if it has one.
    #[serde(default)]
    pub name: Option<String>,
    /// Which requests it means: `host a.example, path /v1`, or `every request`.
    pub when: String,
    /// What becomes of them: a pool, several with their weights, `redirect 301 …`, `respond 200`.
    pub then: String,
    /// Requests that took it.
    pub requests: u64,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// Its strategy.
    pub strategy: String,
    /// Requests that wait for a place at its backends.
    #[serde(default)]
    pub waiting: u64,
    /// Its backends, in the order of the file; those that were added live come last.
    pub backends: Vec<BackendStatus>,
    /// Backends that the file has and that were removed live.
    #[serde(default)]
    pub removed: Vec<RemovedStatus>,
}

/// A backend that the file has, and that was removed live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedStatus {
    /// `http://host:port`.
    pub url: String,
    /// How long ago, in seconds.
    pub since_seconds: u64,
    /// When it comes back by itself, in seconds; none: when somebody adds it.
    pub until_seconds: Option<u64>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct BackendStatus {
    /// `http://host:port`.
    pub url: String,
    /// Its weight, 1-256.
    pub weight: u16,
    /// Its health.
    pub health: HealthStatus,
    /// Since when it has that health, seconds ago.
    pub since_seconds: u64,
    /// Its counters, which stand beside the other fields.
    #[serde(flatten)]
    pub counts: BackendCounts,
    /// The last probe, if there was one.
    pub last_probe: Option<ProbeStatus>,
    /// Why it has that health, where that is more than its probes.
    #[serde(default)]
    pub reason: Option<String>,
    /// When that ends by itself, in seconds.
    #[serde(default)]
    pub until_seconds: Option<u64>,
    /// How many ejections it has against it; good behaviour takes them off again.
    #[serde(default)]
    pub ejections: u32,
    /// While it drains: how many seconds ago nothing was in flight any more, which is when the drain was done.
    #[serde(default)]
    pub drained_seconds: Option<u64>,
    /// What was changed live and holds instead of the file's word.
    #[serde(default)]
    pub live: Vec<LiveStatus>,
}

/// A live change of a backend. Displays as `draining`, `weight 10`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LiveStatus {
    /// `order`, `weight` or `backend`.
    pub kind: String,
    /// What holds: `draining`, `maintenance`, `serving`, a number, or `added`.
    pub value: String,
    /// What the file says.
    pub file: String,
    /// How long it has held, in seconds.
    pub since_seconds: u64,
    /// When it ends by itself, in seconds; none: when somebody takes it back.
    pub until_seconds: Option<u64>,
}

impl fmt::Display for LiveStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.as_str() {
            "order" | "backend" => f.write_str(&self.value),
            kind => write!(f, "{kind} {}", self.value),
        }
    }
}

/// Responses, by the class of their status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ResponseCounts {
    /// Of switches of protocols; other interim responses do not count.
    #[serde(rename = "1xx")]
    pub informational: u64,
    /// Of success.
    #[serde(rename = "2xx")]
    pub success: u64,
    /// Of redirection.
    #[serde(rename = "3xx")]
    pub redirection: u64,
    /// Of errors by the client.
    #[serde(rename = "4xx")]
    pub client_error: u64,
    /// Of errors by the server.
    #[serde(rename = "5xx")]
    pub server_error: u64,
}

impl ResponseCounts {
    /// How many classes there are.
    pub const CLASSES: usize = 5;

    /// What the classes are called, in their order.
    pub const NAMES: [&str; Self::CLASSES] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    /// The place of a status code's class among them. What is none counts as an error of the server.
    pub fn class_of(status: u16) -> usize {
        (usize::from(status) / 100).wrapping_sub(1).min(Self::CLASSES - 1)
    }

    /// Adds counts in the order of the classes.
    pub fn add(&mut self, counts: [u64; Self::CLASSES]) {
        let [informational, success, redirection, client_error, server_error] = counts;
        self.informational += informational;
        self.success += success;
        self.redirection += redirection;
        self.client_error += client_error;
        self.server_error += server_error;
    }

    /// The counts in the order of the classes.
    pub fn by_class(&self) -> [u64; Self::CLASSES] {
        [
            self.informational,
            self.success,
            self.redirection,
            self.client_error,
            self.server_error,
        ]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.by_class().iter().sum()
    }
}

/// `12 2xx, 1 5xx`: the classes that there are.
impl fmt::Display for ResponseCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.by_class().into_iter().zip(Self::NAMES);
        let some: Vec<String> = counts
            .filter(|(count, _)| *count > 0)
            .map(|(count, class)| format!("{count} {class}"))
            .collect();
        f.write_str(&some.join(", "))
    }
}

/// A probe's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProbeStatus {
    /// Whether the backend passed.
    pub ok: bool,
    /// `200 OK`, `connection refused`, `timed out after 2s`, …
    pub detail: String,
    /// How long it took.
    pub millis: u64,
    /// How long ago it ended.
    pub ago_seconds: u64,
}

/// A backend's health as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Gets requests.
    #[default]
    Up,
    /// Gets none (unless all are down).
    Down,
    /// Added by a reload and not probed yet: gets none (unless no backend is up).
    Pending,
    /// Its probes are good, but requests met too many errors: gets none for a time (unless no backend is up).
    Ejected,
    /// By order: gets no new requests, and finishes what it has.
    Draining,
    /// By order: gets nothing, and is not probed.
    Maintenance,
}

impl HealthStatus {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Up,
        Self::Down,
        Self::Pending,
        Self::Ejected,
        Self::Draining,
        Self::Maintenance,
    ];

    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Pending => "pending",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
            Self::Maintenance => "maintenance",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Snapshot {
    /// Every pool with its backends, in the order of the file.
    pub fn status(&self, now: Instant) -> Vec<PoolStatus> {
        let status = |pool: &Arc<Pool>| {
            let mut status = pool.status(now);
            self.live_members().complete(pool.name(), &mut status, now);
            status
        };
        self.pools().iter().map(status).collect()
    }

    /// Every route with its count, in the order of the file; none where there is nothing to decide.
    pub fn route_status(&self) -> Vec<RouteStatus> {
        let decided = self.plain_route().is_none();
        let routes = self.routes().iter().filter(|_| decided);
        routes
            .map(|route| RouteStatus {
                name: route.config().name.as_deref().map(str::to_owned),
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
            removed: Vec::new(),
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
            counts,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn counters_stand_beside_the_other_fields_of_a_backend() {
        let status = BackendStatus {
            counts: BackendCounts {
                requests: 7,
                ..BackendCounts::default()
            },
            ..BackendStatus::default()
        };
        let written = serde_json::to_value(&status).unwrap();
        assert_eq!(
            (&written["requests"], &written["counts"]),
            (&7.into(), &().into())
        );
        let mut old = written.clone();
        old.as_object_mut().unwrap().remove("responses");
        assert_eq!(serde_json::from_value::<BackendStatus>(written).unwrap(), status);
        assert_eq!(serde_json::from_value::<BackendStatus>(old).unwrap(), status);
    }
}

//! Every family: its name, type, labels and meaning. What others read of them, `docs/metrics.md`, is made from these rows.
//!
//! Names follow Prometheus' conventions: base units, `_total` on counters, the unit at the end. They are added to, never
//! renamed.

/// Families that belong together.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) families: &'static [&'static Family],
}

/// One family.
#[derive(Debug, PartialEq)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    /// Without the full stop at its end.
    pub(super) help: &'static str,
}

/// A family's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Info,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
        }
    }
}

impl Family {
    const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            labels,
            help,
        }
    }
}

use Kind::{Counter, Gauge, Info};

const ROUTE: &[&str] = &["route"];
const POOL: &[&str] = &["pool"];
const BACKEND: &[&str] = &["pool", "backend"];

/// All families, in the order in which they are written.
pub(super) const GROUPS: &[Group] = &[
    Group {
        title: "Requests by route",
        about: "`route` is the route's name, or its conditions where it has none.",
        families: &[&ROUTE_REQUESTS],
    },
    Group {
        title: "Attempts by pool and backend",
        about: "`backend` is the backend's URL. A request that is retried is an attempt at each\nbackend that it is sent to.",
        families: &[
            &BACKEND_REQUESTS,
            &BACKEND_RESPONSES,
            &BACKEND_FAILURES,
            &BACKEND_IN_FLIGHT,
            &BACKEND_HEALTH,
            &BACKEND_WEIGHT,
        ],
    },
    Group {
        title: "Pools",
        about: "",
        families: &[&POOL_BACKENDS, &POOL_QUEUE],
    },
    Group {
        title: "The instance",
        about: "",
        families: &[
            &BUILD,
            &GENERATION,
            &WORKERS,
            &STOPPING,
            &ERRORS,
            &PANICS,
            &ACTOR_RESTARTS,
            &LOG_DROPS,
        ],
    },
    Group {
        title: "The process",
        about: "The names that all exporters give them. What the system does not tell is left out.",
        families: &[
            &PROCESS_CPU,
            &PROCESS_START,
            &PROCESS_RESIDENT,
            &PROCESS_VIRTUAL,
            &PROCESS_FILES,
            &PROCESS_FILES_LIMIT,
        ],
    },
];

pub(super) const ROUTE_REQUESTS: Family = Family::new(
    "simple_lb_route_requests_total",
    Counter,
    ROUTE,
    "Requests that took the route",
);

pub(super) const BACKEND_REQUESTS: Family = Family::new(
    "simple_lb_backend_requests_total",
    Counter,
    BACKEND,
    "Attempts at the backend, retries included",
);
pub(super) const BACKEND_RESPONSES: Family = Family::new(
    "simple_lb_backend_responses_total",
    Counter,
    &["pool", "backend", "class"],
    "Responses whose head was received, by the class of their status codes, those that were retried included",
);
pub(super) const BACKEND_FAILURES: Family = Family::new(
    "simple_lb_backend_failures_total",
    Counter,
    BACKEND,
    "Attempts that failed by the backend's fault, or whose response was retried",
);
pub(super) const BACKEND_IN_FLIGHT: Family = Family::new(
    "simple_lb_backend_in_flight",
    Gauge,
    BACKEND,
    "Requests and tunnels at the backend now",
);
pub(super) const BACKEND_HEALTH: Family = Family::new(
    "simple_lb_backend_health",
    Gauge,
    &["pool", "backend", "health"],
    "1 for the health that the backend has, 0 for the others",
);
pub(super) const BACKEND_WEIGHT: Family = Family::new(
    "simple_lb_backend_weight",
    Gauge,
    BACKEND,
    "The backend's weight, as configured or changed live",
);

pub(super) const POOL_BACKENDS: Family = Family::new(
    "simple_lb_pool_backends",
    Gauge,
    &["pool", "health"],
    "Backends of the pool with this health",
);
pub(super) const POOL_QUEUE: Family = Family::new(
    "simple_lb_pool_queue_length",
    Gauge,
    POOL,
    "Requests that wait for a place at a backend now",
);

pub(super) const BUILD: Family = Family::new(
    "simple_lb_build_info",
    Info,
    &["version", "lane"],
    "The program's version and the lane that carries requests; always 1",
);
pub(super) const GENERATION: Family = Family::new(
    "simple_lb_config_generation",
    Gauge,
    &[],
    "Configurations applied so far; 1 after the start",
);
pub(super) const WORKERS: Family =
    Family::new("simple_lb_workers", Gauge, &[], "Threads that forward requests");
pub(super) const STOPPING: Family = Family::new("simple_lb_stopping", Gauge, &[], "1 once a stop has begun");
pub(super) const ERRORS: Family = Family::new(
    "simple_lb_errors_total",
    Counter,
    &["code", "reason"],
    "Errors of the balancer's own that clients were sent, by status code and by the reason in the response",
);
pub(super) const PANICS: Family = Family::new(
    "simple_lb_panics_total",
    Counter,
    &[],
    "Panics that were caught; anything but 0 is a defect of simple-lb",
);
pub(super) const ACTOR_RESTARTS: Family = Family::new(
    "simple_lb_actor_restarts_total",
    Counter,
    &[],
    "Actors that ended unexpectedly and were started again",
);
pub(super) const LOG_DROPS: Family = Family::new(
    "simple_lb_log_lines_dropped_total",
    Counter,
    &[],
    "Lines of the log that were dropped, because nobody read it or it could not be written",
);

pub(super) const PROCESS_CPU: Family = Family::new(
    "process_cpu_seconds_total",
    Counter,
    &[],
    "CPU time of all threads, user and system, in seconds",
);
pub(super) const PROCESS_START: Family = Family::new(
    "process_start_time_seconds",
    Gauge,
    &[],
    "When the instance started, in seconds since the epoch",
);
pub(super) const PROCESS_RESIDENT: Family = Family::new(
    "process_resident_memory_bytes",
    Gauge,
    &[],
    "Resident memory, in bytes",
);
pub(super) const PROCESS_VIRTUAL: Family = Family::new(
    "process_virtual_memory_bytes",
    Gauge,
    &[],
    "Virtual memory, in bytes",
);
pub(super) const PROCESS_FILES: Family = Family::new("process_open_fds", Gauge, &[], "Open file descriptors");
pub(super) const PROCESS_FILES_LIMIT: Family = Family::new(
    "process_max_fds",
    Gauge,
    &[],
    "File descriptors that the process may open",
);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Family> {
        GROUPS.iter().flat_map(|group| group.families.iter().copied())
    }

    #[test]
    fn names_follow_the_conventions() {
        let mut seen = HashSet::new();
        for family in all() {
            assert!(seen.insert(family.name), "{} is there twice", family.name);
            assert_eq!(
                family.name.ends_with("_total"),
                family.kind == Counter,
                "{}: counters, and no others, end in _total",
                family.name
            );
            let ours = family.name.strip_prefix("simple_lb_");
            let standard = family.name.strip_prefix("process_");
            let rest = ours.or(standard).unwrap_or_default();
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(!rest.is_empty() && rest.bytes().all(is_plain), "{}", family.name);
            assert!(
                !family.help.ends_with('.') && !family.help.is_empty(),
                "{}",
                family.name
            );
        }
    }
}

//! A report for tests of what is printed: a balancer at rest.

use lb_core::status::{BackendStatus, HealthStatus, PoolStatus, StatusReport};

/// A backend that is up and has done nothing.
pub(super) fn backend(url: String) -> BackendStatus {
    BackendStatus {
        url,
        weight: 1,
        health: HealthStatus::Up,
        since_seconds: 0,
        requests: 0,
        in_flight: 0,
        failures: 0,
        latency_micros_total: 0,
        answers: 0,
        last_probe: None,
        reason: None,
        until_seconds: None,
        ejections: 0,
        drained_seconds: None,
        live: Vec::new(),
    }
}

/// A balancer with these pools.
pub(super) fn report<const POOLS: usize>(pools: [(&str, Vec<BackendStatus>); POOLS]) -> StatusReport {
    let pool = |(name, backends): (&str, _)| PoolStatus {
        name: name.to_owned(),
        strategy: String::new(),
        waiting: 0,
        backends,
    };
    StatusReport {
        version: String::new(),
        pid: 1,
        config: String::new(),
        generation: 1,
        uptime_seconds: 1,
        stopping: false,
        listeners: Vec::new(),
        workers: 1,
        lane: String::new(),
        open_files_limit: 1,
        connections: 0,
        in_flight: 0,
        requests: 0,
        panics: 0,
        actor_restarts: 0,
        log_lines_dropped: 0,
        pools: pools.map(pool).into(),
        routes: Vec::new(),
    }
}

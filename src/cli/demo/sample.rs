//! A demo's state for tests: three backends, of which the second is dead and noticed, a second of history.

use std::time::Duration;

use lb_core::pool::BackendCounts;
use lb_core::status::{BackendStatus, HealthStatus, PoolStatus, ProbeStatus, StatusReport};

use super::{
    backends::Doing,
    load::Seen,
    session::{Event, State},
    text::Style,
};
use crate::cli::table::Window;

pub(super) struct Sample {
    pub(super) before: StatusReport,
    pub(super) now: StatusReport,
    pub(super) seen: Seen,
    pub(super) events: Vec<Event>,
}

impl Sample {
    pub(super) fn new() -> Self {
        use HealthStatus::{Down, Up};
        let event = |number: u64| Event {
            at: Duration::from_secs(number),
            style: Style::Plain,
            text: format!("event {number}"),
        };
        let seen = Seen {
            sent: 2401,
            ok: 2400,
            failed: 0,
            last_failure: None,
            rate: 201,
            p50: Some(Duration::from_micros(510)),
            p99: Some(Duration::from_micros(1230)),
        };
        Self {
            before: report([(Up, 700), (Up, 800), (Up, 700)]),
            now: report([(Up, 800), (Down, 800), (Up, 800)]),
            seen,
            events: (1..=20).map(event).collect(),
        }
    }

    pub(super) fn state(&self) -> State<'_> {
        let doings = [Doing::Ok, Doing::Killed, Doing::Slow(Duration::from_millis(300))];
        State {
            url: "http://127.0.0.1:8000/",
            elapsed: Duration::from_millis(12_300),
            report: &self.now,
            window: Some(Window {
                before: &self.before,
                elapsed: Duration::from_secs(1),
            }),
            doings: (1..)
                .map(|number| format!("Server {number}"))
                .zip(doings)
                .collect(),
            selected: 1,
            level: 200,
            seen: self.seen.clone(),
            events: &self.events,
        }
    }
}

pub(super) fn report(backends: [(HealthStatus, u64); 3]) -> StatusReport {
    let backends = (40_001..)
        .zip(backends)
        .map(|(port, (health, requests))| BackendStatus {
            url: format!("http://127.0.0.1:{port}"),
            weight: 1,
            health,
            since_seconds: 12,
            counts: BackendCounts {
                requests,
                latency_micros_total: requests * 400,
                answers: requests,
                ..BackendCounts::default()
            },
            last_probe: Some(ProbeStatus {
                ok: health == HealthStatus::Up,
                detail: "connection refused".to_owned(),
                millis: 0,
                ago_seconds: 0,
            }),
            ..BackendStatus::default()
        });
    let pool = PoolStatus {
        name: "default".to_owned(),
        strategy: "round-robin".to_owned(),
        backends: backends.collect(),
        ..PoolStatus::default()
    };
    StatusReport {
        version: "0.1.0".to_owned(),
        pid: 1,
        config: "demo".to_owned(),
        generation: 1,
        uptime_seconds: 12,
        listeners: vec!["[::]:8000".to_owned()],
        workers: 2,
        lane: "wire".to_owned(),
        requests: 2400,
        pools: vec![pool],
        ..StatusReport::default()
    }
}

//! What a live change does, and what happens next, in words.

use lb_core::{
    config::DEFAULT_POOL,
    live::Wish,
    status::{BackendStatus, HealthStatus, LiveBackend, LiveReport},
};

use super::LiveCommand;
use crate::cli::table::seconds;

/// Two lines a backend: how it is, and what ends that.
pub(super) fn changed(command: &LiveCommand, report: &LiveReport) -> Vec<String> {
    let lines = |one: &LiveBackend| {
        let now = match command.wish {
            Wish::Drain | Wish::Maintenance => out(&one.backend),
            Wish::Serve => served(&one.backend),
            Wish::Weight(_) | Wish::FileWeight => format!("has weight {}", one.backend.weight),
        };
        [format!("{} {now}", name(one)), next(command, &one.backend)]
    };
    report.backends.iter().flat_map(lines).collect()
}

/// As the plan of a reload names it.
pub(super) fn name(one: &LiveBackend) -> String {
    match one.pool.as_str() {
        DEFAULT_POOL => one.backend.url.clone(),
        pool => format!("{pool} {}", one.backend.url),
    }
}

fn out(backend: &BackendStatus) -> String {
    let what = match backend.health {
        HealthStatus::Maintenance => "is in maintenance: no requests and no probes",
        _ => "is draining: no new requests",
    };
    match backend.in_flight {
        0 => format!("{what}; nothing is in flight"),
        1 => format!("{what}; 1 in flight finishes"),
        some => format!("{what}; {some} in flight finish"),
    }
}

fn served(backend: &BackendStatus) -> String {
    match backend.health {
        HealthStatus::Up => "serves".to_owned(),
        HealthStatus::Pending => "serves as soon as a probe is good".to_owned(),
        HealthStatus::Down | HealthStatus::Ejected => {
            format!("is in service, but {}: it serves when that ends", backend.health)
        }
        HealthStatus::Draining | HealthStatus::Maintenance => format!("is {}", backend.health),
    }
}

/// What ends it.
fn next(command: &LiveCommand, backend: &BackendStatus) -> String {
    let (kind, key) = match command.wish {
        Wish::Drain | Wish::Maintenance | Wish::Serve => ("order", ""),
        Wish::Weight(_) | Wish::FileWeight => ("weight", "weight "),
    };
    let Some(change) = backend.live.iter().find(|change| change.kind == kind) else {
        return "  as the file says".to_owned();
    };
    let pool = command.request.pool.as_ref();
    let pool = pool.map_or(String::new(), |pool| format!(" --pool {pool}"));
    let back = match command.wish {
        Wish::Drain | Wish::Maintenance => format!("undrain {}{pool}", backend.url),
        // The file says `drain` or `maintenance`.
        Wish::Serve => format!(
            "{} {}{pool}",
            if change.file == "draining" {
                "drain"
            } else {
                "maintenance"
            },
            backend.url
        ),
        Wish::Weight(_) | Wish::FileWeight => format!("weight {}=config{pool}", backend.url),
    };
    let file = &change.file;
    match change.until_seconds {
        Some(left) => format!(
            "  for {}; then {key}{file} again, as the file says; sooner with `simple-lb {back}`",
            seconds(left)
        ),
        None => format!("  until `simple-lb {back}` or a restart: {key}{file} again, as the file says"),
    }
}

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
    let (kind, _) = kind(command.wish);
    let has_change = |one: &LiveBackend| one.backend.live.iter().any(|change| change.kind == kind);
    // The command that takes the change back must not change the backend in pools that do as the file says.
    let is_everywhere = report.backends.iter().all(has_change);
    let pool_option = |one: &LiveBackend| match &command.request.pool {
        Some(pool) => format!(" --pool {pool}"),
        None if is_everywhere => String::new(),
        None => format!(" --pool {}", one.pool),
    };
    let lines = |one: &LiveBackend| {
        let now = match command.wish {
            Wish::Drain | Wish::Maintenance => out(&one.backend),
            Wish::Serve => served(&one.backend),
            Wish::Weight(_) | Wish::FileWeight => format!("has weight {}", one.backend.weight),
        };
        [
            format!("{} {now}", name(one)),
            next(command, &pool_option(one), &one.backend),
        ]
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
    match backend.counts.in_flight {
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

/// What is changed, and what stands before its value.
fn kind(wish: Wish) -> (&'static str, &'static str) {
    match wish {
        Wish::Drain | Wish::Maintenance | Wish::Serve => ("order", ""),
        Wish::Weight(_) | Wish::FileWeight => ("weight", "weight "),
    }
}

/// What ends it. `pool`: the option that the command wants for this.
fn next(command: &LiveCommand, pool: &str, backend: &BackendStatus) -> String {
    let (kind, key) = kind(command.wish);
    let Some(change) = backend.live.iter().find(|change| change.kind == kind) else {
        return "  as the file says".to_owned();
    };
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

#[cfg(test)]
mod tests {
    use lb_core::{live::LiveRequest, status::LiveStatus};

    use super::*;
    use crate::cli::sample;

    /// The last lines for a backend in two pools; in `b` its drain is written in the file.
    fn undrained(in_a: Vec<LiveStatus>) -> Vec<String> {
        let in_b = LiveStatus {
            kind: "order".to_owned(),
            value: "serving".to_owned(),
            file: "draining".to_owned(),
            since_seconds: 0,
            until_seconds: None,
        };
        let backend = |pool: &str, live| LiveBackend {
            pool: pool.to_owned(),
            backend: BackendStatus {
                live,
                ..sample::backend("http://h".to_owned())
            },
        };
        let command = LiveCommand {
            request: LiveRequest {
                url: "http://h".to_owned(),
                pool: None,
                change: Some(Wish::Serve),
                lasts: None,
            },
            wish: Wish::Serve,
            wait: false,
        };
        let report = LiveReport {
            applied: true,
            problems: Vec::new(),
            backends: vec![backend("a", in_a), backend("b", vec![in_b])],
            warnings: Vec::new(),
            removed: Vec::new(),
        };
        changed(&command, &report)
    }

    #[test]
    fn the_way_back_names_the_pool_where_others_are_as_the_file_says() {
        let lines = undrained(Vec::new());
        assert_eq!(lines[1], "  as the file says");
        assert!(
            lines[3].contains("`simple-lb drain http://h --pool b`"),
            "{}",
            lines[3]
        );
    }
}

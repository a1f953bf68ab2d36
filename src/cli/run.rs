//! `simple-lb --config config.yaml`: run until a stop is asked for.

use std::path::Path;

use lb_actors::config_watcher::{ConfigFile, Loaded};
use lb_core::{
    config::shown_path,
    status::{HealthStatus, StatusReport},
};
use log::warn;

use super::{
    exit,
    output::{error_line, flush, line},
};
use crate::{
    app::{self, ACCESS_LOG_PATH, Balancer},
    control::{Claim, ClaimError, absolute},
    systemd::Notifier,
    telemetry::start_logging,
};

pub(super) fn run(path: &Path) -> u8 {
    let file = ConfigFile {
        path: absolute(path),
        shown: path.to_path_buf(),
    };
    let loaded = match file.load_to_serve() {
        Ok(loaded) => loaded,
        Err(problems) => {
            problems.iter().for_each(error_line);
            // Not where its folder cannot be looked into.
            if matches!(path.try_exists(), Ok(false)) {
                error_line("name the file with --config FILE, or try `simple-lb demo`, which needs none");
            }
            return exit::INVALID_CONFIG;
        }
    };
    let (keys, places) = (loaded.keys(), loaded.places());
    let Loaded { config, warnings, .. } = loaded;
    if let Err(error) = start_logging(config.log) {
        error_line(format_args!("cannot start the log: {error}"));
        return exit::FAILED;
    }
    warnings.iter().for_each(|warning| warn!("{warning}"));
    let notifier = Notifier::from_environment();
    let claim = match Claim::new(path) {
        Ok(claim) => Some(claim),
        Err(error @ ClaimError::AlreadyRunning(_)) => {
            error_line(error);
            return exit::FAILED;
        }
        Err(error @ ClaimError::Relative(_)) => {
            error_line(error);
            return exit::USAGE;
        }
        Err(error @ (ClaimError::NoFolder(_) | ClaimError::NotText(_))) => {
            warn!("{error}");
            None
        }
    };
    let mut balancer = match Balancer::bind(config, file, claim) {
        Ok(balancer) => balancer,
        Err(error) => {
            error_line(error);
            return exit::FAILED;
        }
    };
    if let Err(error) = balancer.open_access_log() {
        error_line(places.problem(ACCESS_LOG_PATH, error.to_string()));
        return exit::INVALID_CONFIG;
    }
    // A start that was refused keeps no key.
    if let Some(warning) = keys.make(balancer.config_mut()) {
        warn!("{warning}");
    }
    let system = app::system();
    let code = system.block_on(async {
        let mut running = match balancer.start(true, notifier).await {
            Ok(running) => running,
            Err(error) => {
                error_line(format_args!("cannot start: {error}"));
                return exit::FAILED;
            }
        };
        if !running.is_to_stop() {
            announce(running.status());
        }
        running.stop_requested().await;
        if running.stop().await.cut > 0 {
            exit::FAILED
        } else {
            exit::DONE
        }
    });
    log::logger().flush();
    // A file that is still being read, from a server that does not answer, would be waited for without end, and so would
    // a terminal that takes no output.
    std::process::exit(code.into())
}

/// Says on stdout what serves now. Nobody waits for it: a terminal that Ctrl-S has stopped takes it later or never.
fn announce(status: StatusReport) {
    drop(tokio::task::spawn_blocking(move || {
        ready_lines(&status).iter().for_each(line);
        flush();
    }));
}

fn ready_lines(status: &StatusReport) -> Vec<String> {
    let mut lines = vec![format!(
        "simple-lb {}, pid {}, {}",
        status.version,
        status.pid,
        shown_path(Path::new(&status.config))
    )];
    let backends = || status.pools.iter().flat_map(|pool| &pool.backends);
    for pool in &status.pools {
        let count = pool.backends.len();
        let noun = if count == 1 { "backend" } else { "backends" };
        lines.push(format!("pool {}, {}, {count} {noun}:", pool.name, pool.strategy));
        let width = backends().map(|backend| backend.url.len()).max().unwrap_or(0);
        for backend in &pool.backends {
            let probe = backend
                .last_probe
                .as_ref()
                .map_or("not probed yet", |probe| &probe.detail);
            lines.push(format!(
                "  {:width$}  {:7}  {probe}",
                backend.url,
                backend.health.to_string()
            ));
        }
    }
    if status.pools.is_empty() {
        lines.push(
            "no backends: the routes respond by themselves; write `backends` and type `simple-lb --reload`"
                .to_owned(),
        );
    } else if backends().all(|backend| backend.health != HealthStatus::Up) {
        lines.push(
            "no backend is up: start one (`cargo run --bin dummy_servers` starts three to try), or correct `backends` \
             and type `simple-lb --reload`"
                .to_owned(),
        );
    }
    lines.push(format!(
        "{} workers, at most {} open files",
        status.workers, status.open_files_limit
    ));
    lines.extend(
        status
            .admin
            .iter()
            .map(|address| format!("admin API on http://{address}")),
    );
    lines.extend(
        status
            .listeners
            .iter()
            .map(|address| format!("listening on http://{address}")),
    );
    lines
}

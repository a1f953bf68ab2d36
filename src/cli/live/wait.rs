//! `--wait`: until nothing is in flight at a backend that is on its way out, for scripts that go on then.

use std::time::{Duration, Instant};

use lb_core::{
    live::LiveRequest,
    status::{HealthStatus, LiveReport},
};

use super::{LiveCommand, PATH, TIMEOUT, words::name};
use crate::{
    cli::{
        exit,
        output::{error_line, json as print_json, line},
        table::seconds,
    },
    control::{ControlClient, ControlError},
};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// How far the backends have come, all pools together.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// So many are in flight.
    InFlight(u64),
    /// Nothing is any more.
    Drained,
    /// Some are back in service, with so many in flight: the time is over, or somebody took it back.
    Ended(u64),
}

/// Waits, and says how it goes; the exit code.
pub(super) async fn until_drained(
    client: ControlClient,
    command: &LiveCommand,
    json: bool,
) -> Result<u8, ControlError> {
    let look = LiveRequest {
        change: None,
        lasts: None,
        ..command.request.clone()
    };
    let begun = Instant::now();
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut shown = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = &mut interrupted => {
                let url = &command.request.url;
                error_line(format_args!("no longer waiting; {url} goes on as it was ordered"));
                return Ok(exit::FAILED);
            }
        }
        let report: LiveReport = client.tell(PATH, &look, TIMEOUT).await?;
        let progress = progress(&report);
        if let Some(code) = outcome(&progress, &report, json) {
            if json {
                print_json(&report);
            } else if code == exit::DONE {
                let waited = seconds(begun.elapsed().as_secs());
                line(format_args!("drained after {waited}: nothing is in flight"));
            }
            return Ok(code);
        }
        if let Progress::InFlight(count) = progress
            && count > 0
            && !json
            && shown.replace(count) != Some(count)
        {
            line(format_args!("waiting: {count} in flight"));
        }
    }
}

/// The exit code, once there is one.
fn outcome(progress: &Progress, report: &LiveReport, json: bool) -> Option<u8> {
    if !report.applied {
        if !json {
            error_line("the backend was removed meanwhile:");
            report.problems.iter().for_each(error_line);
        }
        return Some(exit::FAILED);
    }
    match progress {
        Progress::InFlight(_) => None,
        Progress::Drained => Some(exit::DONE),
        Progress::Ended(in_flight) => {
            let names: Vec<String> = report.backends.iter().map(name).collect();
            error_line(format_args!(
                "not drained: {} is back in service before that, with {in_flight} in flight",
                names.join(", ")
            ));
            Some(exit::FAILED)
        }
    }
}

fn progress(report: &LiveReport) -> Progress {
    let backends = || report.backends.iter().map(|one| &one.backend);
    let in_flight = backends().map(|backend| backend.counts.in_flight).sum();
    let is_out = |health| matches!(health, HealthStatus::Draining | HealthStatus::Maintenance);
    if backends().any(|backend| !is_out(backend.health)) {
        return Progress::Ended(in_flight);
    }
    let drained = backends().all(|backend| match backend.health {
        HealthStatus::Draining => backend.drained_seconds.is_some(),
        _ => backend.counts.in_flight == 0,
    });
    if drained {
        Progress::Drained
    } else {
        Progress::InFlight(in_flight)
    }
}

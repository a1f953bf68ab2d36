//! `reload` and `stop`, typed as verbs or as flags: find the instance, tell it, wait for the outcome, say it.

use std::{
    future::Future,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use awc::http::Method;
use lb_actors::messages::ReloadMode;
use lb_core::status::{ReloadReport, StopReport};

use super::{
    exit,
    output::{error_line, json as print_json, line},
};
use crate::{
    app,
    control::{ControlClient, ControlError, Found, InstanceInfo, find, running},
};

/// Longer than any sensible probe timeout, which a reload may wait for.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// Longer than any sensible `shutdown_timeout`.
const STOP_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// From an instance's last answer to the end of its process.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Finds the instance that a command means, or says why not; `Err` is the exit code.
pub(super) fn instance(config: Option<&Path>) -> Result<InstanceInfo, u8> {
    match find(config) {
        Found::Meant(info) => Ok(info),
        Found::OnlyOne(info) => {
            error_line(format_args!(
                "the only running instance: pid {}, {}",
                info.pid,
                info.config.display()
            ));
            Ok(info)
        }
        Found::Several(all) => {
            error_line("several instances run; say which with --config FILE:");
            for info in all {
                error_line(format_args!("  {}  (pid {})", info.config.display(), info.pid));
            }
            Err(exit::NO_INSTANCE)
        }
        Found::None => {
            match config {
                Some(config) => error_line(format_args!("no running instance of {}", config.display())),
                None => error_line("no running instance"),
            }
            error_line("start one with `simple-lb --config config.yaml`");
            Err(exit::NO_INSTANCE)
        }
    }
}

/// Runs one exchange with an instance to its end.
pub(super) fn ask<T, F>(info: &InstanceInfo, question: impl FnOnce(ControlClient) -> F) -> Result<T, u8>
where
    F: Future<Output = Result<T, ControlError>>,
{
    let answer = app::system().block_on(async { question(ControlClient::new(&info.socket)).await });
    answer.map_err(|error| {
        error_line(error);
        exit::FAILED
    })
}

pub(super) fn reload(mode: ReloadMode, config: Option<&Path>, json: bool) -> u8 {
    finish(|| {
        let info = instance(config)?;
        let (method, path) = match mode {
            ReloadMode::Apply => (Method::POST, "/reload"),
            ReloadMode::DryRun => (Method::GET, "/plan"),
        };
        let report: ReloadReport = ask(&info, |client| async move {
            client.ask(method, path, RELOAD_TIMEOUT).await
        })?;
        if json {
            print_json(&report);
        } else {
            print_reload(&info, &report);
        }
        // A plan without problems is all that a dry run can bring.
        let done = report.applied || report.dry_run && report.problems.is_empty();
        Ok(if done { exit::DONE } else { exit::FAILED })
    })
}

fn print_reload(info: &InstanceInfo, report: &ReloadReport) {
    let (config, generation) = (info.config.display(), report.generation);
    if !report.problems.is_empty() {
        report.problems.iter().for_each(error_line);
        error_line(if report.dry_run {
            format!("a reload would be refused; nothing has changed, generation {generation} serves")
        } else {
            format!("reload refused: generation {generation} goes on serving, unchanged")
        });
        return;
    }
    report.changes.iter().for_each(line);
    report
        .notes
        .iter()
        .for_each(|note| line(format_args!("note: {note}")));
    line(match (report.changes.is_empty(), report.dry_run) {
        (true, _) => format!("no changes in {config}: generation {generation} goes on serving"),
        (false, true) => {
            format!("dry run of {config}: nothing has changed, generation {generation} serves")
        }
        (false, false) => format!("reloaded {config}: generation {generation}"),
    });
}

pub(super) fn stop(config: Option<&Path>, json: bool) -> u8 {
    finish(|| {
        let info = instance(config)?;
        let report: StopReport = ask(&info, |client| async move {
            client.ask(Method::POST, "/stop", STOP_TIMEOUT).await
        })?;
        let ended = wait_for_end(&info);
        if json {
            print_json(&report);
        } else {
            line(format_args!("stopped pid {}: {}", info.pid, describe(&report)));
        }
        if !ended {
            error_line(format_args!(
                "pid {} has finished its requests but still runs",
                info.pid
            ));
        }
        Ok(if ended && report.cut == 0 {
            exit::DONE
        } else {
            exit::FAILED
        })
    })
}

fn describe(report: &StopReport) -> String {
    let requests = |count: u64| {
        if count == 1 {
            "1 request".to_owned()
        } else {
            format!("{count} requests")
        }
    };
    let finished = format!("{} finished while it stopped", requests(report.finished));
    match report.cut {
        0 => finished,
        cut => format!("{finished}, {} cut when shutdown_timeout was over", requests(cut)),
    }
}

fn wait_for_end(info: &InstanceInfo) -> bool {
    let deadline = Instant::now() + EXIT_TIMEOUT;
    let alive = || {
        let pid = i32::try_from(info.pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let exists = pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok());
        // A process that its parent has not reaped yet still has its number, but no longer its lock.
        exists && running().contains(info)
    };
    while alive() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Both ways end in an exit code.
pub(super) fn finish(command: impl FnOnce() -> Result<u8, u8>) -> u8 {
    command().unwrap_or_else(|code| code)
}

//! `reload` and `stop`, typed as verbs or as flags: find the instance, tell it, wait for the outcome, say it.

use std::{
    future::Future,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use awc::http::Method;
use lb_actors::messages::ReloadMode;
use lb_core::{
    config::shown_path,
    status::{ReloadReport, StopReport},
};

use super::{
    exit,
    output::{error_line, json as print_json, line},
};
use crate::{
    app,
    control::{ControlClient, ControlError, Found, InstanceInfo, Purpose, Unclear, find, is_running},
};

/// Longer than any sensible probe timeout, which a reload may wait for.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// Longer than any sensible `shutdown_timeout`.
const STOP_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// From an instance's last answer to the end of its process.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Finds the instance that a command means, or says why not; `Err` is the exit code.
pub(super) fn instance(config: Option<&Path>, purpose: Purpose) -> Result<InstanceInfo, u8> {
    match find(config, purpose) {
        Ok(Found::Meant(info)) => {
            if !info.is_own() {
                error_line(format_args!("an instance of another user: {}", described(&info)));
            }
            Ok(info)
        }
        Ok(Found::OnlyOne(info)) => {
            error_line(format_args!(
                "the only running instance: pid {}, {}",
                info.pid,
                shown_path(&info.config)
            ));
            Ok(info)
        }
        Ok(Found::Unclear(unclear)) => {
            explain(&unclear);
            Err(exit::NO_INSTANCE)
        }
        Err(relative) => {
            error_line(relative);
            Err(exit::USAGE)
        }
    }
}

/// Why no instance is certainly meant, what runs, and what to type.
fn explain(unclear: &Unclear) {
    let Unclear {
        meant,
        running,
        obstacles,
    } = unclear;
    if !obstacles.is_empty() {
        error_line("not every runtime folder could be looked into:");
        for obstacle in obstacles {
            error_line(format_args!("  {obstacle}"));
        }
    }
    match (meant, running.as_slice()) {
        (Some(meant), []) if obstacles.is_empty() => {
            error_line(format_args!("no running instance of {}", shown_path(meant)));
        }
        (None, []) if obstacles.is_empty() => error_line("no running instance"),
        (_, []) => {}
        (Some(meant), _) => error_line(format_args!(
            "no instance of {} was found; say with --config FILE if another one is meant:",
            shown_path(meant)
        )),
        (None, [_]) => error_line("an instance of another user runs; say with --config FILE if it is meant:"),
        (None, _) => error_line("several instances run; say which with --config FILE:"),
    }
    for info in running {
        error_line(format_args!("  {}", described(info)));
    }
    if running.is_empty() && obstacles.is_empty() {
        error_line("start one with `simple-lb --config config.yaml`");
    }
}

/// `/etc/simple-lb/config.yaml  (pid 12, uid 998)`
fn described(info: &InstanceInfo) -> String {
    let config = shown_path(&info.config);
    if info.is_own() {
        format!("{config}  (pid {})", info.pid)
    } else {
        format!("{config}  (pid {}, uid {})", info.pid, info.owner)
    }
}

/// Runs one exchange with an instance to its end.
pub(super) fn ask<T, F>(info: &InstanceInfo, question: impl FnOnce(ControlClient) -> F) -> Result<T, u8>
where
    F: Future<Output = Result<T, ControlError>>,
{
    let answer = app::system().block_on(async { question(ControlClient::new(info)).await });
    answer.map_err(|error| {
        error_line(error);
        exit::FAILED
    })
}

pub(super) fn reload(mode: ReloadMode, config: Option<&Path>, json: bool) -> u8 {
    finish(|| {
        let purpose = match mode {
            ReloadMode::Apply => Purpose::Change,
            ReloadMode::DryRun => Purpose::Read,
        };
        let info = instance(config, purpose)?;
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
    let generation = report.generation;
    if !report.problems.is_empty() {
        report.problems.iter().for_each(error_line);
        error_line(if report.dry_run {
            format!("a reload would be refused; nothing has changed, generation {generation} serves")
        } else {
            format!("reload refused: generation {generation} goes on serving, unchanged")
        });
        return;
    }
    let config = file_read(info, report);
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

/// The file that was read, and the name that led to it where that is another.
fn file_read(info: &InstanceInfo, report: &ReloadReport) -> String {
    match report.file.as_deref().map(Path::new) {
        Some(file) if file != info.config => {
            // An older version has not noted the name.
            let name = match info.named.as_os_str().is_empty() {
                true => &info.config,
                false => &info.named,
            };
            format!("{}, read from {}", shown_path(name), shown_path(file))
        }
        _ => shown_path(&info.config),
    }
}

pub(super) fn stop(config: Option<&Path>, json: bool) -> u8 {
    finish(|| {
        let info = instance(config, Purpose::Change)?;
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

/// By its lock, never by its process number: that may be another's by now, or that of another user's process.
fn wait_for_end(info: &InstanceInfo) -> bool {
    let deadline = Instant::now() + EXIT_TIMEOUT;
    while is_running(info) {
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

//! The table of backends, for `status`, `demo` and whatever shows a running instance live.

use std::{path::Path, time::Duration};

use lb_core::config::{format_seconds, shown_path, shown_text};
use lb_core::status::{
    AccessLogStatus, BackendStatus, ErrorCount, HealthStatus, PoolStatus, RouteStatus, StatusReport,
};

/// An earlier report to compare with, and how long ago it was: gives rates, and latencies of that time only.
pub(super) struct Window<'a> {
    /// The earlier report.
    pub(super) before: &'a StatusReport,
    /// The time between the two.
    pub(super) elapsed: Duration,
}

/// Two lines about the instance, one about its responses, and one about lines of each log that were dropped, if there are any.
pub(super) fn summary(report: &StatusReport) -> Vec<String> {
    let state = if report.stopping { "stopping" } else { "serving" };
    let dropped = match report.log_lines_dropped {
        0 => None,
        1 => Some("1 line of the log was dropped: nobody read it, or it could not be written".to_owned()),
        some => Some(format!(
            "{some} lines of the log were dropped: nobody read it, or it could not be written"
        )),
    };
    let mut lines = vec![
        format!(
            "simple-lb {} {state} {}, pid {}, generation {}, up {}",
            report.version,
            shown_path(Path::new(&report.config)),
            report.pid,
            report.generation,
            seconds(report.uptime_seconds)
        ),
        format!(
            "listening on {}, {} workers, {} lane, {} requests, {} in flight",
            report.listeners.join(", "),
            report.workers,
            report.lane,
            report.requests,
            report.in_flight
        ),
    ];
    let responses = report.responses.to_string();
    lines.extend((!responses.is_empty()).then(|| format!("responses: {responses}")));
    lines.extend(dropped);
    lines.extend(access_log(&report.access_log));
    lines
}

/// What is wrong with the access log, or was.
fn access_log(log: &AccessLogStatus) -> Option<String> {
    let path = log.path.as_deref().unwrap_or("off");
    match (&log.error, log.lines_dropped) {
        (None, 0) => None,
        (None, dropped) => Some(format!(
            "access log {path}: {dropped} lines were dropped since the start"
        )),
        (Some(error), dropped) => Some(format!(
            "access log {path}: {dropped} lines were dropped, and more are: {error}"
        )),
    }
}

/// Columns that a narrow terminal can do without, the least telling first.
const DISPENSABLE: [&str; 11] = [
    "POOL",
    "5XX",
    "WEIGHT",
    "LAST PROBE",
    "SINCE",
    "IN FLIGHT",
    "REQ/S",
    "FAILED",
    "SHARE",
    "LATENCY",
    "REQUESTS",
];

/// Room for the longest usual content, so that the columns of a live table neither jump nor come and go.
const LIVE_WIDTHS: [(&str, usize); 5] = [
    ("HEALTH", 7),
    ("SINCE", 6),
    ("SHARE", 6),
    ("LATENCY", 8),
    ("LAST PROBE", 36),
];

/// Between two columns.
const GAP: usize = 2;

/// The table, a line a backend, under a heading.
pub(super) fn backends(report: &StatusReport, window: Option<&Window<'_>>) -> Vec<String> {
    backends_within(report, window, usize::MAX)
}

/// The same for a terminal of that many characters: without those columns that have no room and are least missed.
pub(super) fn backends_within(
    report: &StatusReport,
    window: Option<&Window<'_>>,
    width: usize,
) -> Vec<String> {
    let mut heading = vec![
        "POOL",
        "BACKEND",
        "WEIGHT",
        "HEALTH",
        "SINCE",
        "REQUESTS",
        "SHARE",
        "IN FLIGHT",
    ];
    heading.extend(["FAILED", "5XX", "LATENCY"]);
    // In a live table columns shall not come and go.
    let notes = window.is_none() && report.pools.iter().flat_map(|pool| &pool.backends).any(has_note);
    heading.extend(notes.then_some("WHY"));
    heading.push("LAST PROBE");
    if window.is_some() {
        heading.insert(6, "REQ/S");
    }
    let mut rows = vec![heading.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for pool in &report.pools {
        for Recent {
            backend,
            requests,
            share,
            latency,
        } in recent(pool, window)
        {
            let mut row = vec![
                pool.name.clone(),
                backend.url.clone(),
                backend.weight.to_string(),
                backend.health.to_string(),
                seconds(backend.since_seconds),
                backend.counts.requests.to_string(),
                share,
                backend.counts.in_flight.to_string(),
                backend.counts.failures.to_string(),
                backend.counts.responses.server_error.to_string(),
                latency,
            ];
            row.extend(notes.then(|| note(backend)));
            row.push(last_probe(backend));
            if let Some(window) = window {
                let rate = requests as f64 / window.elapsed.as_secs_f64().max(0.001);
                row.insert(6, format!("{rate:.0}"));
            }
            rows.push(row);
        }
    }
    let least: &[_] = if window.is_some() { &LIVE_WIDTHS } else { &[] };
    for dispensable in DISPENSABLE {
        let widths = widths(&rows, least);
        if widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) <= width {
            break;
        }
        if let Some(column) = rows[0].iter().position(|name| name == dispensable) {
            rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
    }
    align(&rows, &widths(&rows, least))
}

/// A line for each pool in whose queue requests wait; nothing where none do.
pub(super) fn queues(report: &StatusReport) -> Vec<String> {
    let waiting = report.pools.iter().filter(|pool| pool.waiting > 0);
    waiting
        .map(|pool| match pool.waiting {
            1 => format!("pool {}: 1 request waits for a place", pool.name),
            some => format!("pool {}: {some} requests wait for a place", pool.name),
        })
        .collect()
}

/// The table of routes, a line each, under a heading; nothing where there are none.
pub(super) fn routes(report: &StatusReport) -> Vec<String> {
    if report.routes.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![["ROUTE", "TO", "REQUESTS"].map(str::to_owned).to_vec()];
    let row = |route: &RouteStatus| {
        let label = route.name.as_ref().unwrap_or(&route.when);
        vec![label.clone(), route.then.clone(), route.requests.to_string()]
    };
    rows.extend(report.routes.iter().map(row));
    align(&rows, &widths(&rows, &[]))
}

/// The table of the balancer's own errors, a line each, under a heading; nothing where there are none.
pub(super) fn errors(report: &StatusReport) -> Vec<String> {
    if report.errors.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![["OWN ERROR", "REASON", "COUNT"].map(str::to_owned).to_vec()];
    let row = |error: &ErrorCount| {
        vec![
            error.status.to_string(),
            error.reason.clone(),
            error.count.to_string(),
        ]
    };
    rows.extend(report.errors.iter().map(row));
    align(&rows, &widths(&rows, &[]))
}

/// What a backend did in a window, or since the start without one.
pub(super) struct Recent<'a> {
    /// The backend as it is now.
    pub(super) backend: &'a BackendStatus,
    /// Requests sent to it.
    pub(super) requests: u64,
    /// Its share of the pool's requests: `33.3%`, or `-` if there were none.
    pub(super) share: String,
    /// The mean time to the heads of its answers: `0.4ms`, or `-` if there were none.
    pub(super) latency: String,
}

/// The backends of a pool, in the order of the file.
pub(super) fn recent<'a>(pool: &'a PoolStatus, window: Option<&Window<'_>>) -> Vec<Recent<'a>> {
    let earlier = |url: &str| {
        let pools = &window?.before.pools;
        pools
            .iter()
            .find(|p| p.name == pool.name)?
            .backends
            .iter()
            .find(|backend| backend.url == url)
    };
    let requests = |backend: &BackendStatus| {
        let before = earlier(&backend.url).map_or(0, |before| before.counts.requests);
        backend.counts.requests.saturating_sub(before)
    };
    let total: u64 = pool.backends.iter().map(requests).sum();
    let recent = |backend: &'a BackendStatus| Recent {
        backend,
        requests: requests(backend),
        share: percent(requests(backend), total),
        latency: latency(backend, earlier(&backend.url)),
    };
    pool.backends.iter().map(recent).collect()
}

/// Rows below a heading, in columns.
pub(super) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    align(rows, &widths(rows, &[]))
}

/// How wide each column is, at least as wide as `least` says.
fn widths(rows: &[Vec<String>], least: &[(&str, usize)]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let least = least
            .iter()
            .find(|(name, _)| rows[0][column] == *name)
            .map_or(0, |&(_, width)| width);
        rows.iter()
            .map(|row| shown_text(&row[column]).chars().count())
            .fold(least, usize::max)
    };
    (0..columns).map(width).collect()
}

/// Numbers to the right, texts to the left; which is which is read from the rows below the heading.
fn align(rows: &[Vec<String>], widths: &[usize]) -> Vec<String> {
    let number = |cell: &String| {
        cell.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !cell.contains(char::is_whitespace)
    };
    let numeric = |column: usize| rows.iter().skip(1).all(|row| number(&row[column]));
    let layout: Vec<(usize, bool)> = widths
        .iter()
        .enumerate()
        .map(|(column, &width)| (width, numeric(column)))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&layout).map(|(cell, &(width, right))| {
            let cell = shown_text(cell);
            if right {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        cells
            .collect::<Vec<_>>()
            .join(&" ".repeat(GAP))
            .trim_end()
            .to_owned()
    };
    rows.iter().map(line).collect()
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        "-".to_owned()
    } else {
        format!("{:.1}%", part as f64 * 100.0 / whole as f64)
    }
}

/// The mean time to the answers' heads.
fn latency(backend: &BackendStatus, before: Option<&BackendStatus>) -> String {
    let (answers, micros) = before.map_or((0, 0), |before| {
        (before.counts.answers, before.counts.latency_micros_total)
    });
    let answers = backend.counts.answers.saturating_sub(answers);
    let micros = backend.counts.latency_micros_total.saturating_sub(micros);
    if answers == 0 {
        return "-".to_owned();
    }
    format!("{:.1}ms", micros as f64 / answers as f64 / 1000.0)
}

fn has_note(backend: &BackendStatus) -> bool {
    backend.reason.is_some() || backend.until_seconds.is_some()
}

/// Why a backend has its health, and how long that lasts: `5 failures in a row, 9s left, ejection 2`.
fn note(backend: &BackendStatus) -> String {
    let mut parts: Vec<String> = backend.reason.iter().cloned().collect();
    parts.extend(
        backend
            .until_seconds
            .map(|left| format!("{} left", seconds(left))),
    );
    if backend.health == HealthStatus::Ejected {
        parts.push(format!("ejection {}", backend.ejections));
    }
    if parts.is_empty() {
        return "-".to_owned();
    }
    parts.join(", ")
}

fn last_probe(backend: &BackendStatus) -> String {
    let Some(probe) = &backend.last_probe else {
        return "-".to_owned();
    };
    format!(
        "{}, took {}ms, {} ago",
        probe.detail,
        probe.millis,
        seconds(probe.ago_seconds)
    )
}

/// `42s`, `3m12s`, `5h01m`, `12d03h`
pub(super) fn seconds(seconds: u64) -> String {
    format_seconds(seconds)
}

#[cfg(test)]
mod tests {
    use lb_core::pool::BackendCounts;

    use super::*;
    use crate::cli::sample;

    #[test]
    fn durations_are_short() {
        let shown: Vec<_> = [0, 59, 61, 3599, 3600, 90_000, 1_000_000].map(seconds).to_vec();
        assert_eq!(
            shown,
            ["0s", "59s", "1m01s", "59m59s", "1h00m", "1d01h", "11d13h"]
        );
    }

    #[test]
    fn numbers_stand_to_the_right_and_texts_to_the_left() {
        let rows = [["NAME", "COUNT", "NOTE"], ["a", "5", "x"], ["long", "1234", "y"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        let lines = align(&rows, &widths(&rows, &[]));
        assert_eq!(lines, ["NAME  COUNT  NOTE", "a         5  x", "long   1234  y"]);
    }

    fn report(requests: u64) -> StatusReport {
        let backend = |port| BackendStatus {
            since_seconds: 3,
            counts: BackendCounts {
                requests,
                latency_micros_total: requests * 400,
                answers: requests,
                ..BackendCounts::default()
            },
            ..sample::backend(format!("http://127.0.0.1:{port}"))
        };
        sample::report([("default", vec![backend(40001), backend(40002)])])
    }

    #[test]
    fn a_backend_that_is_out_says_why_and_for_how_long() {
        let mut report = report(1);
        assert!(!backends(&report, None)[0].contains("WHY"));
        let out = &mut report.pools[0].backends[0];
        out.health = HealthStatus::Ejected;
        out.reason = Some("5 failures in a row".to_owned());
        (out.until_seconds, out.ejections) = (Some(75), 2);
        let lines = backends(&report, None);
        assert!(lines[0].contains("  WHY  "), "{}", lines[0]);
        assert!(
            lines[1].contains("  5 failures in a row, 1m15s left, ejection 2  "),
            "{}",
            lines[1]
        );
        assert!(!lines[2].contains("ejection"), "{}", lines[2]);
    }

    #[test]
    fn a_pool_says_how_many_wait_if_any_do() {
        let mut report = report(1);
        assert!(queues(&report).is_empty());
        report.pools[0].waiting = 1;
        assert_eq!(queues(&report), ["pool default: 1 request waits for a place"]);
        report.pools[0].waiting = 12;
        assert_eq!(queues(&report), ["pool default: 12 requests wait for a place"]);
    }

    #[test]
    fn a_window_gives_rates_and_a_narrow_terminal_fewer_columns() {
        let (before, now) = (report(100), report(300));
        let window = Window {
            before: &before,
            elapsed: Duration::from_secs(2),
        };
        let lines = backends_within(&now, Some(&window), 76);
        assert_eq!(
            lines[0],
            "BACKEND                 HEALTH   REQUESTS  REQ/S   SHARE  FAILED   LATENCY"
        );
        assert_eq!(
            lines[1],
            "http://127.0.0.1:40001  up            300    100   50.0%       0     0.4ms"
        );
        let heading = |width| backends_within(&now, Some(&window), width).remove(0);
        assert!(heading(200).starts_with("POOL ") && heading(200).ends_with("LAST PROBE"));
        assert!(!heading(60).contains("REQ/S"));
        assert_eq!(
            heading(45).trim_end(),
            "BACKEND                 HEALTH   REQUESTS"
        );
        assert_eq!(heading(36).trim_end(), "BACKEND                 HEALTH");
    }
}

//! The table of backends, for `status`, `demo` and whatever shows a running instance live.

use std::time::Duration;

use lb_core::status::{BackendStatus, StatusReport};

/// An earlier report to compare with, and how long ago it was: gives rates, and latencies of that time only.
pub(super) struct Window<'a> {
    /// The earlier report.
    pub(super) before: &'a StatusReport,
    /// The time between the two.
    pub(super) elapsed: Duration,
}

/// Two lines about the instance.
pub(super) fn summary(report: &StatusReport) -> Vec<String> {
    let state = if report.stopping { "stopping" } else { "serving" };
    vec![
        format!(
            "simple-lb {} {state} {}, pid {}, generation {}, up {}",
            report.version,
            report.config,
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
    ]
}

/// The table, a line a backend, under a heading.
pub(super) fn backends(report: &StatusReport, window: Option<&Window<'_>>) -> Vec<String> {
    let mut heading = vec!["POOL", "BACKEND", "WEIGHT", "HEALTH", "SINCE", "REQUESTS", "SHARE", "IN FLIGHT"];
    heading.extend(["FAILED", "LATENCY", "LAST PROBE"]);
    if window.is_some() {
        heading.insert(7, "REQ/S");
    }
    let mut rows = vec![heading.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for pool in &report.pools {
        let earlier = |url: &str| {
            let pools = &window?.before.pools;
            pools.iter().find(|p| p.name == pool.name)?.backends.iter().find(|backend| backend.url == url)
        };
        let recent = |backend: &BackendStatus| {
            let before = earlier(&backend.url).map_or(0, |before| before.requests);
            backend.requests.saturating_sub(before)
        };
        let total: u64 = pool.backends.iter().map(recent).sum();
        for backend in &pool.backends {
            let before = earlier(&backend.url);
            let mut row = vec![
                pool.name.clone(),
                backend.url.clone(),
                backend.weight.to_string(),
                backend.health.to_string(),
                seconds(backend.since_seconds),
                backend.requests.to_string(),
                percent(recent(backend), total),
                backend.in_flight.to_string(),
                backend.failures.to_string(),
                latency(backend, before),
                last_probe(backend),
            ];
            if let Some(window) = window {
                let rate = recent(backend) as f64 / window.elapsed.as_secs_f64().max(0.001);
                row.insert(7, format!("{rate:.0}"));
            }
            rows.push(row);
        }
    }
    align(&rows)
}

/// Numbers to the right, texts to the left; which is which is read from the first row below the heading.
fn align(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let numeric = |column: usize| {
        let below = rows.iter().skip(1).map(|row| &row[column]);
        column + 1 < columns && below.clone().all(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
    };
    let layout: Vec<(usize, bool)> = (0..columns).map(|column| (width(column), numeric(column))).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&layout).map(|(cell, &(width, right))| {
            if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1}%", part as f64 * 100.0 / whole as f64) }
}

/// The mean time to the answers' heads.
fn latency(backend: &BackendStatus, before: Option<&BackendStatus>) -> String {
    let (answers, micros) = before.map_or((0, 0), |before| (before.answers, before.latency_micros_total));
    let answers = backend.answers.saturating_sub(answers);
    let micros = backend.latency_micros_total.saturating_sub(micros);
    if answers == 0 {
        return "-".to_owned();
    }
    format!("{:.1}ms", micros as f64 / answers as f64 / 1000.0)
}

fn last_probe(backend: &BackendStatus) -> String {
    let Some(probe) = &backend.last_probe else { return "-".to_owned() };
    format!("{}, took {}ms, {} ago", probe.detail, probe.millis, seconds(probe.ago_seconds))
}

/// `42s`, `3m12s`, `5h01m`, `12d03h`
fn seconds(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let shown: Vec<_> = [0, 59, 61, 3599, 3600, 90_000, 1_000_000].map(seconds).to_vec();
        assert_eq!(shown, ["0s", "59s", "1m01s", "59m59s", "1h00m", "1d01h", "11d13h"]);
    }

    #[test]
    fn numbers_stand_to_the_right_and_texts_to_the_left() {
        let rows = [["NAME", "COUNT", "NOTE"], ["a", "5", "x"], ["long", "1234", "y"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        assert_eq!(align(&rows), ["NAME  COUNT  NOTE", "a         5  x", "long   1234  y"]);
    }
}

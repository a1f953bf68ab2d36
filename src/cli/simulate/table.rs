//! The runs as text: what was simulated, a line a strategy, and who got what.

use lb_simulation::{BackendReport, Report};

use super::{
    scene::Scene,
    verdict,
    words::{self, micros, percent, thousands},
};
use crate::cli::table;

/// Larger pools are shown by those backends only that something happens to.
const SHOWN_BACKENDS: usize = 12;

/// Everything that is printed.
pub(super) fn lines(scene: &Scene, reports: &[Report]) -> Vec<String> {
    let mut lines = heading(scene, reports);
    if is_quiet(scene) {
        lines.push("try --slow b1=10x, --kill b1@20s or --traffic x2@30s; --help has more".to_owned());
    }
    lines.push(String::new());
    lines.extend(strategies(reports));
    let shown = shown(scene);
    if !shown.is_empty() {
        lines.push(String::new());
        lines.extend(backends(reports, &shown));
    }
    lines.push(String::new());
    lines.extend(verdict::verdict(
        reports,
        &scene.scenario,
        scene.configured.as_deref(),
    ));
    lines
}

/// What is simulated.
pub(super) fn heading(scene: &Scene, reports: &[Report]) -> Vec<String> {
    let scenario = &scene.scenario;
    let (capacity, rate) = (scenario.capacity(), scenario.load.rate);
    let slots = scenario.serving_slots();
    let (all, serving) = (slots.len(), slots.iter().filter(|&&slots| slots > 0).count());
    let noun = if all == 1 { "backend" } else { "backends" };
    let who_serves = match serving {
        _ if serving == all => ",".to_owned(),
        1 => ", of which 1 serves:".to_owned(),
        _ => format!(", of which {} serve:", thousands(serving as u64)),
    };
    let slots: u64 = slots.into_iter().map(u64::from).sum();
    let requests = reports.first().map_or(0, |report| report.requests);
    let mut lines = vec![
        format!(
            "{}: {} {noun}{who_serves} {} slots, good for {} requests/s",
            scene.title,
            thousands(all as u64),
            thousands(slots),
            words::rate(capacity)
        ),
        format!(
            "load: {} requests/s ({} of that) for {}, {} requests of {}; seed {}",
            words::rate(rate),
            percent(rate / capacity, 0),
            words::seconds(scenario.duration),
            thousands(requests),
            words::service(&scenario.service),
            scenario.seed
        ),
    ];
    if scenario.pool.sticky.is_some() {
        lines.push("left out: sticky, for the model's clients keep no cookies".to_owned());
    }
    lines.extend(
        scenario
            .load
            .curve
            .iter()
            .map(|change| format!("what if: {}", words::change(change))),
    );
    lines.extend(scene.troubles.iter().map(|(concerned, trouble)| {
        let who = match concerned[..] {
            [one] => scenario.pool.backends[one].url.to_string(),
            _ => "every backend".to_owned(),
        };
        format!("what if: {who} {}", trouble.in_words())
    }));
    if is_quiet(scene) {
        lines.push("what if: nothing goes wrong".to_owned());
    }
    lines
}

fn is_quiet(scene: &Scene) -> bool {
    scene.troubles.is_empty() && scene.scenario.load.curve.is_empty()
}

fn strategies(reports: &[Report]) -> Vec<String> {
    let heading = [
        "STRATEGY",
        "ERRORS",
        "P50",
        "P99",
        "P99.9",
        "MAX",
        "RETRIES",
        "EJECTIONS",
        "SHARE",
        "UTILISATION",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for report in reports {
        let latency = &report.latency;
        let time = |value: u64| {
            if report.answered == 0 {
                "-".to_owned()
            } else {
                micros(value as f64)
            }
        };
        let ejections: u64 = report.backends.iter().map(|backend| backend.ejections).sum();
        rows.push(vec![
            report.strategy.clone(),
            percent(report.error_share(), 2),
            time(latency.p50_micros),
            time(latency.p99_micros),
            time(latency.p999_micros),
            time(latency.max_micros),
            report.retries.to_string(),
            ejections.to_string(),
            spread(&report.backends, |backend| backend.share),
            spread(&report.backends, |backend| backend.utilisation),
        ]);
    }
    table::aligned(&rows)
}

/// The smallest and the largest of all backends.
fn spread(backends: &[BackendReport], value: impl Fn(&BackendReport) -> f64) -> String {
    let values = || backends.iter().map(&value);
    let (least, most) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(0.0, f64::max),
    );
    let (least, most) = (percent(least, 1), percent(most, 1));
    if least == most {
        most
    } else {
        format!("{least}-{most}")
    }
}

/// The backends that are worth a line.
fn shown(scene: &Scene) -> Vec<usize> {
    let count = scene.scenario.backends.len();
    if count <= SHOWN_BACKENDS {
        return (0..count).collect();
    }
    let single = scene
        .troubles
        .iter()
        .filter(|(concerned, _)| concerned.len() == 1);
    let mut troubled: Vec<usize> = single.flat_map(|(concerned, _)| concerned.clone()).collect();
    troubled.sort_unstable();
    troubled.dedup();
    troubled.truncate(SHOWN_BACKENDS);
    troubled
}

fn backends(reports: &[Report], shown: &[usize]) -> Vec<String> {
    let mut heading = vec!["SHARE / UTILISATION".to_owned()];
    heading.extend(reports.iter().map(|report| report.strategy.to_string()));
    let mut rows = vec![heading];
    for &index in shown {
        let Some(backend) = reports.first().and_then(|report| report.backends.get(index)) else {
            continue;
        };
        let mut row = vec![backend.url.clone()];
        row.extend(reports.iter().map(|report| {
            let backend = &report.backends[index];
            format!(
                "{:>5} / {:>4}",
                percent(backend.share, 1),
                percent(backend.utilisation, 0)
            )
        }));
        rows.push(row);
    }
    table::aligned(&rows)
}

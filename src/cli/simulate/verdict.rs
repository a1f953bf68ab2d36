//! Which strategy did best, and what that means, in words.
//!
//! Errors come first: a request that fails is worse than one that waits. Then p99, because that is what the slowest
//! request of a page with many looks like. Differences that another seed would turn round are none.

use lb_core::simulation::{Report, Scenario};

use super::words::{micros, percent};

/// Shares of errors that differ by less are the same: a request in 10,000.
const SAME_ERRORS: f64 = 1e-4;
/// Latencies that differ by less are the same.
const SAME_LATENCY: f64 = 0.05;
/// A pool that is busier than this, on average, has more to do than it can.
const OVERLOADED: f64 = 0.97;

/// The best strategy; of several that are as good, the configured one, else the first.
pub(super) fn best<'a>(reports: &'a [Report], configured: Option<&str>) -> Option<&'a Report> {
    let fewest = reports
        .iter()
        .map(Report::error_share)
        .fold(f64::INFINITY, f64::min);
    let sound = || {
        reports
            .iter()
            .filter(|report| report.error_share() <= fewest + SAME_ERRORS)
    };
    let shortest = sound().map(|report| report.latency.p99_micros).min()?;
    let as_good =
        |report: &&Report| report.latency.p99_micros as f64 <= shortest as f64 * (1.0 + SAME_LATENCY);
    let is_configured = |report: &&Report| Some(&*report.strategy) == configured;
    sound()
        .filter(as_good)
        .find(is_configured)
        .or_else(|| sound().find(as_good))
}

/// The last lines of the output.
pub(super) fn verdict(reports: &[Report], scenario: &Scenario, configured: Option<&str>) -> Vec<String> {
    let Some(best) = best(reports, configured) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if reports.len() == 1 {
        lines.push(format!("{}: {}.", best.strategy, outcome(best)));
    } else {
        lines.push(format!(
            "best by errors and p99: {}. {}.",
            best.strategy,
            capital(&outcome(best))
        ));
        let other = match configured {
            Some(configured) if configured == best.strategy => worst(reports),
            Some(configured) => reports.iter().find(|report| report.strategy == configured),
            None => worst(reports),
        };
        let other = other.filter(|other| other.strategy != best.strategy);
        if let Some(other) = other {
            let role = if Some(&*other.strategy) == configured {
                ", which is configured"
            } else {
                ""
            };
            lines.push(format!("with {}{role}: {}.", other.strategy, outcome(other)));
        }
        lines.push(match configured {
            Some(configured) if configured == best.strategy => {
                "It is what is configured: nothing to change.".to_owned()
            }
            _ => format!("To use it: `strategy: {}`.", best.strategy),
        });
    }
    if utilisation(best, scenario) > OVERLOADED {
        lines.push(
            "The pool has more to do than it can, and no strategy changes that: add backends.".to_owned(),
        );
    }
    lines
}

/// The one with most errors, or the longest p99 if none has any.
fn worst(reports: &[Report]) -> Option<&Report> {
    let badness = |report: &Report| {
        let errors = (report.error_share() / SAME_ERRORS) as u64;
        (errors, report.latency.p99_micros)
    };
    reports.iter().max_by_key(|report| badness(report))
}

fn outcome(report: &Report) -> String {
    let errors = match report.errors.all() {
        0 => "no request fails".to_owned(),
        _ => format!("{} of requests fail", percent(report.error_share(), 2)),
    };
    if report.answered == 0 {
        return errors;
    }
    format!(
        "99 of 100 answers take at most {}, {errors}",
        micros(report.latency.p99_micros as f64)
    )
}

/// The part of all slots that worked.
fn utilisation(report: &Report, scenario: &Scenario) -> f64 {
    let slots = |index: usize| f64::from(scenario.backends[index].slots);
    let all: f64 = (0..scenario.backends.len()).map(slots).sum();
    let busy: f64 = report
        .backends
        .iter()
        .enumerate()
        .map(|(index, backend)| backend.utilisation * slots(index))
        .sum();
    busy / all.max(1.0)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

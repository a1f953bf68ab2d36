//! Which strategy did best, and what that means, in words.
//!
//! Errors come first: a request that fails is worse than one that waits. Then p99, because that is what the slowest
//! request of a page with many looks like. Differences that another seed would turn round are none.

use std::cmp::Reverse;

use lb_simulation::{BackendModel, BackendReport, Errors, Report, Scenario};

use super::words::{micros, percent};

/// Shares of errors that differ by less are the same: a request in 10,000, …
const SAME_ERRORS: f64 = 1e-4;
/// … or this part of them, if there are many.
const SAME_PART_OF_ERRORS: f64 = 0.02;
/// Latencies that differ by less are the same.
const SAME_LATENCY: f64 = 0.05;
/// A pool that is busier than this, on average, has more to do than it can.
const OVERLOADED: f64 = 0.97;

/// The best strategy; of several that are as good, the configured one, else the first. `None` if nothing was answered
/// under any.
pub(super) fn best<'a>(reports: &'a [Report], configured: Option<&str>) -> Option<&'a Report> {
    let best = as_good_as_any(reports);
    let is_configured = |report: &&&Report| Some(&*report.strategy) == configured;
    best.iter().find(is_configured).or(best.first()).copied()
}

/// Those that no other is better than.
fn as_good_as_any(reports: &[Report]) -> Vec<&Report> {
    // Where nothing was answered, no answer took long.
    let answering = || reports.iter().filter(|report| report.answered > 0);
    let fewest = answering().map(Report::error_share).fold(f64::INFINITY, f64::min);
    let most = fewest + SAME_ERRORS.max(fewest * SAME_PART_OF_ERRORS);
    let sound = |report: &&Report| report.error_share() <= most;
    let p99 = |report: &Report| report.latency.p99_micros as f64;
    let shortest = answering().filter(sound).map(p99).fold(f64::INFINITY, f64::min);
    let as_good = |report: &&Report| p99(report) <= shortest * (1.0 + SAME_LATENCY);
    answering().filter(sound).filter(as_good).collect()
}

/// The last lines of the output.
pub(super) fn verdict(reports: &[Report], scenario: &Scenario, configured: Option<&str>) -> Vec<String> {
    let Some(best) = best(reports, configured) else {
        return nothing_answered(reports).into_iter().collect();
    };
    let mut lines = Vec::new();
    if reports.len() == 1 {
        lines.push(format!("{}: {}.", best.strategy, outcome(best)));
    } else {
        let good = as_good_as_any(reports);
        let others = good.iter().filter(|other| other.strategy != best.strategy);
        let others: Vec<&str> = others.map(|other| &*other.strategy).collect();
        let as_good = if others.is_empty() {
            String::new()
        } else if good.len() == reports.len() {
            " (all others as good)".to_owned()
        } else {
            format!(" ({} as good)", others.join(", "))
        };
        lines.push(format!(
            "best by errors and p99: {}{as_good}. {}.",
            best.strategy,
            capital(&outcome(best))
        ));
        lines.extend(compared(reports, best, configured));
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

/// What is said where no strategy brought one answer: there is nothing to choose between.
fn nothing_answered(reports: &[Report]) -> Option<String> {
    let why = why(reports);
    match reports {
        [] => None,
        [only] => Some(format!("{}: nothing was answered, because {why}.", only.strategy)),
        _ => Some(format!(
            "none of them helps: nothing was answered under any strategy, because {why}. A strategy chooses between backends \
             that answer; there must be one first."
        )),
    }
}

/// What became of requests that failed, the most frequent first.
fn why(reports: &[Report]) -> String {
    let sum = |kind: fn(&Errors) -> u64| reports.iter().map(|report| kind(&report.errors)).sum::<u64>();
    let mut kinds = [
        (sum(|errors| errors.failed), "met an error of the backend (503)"),
        (sum(|errors| errors.refused), "found no backend that takes them"),
        (sum(|errors| errors.broken), "were lost with the backend"),
        (sum(|errors| errors.timed_out), "had no answer in time"),
    ];
    kinds.sort_by_key(|&(count, _)| Reverse(count));
    let all: u64 = kinds.iter().map(|&(count, _)| count).sum();
    let said = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|&(count, what)| {
            let part = count as f64 / all as f64;
            if count == all {
                format!("all requests {what}")
            } else {
                format!("{} {what}", percent(part, 2))
            }
        });
    said.collect::<Vec<_>>().join(", ")
}

/// The best beside the one that is configured, or else beside the worst.
fn compared(reports: &[Report], best: &Report, configured: Option<&str>) -> Option<String> {
    let is_configured = |report: &&Report| Some(&*report.strategy) == configured;
    let current = reports.iter().find(is_configured);
    let other = current.filter(|current| current.strategy != best.strategy);
    let (other, role) = match other {
        Some(other) => (other, ", which is configured"),
        None => (worst(reports)?, ""),
    };
    let differs = as_good_as_any(reports)
        .iter()
        .all(|good| good.strategy != other.strategy);
    differs.then(|| format!("with {}{role}: {}.", other.strategy, outcome(other)))
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

/// The part of the slots that worked, of those that serve when all is well.
fn utilisation(report: &Report, scenario: &Scenario) -> f64 {
    let serving = scenario.serving_slots();
    let all: f64 = serving.iter().map(|&slots| f64::from(slots)).sum();
    let busy = |((backend, model), _): ((&BackendReport, &BackendModel), &u32)| {
        backend.utilisation * f64::from(model.slots)
    };
    let backends = report.backends.iter().zip(&scenario.backends).zip(&serving);
    let busy: f64 = backends.filter(|(_, serving)| **serving > 0).map(busy).sum();
    busy / all.max(1.0)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use lb_simulation::Latency;

    use super::*;

    fn report(strategy: &str, failed: u64, p99_millis: u64) -> Report {
        Report {
            strategy: strategy.to_owned(),
            requests: 100_000,
            answered: 100_000 - failed,
            errors: Errors {
                failed,
                ..Errors::default()
            },
            retries: 0,
            latency: Latency {
                p99_micros: p99_millis * 1000,
                ..Latency::default()
            },
            backends: Vec::new(),
            timeline: Vec::new(),
            events: Vec::new(),
        }
    }

    fn best_of(reports: &[Report], configured: Option<&str>) -> String {
        best(reports, configured).map_or_else(String::new, |best| best.strategy.clone())
    }

    #[test]
    fn errors_come_before_latency() {
        let reports = [report("quick", 500, 10), report("sound", 0, 900)];
        assert_eq!(best_of(&reports, None), "sound");
        let reports = [report("quick", 9, 10), report("sound", 0, 900)];
        assert_eq!(best_of(&reports, None), "quick", "9 of 100,000 are none");
    }

    #[test]
    fn where_nothing_is_answered_no_strategy_is_the_best() {
        let none = |strategy| report(strategy, 100_000, 0);
        let reports = [none("a"), none("b")];
        assert_eq!(best_of(&reports, Some("a")), "");
        assert_eq!(
            nothing_answered(&reports).unwrap_or_default(),
            "none of them helps: nothing was answered under any strategy, because all requests met an error of the backend \
             (503). A strategy chooses between backends that answer; there must be one first."
        );
        let mut mixed = none("a");
        mixed.errors.failed = 1000;
        mixed.errors.timed_out = 99_000;
        assert_eq!(
            nothing_answered(&[mixed]).unwrap_or_default(),
            "a: nothing was answered, because 99.00% had no answer in time, 1.00% met an error of the backend (503)."
        );
        // Its errors are the same to a hundredth, but no answer is not a quick one.
        let reports = [none("a"), report("b", 99_900, 50)];
        assert_eq!(best_of(&reports, None), "b");
    }

    #[test]
    fn of_those_as_good_the_configured_one_stays() {
        let reports = [report("a", 0, 100), report("b", 0, 104), report("c", 0, 120)];
        assert_eq!(best_of(&reports, None), "a");
        assert_eq!(best_of(&reports, Some("b")), "b");
        assert_eq!(best_of(&reports, Some("c")), "a");
    }

    #[test]
    fn the_configured_one_is_compared_with_the_best() {
        let reports = [report("a", 0, 10), report("b", 1000, 20), report("c", 2000, 5)];
        let said = compared(&reports, &reports[0], Some("b")).unwrap_or_default();
        assert_eq!(
            said,
            "with b, which is configured: 99 of 100 answers take at most 20.0ms, 1.00% of requests fail."
        );
        let said = compared(&reports, &reports[0], Some("a")).unwrap_or_default();
        assert!(said.starts_with("with c: "), "the worst: {said}");
        assert_eq!(compared(&reports[..1], &reports[0], Some("a")), None);
        let alike = [report("a", 0, 10), report("b", 0, 10)];
        assert_eq!(compared(&alike, &alike[0], None), None);
    }
}

//! What a live view of any running instance shows, as lines: nothing in here knows of the demo.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use lb_core::status::{HealthStatus, StatusReport};

use super::text::{Line, Style};
use crate::cli::table::{self, Window};

/// Rates and latencies are those of this time: long enough for a steady number, short enough to follow a key.
const WINDOW: Duration = Duration::from_secs(1);

/// The newest report and those that it is compared with.
pub(super) struct History {
    reports: VecDeque<(Instant, StatusReport)>,
    newest: (Instant, StatusReport),
}

impl History {
    /// Begins with a first report.
    pub(super) fn new(now: Instant, report: StatusReport) -> Self {
        Self {
            reports: VecDeque::new(),
            newest: (now, report),
        }
    }

    /// Takes a newer report; returns the one before.
    pub(super) fn push(&mut self, now: Instant, report: StatusReport) -> &StatusReport {
        self.reports
            .push_back(std::mem::replace(&mut self.newest, (now, report)));
        // The first one that is a whole window old is the one to compare with.
        while self
            .reports
            .get(1)
            .is_some_and(|(taken, _)| now.duration_since(*taken) >= WINDOW)
        {
            self.reports.pop_front();
        }
        self.reports.back().map_or(&self.newest.1, |(_, report)| report)
    }

    /// The newest report.
    pub(super) fn newest(&self) -> &StatusReport {
        &self.newest.1
    }

    /// The last second, or less at the beginning.
    pub(super) fn window(&self) -> Option<Window<'_>> {
        let (taken, before) = self.reports.front()?;
        Some(Window {
            before,
            elapsed: self.newest.0.duration_since(*taken),
        })
    }
}

/// The table of backends with their health in colour: the heading and a line a backend.
pub(super) fn backends(report: &StatusReport, window: Option<&Window<'_>>, width: usize) -> Vec<Line> {
    let mut lines = table::backends_within(report, window, width).into_iter();
    let heading = lines.next().unwrap_or_default();
    let health_at = heading.find("HEALTH").unwrap_or(0);
    let healths = report
        .pools
        .iter()
        .flat_map(|pool| &pool.backends)
        .map(|backend| backend.health);
    let rows = lines.zip(healths).map(|(line, health)| {
        let split = line.split_at_checked(health_at).and_then(|(before, rest)| {
            let (health, after) = rest.split_at_checked(health.to_string().len())?;
            Some((before, health, after))
        });
        match split {
            Some((before, word, after)) => Line::plain(before)
                .then(style(health), word)
                .then(Style::Plain, after),
            None => Line::plain(line),
        }
    });
    std::iter::once(Line::of(Style::Strong, heading))
        .chain(rows)
        .collect()
}

fn style(health: HealthStatus) -> Style {
    match health {
        HealthStatus::Up => Style::Good,
        HealthStatus::Down => Style::Bad,
        HealthStatus::Pending
        | HealthStatus::Ejected
        | HealthStatus::Draining
        | HealthStatus::Maintenance => Style::Warning,
    }
}

/// What the balancer noticed between two reports, a text a backend.
pub(super) fn changes(before: &StatusReport, now: &StatusReport) -> Vec<(Style, String)> {
    let mut changes = Vec::new();
    for pool in &now.pools {
        let earlier = before
            .pools
            .iter()
            .filter(|p| p.name == pool.name)
            .flat_map(|pool| &pool.backends);
        let any_up = pool
            .backends
            .iter()
            .any(|backend| backend.health == HealthStatus::Up);
        for backend in &pool.backends {
            let health = earlier
                .clone()
                .find(|b| b.url == backend.url)
                .map(|backend| backend.health);
            if health.is_none_or(|health| health == backend.health) {
                continue;
            }
            let means = match backend.health {
                HealthStatus::Up => "it gets its share",
                HealthStatus::Down if any_up => "the others take over",
                HealthStatus::Down => "none is left to answer",
                HealthStatus::Pending => "not probed yet",
                HealthStatus::Ejected => "requests met too many errors there",
                HealthStatus::Draining => "it finishes what it has",
                HealthStatus::Maintenance => "it gets nothing",
            };
            let text = format!("balancer noticed: {} {}, {means}", backend.url, backend.health);
            changes.push((style(backend.health), text));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use HealthStatus::{Down, Up};

    use super::{super::sample::report, *};

    #[test]
    fn a_change_of_health_is_told_once_with_what_it_means() {
        let (all, two, none) = (
            report([(Up, 0), (Up, 0), (Up, 0)]),
            report([(Up, 0), (Down, 0), (Up, 0)]),
            report([(Down, 0), (Down, 0), (Down, 0)]),
        );
        let noticed = |before, now| {
            changes(before, now)
                .into_iter()
                .map(|(_, text)| text)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            noticed(&all, &two),
            ["balancer noticed: http://127.0.0.1:40002 down, the others take over"]
        );
        assert_eq!(
            noticed(&two, &all),
            ["balancer noticed: http://127.0.0.1:40002 up, it gets its share"]
        );
        assert_eq!(noticed(&two, &two), [""; 0]);
        assert!(
            noticed(&two, &none)
                .iter()
                .all(|text| text.ends_with("none is left to answer"))
        );
        assert_eq!(noticed(&two, &none).len(), 2);
    }

    #[test]
    fn a_window_is_the_last_second_or_less_at_the_beginning() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut history = History::new(at(0), report([(Up, 0); 3]));
        assert!(history.window().is_none());
        for step in 1..=10 {
            let before = history.push(at(step * 250), report([(Up, step); 3]));
            assert_eq!(before.pools[0].backends[0].counts.requests, step - 1);
            let window = history
                .window()
                .map(|w| (w.elapsed, w.before.pools[0].backends[0].counts.requests));
            let expected = (Duration::from_millis(250 * step.min(4)), step.saturating_sub(4));
            assert_eq!(window, Some(expected));
        }
        assert_eq!(history.newest().pools[0].backends[0].counts.requests, 10);
    }
}

//! One demo from its start to its end: the balancer, its backends, the load, and what happened so far. The terminal and
//! the plain lines drive it and show it, each in its own way.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use lb_core::status::StatusReport;

use super::{
    backends::{Backends, Doing},
    failures::Failures,
    keys::Deed,
    load::{Load, Seen},
    text::Style,
    view::{self, History},
};
use crate::{app::Running, cli::table::Window};

/// More than the tallest terminal has lines.
const EVENTS: usize = 200;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// When, since the start of the demo: what took how long is told by subtraction.
    pub(super) at: Duration,
    /// How good that is.
    pub(super) style: Style,
    /// What.
    pub(super) text: String,
}

/// Everything there is to show.
pub(super) struct State<'a> {
    /// Where the balancer answers.
    pub(super) url: &'a str,
    /// Since the start.
    pub(super) elapsed: Duration,
    /// The balancer's report.
    pub(super) report: &'a StatusReport,
    /// What it is compared with.
    pub(super) window: Option<Window<'a>>,
    /// The backends' names and what they do.
    pub(super) doings: Vec<(String, Doing)>,
    /// The index of the backend that keys act on.
    pub(super) selected: usize,
    /// Requests a second that are to be sent.
    pub(super) level: u32,
    /// What the clients see.
    pub(super) seen: Seen,
    /// What happened, oldest first.
    pub(super) events: &'a [Event],
}

/// A demo that runs.
pub(super) struct Session {
    running: Running,
    backends: Backends,
    load: Load,
    url: String,
    started: Instant,
    history: History,
    seen: Seen,
    failures: Failures,
    selected: usize,
    events: Vec<Event>,
    /// Events so far, those that are forgotten included.
    told: usize,
}

impl Session {
    /// Sends load to a balancer that has just been started.
    ///
    /// # Errors
    /// When there are no more threads.
    pub(super) fn start(running: Running, backends: Backends) -> std::io::Result<Self> {
        let report = running.status();
        let port = report
            .listeners
            .first()
            .and_then(|address| address.parse::<SocketAddr>().ok());
        let url = format!("http://127.0.0.1:{}/", port.map_or(0, |address| address.port()));
        let load = Load::start(url.clone())?;
        let started = Instant::now();
        let mut session = Self {
            running,
            backends,
            load,
            url,
            started,
            history: History::new(started, report),
            seen: Seen::default(),
            failures: Failures::default(),
            selected: 0,
            events: Vec::new(),
            told: 0,
        };
        session.tell_load();
        Ok(session)
    }

    /// Looks at the balancer and the clients, and notes what has changed.
    pub(super) fn look(&mut self) {
        let before = self.history.push(Instant::now(), self.running.status()).clone();
        for (style, text) in view::changes(&before, self.history.newest()) {
            self.tell(style, text);
        }
        let seen = self.load.seen();
        if let Some((style, text)) = self.failures.look(&seen, self.elapsed()) {
            self.tell(style, text);
        }
        self.seen = seen;
    }

    /// Selects the backend with this index.
    pub(super) fn select(&mut self, index: usize) {
        self.selected = index;
    }

    /// Does it to the selected backend.
    pub(super) fn act(&mut self, deed: Deed) {
        let text = self.backends.act(self.selected, deed);
        self.tell(Style::Strong, text);
    }

    /// Sends the next level of load.
    pub(super) fn next_level(&mut self) {
        self.load.next_level();
        self.tell_load();
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The events after the first `known` ones, which then are all.
    pub(super) fn events_after(&self, known: &mut usize) -> &[Event] {
        let new = self.told.saturating_sub(std::mem::replace(known, self.told));
        &self.events[self.events.len().saturating_sub(new)..]
    }

    /// Everything there is to show.
    pub(super) fn state(&self) -> State<'_> {
        State {
            url: &self.url,
            elapsed: self.elapsed(),
            report: self.history.newest(),
            window: self.history.window(),
            doings: self.backends.doings(),
            selected: self.selected,
            level: self.load.level(),
            seen: self.seen.clone(),
            events: &self.events,
        }
    }

    /// Ends the load, then the balancer; returns the line that sums it up.
    pub(super) async fn finish(self) -> String {
        let seen = self.load.finish().await;
        let report = self.running.status();
        self.running.stop().await;
        summary(&seen, &report, &self.backends.doings())
    }

    fn tell_load(&mut self) {
        let text = match self.load.level() {
            0 => "load off".to_owned(),
            level => format!("load {level} requests/s"),
        };
        self.tell(Style::Strong, text);
    }

    fn tell(&mut self, style: Style, text: String) {
        if self.events.len() == EVENTS {
            self.events.remove(0);
        }
        self.told += 1;
        self.events.push(Event {
            at: self.elapsed(),
            style,
            text,
        });
    }
}

/// `sent 6000, ok 6000, failed 0; backends: Server 1 up, 2000 requests; Server 2 up, 2010 requests, 10 failed there; …`
fn summary(seen: &Seen, report: &StatusReport, doings: &[(String, Doing)]) -> String {
    let backends = report.pools.iter().flat_map(|pool| &pool.backends);
    let shown = doings.iter().zip(backends).map(|((name, _), backend)| {
        let shown = format!("{name} {}, {} requests", backend.health, backend.counts.requests);
        match backend.counts.failures {
            0 => shown,
            failures => format!("{shown}, {failures} failed there"),
        }
    });
    let shown: Vec<_> = shown.collect();
    format!(
        "sent {}, ok {}, failed {}; backends: {}",
        seen.sent,
        seen.ok,
        seen.failed,
        shown.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::Sample, *};

    #[test]
    fn the_summary_tells_failures_at_backends_only_if_there_were_some() {
        let mut sample = Sample::new();
        sample.now.pools[0].backends[1].counts.failures = 10;
        let state = sample.state();
        assert_eq!(
            summary(&state.seen, state.report, &state.doings),
            "sent 2401, ok 2400, failed 0; backends: Server 1 up, 800 requests; \
             Server 2 down, 800 requests, 10 failed there; Server 3 up, 800 requests"
        );
    }
}

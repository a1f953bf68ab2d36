//! The access log: a line for each request, formatted by the worker that carried it and written by a thread of its own.
//!
//! No request waits for the log. Lines that a disk or a reader does not take in time are dropped, counted, and said to be: once
//! in the log, always in the status. A reload opens what it needs before anything changes, and is refused where that fails.

pub(super) mod clock;
pub(super) mod escape;
mod file;
mod line;
mod output;
mod sink;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use lb_core::{
    config::{AccessLogConfig, Config, Lane},
    status::AccessLogStatus,
};

use self::{
    output::{Output, Outputs},
    sink::AccessLogSink,
};
use super::sinks::{Sinks, Slot};

/// How long the end of the process waits for the last lines.
const FLUSH: Duration = Duration::from_millis(500);

/// The access log of an instance, on or off.
pub struct AccessLog {
    sinks: Arc<Sinks>,
    lane: Lane,
    state: Mutex<State>,
}

struct State {
    outputs: Outputs,
    /// What is in force.
    running: Option<(AccessLogConfig, Output)>,
    /// What a reload has opened, and not put into force yet.
    prepared: Option<(AccessLogConfig, Output)>,
}

/// Why an access log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be opened: {reason}")]
pub struct CannotOpen {
    path: String,
    reason: String,
}

impl AccessLog {
    /// One that is off. Relative paths begin in this folder.
    pub fn new(sinks: Arc<Sinks>, lane: Lane, folder: PathBuf) -> Self {
        Self {
            sinks,
            lane,
            state: Mutex::new(State {
                outputs: Outputs::new(folder),
                running: None,
                prepared: None,
            }),
        }
    }

    /// Opens what a configuration wants, so that [`AccessLog::apply`] cannot fail.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn prepare(&self, config: &Config) -> Result<(), CannotOpen> {
        let mut state = self.lock();
        state.prepared = None;
        let Some(next) = &config.access_log else {
            return Ok(());
        };
        let running = state
            .running
            .as_ref()
            .filter(|(running, _)| output::is_same(running, next));
        let output = match running.map(|(_, output)| output.clone()) {
            Some(output) => output,
            None => state.outputs.open(next)?,
        };
        state.prepared = Some((next.clone(), output));
        Ok(())
    }

    /// Whether [`AccessLog::prepare`] would succeed. Opens and makes nothing.
    ///
    /// # Errors
    /// When it would not.
    pub fn probe(&self, config: &Config) -> Result<(), CannotOpen> {
        let state = self.lock();
        match &config.access_log {
            Some(next) => state.outputs.probe(next),
            None => Ok(()),
        }
    }

    /// Puts what was prepared into force.
    pub fn apply(&self, config: &Config) {
        let mut state = self.lock();
        let Some(next) = &config.access_log else {
            (state.running, state.prepared) = (None, None);
            drop(state);
            self.sinks.set(Slot::AccessLog, None);
            return;
        };
        let prepared = state.prepared.take().filter(|(prepared, _)| prepared == next);
        let Some((next, output)) = prepared else { return };
        let unchanged = state
            .running
            .as_ref()
            .is_some_and(|(running, _)| *running == next);
        let sink = AccessLogSink::new(&next, &output, self.lane);
        state.running = Some((next, output));
        drop(state);
        if !unchanged {
            self.sinks.set(Slot::AccessLog, Some(Arc::new(sink)));
        }
    }

    /// Opens its file again: somebody has moved it away.
    pub fn reopen(&self) {
        if let Some((_, output)) = &self.lock().running {
            output.reopen();
        }
    }

    /// Waits until all lines are written, but not long.
    pub fn flush(&self) {
        let output = self.lock().running.as_ref().map(|(_, output)| output.clone());
        if let Some(output) = output {
            output.flush(FLUSH);
        }
    }

    /// How it fares. Counts go on from the start of the process, whatever file the log has been.
    pub fn status(&self) -> AccessLogStatus {
        let state = self.lock();
        let running = state.running.as_ref();
        let totals = state.outputs.totals();
        AccessLogStatus {
            path: running.map(|(config, _)| config.path.shown().to_owned()),
            lines: totals.written.load(Relaxed),
            lines_dropped: totals.dropped.load(Relaxed),
            error: running.and_then(|(_, output)| output.trouble()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

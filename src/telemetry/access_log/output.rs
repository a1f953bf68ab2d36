//! Where lines go: a file or stdout, each with a thread that writes.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use lb_core::config::{AccessLogConfig, LogTarget, shown_path};
use log::{error, warn};

use super::{
    CannotOpen,
    file::{LogFile, probe},
};
use crate::telemetry::writer::{Batch, Buffering, Dropped, LineWriter, Reports, Sink, Totals};

/// Forty thousand lines or so: a disk that is busy for half a second costs none, at the rate of two workers. As much again can be
/// with the sink.
const CAPACITY: usize = 16 * 1024 * 1024;

/// As nginx's `buffer=64k`; and soon enough for a person who watches the file.
const BATCH: Batch = Batch {
    bytes: 64 * 1024,
    longest: Duration::from_millis(250),
};

/// How often the log says the same of it, at most. The status says it always.
const PAUSE: Duration = Duration::from_secs(60);

/// What writes lines, for whoever has some. The last one closes it, when all is written.
#[derive(Debug, Clone)]
pub(super) struct Output {
    writer: LineWriter,
    reopen: Arc<AtomicBool>,
    trouble: Arc<Trouble>,
}

/// Opens outputs.
pub(super) struct Outputs {
    folder: PathBuf,
    totals: Arc<Totals>,
    /// One for all times: a thread that hangs in writing to it would be left behind.
    stdout: Option<Output>,
}

/// Whether two configurations write to the same output.
pub(super) fn is_same(one: &AccessLogConfig, other: &AccessLogConfig) -> bool {
    (&one.path, one.rotate) == (&other.path, other.rotate)
}

impl Outputs {
    /// Relative paths begin in this folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            totals: Arc::default(),
            stdout: None,
        }
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(&mut self, config: &AccessLogConfig) -> Result<Output, CannotOpen> {
        let reopen = Arc::default();
        match &config.path {
            LogTarget::Stdout => {
                if let Some(stdout) = &self.stdout {
                    return Ok(stdout.clone());
                }
                let failed = |error: io::Error| cannot_open("stdout".to_owned(), &error);
                let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(failed)?;
                let output = self.start("stdout".to_owned(), File::from(stdout), reopen)?;
                self.stdout = Some(output.clone());
                Ok(output)
            }
            LogTarget::File(path) => {
                let shown = self.shown(path.shown());
                let path = self.folder.join(&**path);
                let file = LogFile::open(&path, config.rotate, Arc::clone(&reopen))
                    .map_err(|error| cannot_open(shown.clone(), &error))?;
                self.start(shown, file, reopen)
            }
        }
    }

    /// # Errors
    /// When it could not be opened.
    pub(super) fn probe(&self, config: &AccessLogConfig) -> Result<(), CannotOpen> {
        match &config.path {
            LogTarget::Stdout => Ok(()),
            LogTarget::File(path) => probe(&self.folder.join(&**path))
                .map_err(|error| cannot_open(self.shown(path.shown()), &error)),
        }
    }

    fn shown(&self, path: &str) -> String {
        shown_path(&self.folder.join(path))
    }

    fn start(&self, shown: String, sink: impl Sink, reopen: Arc<AtomicBool>) -> Result<Output, CannotOpen> {
        let buffering = Buffering {
            capacity: CAPACITY,
            batch: Some(BATCH),
            totals: Arc::clone(&self.totals),
        };
        let trouble = Arc::new(Trouble {
            path: shown.clone(),
            state: Mutex::default(),
        });
        let reports = Arc::clone(&trouble);
        let writer = LineWriter::start("access log", sink, (buffering, reports))
            .map_err(|error| cannot_open(shown, &error))?;
        Ok(Output {
            writer,
            reopen,
            trouble,
        })
    }
}

fn cannot_open(path: String, error: &io::Error) -> CannotOpen {
    CannotOpen {
        path,
        reason: error.to_string(),
    }
}

impl Output {
    pub(super) fn put(&self, line: &[u8]) {
        self.writer.put(line);
    }

    pub(super) fn reopen(&self) {
        self.reopen.store(true, Relaxed);
        self.writer.wake();
    }

    pub(super) fn flush(&self, longest: Duration) {
        self.writer.flush(longest);
    }

    /// Why lines are dropped, as long as they are.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().why.clone()
    }
}

/// What is wrong with an output. The log tells it now and then; the status, always.
#[derive(Debug)]
struct Trouble {
    path: String,
    state: Mutex<TroubleState>,
}

#[derive(Debug, Default)]
struct TroubleState {
    why: Option<String>,
    /// When the log was told last that it began, and that it is over.
    told: Option<Instant>,
    over: Option<Instant>,
    /// Dropped, and not told yet.
    untold: u64,
}

/// Whether something is to be said again; then it counts as said.
fn is_due(last: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let due = last.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
    if due {
        *last = Some(now);
    }
    due
}

impl Trouble {
    fn lock(&self) -> std::sync::MutexGuard<'_, TroubleState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, why: String) -> bool {
        let mut state = self.lock();
        state.why = Some(why);
        is_due(&mut state.told)
    }
}

impl Reports for Arc<Trouble> {
    fn full(&self) {
        let why = "nobody reads it, or it is too slow";
        if self.begin(why.to_owned()) {
            warn!("access log {}: lines are dropped: {why}", self.path);
        }
    }

    fn failing(&self, error: &io::Error) {
        if self.begin(error.to_string()) {
            error!(
                "access log {}: lines are dropped: it cannot be written: {error}",
                self.path
            );
        }
    }

    fn recovered(&self, Dropped { now, total }: Dropped) {
        let mut state = self.lock();
        state.why = None;
        state.untold += now;
        if is_due(&mut state.over) {
            let dropped = std::mem::take(&mut state.untold);
            warn!(
                "access log {}: it is written again; {dropped} lines were dropped, {total} since the start",
                self.path
            );
        }
    }
}

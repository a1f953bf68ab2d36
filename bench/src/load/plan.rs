//! What the clients do, and what came of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

/// What clients do.
pub(crate) struct Load {
    /// How many there are at a time.
    pub(crate) connections: usize,
    pub(crate) exchange: LoadExchange,
    pub(crate) pace: Pace,
    /// After so many requests no more are sent.
    pub(crate) limit: Option<u64>,
}

/// One request and what comes back.
pub(crate) enum LoadExchange {
    /// An answer of status 200 with a body of so many bytes.
    Http {
        request: Vec<u8>,
        answer: usize,
        /// On a connection of its own; its latency then begins with the connect.
        reconnect: bool,
    },
    /// After an upgrade, bytes that come back as they are.
    Echo { frame: Vec<u8> },
}

impl LoadExchange {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Http { request, .. } => request,
            Self::Echo { frame } => frame,
        }
    }

    pub(super) fn reconnects(&self) -> bool {
        matches!(self, Self::Http { reconnect: true, .. })
    }
}

/// When a client sends its next request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// When the last one is answered.
    Closed,
    /// After a random pause, at most this long.
    Thinking(Duration),
    /// So many a second over all clients, come what may: one that finds every client busy waits, and its latency
    /// counts from when it should have been sent. Otherwise a balancer that stalls would be asked less while it
    /// stalls, and look better ("coordinated omission", as Gil Tene named it).
    Open(f64),
}

/// What came of it since the last reading.
pub(crate) struct Sample {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    /// The first failure, in words.
    pub(crate) reason: Option<String>,
    pub(crate) took: Duration,
    /// In nanoseconds.
    pub(crate) latency: Histogram<u64>,
}

/// The running count.
pub(super) struct Tally {
    requests: u64,
    failures: u64,
    reason: Option<String>,
    since: Instant,
    latency: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Self> {
        let longest = Duration::from_secs(120).as_nanos() as u64;
        let latency = Histogram::new_with_bounds(1_000, longest, 3).context("cannot count latencies")?;
        Ok(Self {
            requests: 0,
            failures: 0,
            reason: None,
            since: Instant::now(),
            latency,
        })
    }

    pub(super) fn answered(&mut self, took: Duration) {
        self.requests += 1;
        self.latency
            .saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn failed(&mut self, reason: impl FnOnce() -> String) {
        self.failures += 1;
        self.reason.get_or_insert_with(reason);
    }

    /// All that ended, well or not.
    pub(super) fn ended(&self) -> u64 {
        self.requests + self.failures
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures
    }

    pub(super) fn take(&mut self, now: Instant) -> Sample {
        let sample = Sample {
            requests: std::mem::take(&mut self.requests),
            failures: std::mem::take(&mut self.failures),
            reason: self.reason.take(),
            took: now.saturating_duration_since(self.since),
            latency: self.latency.clone(),
        };
        self.latency.reset();
        self.since = now;
        sample
    }
}

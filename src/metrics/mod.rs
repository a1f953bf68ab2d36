//! Metrics, as Prometheus and all that speak its formats read them.
//!
//! Nothing is counted here. Requests count in shards of their own worker, the registry counts at the backend, and a scrape
//! adds up what it finds, on the thread of the one that asks: workers neither wait for it nor notice it. There are three
//! kinds of families with labels of requests: by listener, by route, and by pool and backend. They are never crossed, so the
//! number of series grows with the sum of listeners, routes and backends, and clients cannot make any.
//!
//! Names, types and meanings are rows in [`names`], from which `docs/metrics.md` is made.

mod accept;
mod document;
mod figures;
mod names;
mod process;
mod text;

use std::sync::Arc;

use lb_actors::RegistryHandle;

pub use self::{accept::Format, document::document};
use self::{figures::Figures, process::Process, text::render};
use crate::telemetry::Traffic;

/// What a scrape reads.
pub struct Metrics {
    registry: RegistryHandle,
    traffic: Arc<Traffic>,
    /// Seconds since the epoch.
    started: f64,
    open_files_limit: u64,
}

/// A response to a scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrape {
    /// Its media type.
    pub content_type: &'static str,
    /// All families with their series.
    pub body: String,
}

impl Metrics {
    /// Of the instance that begins now.
    pub fn new(registry: RegistryHandle, traffic: Arc<Traffic>, open_files_limit: u64) -> Self {
        Self {
            registry,
            traffic,
            started: process::time_of_day(),
            open_files_limit,
        }
    }

    /// All figures as they are now. `accept` is the header field of that name, if there is one: OpenMetrics for those who
    /// prefer it, else the text format 0.0.4.
    pub fn scrape(&self, accept: Option<&str>) -> Scrape {
        let format = Format::of(accept);
        let figures = Figures {
            snapshot: self.registry.snapshot_full(),
            traffic: Arc::clone(&self.traffic),
            actor_restarts: self.registry.actor_restarts(),
            workers: self.registry.workers() as u64,
            process: Process::now(self.started, self.open_files_limit),
        };
        Scrape {
            content_type: format.content_type(),
            body: render(figures, format),
        }
    }
}

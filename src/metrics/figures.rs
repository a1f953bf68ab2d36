//! What one scrape has found, and the order in which it is written.

use std::{collections::BTreeMap, fmt, sync::Arc};

use lb_core::{
    pool::{BackendCounts, Member, Pool, Snapshot},
    status::{HealthStatus, ResponseCounts},
};

use super::{
    names::{self, Family},
    process::Process,
    text::{Figure, Page},
};
use crate::telemetry::{Traffic, count_panics, dropped_log_lines};

/// The figures of an instance. What is counted is read while it is written: nobody is stopped for it, so sums may be a request
/// apart.
pub(super) struct Figures {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) actor_restarts: u64,
    pub(super) workers: u64,
    pub(super) process: Process,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Figures of generation {}", self.snapshot.generation())
    }
}

/// A backend, with what is read of it once for all families.
struct BackendRow<'s> {
    pool: &'s str,
    url: String,
    member: &'s Member,
    counts: BackendCounts,
}

impl<'s> BackendRow<'s> {
    fn of(pool: &'s Pool, member: &'s Member) -> Self {
        Self {
            pool: pool.name(),
            url: member.backend.url().to_string(),
            member,
            counts: member.backend.counts(),
        }
    }

    fn labels(&self) -> [(&'static str, &str); 2] {
        [("pool", self.pool), ("backend", &self.url)]
    }

    fn with<'r>(&'r self, name: &'static str, value: &'r str) -> [(&'static str, &'r str); 3] {
        [("pool", self.pool), ("backend", &self.url), (name, value)]
    }
}

impl Figures {
    /// Writes all families.
    pub(super) fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        self.routes(page)?;
        let pools = self.snapshot.pools().iter();
        let rows = pools.flat_map(|pool| pool.members().iter().map(|member| BackendRow::of(pool, member)));
        backends(page, &rows.collect::<Vec<_>>())?;
        self.pools(page)?;
        self.instance(page)?;
        self.process(page)
    }

    fn routes(&self, page: &mut Page<'_>) -> fmt::Result {
        // Routes may have the same conditions; the later ones get no requests.
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for route in self.snapshot.routes() {
            *counts.entry(label_of(route.config())).or_default() += route.requests();
        }
        let series = counts
            .iter()
            .map(|(route, count)| ([("route", &**route)], *count));
        page.family(&names::ROUTE_REQUESTS, series)
    }

    fn pools(&self, page: &mut Page<'_>) -> fmt::Result {
        let pools = self.snapshot.pools();
        let backends = pools.iter().flat_map(|pool| {
            HealthStatus::ALL.iter().map(|health| {
                let members = pool.members().iter();
                let count = members.filter(|member| member.health.status() == *health).count();
                (
                    [("pool", &**pool.name()), ("health", health.as_str())],
                    count as u64,
                )
            })
        });
        page.family(&names::POOL_BACKENDS, backends)?;
        let queues = pools
            .iter()
            .map(|pool| ([("pool", &**pool.name())], pool.queue().len() as u64));
        page.family(&names::POOL_QUEUE, queues)
    }

    fn instance(&self, page: &mut Page<'_>) -> fmt::Result {
        let lane = self.snapshot.config().lane.to_string();
        page.info(
            &names::BUILD,
            &[("version", env!("CARGO_PKG_VERSION")), ("lane", &*lane)],
        )?;
        page.one(&names::GENERATION, self.snapshot.generation())?;
        page.one(&names::WORKERS, self.workers)?;
        page.one(&names::STOPPING, u64::from(self.traffic.is_draining()))?;
        let errors = self.traffic.errors();
        let errors: Vec<_> = errors
            .iter()
            .map(|error| (error.status.to_string(), &*error.reason, error.count))
            .collect();
        let series = errors
            .iter()
            .map(|(code, reason, count)| ([("code", &**code), ("reason", *reason)], *count));
        page.family(&names::ERRORS, series)?;
        page.one(&names::PANICS, count_panics())?;
        page.one(&names::ACTOR_RESTARTS, self.actor_restarts)?;
        page.one(&names::LOG_DROPS, dropped_log_lines())
    }

    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        let process = &self.process;
        page.one(&names::PROCESS_CPU, process.cpu_seconds)?;
        page.one(&names::PROCESS_START, process.started)?;
        for (family, told) in [
            (&names::PROCESS_RESIDENT, process.resident),
            (&names::PROCESS_VIRTUAL, process.virtual_memory),
            (&names::PROCESS_FILES, process.open_files),
            (&names::PROCESS_FILES_LIMIT, Some(process.open_files_limit)),
        ] {
            if let Some(told) = told {
                page.one(family, told)?;
            }
        }
        Ok(())
    }
}

fn backends(page: &mut Page<'_>, rows: &[BackendRow<'_>]) -> fmt::Result {
    let mut each = |family: &Family, figure: fn(&BackendRow<'_>) -> u64| {
        page.family(family, rows.iter().map(|row| (row.labels(), figure(row))))
    };
    each(&names::BACKEND_REQUESTS, |row| row.counts.requests)?;
    each(&names::BACKEND_FAILURES, |row| row.counts.failures)?;
    each(&names::BACKEND_IN_FLIGHT, |row| row.counts.in_flight)?;
    each(&names::BACKEND_WEIGHT, |row| u64::from(row.member.weight.get()))?;
    let responses = rows.iter().flat_map(|row| {
        let classes = row.counts.responses.by_class();
        let series = ResponseCounts::NAMES.iter().zip(classes);
        series.map(|(class, count)| (row.with("class", class), count))
    });
    page.family(&names::BACKEND_RESPONSES, responses)?;
    let health = rows.iter().flat_map(|row| {
        HealthStatus::ALL.iter().map(|health| {
            let has = row.member.health.status() == *health;
            (row.with("health", health.as_str()), Figure::Whole(has.into()))
        })
    });
    page.family(&names::BACKEND_HEALTH, health)
}

/// What a route is called: its name, or its conditions.
pub(super) fn label_of(route: &lb_core::config::RouteConfig) -> String {
    route
        .name
        .as_deref()
        .map_or_else(|| route.when.to_string(), str::to_owned)
}

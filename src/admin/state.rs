//! What the admin API tells and commands.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use lb_actors::{RegistryHandle, config_watcher::WatcherHandle, registry::BackendRegistry};
use lb_core::status::{StatusReport, StopReport};
use tokio::sync::watch;

use super::problem::Problem;
use crate::{
    metrics::Metrics,
    telemetry::{AccessLog, Traffic, count_panics, dropped_log_lines},
};

/// For a registry that is being started again.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two looks whether it is there.
const REGISTRY_PAUSE: Duration = Duration::from_millis(20);

/// The instance, as handlers reach it.
pub struct AdminState {
    /// The pools.
    pub registry: RegistryHandle,
    /// Reload and stop.
    pub watcher: WatcherHandle,
    /// Requests in flight.
    pub traffic: Arc<Traffic>,
    /// The log of requests.
    pub access_log: Arc<AccessLog>,
    /// What a scrape reads.
    pub metrics: Metrics,
    /// The configuration's path, as started.
    pub config: String,
    /// Where clients connect.
    pub listeners: Vec<String>,
    /// Where the admin API listens beside the control socket.
    pub admin: Option<SocketAddr>,
    /// When the process started.
    pub started: Instant,
    /// The limit of open files.
    pub open_files_limit: u64,
    /// Whether requests are served.
    pub serves: AtomicBool,
    /// Becomes `Some` when the last request is done.
    pub stopped: watch::Sender<Option<StopReport>>,
}

impl AdminState {
    /// The whole state, as `status --json` prints it.
    pub fn status(&self) -> StatusReport {
        let snapshot = self.registry.snapshot();
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            config: self.config.clone(),
            generation: snapshot.generation(),
            uptime_seconds: self.started.elapsed().as_secs(),
            stopping: self.traffic.is_draining(),
            listeners: self.listeners.clone(),
            admin: self.admin.map(|address| address.to_string()),
            workers: self.registry.workers(),
            lane: snapshot.config().lane.to_string(),
            open_files_limit: self.open_files_limit,
            connections: self.traffic.connections(),
            in_flight: self.traffic.in_flight(),
            requests: self.traffic.started(),
            responses: self.traffic.responses(),
            errors: self.traffic.errors(),
            panics: count_panics(),
            actor_restarts: self.registry.actor_restarts(),
            log_lines_dropped: dropped_log_lines(),
            access_log: self.access_log.status(),
            pools: snapshot.status(Instant::now()),
            routes: snapshot.route_status(),
        }
    }

    /// Whether requests are served: the start is over.
    pub fn serves(&self) -> bool {
        self.serves.load(Relaxed)
    }

    /// Has the registry change something beside the file, or tell how it is. Waits a moment for one that is started again.
    ///
    /// # Errors
    /// When it does not reply.
    pub(super) async fn ask_registry<M>(&self, message: M) -> Result<M::Result, Problem>
    where
        M: actix::Message + Send + 'static,
        M::Result: Send,
        BackendRegistry: actix::Handler<M>,
        <BackendRegistry as actix::Actor>::Context: actix::dev::ToEnvelope<BackendRegistry, M>,
    {
        let sent = async {
            let registry = loop {
                match self.registry.registry() {
                    Some(registry) if registry.connected() => break registry,
                    _ => tokio::time::sleep(REGISTRY_PAUSE).await,
                }
            };
            registry.send(message).await
        };
        let reply = tokio::time::timeout(REGISTRY_TIMEOUT, sent).await;
        reply.ok().and_then(Result::ok).ok_or_else(|| {
            Problem::unavailable("the registry did not reply")
                .hint("whether the change is in force shows `simple-lb status`, or /v1/status")
        })
    }
}

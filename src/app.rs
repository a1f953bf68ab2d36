//! The only wiring: from a checked configuration to a running balancer, and back down again.

use std::{
    net::SocketAddr,
    path::Path,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actix_rt::System;
use lb_actors::{
    config_watcher::{ConfigFile, OnReload, ReloadEvent, WatcherHandle, cores},
    control_plane::{self, ControlPlane},
    messages::ReloadMode,
    probe::NetworkProber,
};
use lb_core::{
    config::{Config, Lane, PoolConfig},
    pool::Snapshot,
    status::{StatusReport, StopReport},
};
use log::{error, info, warn};
use tokio::sync::watch;

use crate::{
    admin::{AdminServer, AdminState},
    control::{Claim, Control},
    front::{
        FrontWorker,
        h1::{self, Streamed},
    },
    kernel,
    lane::{
        handler::{self, HandlerWorker},
        wire::WireLane,
    },
    listener::{self, BoundListener, Capacity, Serve, Server},
    metrics::Metrics,
    proxy::Worker,
    systemd::{self, Notifier},
    telemetry::{AccessLog, CannotOpen, Traffic, add_test_sink, configure_logging, count_panics},
};

/// How long a start waits for the first probes before it serves with what it knows.
const FIRST_PROBES: Duration = Duration::from_secs(5);

/// Added to the probe timeout, so that a backend that hangs is known to be down when the start is announced.
const PROBE_GRACE: Duration = Duration::from_millis(250);

/// As actix-server's default for one worker.
const CONNECTIONS_PER_WORKER: usize = 25_600;

/// File descriptors that are kept for probes, the control socket, logs and the runtime.
const RESERVED_FILES: u64 = 64;

/// The fewest file descriptors with which a balancer serves: what the runtime, the listeners, the control socket and the log hold,
/// and some for a client, its backend, a probe and a command.
const LEAST_FILES: u64 = 32;

/// What the runtime of one worker holds of them.
const FILES_OF_A_WORKER: u64 = 4;

/// Clients' connections that one worker takes: each may need a second descriptor, for a backend.
pub fn connections_per_worker(workers: usize, open_files: u64) -> usize {
    let share = open_files.saturating_sub(RESERVED_FILES) / 2 / workers.max(1) as u64;
    usize::try_from(share)
        .unwrap_or(usize::MAX)
        .clamp(1, CONNECTIONS_PER_WORKER)
}

/// The open files with which so many clients are served, as far as workers take them: the inverse of
/// [`connections_per_worker`].
pub fn open_files_for(clients: usize, workers: usize) -> u64 {
    let workers = workers.max(1);
    let each = clients.div_ceil(workers).min(CONNECTIONS_PER_WORKER);
    RESERVED_FILES + 2 * (each * workers) as u64
}

/// Why a balancer with a right configuration cannot start on this machine.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A listener cannot be bound.
    #[error(transparent)]
    Listener(#[from] listener::BindError),
    /// The process may not open enough files.
    #[error(
        "cannot start: the limit of file descriptors is {limit}, and {least} are needed for {workers} workers; raise it with \
         `ulimit -n`, or with LimitNOFILE in a systemd unit"
    )]
    OpenFiles {
        /// What it may open.
        limit: u64,
        /// What it needs.
        least: u64,
        /// For so many.
        workers: usize,
    },
}

/// A balancer that is about to run.
pub struct Balancer {
    open_files_limit: u64,
    config: Config,
    file: ConfigFile,
    listeners: Vec<BoundListener>,
    admin: Option<BoundListener>,
    claim: Option<Claim>,
    traffic: Arc<Traffic>,
    access_log: Arc<AccessLog>,
}

/// What reloads change outside of the actors.
struct Reloads {
    manager: Notifier,
    access_log: Arc<AccessLog>,
}

/// The setting that the access log's file belongs to.
pub const ACCESS_LOG_PATH: &str = "access_log.path";

impl OnReload for Reloads {
    fn prepare(&self, next: &Config, mode: ReloadMode) -> Result<(), (&'static str, String)> {
        let prepared = match mode {
            ReloadMode::Apply => self.access_log.prepare(next),
            ReloadMode::DryRun => self.access_log.probe(next),
        };
        prepared.map_err(|error| (ACCESS_LOG_PATH, error.to_string()))
    }

    fn event(&self, event: ReloadEvent<'_>) {
        match event {
            ReloadEvent::Began => self.manager.reloading(),
            ReloadEvent::Applied(config) => {
                configure_logging(config.log);
                self.access_log.apply(config);
            }
            ReloadEvent::Ended(report) => self.manager.reloaded(report),
        }
    }
}

/// A running balancer.
pub struct Running {
    /// Its state, which the admin API tells too.
    pub state: Arc<AdminState>,
    /// None where a stop was asked for during the start.
    server: Option<Server>,
    control_plane: ControlPlane,
    control: Option<Control>,
    admin: Option<AdminServer>,
    stop: watch::Receiver<Option<String>>,
    notifier: Notifier,
}

impl Balancer {
    /// Binds the listeners of a checked configuration. `claim` is its hold on the identity that commands look for;
    /// without one it cannot be commanded, only signalled.
    ///
    /// # Errors
    /// When a listener cannot be bound, or there are too few file descriptors to serve with.
    pub fn bind(config: Config, file: ConfigFile, claim: Option<Claim>) -> Result<Self, BindError> {
        let workers = config.workers.unwrap_or_else(cores);
        let open_files_limit = raise_open_files_limit();
        let least = LEAST_FILES + FILES_OF_A_WORKER * workers as u64;
        if open_files_limit < least {
            return Err(BindError::OpenFiles {
                limit: open_files_limit,
                least,
                workers,
            });
        }
        let listeners = listener::bind(&config)?;
        let admin = listener::bind_admin(&config)?;
        let traffic = Traffic::new(workers);
        add_test_sink(traffic.sinks());
        let folder = file.path.parent().unwrap_or(Path::new(".")).to_owned();
        let access_log = AccessLog::new(Arc::clone(traffic.sinks()), config.lane, folder);
        for hint in kernel::hints(&config, open_files_limit) {
            warn!("{hint}");
        }
        Ok(Self {
            open_files_limit,
            config,
            file,
            listeners,
            admin,
            claim,
            traffic,
            access_log: Arc::new(access_log),
        })
    }

    /// Opens the access log, if there is to be one.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_access_log(&self) -> Result<(), CannotOpen> {
        self.access_log.prepare(&self.config)?;
        self.access_log.apply(&self.config);
        Ok(())
    }

    /// What it is going to serve; its listeners are bound already.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Starts everything, on a thread that runs an actix `System`. Returns when requests are served: after the first
    /// probes, or after 5 s if a backend lets them wait; or at once when a stop is asked for, and then serves nothing.
    /// `notifier` hears of all that until it has stopped.
    ///
    /// # Errors
    /// When the system refuses threads or signal handlers.
    pub async fn start(self, handle_signals: bool, notifier: Notifier) -> std::io::Result<Running> {
        count_panics();
        let workers = self.config.workers.unwrap_or_else(cores);
        let open_files_limit = self.open_files_limit;
        let lane = self.config.lane;
        let longest = self.config.pools.values().map(PoolConfig::longest_probe).max();
        let first_probes = (longest.unwrap_or_default() + PROBE_GRACE).min(FIRST_PROBES);
        let config = self.file.shown.display().to_string();
        let registry = control_plane::first_snapshot(self.config, workers);
        let access_log = self.access_log;
        let reloads = Reloads {
            manager: notifier.clone(),
            access_log: Arc::clone(&access_log),
        };
        let watcher = WatcherHandle::new(self.file, registry.clone(), reloads);
        let stop = watcher.stop_requested();
        registry.listens_at(listener::listening(self.listeners.iter().chain(&self.admin)));
        let prober = Rc::new(NetworkProber::new(registry.clone()));
        let control_plane = ControlPlane::start(registry.clone(), watcher.clone(), prober);
        let control_plane = if handle_signals {
            let log = Arc::clone(&access_log);
            control_plane.with_signals(move || log.reopen())?
        } else {
            control_plane
        };
        let traffic = self.traffic;
        let addresses = self.listeners.iter().filter_map(BoundListener::address);
        let state = Arc::new(AdminState {
            registry: registry.clone(),
            watcher,
            metrics: Metrics::new(registry.clone(), Arc::clone(&traffic), open_files_limit),
            traffic: Arc::clone(&traffic),
            access_log,
            config,
            listeners: addresses.map(|address: SocketAddr| address.to_string()).collect(),
            admin: self.admin.as_ref().and_then(BoundListener::address),
            started: Instant::now(),
            open_files_limit,
            serves: AtomicBool::new(false),
            stopped: watch::Sender::new(None),
        });
        let control = self.claim.and_then(|claim| start_control(claim, &state));
        let admin = self.admin.map(BoundListener::into_socket);
        let admin = admin.map(|socket| AdminServer::start(socket, Arc::clone(&state)));
        let admin = admin.transpose()?;

        // Connections wait in the listeners' queues meanwhile; so not even the first request meets a dead backend.
        let probed = registry.wait_until(all_decided);
        let mut asked = stop.clone();
        let stops = tokio::select! {
            _in_time = tokio::time::timeout(first_probes, probed) => false,
            _asked = asked.wait_for(Option::is_some) => true,
        };

        let capacity = Capacity {
            workers,
            connections: connections_per_worker(workers, open_files_limit),
        };
        let next_worker = AtomicUsize::new(0);
        let workers_registry = registry.clone();
        let worker = move || {
            let index = next_worker.fetch_add(1, Relaxed);
            Worker::new(index, workers_registry.clone(), Arc::clone(&traffic))
        };
        let server = match stops {
            true => None,
            false => {
                let service = move |_| lane_service(lane, worker());
                Some(Server::start(self.listeners, capacity, service).await?)
            }
        };
        if let Some(server) = &server {
            let mut threads = server.threads();
            state.serves.store(true, Relaxed);
            // That of the actors.
            threads.push(System::current().arbiter().clone());
            systemd::say_ready(&notifier, threads, (registry, state.listeners.clone()));
        }
        Ok(Running {
            state,
            server,
            control_plane,
            control,
            admin,
            stop,
            notifier,
        })
    }
}

impl Running {
    /// The state now.
    pub fn status(&self) -> StatusReport {
        self.state.status()
    }

    /// Whether somebody has asked for a stop already.
    pub fn is_to_stop(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// Runs until somebody asks for a stop.
    pub async fn stop_requested(&mut self) {
        // An error would mean that the watcher's handle is gone, which this struct holds.
        let _reason = self.stop.wait_for(Option::is_some).await;
    }

    /// Stops gracefully: what is in flight finishes, at most for the configured `shutdown_timeout`.
    pub async fn stop(mut self) -> StopReport {
        let traffic = &self.state.traffic;
        traffic.drain();
        self.notifier.stopping(traffic.in_flight());
        let finished_before = traffic.finished();
        let began = tokio::time::Instant::now();
        let drained = match &mut self.server {
            Some(server) => {
                server.close_listeners().await;
                tokio::select! {
                    biased;
                    () = server.until_idle() => true,
                    () = self.state.registry.shutdown_timeout_over(began) => false,
                    never = self.notifier.keep_stopping(|| traffic.in_flight()) => match never {},
                }
            }
            None => true,
        };
        let report = StopReport {
            finished: traffic.finished().saturating_sub(finished_before),
            cut: if drained { 0 } else { traffic.in_flight() },
        };
        if !drained {
            error!("shutdown_timeout is over: {} requests were cut", report.cut);
        }
        info!(
            "stopped: {} requests finished since the stop began, {} cut",
            report.finished, report.cut
        );
        if let Some(server) = self.server {
            server.stop().await;
        }
        let signals = self.control_plane.stop().await;
        self.state.stopped.send_replace(Some(report.clone()));
        if let Some(admin) = self.admin {
            admin.stop().await;
        }
        if let Some(control) = self.control {
            control.stop().await;
        }
        // No worker is left that could have a line.
        self.state.access_log.flush();
        drop(signals);
        self.notifier.flush();
        report
    }
}

/// What serves the connections of one worker thread.
///
/// # Errors
/// When the lane cannot be made.
pub(crate) fn lane_service(lane: Lane, worker: Worker) -> std::io::Result<Serve> {
    let worker = FrontWorker::start(worker);
    Ok(match lane {
        Lane::Wire => Box::new(h1::service(Rc::clone(&worker), WireLane::new(worker))),
        Lane::Handler => {
            let service = handler::service(HandlerWorker::new(Rc::clone(&worker)))?;
            Box::new(h1::service(worker, Streamed(service)))
        }
    })
}

fn start_control(claim: Claim, state: &Arc<AdminState>) -> Option<Control> {
    match Control::start(claim, Arc::clone(state)) {
        Ok(control) => Some(control),
        Err(error) => {
            warn!("no control socket: {error}; --reload, --stop and status will not work, signals will");
            None
        }
    }
}

fn all_decided(snapshot: &Snapshot) -> bool {
    snapshot
        .pools()
        .iter()
        .flat_map(|pool| pool.members())
        .all(|member| member.health.is_decided())
}

/// A worker of this configuration, with no actor behind it.
#[cfg(test)]
pub(crate) fn lone_worker(config: &str) -> Worker {
    let config = lb_core::config::load(config, "test.yaml", &|_| None)
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    Worker::new(0, control_plane::first_snapshot(config, 1), Traffic::new(1))
}

/// Raises the soft limit of open files to the hard one; each request needs two. Returns what holds now.
pub fn raise_open_files_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        warn!("cannot raise the limit of open files: {error}");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// An actix `System` for the calling thread.
pub fn system() -> actix_rt::SystemRunner {
    System::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_as_clients_need_and_no_more() {
        for (clients, workers) in [(1, 1), (4096, 1), (4096, 3), (100_000, 2)] {
            let served = |files| connections_per_worker(workers, files) * workers;
            let files = open_files_for(clients, workers);
            assert!(served(files) >= clients.min(workers * CONNECTIONS_PER_WORKER));
            assert!(clients == 1 || served(files - 2) < clients, "{clients} {workers}");
        }
    }
}

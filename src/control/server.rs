//! The control socket's server: HTTP and JSON, on a server of its own, so that it answers while the balancer drains.
//!
//! `GET /status`, `GET /plan` (what a reload would change), `POST /reload`, `POST /stop`, and `POST /live` with a [`LiveRequest`]. The plan
//! has a path of its own, so that an instance of a version that does not know it refuses, and does not reload. Who may connect is decided by the runtime folder's mode, 0700.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use lb_actors::{
    RegistryHandle,
    config_watcher::WatcherHandle,
    messages::{ChangeLive, ReloadMode},
};
use lb_core::{
    live::LiveRequest,
    status::{LiveReport, StatusReport, StopReport},
};
use tokio::sync::watch;

use crate::telemetry::{Traffic, count_panics, dropped_log_lines};

/// For answers that are under way when the process ends.
const STOP_TIMEOUT_SECONDS: u64 = 3;

/// A URL, a name, a word and a duration.
const LARGEST_REQUEST: usize = 16 * 1024;

/// For a registry that is being started again.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the control socket tells and commands.
pub struct ControlState {
    /// The pools.
    pub registry: RegistryHandle,
    /// Reload and stop.
    pub watcher: WatcherHandle,
    /// Requests in flight.
    pub traffic: Arc<Traffic>,
    /// The configuration's path, as started.
    pub config: String,
    /// Where clients connect.
    pub listeners: Vec<String>,
    /// When the process started.
    pub started: Instant,
    /// The limit of open files.
    pub open_files_limit: u64,
    /// Becomes `Some` when the last request is done.
    pub stopped: watch::Sender<Option<StopReport>>,
}

impl ControlState {
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
            pools: snapshot.status(Instant::now()),
            routes: snapshot.route_status(),
        }
    }
}

/// The running control server.
pub struct ControlServer {
    handle: ServerHandle,
}

impl ControlServer {
    /// Listens on `socket`; a stale file there is removed, which the caller's lock makes safe.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn start(socket: &Path, state: Arc<ControlState>) -> io::Result<Self> {
        if let Err(error) = fs::remove_file(socket)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let listener = UnixListener::bind(socket)?;
        // For the folder's owner and root, whatever becomes of the folder's mode.
        fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&state)))
                .route("/status", web::get().to(status))
                .route("/plan", web::get().to(plan))
                .route("/reload", web::post().to(reload))
                .route("/stop", web::post().to(stop))
                .app_data(web::JsonConfig::default().limit(LARGEST_REQUEST))
                .route("/live", web::post().to(live))
        })
        .workers(1)
        .disable_signals()
        .keep_alive(Duration::from_secs(5))
        .shutdown_timeout(STOP_TIMEOUT_SECONDS)
        .listen_uds(listener)?
        .run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self { handle })
    }

    /// Ends the server after the answers that are under way.
    pub async fn stop(self) {
        self.handle.stop(true).await;
    }
}

async fn status(state: web::Data<ControlState>) -> HttpResponse {
    HttpResponse::Ok().json(state.status())
}

async fn plan(state: web::Data<ControlState>) -> HttpResponse {
    HttpResponse::Ok().json(state.watcher.reload(ReloadMode::DryRun).await)
}

async fn reload(state: web::Data<ControlState>) -> HttpResponse {
    HttpResponse::Ok().json(state.watcher.reload(ReloadMode::Apply).await)
}

async fn stop(state: web::Data<ControlState>) -> HttpResponse {
    let mut stopped = state.stopped.subscribe();
    state.watcher.stop("--stop");
    match stopped.wait_for(Option::is_some).await {
        Ok(report) => HttpResponse::Ok().json(report.as_ref()),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

async fn live(state: web::Data<ControlState>, request: web::Json<LiveRequest>) -> HttpResponse {
    let report = change_live(&state.registry, request.into_inner()).await;
    HttpResponse::Ok().json(report.unwrap_or_else(|problem| LiveReport {
        applied: false,
        problems: vec![problem],
        backends: Vec::new(),
        warnings: Vec::new(),
    }))
}

async fn change_live(registry: &RegistryHandle, request: LiveRequest) -> Result<LiveReport, String> {
    let lasts = request.duration().map_err(|refusal| format!("for: {refusal}"))?;
    let change = ChangeLive {
        url: request.url,
        pool: request.pool,
        change: request.change,
        lasts,
    };
    let sent = async {
        let registry = loop {
            match registry.registry() {
                Some(registry) if registry.connected() => break registry,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        registry.send(change).await
    };
    let answer = tokio::time::timeout(REGISTRY_TIMEOUT, sent).await;
    answer.ok().and_then(Result::ok).ok_or_else(|| {
        "the registry did not answer; whether it is in force shows `simple-lb status`".to_owned()
    })
}

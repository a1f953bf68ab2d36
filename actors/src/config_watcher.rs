//! The ConfigWatcher: signals and commands in, reloads and stops out.
//!
//! A reload reads, parses and validates the file, plans, and hands the plan to the registry; whatever goes wrong on
//! the way changes nothing and is reported with all its problems. Reloads run one after the other.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::{Actor, ActorContext, Addr, Context, Handler, Message, ResponseFuture, dev::ToEnvelope};
use lb_core::{
    config::{self, BackendChange, Config, PoolConfig, Problem, ReloadPlan},
    live::reload_notes,
    status::{HealthStatus, ReloadReport},
};
use log::{error, info, warn};
use tokio::{sync::watch, time::timeout};

use crate::{RegistryHandle, guard::EndGuard, messages::*, sticky_key::fill_sticky_keys};

/// Far above any file that a person or a generator would write.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// An error page is kept in memory.
const LARGEST_ERROR_PAGE: u64 = 1024 * 1024;

/// A file on a network share that hangs must not hang the reload.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// For a registry that is busy or being started again.
const APPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Added to the probe timeout while a reload waits for the first result of an added backend.
const PROBE_GRACE: Duration = Duration::from_secs(1);

/// A file that can serve.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What of it is probably not meant.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// Adds what a configuration that is to serve has from elsewhere: the kept key of sticky cookies.
    pub fn complete(&mut self, path: &Path) {
        let warning = fill_sticky_keys(&mut self.config);
        let problem = warning.map(|warning| Problem::of_file(path, warning).field("sticky"));
        self.warnings.extend(problem);
    }
}

/// Reads and checks a configuration file.
///
/// # Errors
/// All problems; never none.
pub fn load_file(path: &Path) -> Result<Loaded, Vec<Problem>> {
    let unreadable = |error: std::io::Error| vec![Problem::of_file(path, format!("cannot be read: {error}"))];
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(vec![Problem::of_file(path, "is larger than 16 MiB")]);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let problem = Problem::of_file(path, format!("is not UTF-8 text (byte {valid})"));
        vec![problem.hint("save it as UTF-8")]
    })?;
    let name = path.display().to_string();
    let loaded = config::load_with_warnings(&text, &name, &|name| std::env::var(name).ok());
    let (mut config, warnings) = loaded.map_err(|error| error.problems)?;
    read_error_pages(&mut config, path)?;
    Ok(Loaded { config, warnings })
}

/// Reads the files that replace error messages; one that cannot be read is a problem like any other.
fn read_error_pages(config: &mut Config, config_path: &Path) -> Result<(), Vec<Problem>> {
    let folder = config_path.parent().unwrap_or(Path::new("."));
    let mut problems = Vec::new();
    for (status, page) in &mut config.error_pages {
        let path = folder.join(&*page.path);
        let mut content = Vec::new();
        let read = std::fs::File::open(&path)
            .and_then(|file| file.take(LARGEST_ERROR_PAGE + 1).read_to_end(&mut content));
        let mut add = |rule: String| {
            let problem = Problem::of_file(config_path, rule);
            problems.push(problem.field(format!("error_pages.{status}")));
        };
        match read {
            Ok(_) if content.len() as u64 > LARGEST_ERROR_PAGE => {
                add(format!("{} is larger than 1 MiB", path.display()));
            }
            Ok(_) => page.content = content.into(),
            Err(error) => add(format!("{} cannot be read: {error}", path.display())),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Watches over the configuration file and the wish to stop.
pub struct ConfigWatcher {
    shared: Arc<Shared>,
    guard: EndGuard,
}

struct Shared {
    path: PathBuf,
    registry: RegistryHandle,
    on_applied: Box<dyn Fn(&Config) + Send + Sync>,
    stop: watch::Sender<Option<String>>,
    watcher: Mutex<Option<Addr<ConfigWatcher>>>,
    reloading: tokio::sync::Mutex<()>,
}

/// Reaches the living ConfigWatcher from any thread.
#[derive(Clone)]
pub struct WatcherHandle {
    shared: Arc<Shared>,
}

impl WatcherHandle {
    /// `on_applied` gets every configuration after it was applied, for settings that are not the registry's.
    pub fn new(
        path: PathBuf,
        registry: RegistryHandle,
        on_applied: impl Fn(&Config) + Send + Sync + 'static,
    ) -> Self {
        let on_applied = Box::new(on_applied);
        let (stop, watcher) = (watch::Sender::new(None), Mutex::new(None));
        Self {
            shared: Arc::new(Shared {
                path,
                registry,
                on_applied,
                stop,
                watcher,
                reloading: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Becomes `Some(reason)` when somebody wants the balancer to stop.
    pub fn stop_requested(&self) -> watch::Receiver<Option<String>> {
        self.shared.stop.subscribe()
    }

    /// Reads the file again and applies it.
    pub async fn reload(&self) -> ReloadReport {
        let refused = |problem: &str| ReloadReport {
            applied: false,
            generation: self.shared.registry.snapshot().generation(),
            changes: Vec::new(),
            problems: vec![problem.to_owned()],
            notes: Vec::new(),
        };
        match self.address() {
            Some(watcher) => watcher
                .send(Reload)
                .await
                .unwrap_or_else(|_| refused("the reload was interrupted")),
            None => refused("the balancer is starting or stopping; try again"),
        }
    }

    /// Asks for a graceful stop.
    pub fn stop(&self, reason: &str) {
        self.signal(
            Stop {
                reason: reason.to_owned(),
            },
            reason,
        );
    }

    pub(crate) fn signal<M>(&self, message: M, name: &str)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        ConfigWatcher: Handler<M>,
        Context<ConfigWatcher>: ToEnvelope<ConfigWatcher, M>,
    {
        match self.address() {
            // Lost only in the moment of a restart, which is logged.
            Some(watcher) => watcher.do_send(message),
            None => warn!("{name} came while the balancer was starting or stopping; it has no effect"),
        }
    }

    pub(crate) fn start_actor(&self, on_end: impl FnOnce() + 'static) {
        let watcher = ConfigWatcher {
            shared: Arc::clone(&self.shared),
            guard: EndGuard::new(on_end),
        };
        self.set_address(Some(watcher.start()));
    }

    pub(crate) async fn stop_actor(&self) {
        if let Some(watcher) = self.address() {
            self.set_address(None);
            // An error means that it is gone already.
            let _gone = watcher.send(Shutdown).await;
        }
    }

    fn address(&self) -> Option<Addr<ConfigWatcher>> {
        self.shared
            .watcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_address(&self, address: Option<Addr<ConfigWatcher>>) {
        *self.shared.watcher.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

impl Shared {
    async fn reload(&self) -> ReloadReport {
        let running = Arc::clone(self.registry.snapshot().config());
        let mut report = ReloadReport {
            applied: false,
            generation: self.registry.snapshot().generation(),
            changes: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        };
        let Loaded {
            config: next,
            warnings,
        } = match self.read().await {
            Ok(loaded) => loaded,
            Err(problems) => return ReloadReport { problems, ..report },
        };
        let next = Arc::new(next);
        report.notes = warnings.iter().map(ToString::to_string).collect();
        let plan = ReloadPlan::between(&running, &next);
        report.changes = plan.lines();
        let restart = plan.restart_required();
        if !restart.is_empty() {
            let refusal = |line: &String| format!("{}: {line}: needs a restart", self.path.display());
            report.problems = restart.iter().map(refusal).collect();
            return report;
        }
        if plan.is_empty() {
            report.applied = true;
            return report;
        }
        let Some(registry) = self.registry.registry() else {
            report
                .problems
                .push("the registry is being started again; try again".to_owned());
            return report;
        };
        let apply = ApplyPlan {
            config: Arc::clone(&next),
            plan: plan.clone(),
        };
        let live = reload_notes(
            &self.registry.snapshot(),
            &plan,
            tokio::time::Instant::now().into_std(),
        );
        match timeout(APPLY_TIMEOUT, registry.send(apply)).await {
            Ok(Ok(applied)) => report.generation = applied.generation,
            Ok(Err(_)) | Err(_) => {
                report
                    .problems
                    .push("the registry did not answer in time; whether the change is in force shows `simple-lb status`".to_owned());
                return report;
            }
        }
        (self.on_applied)(&next);
        report.applied = true;
        report.notes.extend(live);
        report.notes.extend(self.first_results(&next, &plan).await);
        // Before the answer, so that no request that is sent after it reaches a removed backend. An error means that
        // the registry was started again, from a snapshot; the next one lets them go.
        let _restarted = timeout(APPLY_TIMEOUT, registry.send(RetireRemoved)).await;
        report
    }

    async fn read(&self) -> Result<Loaded, Vec<String>> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            load_file(&path).map(|mut loaded| {
                loaded.complete(&path);
                loaded
            })
        });
        match timeout(READ_TIMEOUT, read).await {
            Ok(Ok(result)) => result.map_err(|problems| problems.iter().map(ToString::to_string).collect()),
            Ok(Err(error)) => Err(vec![format!(
                "{}: the check failed: {error}",
                self.path.display()
            )]),
            Err(_) => Err(vec![format!(
                "{}: reading took more than 10 s",
                self.path.display()
            )]),
        }
    }

    /// Waits until every added backend was probed once, and says of those that are not up why.
    async fn first_results(&self, config: &Config, plan: &ReloadPlan) -> Vec<String> {
        let added: Vec<_> = plan
            .backends
            .iter()
            .filter_map(|(pool, change)| match change {
                BackendChange::Added(backend) => Some((pool, &backend.url)),
                _ => None,
            })
            .collect();
        let longest = config.pools.values().map(PoolConfig::longest_probe).max();
        let decided = self.registry.wait_until(|snapshot| {
            let mut members = added.iter().filter_map(|(pool, url)| snapshot.member(pool, url));
            members.all(|member| member.health.is_decided())
        });
        // Not decided in time is a state like any other, and is reported below.
        let _in_time = timeout(longest.unwrap_or_default() + PROBE_GRACE, decided).await;
        let snapshot = self.registry.snapshot();
        let members = added.iter().filter_map(|(pool, url)| snapshot.member(pool, url));
        members
            // Who was ordered to get nothing is no surprise.
            .filter(|member| member.health.may_be_tried() && member.health.status() != HealthStatus::Up)
            .map(|member| {
                let why = member
                    .backend
                    .last_probe()
                    .map_or("no result yet".to_owned(), |probe| probe.detail);
                format!("{} is {}: {why}", member.backend.url(), member.health.status())
            })
            .collect()
    }
}

fn log_outcome(report: &ReloadReport) {
    if report.applied {
        info!(
            "reloaded: generation {}, changes: {}",
            report.generation,
            report.changes.len()
        );
    } else {
        error!("reload refused, generation {} goes on serving", report.generation);
        report.problems.iter().for_each(|problem| error!("{problem}"));
    }
    report.notes.iter().for_each(|note| warn!("{note}"));
}

impl Actor for ConfigWatcher {
    type Context = Context<Self>;
}

impl Handler<Reload> for ConfigWatcher {
    type Result = ResponseFuture<ReloadReport>;

    fn handle(&mut self, _: Reload, _: &mut Self::Context) -> Self::Result {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            // One after the other; but the mailbox stays open, so that a stop never waits for a reload.
            let _turn = shared.reloading.lock().await;
            let report = shared.reload().await;
            log_outcome(&report);
            report
        })
    }
}

impl Handler<Stop> for ConfigWatcher {
    type Result = ();

    fn handle(&mut self, message: Stop, _: &mut Self::Context) {
        info!("stopping: {}", message.reason);
        self.shared.stop.send_replace(Some(message.reason));
    }
}

/// End: the process stops.
#[derive(Message)]
#[rtype(result = "()")]
struct Shutdown;

impl Handler<Shutdown> for ConfigWatcher {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        self.guard.expect_end();
        ctx.stop();
    }
}

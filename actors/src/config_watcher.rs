//! The ConfigWatcher: signals and commands in, reloads and stops out.
//!
//! A reload reads, parses and validates the file, plans, and hands the plan to the registry; whatever goes wrong on
//! the way changes nothing and is reported with all its problems. Reloads run one after the other.

mod file;

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use actix::{Actor, ActorContext, Addr, Context, Handler, Message, ResponseFuture, dev::ToEnvelope};
use lb_core::{
    config::{BackendChange, Config, PoolConfig, ReloadPlan, shown_path},
    live::reload_notes,
    status::{HealthStatus, ReloadReport},
};
use log::{error, info, warn};
use tokio::{sync::watch, time::timeout};

pub use self::file::{ConfigFile, Loaded, load_file};

use crate::{RegistryHandle, guard::EndGuard, messages::*, sticky_key::KeepKey};

/// A file on a network share that hangs must not hang the reload.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// For a registry that is busy or being started again.
const APPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Added to the probe timeout while a reload waits for the first result of an added backend.
const PROBE_GRACE: Duration = Duration::from_secs(1);

/// What `workers: auto` means: one a core. Counted once, so that a reload finds the number of the start even where the
/// machine has changed.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Watches over the configuration file and the wish to stop.
pub struct ConfigWatcher {
    shared: Arc<Shared>,
    guard: EndGuard,
}

struct Shared {
    file: ConfigFile,
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
        file: ConfigFile,
        registry: RegistryHandle,
        on_applied: impl Fn(&Config) + Send + Sync + 'static,
    ) -> Self {
        let on_applied = Box::new(on_applied);
        let (stop, watcher) = (watch::Sender::new(None), Mutex::new(None));
        Self {
            shared: Arc::new(Shared {
                file,
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

    /// Reads the file again, and applies it or only tells what that would change.
    pub async fn reload(&self, mode: ReloadMode) -> ReloadReport {
        let refused = |problem: &str| ReloadReport {
            problems: vec![problem.to_owned()],
            ..self.shared.report(mode)
        };
        match self.address() {
            Some(watcher) => watcher
                .send(Reload { mode })
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
    async fn reload(&self, mode: ReloadMode) -> ReloadReport {
        let planned = self.plan(mode).await;
        match (planned, mode) {
            (Ok(planned), ReloadMode::Apply) => self.apply(planned).await,
            (Ok(Planned { report, .. }) | Err(report), _) => report,
        }
    }

    /// A report on which nothing has happened yet.
    fn report(&self, mode: ReloadMode) -> ReloadReport {
        ReloadReport {
            applied: false,
            dry_run: mode == ReloadMode::DryRun,
            generation: self.registry.snapshot().generation(),
            changes: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
            file: None,
        }
    }

    /// Reads the file and plans the way there. Changes nothing, whatever the mode.
    ///
    /// # Errors
    /// A report of why it cannot be applied.
    async fn plan(&self, mode: ReloadMode) -> Result<Planned, ReloadReport> {
        let mut report = self.report(mode);
        let keep = match mode {
            ReloadMode::Apply => KeepKey::MakeIfMissing,
            ReloadMode::DryRun => KeepKey::OnlyRead,
        };
        let Loaded {
            mut config,
            warnings,
            file,
            ..
        } = match self.read(keep).await {
            Ok(loaded) => loaded,
            Err(problems) => return Err(ReloadReport { problems, ..report }),
        };
        report.file = Some(file.display().to_string());
        report.notes = warnings.iter().map(ToString::to_string).collect();
        let snapshot = self.registry.snapshot();
        let running = snapshot.config().workers;
        if running.unwrap_or_else(cores) == config.workers.unwrap_or_else(cores) {
            config.workers = running;
        }
        let plan = ReloadPlan::between(snapshot.config(), &config);
        report.changes = plan.lines();
        let restart = plan.restart_required();
        if !restart.is_empty() {
            let refusal =
                |line: &String| format!("{}: {line}: needs a restart", shown_path(&self.file.shown));
            report.problems = restart.iter().map(refusal).collect();
            return Err(report);
        }
        let now = tokio::time::Instant::now().into_std();
        report.notes.extend(reload_notes(&snapshot, &plan, now));
        Ok(Planned { plan, report })
    }

    async fn apply(&self, planned: Planned) -> ReloadReport {
        let Planned { plan, mut report } = planned;
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
        let apply = ApplyPlan { plan: plan.clone() };
        match timeout(APPLY_TIMEOUT, registry.send(apply)).await {
            Ok(Ok(applied)) => report.generation = applied.generation,
            Ok(Err(_)) | Err(_) => {
                report
                    .problems
                    .push("the registry did not answer in time; whether the change is in force shows `simple-lb status`".to_owned());
                return report;
            }
        }
        let applied = Arc::clone(self.registry.snapshot().config());
        (self.on_applied)(&applied);
        report.applied = true;
        report.notes.extend(self.first_results(&applied, &plan).await);
        // Before the answer, so that no request that is sent after it reaches a removed backend. An error means that
        // the registry was started again, from a snapshot; the next one lets them go.
        let _restarted = timeout(APPLY_TIMEOUT, registry.send(RetireRemoved)).await;
        report
    }

    async fn read(&self, keep: KeepKey) -> Result<Loaded, Vec<String>> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            file.load().map(|mut loaded| {
                loaded.complete_with(&file.shown, keep);
                loaded
            })
        });
        match timeout(READ_TIMEOUT, read).await {
            Ok(Ok(result)) => result.map_err(|problems| problems.iter().map(ToString::to_string).collect()),
            Ok(Err(error)) => Err(vec![format!(
                "{}: the check failed: {error}",
                shown_path(&self.file.shown)
            )]),
            Err(_) => Err(vec![format!(
                "{}: reading took more than 10 s",
                shown_path(&self.file.shown)
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

/// What can be applied.
struct Planned {
    plan: ReloadPlan,
    report: ReloadReport,
}

fn log_outcome(report: &ReloadReport) {
    if report.dry_run {
        info!("dry run of a reload: changes: {}", report.changes.len());
        return;
    }
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

    fn handle(&mut self, Reload { mode }: Reload, _: &mut Self::Context) -> Self::Result {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            // One after the other; but the mailbox stays open, so that a stop never waits for a reload.
            let _turn = shared.reloading.lock().await;
            let report = shared.reload(mode).await;
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

//! What a reload does: read, plan, apply, wait for the first probes of added backends.

use std::{sync::Arc, time::Duration};

use lb_core::{
    config::{BackendChange, Config, ReloadPlan, shown_path},
    live::reload_notes,
    pool::Identity,
    status::ReloadReport,
};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{
    cores,
    file::{ConfigFile, Loaded},
};
use crate::{RegistryHandle, first_probes, messages::*};

/// A file on a network share that hangs must not hang the reload. Nothing else gets here: pipes and devices are refused
/// when they are opened. No test has such a share.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// For a registry that is busy or being started again.
const APPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// What becomes of a reload, for those outside of the actors. A dry run is none.
#[derive(Debug)]
pub enum ReloadEvent<'r> {
    /// It begins. None other runs.
    Began,
    /// This configuration is in force, for settings that are not the registry's.
    Applied(&'r Config),
    /// It ended; `None`: it was interrupted.
    Ended(Option<&'r ReloadReport>),
}

/// Who has a part in reloads, outside of the actors. A closure that takes events is one that needs no preparation.
pub trait OnReload: Send + Sync + 'static {
    /// Opens what a configuration needs, so that nothing can fail once it is applied; in a dry run, only says whether it could be
    /// opened. On a blocking thread, before anything has changed.
    ///
    /// # Errors
    /// The setting that it belongs to, and what is wrong.
    fn prepare(&self, _next: &Config, _mode: ReloadMode) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    /// Hears what becomes of a reload, on the thread of the actors; must not wait.
    fn event(&self, event: ReloadEvent<'_>);
}

impl<F: Fn(ReloadEvent<'_>) + Send + Sync + 'static> OnReload for F {
    fn event(&self, event: ReloadEvent<'_>) {
        self(event);
    }
}

/// A reload that has begun, and ends whatever happens to it.
struct Begun<'r> {
    on_reload: &'r dyn OnReload,
    report: Option<ReloadReport>,
}

impl<'r> Begun<'r> {
    fn new(on_reload: &'r dyn OnReload) -> Self {
        on_reload.event(ReloadEvent::Began);
        Self {
            on_reload,
            report: None,
        }
    }

    fn end(mut self, report: ReloadReport) -> ReloadReport {
        self.report = Some(report.clone());
        report
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.on_reload.event(ReloadEvent::Ended(self.report.as_ref()));
    }
}

/// Carries out reloads of one file.
pub(super) struct Reloader {
    pub(super) file: ConfigFile,
    pub(super) registry: RegistryHandle,
    pub(super) on_reload: Arc<dyn OnReload>,
    /// Held by the reload that runs.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Reloader {
    /// Reads the file again, and applies it or only tells what that would change. One call after the other.
    pub(super) async fn reload(&self, mode: ReloadMode) -> ReloadReport {
        let _turn = self.turn.lock().await;
        match mode {
            ReloadMode::Apply => {
                let begun = Begun::new(&*self.on_reload);
                let report = match self.plan(mode).await {
                    Ok(planned) => self.apply(planned).await,
                    Err(report) => report,
                };
                begun.end(report)
            }
            ReloadMode::DryRun => match self.plan(mode).await {
                Ok(Planned { report, .. }) | Err(report) => report,
            },
        }
    }

    /// A report on which nothing has happened yet.
    pub(super) fn report(&self, mode: ReloadMode) -> ReloadReport {
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
        let loaded = match self.read().await {
            Ok(loaded) => loaded,
            Err(problems) => return Err(ReloadReport { problems, ..report }),
        };
        let keys = loaded.keys();
        let places = loaded.places();
        let Loaded {
            mut config,
            warnings,
            file,
            ..
        } = loaded;
        report.file = Some(file.display().to_string());
        report.notes = warnings.iter().map(ToString::to_string).collect();
        let snapshot = self.registry.snapshot();
        let running = snapshot.config().workers;
        if running.unwrap_or_else(cores) == config.workers.unwrap_or_else(cores) {
            config.workers = running;
        }
        // What was added and removed live lies over either file.
        let file = Arc::clone(snapshot.live_members().file());
        let restart = ReloadPlan::between(&file, &config).restart_required();
        let keep = mode == ReloadMode::Apply && restart.is_empty();
        let filled = spawn_blocking(move || {
            let warning = if keep {
                keys.make(&mut config)
            } else {
                keys.look_up(&mut config)
            };
            (config, warning)
        });
        let (config, warning) = match self.in_time(filled).await {
            Ok(filled) => filled,
            Err(problems) => return Err(ReloadReport { problems, ..report }),
        };
        report.notes.extend(warning.iter().map(ToString::to_string));
        let plan = ReloadPlan::between(&file, &config);
        report.changes = plan.lines();
        if !restart.is_empty() {
            let refusal =
                |line: &String| format!("{}: {line}: needs a restart", shown_path(&self.file.shown));
            report.problems = restart.iter().map(refusal).collect();
            return Err(report);
        }
        let on_reload = Arc::clone(&self.on_reload);
        let next = plan.apply(snapshot.config());
        let prepared = spawn_blocking(move || {
            let refused = |(field, rule): (&str, String)| vec![places.problem(field, rule).to_string()];
            on_reload.prepare(&next, mode).map_err(refused)
        });
        match self.in_time(prepared).await {
            Ok(Ok(())) => {}
            Ok(Err(problems)) | Err(problems) => return Err(ReloadReport { problems, ..report }),
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
        self.on_reload.event(ReloadEvent::Applied(&applied));
        report.applied = true;
        report
            .notes
            .extend(first_probes(&self.registry, &added(&plan)).await);
        // Before the answer, so that no request that is sent after it reaches a removed backend. An error means that
        // the registry was started again, from a snapshot; the next one lets them go.
        let _restarted = timeout(APPLY_TIMEOUT, registry.send(RetireRemoved)).await;
        report
    }

    async fn read(&self) -> Result<Loaded, Vec<String>> {
        let file = self.file.clone();
        let read = self.in_time(spawn_blocking(move || file.load_to_serve())).await?;
        read.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    /// What a blocking thread makes of files.
    async fn in_time<T>(&self, work: JoinHandle<T>) -> Result<T, Vec<String>> {
        match timeout(READ_TIMEOUT, work).await {
            Ok(Ok(result)) => Ok(result),
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
}

/// The backends that a plan adds.
fn added(plan: &ReloadPlan) -> Vec<Identity> {
    let changes = plan.backends.iter();
    let added = changes.filter_map(|(pool, change)| match change {
        BackendChange::Added(backend) => Some(Identity::new(pool, &backend.url)),
        BackendChange::Removed(_) | BackendChange::Changed { .. } => None,
    });
    added.collect()
}

/// What can be applied.
struct Planned {
    plan: ReloadPlan,
    report: ReloadReport,
}

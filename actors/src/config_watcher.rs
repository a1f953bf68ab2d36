//! The ConfigWatcher: signals and commands in, reloads and stops out.
//!
//! A reload reads, parses and validates the file, plans, and hands the plan to the registry; whatever goes wrong on
//! the way changes nothing and is reported with all its problems. Reloads run one after the other.

mod file;
mod handle;
mod reload;

use std::sync::{Arc, OnceLock};

use actix::{Actor, ActorContext, Context, Handler, Message, ResponseFuture};
use lb_core::status::ReloadReport;
use log::{error, info, warn};
use tokio::sync::watch;

pub use self::{
    file::{ConfigFile, Keys, Loaded, Places, load_file},
    handle::WatcherHandle,
    reload::{OnReload, ReloadEvent},
};

use self::reload::Reloader;
use crate::{guard::EndGuard, messages::*};

/// What `workers: auto` means: one a core. Counted once, so that a reload finds the number of the start even where the
/// machine has changed.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Watches over the configuration file and the wish to stop.
pub struct ConfigWatcher {
    reloader: Arc<Reloader>,
    /// Becomes the reason of a stop.
    stop: watch::Sender<Option<String>>,
    guard: EndGuard,
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
        let reloader = Arc::clone(&self.reloader);
        // The mailbox stays open, so that a stop never waits for a reload.
        Box::pin(async move {
            let report = reloader.reload(mode).await;
            log_outcome(&report);
            report
        })
    }
}

impl Handler<Stop> for ConfigWatcher {
    type Result = ();

    fn handle(&mut self, message: Stop, _: &mut Self::Context) {
        info!("stopping: {}", message.reason);
        self.stop.send_replace(Some(message.reason));
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

//! The way to the living ConfigWatcher, which outlives each of its actors.

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, Addr, Context, Handler, Message, dev::ToEnvelope};
use lb_core::status::ReloadReport;
use log::warn;
use tokio::sync::watch;

use super::{
    ConfigFile, ConfigWatcher, Shutdown,
    reload::{OnReload, Reloader},
};
use crate::{RegistryHandle, guard::EndGuard, messages::*};

/// Reaches the living ConfigWatcher from any thread.
#[derive(Clone)]
pub struct WatcherHandle {
    shared: Arc<Shared>,
}

struct Shared {
    reloader: Arc<Reloader>,
    stop: watch::Sender<Option<String>>,
    watcher: Mutex<Option<Addr<ConfigWatcher>>>,
    /// Nobody waits for a reload any more: the process ends.
    ended: watch::Sender<bool>,
}

impl WatcherHandle {
    /// `on_reload` has a part in each reload.
    pub fn new(file: ConfigFile, registry: RegistryHandle, on_reload: impl OnReload) -> Self {
        let reloader = Arc::new(Reloader {
            file,
            registry,
            on_reload: Arc::new(on_reload),
            turn: tokio::sync::Mutex::default(),
        });
        Self {
            shared: Arc::new(Shared {
                reloader,
                stop: watch::Sender::new(None),
                watcher: Mutex::new(None),
                ended: watch::Sender::new(false),
            }),
        }
    }

    /// Whether its actor is there: not in the moment of a restart.
    pub fn is_running(&self) -> bool {
        self.address().is_some_and(|watcher| watcher.connected())
    }

    /// Becomes `Some(reason)` when somebody wants the balancer to stop.
    pub fn stop_requested(&self) -> watch::Receiver<Option<String>> {
        self.shared.stop.subscribe()
    }

    /// Reads the file again, and applies it or only tells what that would change.
    pub async fn reload(&self, mode: ReloadMode) -> ReloadReport {
        let refused = |problem: &str| ReloadReport {
            problems: vec![problem.to_owned()],
            ..self.shared.reloader.report(mode)
        };
        let mut ended = self.shared.ended.subscribe();
        match self.address() {
            Some(watcher) => tokio::select! {
                biased;
                report = watcher.send(Reload { mode }) => {
                    report.unwrap_or_else(|_| refused("the reload was interrupted"))
                }
                // An error would mean that the sender is gone, which this handle holds.
                _ended = ended.wait_for(|ended| *ended) => refused("the instance stops, before the reload was done"),
            },
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
            reloader: Arc::clone(&self.shared.reloader),
            stop: self.shared.stop.clone(),
            guard: EndGuard::new(on_end),
        };
        self.set_address(Some(watcher.start()));
    }

    pub(crate) async fn stop_actor(&self) {
        if let Some(watcher) = self.address() {
            self.set_address(None);
            self.shared.ended.send_replace(true);
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

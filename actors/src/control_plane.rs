//! Starts the actors, and starts them again when one ends that should not. The state outlives them: it is the
//! published snapshot, from which a new registry goes on.

use std::{io, rc::Rc, time::Duration};

use actix::Actor;
use lb_core::config::Config;
use log::error;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    RegistryHandle,
    config_watcher::WatcherHandle,
    probe::Prober,
    registry::{BackendRegistry, Shutdown},
    signals::SignalListener,
};

/// An actor that ends as soon as it is started must not keep a core busy.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// For actors that are busy when the process stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// The running control plane.
pub struct ControlPlane {
    registry: RegistryHandle,
    watcher: WatcherHandle,
    signals: Option<SignalListener>,
    ended: mpsc::UnboundedSender<Ended>,
}

/// Which actor ended, or that none is to be started any more.
enum Ended {
    Registry,
    Watcher,
    Stopping,
}

impl ControlPlane {
    /// Starts registry, checkers and watcher on the calling thread, which must run an actix `System`.
    pub fn start(registry: RegistryHandle, watcher: WatcherHandle, prober: Rc<dyn Prober>) -> Self {
        let (ended, mut ends) = mpsc::unbounded_channel();
        start_registry(&registry, &prober, &ended);
        start_watcher(&watcher, &ended);
        let this = Self {
            registry,
            watcher,
            signals: None,
            ended: ended.clone(),
        };
        let (registry, watcher) = (this.registry.clone(), this.watcher.clone());
        actix_rt::spawn(async move {
            while let Some(end) = ends.recv().await {
                tokio::time::sleep(RESTART_PAUSE).await;
                match end {
                    Ended::Stopping => return,
                    Ended::Registry => {
                        error!(
                            "the registry ended unexpectedly and is started again; the last snapshot serves"
                        );
                        start_registry(&registry, &prober, &ended);
                    }
                    Ended::Watcher => {
                        error!("the configuration watcher ended unexpectedly and is started again");
                        start_watcher(&watcher, &ended);
                    }
                }
                registry.note_restart();
            }
        });
        this
    }

    /// Also listens to SIGHUP, SIGTERM and SIGINT, and to SIGUSR1, at which it calls `reopen`.
    ///
    /// # Errors
    /// When the system refuses handlers or a thread.
    pub fn with_signals(mut self, reopen: impl Fn() + Send + 'static) -> io::Result<Self> {
        self.signals = Some(SignalListener::start(self.watcher.clone(), reopen)?);
        Ok(self)
    }

    /// Ends all actors; probes under way are dropped. Signals are heard until what it returns is dropped: a second one ends
    /// the process, whatever it still waits for.
    pub async fn stop(self) -> Option<SignalListener> {
        // Fails only when the task that would start actors again is gone.
        let _gone = self.ended.send(Ended::Stopping);
        self.watcher.stop_actor().await;
        if let Some(registry) = self.registry.registry() {
            // Either it is gone already, or the process ends without it.
            let _gone = timeout(STOP_TIMEOUT, registry.send(Shutdown)).await;
        }
        self.signals
    }
}

/// The first snapshot of a configuration.
pub fn first_snapshot(config: Config, workers: usize) -> RegistryHandle {
    BackendRegistry::first_snapshot(config, workers)
}

fn start_registry(handle: &RegistryHandle, prober: &Rc<dyn Prober>, ended: &mpsc::UnboundedSender<Ended>) {
    let ended = ended.clone();
    let on_end = move || {
        // Fails only when the process stops.
        let _gone = ended.send(Ended::Registry);
    };
    let registry = BackendRegistry::resume(handle.clone(), Rc::clone(prober), on_end).start();
    handle.set_registry(Some(registry));
}

fn start_watcher(handle: &WatcherHandle, ended: &mpsc::UnboundedSender<Ended>) {
    let ended = ended.clone();
    handle.start_actor(move || {
        // Fails only when the process stops.
        let _gone = ended.send(Ended::Watcher);
    });
}

//! What the request path sees of the registry: a snapshot to read, a function to ask, and nothing to wait for.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use actix::Addr;
use arc_swap::{ArcSwap, Guard};
use lb_core::{
    config::Config,
    listening::Listening,
    pool::{Ask, Backend, Lease, NoBackend, Pool, Snapshot},
    roster::{BackendFactory, Roster},
};
use tokio::sync::watch;

use crate::{
    messages::{ConnectFailed, FailedInARow},
    registry::BackendRegistry,
};

/// Asks the registry for backends. Cheap to clone; every worker has one.
#[derive(Clone)]
pub struct RegistryHandle {
    shared: Arc<Shared>,
}

struct Shared {
    snapshot: ArcSwap<Snapshot>,
    /// Counts publications, for those who wait for one.
    published: watch::Sender<u64>,
    /// The living registry. Behind a lock, because only changes of state ask for it.
    registry: Mutex<Option<Addr<BackendRegistry>>>,
    /// Outlives registries, so that no number is given twice.
    factory: Arc<BackendFactory>,
    restarts: AtomicU64,
    workers: usize,
    listening: OnceLock<Listening>,
}

impl RegistryHandle {
    /// For a balancer that starts with this configuration.
    pub(crate) fn new(config: Arc<Config>, workers: usize, now: Instant) -> Self {
        // The shard after the workers' own is the control plane's.
        let factory = Arc::new(BackendFactory::new(workers + 1));
        let first = Roster::new(config, Arc::clone(&factory), now).snapshot(None);
        let shared = Shared {
            snapshot: ArcSwap::from_pointee(first),
            published: watch::Sender::new(0),
            registry: Mutex::new(None),
            factory,
            restarts: AtomicU64::new(0),
            workers,
            listening: OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Chooses a backend from the newest snapshot.
    ///
    /// # Errors
    /// [`NoBackend`] when no backend may get the request.
    pub fn pick(&self, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        self.shared.snapshot.load().pick(ask)
    }

    /// Chooses a backend of a pool as it is now; where the pool is gone, as it was.
    ///
    /// # Errors
    /// [`NoBackend`] when no backend may get the request.
    pub fn pick_from(&self, pool: &Pool, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        self.shared.snapshot.load().pick_from(pool, ask)
    }

    /// The newest snapshot, for a short look.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.shared.snapshot.load()
    }

    /// The newest snapshot, to keep.
    pub fn snapshot_full(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Says that a request could not connect to a backend, so that its name is resolved again. If the message is
    /// lost, the next probe does the same.
    pub fn connect_failed(&self, backend: &Backend) {
        if let Some(registry) = self.registry() {
            registry.do_send(ConnectFailed {
                backend: backend.id(),
            });
        }
    }

    /// Says that requests at a backend have failed in a row as often as its pool allows, so that it is judged at once.
    /// If the message is lost, the registry finds it on its next tick.
    pub fn failed_in_a_row(&self, backend: u64) {
        if let Some(registry) = self.registry() {
            registry.do_send(FailedInARow { backend });
        }
    }

    /// Waits until a snapshot satisfies `condition`; the caller bounds the time.
    pub async fn wait_until(&self, condition: impl Fn(&Snapshot) -> bool) {
        let mut published = self.shared.published.subscribe();
        while !condition(&self.shared.snapshot.load()) {
            if published.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until a stop that began then has lasted for the `shutdown_timeout`, which a reload may change meanwhile.
    pub async fn shutdown_timeout_over(&self, began: tokio::time::Instant) {
        loop {
            let timeout = self.snapshot().config().shutdown_timeout;
            let changed = self.wait_until(|snapshot| snapshot.config().shutdown_timeout != timeout);
            // `None`: longer than any clock goes.
            match began.checked_add(timeout) {
                None => changed.await,
                Some(end) => match tokio::time::timeout_at(end, changed).await {
                    Ok(()) => {}
                    Err(_over) => return,
                },
            }
        }
    }

    /// Actors that ended unexpectedly and were started again.
    pub fn actor_restarts(&self) -> u64 {
        self.shared.restarts.load(Relaxed)
    }

    /// Workers that ask; the shard after theirs belongs to the control plane.
    pub fn workers(&self) -> usize {
        self.shared.workers
    }

    /// Notes where this process listens; the first call counts.
    pub fn listens_at(&self, listening: Listening) {
        let _known = self.shared.listening.set(listening);
    }

    /// Where this process listens; nowhere before that is known.
    pub fn listening(&self) -> &Listening {
        static NOWHERE: Listening = Listening::nowhere();
        self.shared.listening.get().unwrap_or(&NOWHERE)
    }

    /// The registry's address, for those who change state; `None` before the start and for a moment of a restart.
    pub fn registry(&self) -> Option<Addr<BackendRegistry>> {
        self.shared
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_registry(&self, registry: Option<Addr<BackendRegistry>>) {
        *self
            .shared
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = registry;
    }

    pub(crate) fn publish(&self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        let before = self.shared.snapshot.swap(Arc::clone(&snapshot));
        // What was full may have a place now, and requests that wait in a removed pool look for another one.
        snapshot.pools().iter().for_each(|pool| pool.queue().call());
        let removed = before
            .pools()
            .iter()
            .filter(|pool| snapshot.newest(pool).is_none());
        removed.for_each(|pool| pool.queue().call());
        self.shared.published.send_modify(|count| *count += 1);
    }

    pub(crate) fn note_restart(&self) {
        self.shared.restarts.fetch_add(1, Relaxed);
    }

    /// The roster of the newest snapshot, for a registry that is started.
    pub(crate) fn resume_roster(&self) -> Roster {
        Roster::resume(&self.snapshot(), Arc::clone(&self.shared.factory))
    }

    pub(crate) fn ask_of_control_plane<'a>(&self, tried: &'a lb_core::pool::Tried) -> Ask<'a> {
        Ask {
            worker: self.shared.workers,
            now: Instant::now(),
            random: 0,
            key: None,
            sticky: None,
            tried,
        }
    }
}

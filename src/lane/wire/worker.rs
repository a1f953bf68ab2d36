//! What one worker thread has for the wire lane: what its front has, and the idle connections to backends.

use std::{
    ops::Deref,
    rc::Rc,
    time::{Duration, Instant},
};

use lb_wire::Limits;

use crate::{front::FrontWorker, upstream::IdlePool};

/// Heads of responses: twice what the strictest clients of today take.
const RESPONSE_LIMITS: Limits = Limits {
    head_bytes: 64 * 1024,
    header_count: 200,
    target_bytes: 0,
};

/// How often idle connections are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// A worker of the wire lane.
pub(super) struct WireWorker {
    front: Rc<FrontWorker>,
    pub(super) idle: IdlePool,
    pub(super) limits: Limits,
}

impl Deref for WireWorker {
    type Target = FrontWorker;

    fn deref(&self) -> &FrontWorker {
        &self.front
    }
}

impl WireWorker {
    /// A worker whose sweep runs until it is dropped.
    pub(super) fn start(front: Rc<FrontWorker>) -> Rc<Self> {
        let worker = Rc::new(Self {
            front,
            idle: IdlePool::default(),
            limits: RESPONSE_LIMITS,
        });
        let weak = Rc::downgrade(&worker);
        actix_rt::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some(worker) = weak.upgrade() else { return };
                // Closes connections that are too old, or whose backend was removed.
                worker
                    .idle
                    .sweep(worker.timers.now(), &worker.shared.registry.snapshot());
            }
        });
        worker
    }

    /// Now, for latencies.
    pub(super) fn precise_now() -> Instant {
        Instant::now()
    }
}

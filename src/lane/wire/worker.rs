//! What one worker thread has for the wire lane: what its front has, and the idle connections to backends.

use std::{ops::Deref, rc::Rc, time::Instant};

use lb_wire::Limits;

use crate::{front::FrontWorker, upstream::IdlePool};

/// Heads of responses: twice what the strictest clients of today take.
const RESPONSE_LIMITS: Limits = Limits {
    head_bytes: 64 * 1024,
    header_count: 200,
    target_bytes: 0,
};

/// A worker of the wire lane.
pub(super) struct WireWorker {
    front: Rc<FrontWorker>,
    pub(super) idle: Rc<IdlePool>,
    pub(super) limits: Limits,
}

impl Deref for WireWorker {
    type Target = FrontWorker;

    fn deref(&self) -> &FrontWorker {
        &self.front
    }
}

impl WireWorker {
    /// For the requests of this worker.
    pub(super) fn start(front: Rc<FrontWorker>) -> Rc<Self> {
        let clock = Rc::downgrade(&front);
        let now = move || clock.upgrade().map(|front| front.timers.real());
        Rc::new(Self {
            idle: IdlePool::swept(front.shared.registry.clone(), now),
            front,
            limits: RESPONSE_LIMITS,
        })
    }

    /// Now, for latencies.
    pub(super) fn precise_now() -> Instant {
        Instant::now()
    }
}

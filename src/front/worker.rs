//! What one worker thread has for all its wire connections: one read buffer, one table of header lines, one clock, and
//! the idle connections to backends. Nothing of it is held while a connection waits, so one of each is enough, and
//! 5,000 idle connections cost no buffers.

use std::{
    cell::{Cell, RefCell, RefMut},
    ops::Deref,
    rc::Rc,
    sync::Arc,
    time::{Instant, SystemTime},
};

use lb_core::{config::Config, pool::Snapshot};
use lb_wire::{Limits, Lines};

use super::timer::{TICK, Timers};
use crate::{proxy::Worker, upstream::IdlePool};

/// Bytes of a read, and with that of the write that passes them on: a little less than the kernel puts into one segment
/// (64 KiB). Of a longer write a second segment is left, which has to wait for a timer where the kernel paces what it sends
/// (as it does with BBR): long bodies cost half as much again.
pub(super) const A_READ: usize = 60 * 1024;

/// Heads of answers: twice what the strictest clients of today take.
const ANSWER_LIMITS: Limits = Limits {
    head_bytes: 64 * 1024,
    header_count: 200,
    target_bytes: 0,
};

/// A worker of the wire lane.
pub(super) struct WireWorker {
    pub(super) shared: Worker,
    pub(super) timers: Rc<Timers>,
    pub(super) idle: IdlePool,
    pub(super) limits: Limits,
    scratch: RefCell<Box<[u8]>>,
    lines: RefCell<Lines>,
    date: Cell<(Instant, [u8; 29])>,
    spare: RefCell<Vec<Vec<u8>>>,
    config: RefCell<Rc<KeptConfig>>,
}

/// A configuration that the requests of one worker hold. Who holds it is counted by that worker alone: a count that all
/// workers share would have to be fetched from another core for each request.
pub(super) struct KeptConfig(Arc<Config>);

impl Deref for KeptConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

/// Outgoing buffers that are kept for the next request.
const SPARE_BUFFERS: usize = 64;

/// A spare buffer that grew larger is not kept.
const SPARE_CAPACITY: usize = 16 * 1024;

impl WireWorker {
    /// A worker whose sweep runs until it is dropped.
    pub(super) fn start(shared: Worker) -> Rc<Self> {
        let timers = Timers::new();
        let date = Cell::new((timers.now(), date_of(SystemTime::now())));
        let config = Rc::new(KeptConfig(Arc::clone(shared.registry.snapshot().config())));
        let worker = Rc::new(Self {
            shared,
            timers,
            idle: IdlePool::default(),
            limits: ANSWER_LIMITS,
            scratch: RefCell::new(vec![0; A_READ].into()),
            lines: RefCell::new(Lines::new()),
            date,
            spare: RefCell::default(),
            config: RefCell::new(config),
        });
        let weak = Rc::downgrade(&worker);
        actix_rt::spawn(async move {
            let mut sweeps = 0_u32;
            loop {
                tokio::time::sleep(TICK).await;
                let Some(worker) = weak.upgrade() else { return };
                worker.timers.sweep(worker.shared.traffic.is_draining());
                sweeps = sweeps.wrapping_add(1);
                if sweeps.is_multiple_of(10) {
                    worker.sweep_idle();
                }
            }
        });
        worker
    }

    /// Closes idle connections that are too old, or whose backend was removed.
    fn sweep_idle(&self) {
        self.idle
            .sweep(self.timers.now(), &self.shared.registry.snapshot());
    }

    /// The read buffer. Its content is good until the task that filled it returns to the runtime.
    pub(super) fn scratch(&self) -> RefMut<'_, Box<[u8]>> {
        self.scratch.borrow_mut()
    }

    /// The header lines of the head that was parsed last, good as long.
    pub(super) fn lines(&self) -> RefMut<'_, Lines> {
        self.lines.borrow_mut()
    }

    /// The configuration of a snapshot, to keep.
    pub(super) fn config(&self, snapshot: &Snapshot) -> Rc<KeptConfig> {
        let mut last = self.config.borrow_mut();
        if !Arc::ptr_eq(&last.0, snapshot.config()) {
            *last = Rc::new(KeptConfig(Arc::clone(snapshot.config())));
        }
        Rc::clone(&last)
    }

    /// The value of `Date` as it was at the last sweep.
    pub(super) fn date(&self) -> [u8; 29] {
        let (at, text) = self.date.get();
        let now = self.timers.now();
        if at == now {
            return text;
        }
        let fresh = date_of(SystemTime::now());
        self.date.set((now, fresh));
        fresh
    }

    /// An empty buffer for an outgoing head.
    pub(super) fn take_buffer(&self) -> Vec<u8> {
        self.spare
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(512))
    }

    /// Gives a buffer back.
    pub(super) fn give_buffer(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_CAPACITY {
            buffer.clear();
            spare.push(buffer);
        }
    }

    /// Now, for latencies.
    pub(super) fn precise_now() -> Instant {
        Instant::now()
    }

    pub(super) fn traffic(&self) -> &Arc<crate::telemetry::Traffic> {
        &self.shared.traffic
    }
}

fn date_of(now: SystemTime) -> [u8; 29] {
    let mut text = [b' '; 29];
    let formatted = httpdate::fmt_http_date(now);
    if formatted.len() == text.len() {
        text.copy_from_slice(formatted.as_bytes());
    }
    text
}

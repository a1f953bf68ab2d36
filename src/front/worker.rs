//! What one worker thread has for all connections of clients: one read buffer, one table of header lines, one clock.
//! Nothing of it is held while a connection waits, so one of each is enough, and 5,000 idle connections cost no buffers.

use std::{
    cell::{Cell, RefCell, RefMut},
    ops::Deref,
    rc::Rc,
    sync::Arc,
    time::{Instant, SystemTime},
};

use lb_core::{config::Config, pool::Snapshot};
use lb_wire::Lines;

use super::timer::{self, Timers};
use crate::proxy::Worker;

/// Bytes of a read, and with that of the write that passes them on: a little less than the kernel puts into one segment
/// (64 KiB). Of a longer write a second segment is left, which has to wait for a timer where the kernel paces what it sends
/// (as it does with BBR): long bodies cost half as much again.
pub(crate) const READ_SIZE: usize = 60 * 1024;

/// A worker as its fronts have it.
pub struct FrontWorker {
    pub(crate) shared: Worker,
    pub(crate) timers: Rc<Timers>,
    scratch: RefCell<Box<[u8]>>,
    lines: RefCell<Lines>,
    date: Cell<(Instant, [u8; 29])>,
    spare: RefCell<Vec<Vec<u8>>>,
    config: RefCell<Rc<KeptConfig>>,
}

/// A configuration that the requests of one worker hold. Who holds it is counted by that worker alone: a count that all
/// workers share would have to be fetched from another core for each request.
pub(crate) struct KeptConfig(Arc<Config>);

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

impl FrontWorker {
    /// A worker whose sweep runs until it is dropped.
    pub(crate) fn start(shared: Worker) -> Rc<Self> {
        let timers = Timers::new();
        let date = Cell::new((timers.now(), date_of(SystemTime::now())));
        let config = Rc::new(KeptConfig(Arc::clone(shared.registry.snapshot().config())));
        let worker = Rc::new(Self {
            shared,
            timers,
            scratch: RefCell::new(vec![0; READ_SIZE].into()),
            lines: RefCell::new(Lines::new()),
            date,
            spare: RefCell::default(),
            config: RefCell::new(config),
        });
        let weak = Rc::downgrade(&worker);
        actix_rt::spawn(async move {
            loop {
                timer::tick().await;
                let Some(worker) = weak.upgrade() else { return };
                worker.timers.sweep(worker.shared.traffic.is_draining());
                worker.shared.records.refresh();
                worker.shared.failures.say_left_out(worker.timers.real());
            }
        });
        worker
    }

    /// The read buffer. Its content is good until the task that filled it returns to the runtime.
    pub(crate) fn scratch(&self) -> RefMut<'_, Box<[u8]>> {
        self.scratch.borrow_mut()
    }

    /// The header lines of the head that was parsed last, good as long.
    pub(crate) fn lines(&self) -> RefMut<'_, Lines> {
        self.lines.borrow_mut()
    }

    /// The configuration of a snapshot, to keep.
    pub(crate) fn config(&self, snapshot: &Snapshot) -> Rc<KeptConfig> {
        let mut last = self.config.borrow_mut();
        if !Arc::ptr_eq(&last.0, snapshot.config()) {
            *last = Rc::new(KeptConfig(Arc::clone(snapshot.config())));
        }
        Rc::clone(&last)
    }

    /// The value of `Date` as it was at the last sweep.
    pub(crate) fn date(&self) -> [u8; 29] {
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
    pub(crate) fn take_buffer(&self) -> Vec<u8> {
        self.spare
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(512))
    }

    /// Gives a buffer back.
    pub(crate) fn give_buffer(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_CAPACITY {
            buffer.clear();
            spare.push(buffer);
        }
    }

    /// What is counted of requests.
    pub(crate) fn traffic(&self) -> &Arc<crate::telemetry::Traffic> {
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

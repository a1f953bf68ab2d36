//! Who gets the facts of requests that have ended: any number of sinks, which come and go while requests are carried.
//!
//! Each worker keeps the set of sinks as it saw it last, and looks at one number that all workers only read to see whether there
//! is a newer one. So a sink that is off costs a request nothing but that look.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::record::{Needs, RecordSink, RequestFacts};

/// The sinks that there can be, in the order in which they are told. One of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// What tests read.
    Test,
    /// The access log.
    AccessLog,
}

/// The sinks of an instance.
#[derive(Default)]
pub struct Sinks {
    /// Grows with each change.
    version: AtomicU64,
    slots: Mutex<BTreeMap<Slot, Arc<dyn RecordSink>>>,
}

/// The sinks as they were at one moment.
pub(super) struct SinkSet {
    sinks: Vec<Arc<dyn RecordSink>>,
    /// What any of them needs.
    pub(super) needs: Needs,
}

impl Sinks {
    /// Puts a sink into its slot, or takes the one there out. Holds for requests that end from now on, of those that have begun
    /// meanwhile as far as their facts were noted.
    pub fn set(&self, slot: Slot, sink: Option<Arc<dyn RecordSink>>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        match sink {
            Some(sink) => slots.insert(slot, sink),
            None => slots.remove(&slot),
        };
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Which set this is.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The set, and its version; `None` if it is empty.
    pub(super) fn current(&self) -> (u64, Option<SinkSet>) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version();
        let sinks: Vec<_> = slots.values().cloned().collect();
        let set = (!sinks.is_empty()).then(|| SinkSet {
            needs: Needs::of_all(sinks.iter().map(|sink| sink.needs())),
            sinks,
        });
        (version, set)
    }
}

impl SinkSet {
    /// Tells all of them.
    pub(super) fn ended(&self, worker: usize, facts: &RequestFacts) {
        for sink in &self.sinks {
            sink.ended(worker, facts);
        }
    }
}

//! What a person has ordered for a backend, in the file or live. It outranks whatever is observed.

use std::time::Instant;

/// A person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admin {
    /// As the other rules have it.
    #[default]
    Serving,
    /// No new requests; those in flight finish, and probes go on.
    Draining(Drain),
    /// No requests and no probes.
    Maintenance,
}

/// A backend on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drain {
    /// When somebody looked and found nothing in flight any more: that is its end, and whatever was still let through to
    /// this backend (a client that a cookie ties to it) goes elsewhere from then on.
    pub done: Option<Instant>,
}

impl Admin {
    /// The order of the file. Maintenance is the stronger one.
    pub fn configured(drain: bool, maintenance: bool) -> Self {
        match (maintenance, drain) {
            (true, _) => Self::Maintenance,
            (false, true) => Self::Draining(Drain::default()),
            (false, false) => Self::Serving,
        }
    }

    /// Whether it is the same order, however far it has come.
    pub fn is_same_order(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Notes how much is in flight. `true` when a drain has come to its end with it.
    pub fn observe(&mut self, in_flight: u64, now: Instant) -> bool {
        let Self::Draining(drain) = self else {
            return false;
        };
        let ends = in_flight == 0 && drain.done.is_none();
        if ends {
            drain.done = Some(now);
        }
        ends
    }

    /// When a drain came to its end.
    pub fn drained(&self) -> Option<Instant> {
        match self {
            Self::Draining(drain) => drain.done,
            Self::Serving | Self::Maintenance => None,
        }
    }
}

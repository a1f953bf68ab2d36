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
    /// When the order expires by itself; `None`: when somebody takes it back.
    pub until: Option<Instant>,
    /// Nothing was in flight any more when somebody last looked.
    pub done: bool,
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
        match (self, other) {
            (Self::Draining(this), Self::Draining(that)) => this.until == that.until,
            (this, that) => this == that,
        }
    }

    /// Notes how much is in flight. `true` when a drain has come to its end with it.
    pub fn observe(&mut self, in_flight: u64) -> bool {
        let Self::Draining(drain) = self else {
            return false;
        };
        let ends = in_flight == 0 && !drain.done;
        drain.done |= in_flight == 0;
        ends
    }
}

//! What comes out of a [`Roster`](super::Roster): facts to log, and orders for those who have clocks and connections.

use std::{sync::Arc, time::Duration};

use crate::{
    config::{AllDown, HealthCheck},
    health::Ruling,
    live::{Expired, Live, Wish},
    pool::{Backend, Identity},
    status::HealthStatus,
};

/// Something that happened, or that has to be done because of it. The order of events is the order to carry them out in.
#[derive(Debug, Clone)]
pub enum Event {
    /// The snapshot shows something else than the published one.
    Publish(When),
    /// Probe this backend. It had no checker before.
    StartChecker {
        /// The backend.
        backend: Arc<Backend>,
        /// How it is probed; `None`: it is not, only its name is kept resolved.
        check: Option<Arc<HealthCheck>>,
    },
    /// The backend with this number is not to be probed any more, or not in that way.
    StopChecker {
        /// The backend's number.
        backend: u64,
    },
    /// Call [`Roster::judge_again`](super::Roster::judge_again) for this pool after that time.
    JudgeAgain {
        /// The pool's name.
        pool: Arc<str>,
        /// How long to wait.
        after: Duration,
    },
    /// Call [`Roster::watch_drains`](super::Roster::watch_drains) after that time: a drain has begun, and may be done.
    WatchDrains {
        /// How long to wait.
        after: Duration,
    },
    /// What probes say of a backend has changed.
    Transition {
        /// The backend.
        backend: Identity,
        /// What they say now: up or down.
        probed: HealthStatus,
        /// Its health with that.
        health: HealthStatus,
        /// What the last probe found: `200 OK`, `connection refused`, …
        detail: String,
    },
    /// A probe could not be made for want of a file descriptor, so nothing was learned of the backend.
    NotProbed {
        /// The backend.
        backend: Identity,
        /// The error.
        detail: String,
    },
    /// Traffic has ejected a backend, spared it or let it back.
    Ruled {
        /// The backend.
        backend: Identity,
        /// What was decided.
        ruling: Ruling,
        /// Its health with that.
        health: HealthStatus,
    },
    /// A draining backend has nothing in flight any more.
    Drained {
        /// The backend.
        backend: Identity,
    },
    /// A live change was made.
    Changed {
        /// The backend.
        backend: Identity,
        /// What was wished.
        wish: Wish,
        /// What holds with that.
        live: Live,
        /// For how long; `None`: until it is taken back.
        lasts: Option<Duration>,
        /// Requests and tunnels at the backend at that moment.
        in_flight: u64,
    },
    /// A backend was added live, or its removal taken back.
    Added {
        /// The backend.
        backend: Identity,
        /// For how long; `None`: until it is removed.
        lasts: Option<Duration>,
    },
    /// A backend was removed live.
    Removed {
        /// The backend.
        backend: Identity,
        /// For how long; `None`: until it is added again.
        lasts: Option<Duration>,
        /// Requests and tunnels at the backend at that moment.
        in_flight: u64,
    },
    /// A live addition or removal came to its end.
    MembershipOver {
        /// The backend.
        backend: Identity,
        /// Whether it had been added.
        was_added: bool,
    },
    /// Live changes came to their end.
    Expired {
        /// The backend.
        backend: Identity,
        /// Which of them.
        expired: Expired,
        /// What holds without them.
        live: Live,
    },
    /// Something changed, and no backend of this pool is up.
    NoneIsUp {
        /// The pool's name.
        pool: Arc<str>,
        /// What becomes of its requests.
        all_down: AllDown,
    },
    /// A checker ended that nobody had stopped.
    CheckerLost {
        /// Its backend.
        backend: Identity,
    },
}

/// How soon a change has to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the one who asked for it gets a reply.
    Now,
    /// Within some 50 ms: of thousands of backends that change at once, each must not make a snapshot of its own.
    Soon,
}

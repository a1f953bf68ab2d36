//! What a request tells the pool when it asks for a backend, and why there may be none.

use std::time::Instant;

use super::Backend;
use crate::sticky::StickyId;

/// What a request tells the pool when it asks for a backend.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The worker that asks; its shard counts the request.
    pub worker: usize,
    /// When it asks.
    pub now: Instant,
    /// 64 random bits, the same for all attempts of the request.
    pub random: u64,
    /// The hash of what the pool's strategy tells requests apart by; `None` if the request has no such thing.
    pub key: Option<u64>,
    /// The backend that the client was told to come back to.
    pub sticky: Option<StickyId>,
    /// The backends that this request has been sent to already.
    pub tried: &'a Tried,
}

/// The backends that one request has tried.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried {
    ids: [u64; Tried::MOST],
    len: usize,
}

impl Tried {
    /// As many attempts as the configuration may allow: 10 retries and the first.
    pub const MOST: usize = 11;

    /// Notes an attempt. Beyond [`Tried::MOST`] the oldest is forgotten.
    pub fn add(&mut self, backend: &Backend) {
        self.ids[self.len % Self::MOST] = backend.id();
        self.len += 1;
    }

    /// How many attempts there were.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether this is the first attempt.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the same backends were tried, in whatever order.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let known = |ids: &[u64], others: &[u64]| ids.iter().all(|id| others.contains(id));
        known(self.ids(), other.ids()) && known(other.ids(), self.ids())
    }

    fn ids(&self) -> &[u64] {
        &self.ids[..self.len.min(Self::MOST)]
    }

    pub(super) fn contains(&self, backend: &Backend) -> bool {
        self.ids().contains(&backend.id())
    }
}

/// Why there is no backend for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBackend {
    /// The pool has none that may get requests.
    #[error("no backend of the pool may get requests")]
    NoneEligible,
    /// All that may get requests, and were not tried yet, hold as many as they may.
    #[error("every backend of the pool holds max_connections requests")]
    Saturated,
    /// The same, and as many requests wait as may.
    #[error("every backend of the pool holds max_connections requests, and the queue is full")]
    QueueFull,
    /// The same, and for so long that the request's wait in the queue is over.
    #[error("every backend of the pool holds max_connections requests, and the wait in the queue is over")]
    QueueTimedOut,
    /// The request has tried all there are.
    #[error("every backend of the pool has been tried")]
    AllTried,
}

//! What a route may have otherwise than its pool.

use std::time::Duration;

use super::{Retries, UpstreamTimeouts};

/// Timeouts of a route; `None`: as the pool has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeoutOverrides {
    /// `connect`
    pub connect: Option<Duration>,
    /// `response_idle`
    pub response_idle: Option<Duration>,
    /// `body_stall`
    pub body_stall: Option<Duration>,
    /// `tunnel_idle`
    pub tunnel_idle: Option<Duration>,
    /// `request`, which may be none.
    pub request: Option<Option<Duration>>,
}

impl TimeoutOverrides {
    /// The pool's timeouts with these in their place.
    pub fn over(&self, pool: &UpstreamTimeouts) -> UpstreamTimeouts {
        UpstreamTimeouts {
            connect: self.connect.unwrap_or(pool.connect),
            response_idle: self.response_idle.unwrap_or(pool.response_idle),
            body_stall: self.body_stall.unwrap_or(pool.body_stall),
            tunnel_idle: self.tunnel_idle.unwrap_or(pool.tunnel_idle),
            request: self.request.unwrap_or(pool.request),
            ..*pool
        }
    }
}

/// Retries of a route; `None`: as the pool has it. The budget is the pool's own, which it protects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryOverrides {
    /// `attempts`
    pub attempts: Option<u32>,
    /// `statuses`
    pub statuses: Option<Vec<u16>>,
}

impl RetryOverrides {
    /// The pool's retries with these in their place.
    pub fn over(&self, pool: &Retries) -> Retries {
        Retries {
            attempts: self.attempts.unwrap_or(pool.attempts),
            statuses: self.statuses.clone().unwrap_or_else(|| pool.statuses.clone()),
            ..pool.clone()
        }
    }
}

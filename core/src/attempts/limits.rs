//! Which timeout ends a wait. Decided here for both lanes and for the simulation: whoever is waited for has a timeout of its
//! own, and `timeouts.request` bounds them all. Where both end at the same time it is the own one, which says more.

use std::time::{Duration, Instant};

use super::Cause;
use crate::config::UpstreamTimeouts;

/// Which timeout it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// `timeouts.connect`
    Connect,
    /// `timeouts.response_idle`
    ResponseIdle,
    /// `timeouts.body_stall`
    BodyStall,
    /// `timeouts.request`
    Request,
}

impl TimeLimit {
    /// The key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::Connect => "timeouts.connect",
            Self::ResponseIdle => "timeouts.response_idle",
            Self::BodyStall => "timeouts.body_stall",
            Self::Request => "timeouts.request",
        }
    }

    /// Why an attempt has failed whose wait it has ended.
    pub fn cause(self) -> Cause {
        match self {
            Self::Connect => Cause::Connect,
            Self::ResponseIdle => Cause::Silence,
            Self::BodyStall => Cause::Client,
            Self::Request => Cause::Deadline,
        }
    }
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// A connection to a backend.
    Connection,
    /// The backend: that it takes the request, or goes on with its response.
    Backend,
    /// The client: that it goes on with its body, or takes the response.
    Client,
}

/// When a whole request must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// Its time.
    pub at: Instant,
    /// How long that is from the request's start: `timeouts.request`.
    pub after: Duration,
}

/// What ends a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitEnd {
    /// When.
    pub at: Instant,
    /// By which timeout.
    pub limit: TimeLimit,
    /// How long that is.
    pub after: Duration,
}

impl Deadline {
    /// Of a request that has begun then, which is asked only where there is a cap.
    pub fn of(timeouts: &UpstreamTimeouts, begun: impl FnOnce() -> Instant) -> Option<Self> {
        let after = timeouts.request?;
        Some(Self {
            at: begun() + after,
            after,
        })
    }
}

impl Awaited {
    /// What ends the wait, where nothing has moved since then.
    #[inline]
    pub fn ends(self, timeouts: &UpstreamTimeouts, since: Instant, deadline: Option<Deadline>) -> WaitEnd {
        let (limit, after) = match self {
            Self::Connection => (TimeLimit::Connect, timeouts.connect),
            Self::Backend => (TimeLimit::ResponseIdle, timeouts.response_idle),
            Self::Client => (TimeLimit::BodyStall, timeouts.body_stall),
        };
        let at = since + after;
        match deadline {
            Some(deadline) if deadline.at < at => WaitEnd {
                at: deadline.at,
                limit: TimeLimit::Request,
                after: deadline.after,
            },
            _ => WaitEnd { at, limit, after },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// `key after` for a wait that began five seconds after its request.
    fn ends(awaited: Awaited, request: Option<Duration>) -> String {
        let timeouts = UpstreamTimeouts {
            connect: SECOND,
            response_idle: SECOND * 2,
            body_stall: SECOND * 3,
            request,
            ..UpstreamTimeouts::default()
        };
        let begun = Instant::now();
        let end = awaited.ends(&timeouts, begun + SECOND * 5, Deadline::of(&timeouts, || begun));
        let at = (end.at - begun).as_secs();
        format!("{} {} at {at}", end.limit.key(), end.after.as_secs())
    }

    #[test]
    fn each_wait_has_a_timeout_of_its_own() {
        for (awaited, expected) in [
            (Awaited::Connection, "timeouts.connect 1 at 6"),
            (Awaited::Backend, "timeouts.response_idle 2 at 7"),
            (Awaited::Client, "timeouts.body_stall 3 at 8"),
        ] {
            assert_eq!(ends(awaited, None), expected);
            assert_eq!(ends(awaited, Some(SECOND * 60)), expected);
        }
    }

    #[test]
    fn the_cap_on_the_whole_request_bounds_them_all() {
        for awaited in [Awaited::Connection, Awaited::Backend, Awaited::Client] {
            assert_eq!(ends(awaited, Some(SECOND * 5)), "timeouts.request 5 at 5");
        }
        assert_eq!(
            ends(Awaited::Backend, Some(SECOND * 6)),
            "timeouts.request 6 at 6"
        );
        assert_eq!(
            ends(Awaited::Backend, Some(SECOND * 7)),
            "timeouts.response_idle 2 at 7",
            "the own one where both end at once"
        );
    }
}

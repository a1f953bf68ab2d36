//! Which timeout ends a wait, and what that means. Decided here alone, for both lanes, the front and the simulation: they say what
//! a request waits for ([`Wait`]). Each wait has a timeout of its own, and `timeouts.request` bounds them all. Where both end at
//! the same time it is the own one, which says more.

use std::time::{Duration, Instant};

use super::Cause;
use crate::config::{UpstreamTimeouts, format_duration};

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

/// What a timeout means that has ended a wait.
struct Row {
    key: &'static str,
    status: u16,
    reason: &'static str,
    cause: Cause,
}

impl TimeLimit {
    fn row(self) -> Row {
        let row = |key, status, reason, cause| Row {
            key,
            status,
            reason,
            cause,
        };
        match self {
            Self::Connect => row(
                "timeouts.connect",
                504,
                "no backend accepted a connection in time",
                Cause::Connect,
            ),
            Self::ResponseIdle => row(
                "timeouts.response_idle",
                504,
                "the backend did not answer in time",
                Cause::Silence,
            ),
            Self::BodyStall => row(
                "timeouts.body_stall",
                408,
                "the request's body did not arrive in time",
                Cause::Client,
            ),
            Self::Request => row(
                "timeouts.request",
                504,
                "the request took longer than it may",
                Cause::Deadline,
            ),
        }
    }

    /// The key in the configuration.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// The status code for the client.
    pub fn status(self) -> u16 {
        self.row().status
    }

    /// The reason for the client.
    pub fn reason(self) -> &'static str {
        self.row().reason
    }

    /// Why an attempt has failed whose wait it has ended.
    pub fn cause(self) -> Cause {
        self.row().cause
    }
}

/// A timeout as it is configured. Displays as what is logged when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is over ({})", .limit.key(), format_duration(*.after))]
pub struct Timeout {
    /// Which one.
    pub limit: TimeLimit,
    /// How long it is.
    pub after: Duration,
}

/// What a request waits for, as its lane or its front sees it. `since`: nothing has moved since then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A connection to a backend.
    Connection {
        /// When connecting began.
        since: Instant,
    },
    /// That the backend takes the request, or goes on with the head of its response.
    Head {
        /// Of the backend.
        since: Instant,
        /// When all of the request had been sent, or later, for a limit that no progress extends. None while some of it is owed.
        sent: Option<Instant>,
    },
    /// That the backend goes on with the body of its response.
    Body {
        /// Of the backend.
        since: Instant,
    },
    /// That the client goes on with its body.
    Upload {
        /// Of the client.
        since: Instant,
    },
    /// That the client takes the response.
    Reader {
        /// Of the client.
        since: Instant,
    },
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
    pub by: Timeout,
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

impl Timeout {
    /// Of a connection to a backend.
    pub fn connect(timeouts: &UpstreamTimeouts) -> Self {
        Self {
            limit: TimeLimit::Connect,
            after: timeouts.connect,
        }
    }
}

impl Wait {
    /// What ends it.
    #[inline]
    pub fn ends(self, timeouts: &UpstreamTimeouts, deadline: Option<Deadline>) -> WaitEnd {
        let (since, limit, after) = match self {
            Self::Connection { since } => (since, TimeLimit::Connect, timeouts.connect),
            Self::Head { since, .. } | Self::Body { since } => {
                (since, TimeLimit::ResponseIdle, timeouts.response_idle)
            }
            Self::Upload { since } | Self::Reader { since } => {
                (since, TimeLimit::BodyStall, timeouts.body_stall)
            }
        };
        let at = since + after;
        match deadline {
            Some(deadline) if deadline.at < at => WaitEnd {
                at: deadline.at,
                by: Timeout {
                    limit: TimeLimit::Request,
                    after: deadline.after,
                },
            },
            _ => WaitEnd {
                at,
                by: Timeout { limit, after },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Every wait that began then.
    fn waits(since: Instant) -> [Wait; 5] {
        [
            Wait::Connection { since },
            Wait::Head {
                since,
                sent: Some(since - SECOND),
            },
            Wait::Body { since },
            Wait::Upload { since },
            Wait::Reader { since },
        ]
    }

    /// What ends each wait that began five seconds after its request: `key is over (after) at …`
    fn ends(request: Option<Duration>) -> [String; 5] {
        let timeouts = UpstreamTimeouts {
            connect: SECOND,
            response_idle: SECOND * 2,
            body_stall: SECOND * 3,
            request,
            ..UpstreamTimeouts::default()
        };
        let begun = Instant::now();
        waits(begun + SECOND * 5).map(|wait| {
            let end = wait.ends(&timeouts, Deadline::of(&timeouts, || begun));
            format!("{} at {}", end.by, (end.at - begun).as_secs())
        })
    }

    #[test]
    fn each_wait_has_a_timeout_of_its_own() {
        let expected = [
            "timeouts.connect is over (1s) at 6",
            "timeouts.response_idle is over (2s) at 7",
            "timeouts.response_idle is over (2s) at 7",
            "timeouts.body_stall is over (3s) at 8",
            "timeouts.body_stall is over (3s) at 8",
        ];
        assert_eq!(ends(None), expected);
        assert_eq!(ends(Some(SECOND * 60)), expected);
    }

    #[test]
    fn the_cap_on_the_whole_request_bounds_them_all() {
        assert_eq!(ends(Some(SECOND * 5)), ["timeouts.request is over (5s) at 5"; 5]);
        assert_eq!(ends(Some(SECOND * 6))[1], "timeouts.request is over (6s) at 6");
        assert_eq!(
            ends(Some(SECOND * 7))[1],
            "timeouts.response_idle is over (2s) at 7",
            "the own one where both end at once"
        );
    }
}

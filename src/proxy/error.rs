//! Everything that can go wrong with a request, in one table: from error to status, to whose fault it was, to whether
//! another backend may be tried.

use std::{io, time::Duration};

use lb_core::{
    config::{ByteSize, format_duration},
    health::is_out_of_files,
    pool::{NoBackend, Outcome},
    retry::Progress,
    route::ambiguity::Ambiguity,
};

/// How far an attempt had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No connection was made.
    Connecting,
    /// The request was being sent.
    Sending,
    /// The request was sent, the answer's head had not come.
    Waiting,
    /// The answer's body was on its way.
    Answering,
}

impl Phase {
    /// For logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Sending => "sending",
            Self::Waiting => "waiting for the answer",
            Self::Answering => "receiving the answer",
        }
    }
}

/// Whose fault a failure was. Only a backend's own faults are held against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client sent something broken, was too slow, or left.
    Client,
    /// A backend could not be reached, was too slow, or answered nonsense.
    Backend,
    /// The balancer has nothing to send to, or is defective.
    Balancer,
}

/// Which time was up.
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
}

/// Why a request, or one attempt of it, failed.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No connection to the backend.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No connection, because this process or machine has no file descriptor left.
    #[error("no file descriptor left: {0}")]
    OutOfFiles(String),
    /// The connection ended before an answer.
    #[error("connection closed without an answer")]
    Closed,
    /// The connection failed before an answer.
    #[error("connection failed: {0}")]
    Io(String),
    /// The answer is not HTTP, or a form of it that is refused.
    #[error("unusable answer: {0}")]
    BadAnswer(String),
    /// The answer ended before it was complete.
    #[error("answer cut short after {received} bytes")]
    CutShort {
        /// Bytes of the body that had come.
        received: u64,
    },
    /// An answer whose status is in `retries.statuses`.
    #[error("answered {0}, which is to be retried")]
    RetriedStatus(u16),
    /// A time was up.
    #[error("{} is over ({})", .limit.key(), format_duration(*.after))]
    TimedOut {
        /// Which one.
        limit: TimeLimit,
        /// How long it was.
        after: Duration,
    },
    /// The client's body is malformed, or ended before it was complete.
    #[error("the client's body is broken: {0}")]
    ClientBody(String),
    /// No route is meant for it.
    #[error("no route matches the request")]
    NoRoute,
    /// A path that a backend may read differently than the routes do.
    #[error("the request's path is ambiguous: {0:?}")]
    AmbiguousPath(Ambiguity),
    /// A host that a backend may read differently than the routes do.
    #[error("the request's host can be read in two ways")]
    AmbiguousHost,
    /// A redirect needs the host that the client asked for, and there is none.
    #[error("the request names no host")]
    NoHost,
    /// A target that cannot be forwarded.
    #[error("the request's target cannot be forwarded")]
    BadTarget,
    /// The client's body is larger than `limits.body_size`.
    #[error("the client's body is larger than limits.body_size, {0}")]
    BodyTooLarge(ByteSize),
    /// There is no backend to send to.
    #[error(transparent)]
    NoBackend(#[from] NoBackend),
}

/// One row of the table.
struct Row {
    status: u16,
    reason: &'static str,
    fault: Fault,
    progress: Progress,
}

impl ProxyError {
    fn row(&self) -> Row {
        use Fault::{Backend, Balancer, Client};
        use Progress::{Answered, NotSent, Sent};
        let row = |status, reason, fault, progress| Row {
            status,
            reason,
            fault,
            progress,
        };
        match self {
            Self::Connect(_) => row(502, "no backend could be reached", Backend, NotSent),
            Self::OutOfFiles(_) => row(503, "the load balancer is out of connections", Balancer, NotSent),
            Self::Closed => row(
                502,
                "the backend closed the connection without an answer",
                Backend,
                Sent,
            ),
            Self::Io(_) => row(502, "the connection to the backend failed", Backend, Sent),
            Self::BadAnswer(_) => row(502, "the backend's answer could not be understood", Backend, Sent),
            Self::CutShort { .. } => row(502, "the backend's answer was cut short", Backend, Answered),
            Self::RetriedStatus(_) => row(502, "the backend answered with an error", Backend, Sent),
            Self::TimedOut { limit, .. } => match limit {
                TimeLimit::Connect => row(504, "no backend accepted a connection in time", Backend, NotSent),
                TimeLimit::ResponseIdle => row(504, "the backend did not answer in time", Backend, Sent),
                TimeLimit::BodyStall => {
                    row(408, "the request's body did not arrive in time", Client, Answered)
                }
                TimeLimit::Request => row(504, "the request took longer than it may", Backend, Answered),
            },
            Self::ClientBody(_) => row(
                400,
                "the request's body is malformed or incomplete",
                Client,
                Answered,
            ),
            Self::NoRoute => row(404, "no route matches the request", Client, Answered),
            Self::AmbiguousPath(Ambiguity::DotSegment) => {
                row(400, "the request's path has dot segments", Client, Answered)
            }
            Self::AmbiguousPath(Ambiguity::EncodedSlash) => {
                row(400, "the request's path has encoded slashes", Client, Answered)
            }
            Self::AmbiguousHost => row(
                400,
                "the request's host can be read in two ways",
                Client,
                Answered,
            ),
            Self::NoHost => row(400, "the request names no host", Client, Answered),
            Self::BadTarget => row(400, "the request's target cannot be forwarded", Client, Answered),
            Self::BodyTooLarge(_) => row(413, "the request's body is larger than allowed", Client, Answered),
            Self::NoBackend(NoBackend::NoneEligible) => {
                row(503, "no backend is ready for requests", Balancer, Answered)
            }
            Self::NoBackend(NoBackend::Saturated) => row(503, "all backends are busy", Balancer, Answered),
            Self::NoBackend(NoBackend::AllTried) => row(502, "no backend answered", Balancer, Answered),
        }
    }

    /// Why a connection to a backend was not made; `limit` is what ends a wait for one.
    pub fn connecting(error: &io::Error, (limit, after): (TimeLimit, Duration)) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TimedOut { limit, after },
            _ if is_out_of_files(error) => Self::OutOfFiles(error.to_string()),
            _ => Self::Connect(error.to_string()),
        }
    }

    /// The status for the client.
    pub fn status(&self) -> u16 {
        self.row().status
    }

    /// The reason for the client; it names no backend.
    pub fn reason(&self) -> &'static str {
        self.row().reason
    }

    /// Whose fault it was.
    pub fn fault(&self) -> Fault {
        self.row().fault
    }

    /// How far the attempt had come, which decides whether another is right.
    pub fn progress(&self) -> Progress {
        self.row().progress
    }

    /// What the backend's lease ends with. `its_turn`: nothing but its answer was still waited for, so that a cap on the
    /// whole request was used up by it, and not by a client that was slow to send or to read.
    pub fn outcome(&self, its_turn: bool) -> Outcome {
        match self {
            Self::RetriedStatus(_) => Outcome::Rejected,
            Self::TimedOut {
                limit: TimeLimit::Request,
                ..
            } if !its_turn => Outcome::Abandoned,
            _ if self.fault() == Fault::Backend => Outcome::BackendFailed,
            _ => Outcome::Abandoned,
        }
    }

    /// Whether the connection broke without any answer, as a kept-alive one does that the backend has just closed.
    pub fn is_broken_connection(&self) -> bool {
        matches!(self, Self::Closed | Self::Io(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_the_status_that_clients_expect() {
        let timeout = |limit| ProxyError::TimedOut {
            limit,
            after: Duration::from_secs(1),
        };
        let table = [
            (ProxyError::Connect("refused".into()), 502, Fault::Backend),
            (ProxyError::Closed, 502, Fault::Backend),
            (ProxyError::NoBackend(NoBackend::AllTried), 502, Fault::Balancer),
            (
                ProxyError::NoBackend(NoBackend::NoneEligible),
                503,
                Fault::Balancer,
            ),
            (ProxyError::NoBackend(NoBackend::Saturated), 503, Fault::Balancer),
            (timeout(TimeLimit::Connect), 504, Fault::Backend),
            (timeout(TimeLimit::ResponseIdle), 504, Fault::Backend),
            (timeout(TimeLimit::Request), 504, Fault::Backend),
            (timeout(TimeLimit::BodyStall), 408, Fault::Client),
            (ProxyError::ClientBody("gone".into()), 400, Fault::Client),
            (ProxyError::NoRoute, 404, Fault::Client),
            (ProxyError::NoHost, 400, Fault::Client),
            (
                ProxyError::AmbiguousPath(Ambiguity::DotSegment),
                400,
                Fault::Client,
            ),
            (
                ProxyError::AmbiguousPath(Ambiguity::EncodedSlash),
                400,
                Fault::Client,
            ),
        ];
        for (error, status, fault) in table {
            assert_eq!((error.status(), error.fault()), (status, fault), "{error}");
        }
    }

    #[test]
    fn a_backend_is_blamed_for_its_own_faults_only() {
        let timeout = |limit| ProxyError::TimedOut {
            limit,
            after: Duration::from_secs(1),
        };
        let outcome = |error: ProxyError| (error.outcome(true), error.outcome(false));
        let (failed, abandoned) = (Outcome::BackendFailed, Outcome::Abandoned);
        assert_eq!(outcome(ProxyError::Connect("refused".into())), (failed, failed));
        assert_eq!(
            outcome(ProxyError::OutOfFiles("EMFILE".into())),
            (abandoned, abandoned)
        );
        assert_eq!(
            outcome(ProxyError::ClientBody("gone".into())),
            (abandoned, abandoned)
        );
        assert_eq!(outcome(timeout(TimeLimit::BodyStall)), (abandoned, abandoned));
        assert_eq!(outcome(timeout(TimeLimit::ResponseIdle)), (failed, failed));
        assert_eq!(outcome(timeout(TimeLimit::Request)), (failed, abandoned));
        assert_eq!(outcome(ProxyError::RetriedStatus(404)).0, Outcome::Rejected);
    }

    #[test]
    fn a_timeout_names_its_key() {
        let error = ProxyError::TimedOut {
            limit: TimeLimit::ResponseIdle,
            after: Duration::from_secs(60),
        };
        assert_eq!(error.to_string(), "timeouts.response_idle is over (1m)");
    }
}

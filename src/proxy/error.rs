//! Every error that clients are sent, in one table: from error to status code, to reason, to the level of its line in the log, and
//! to its cause, by which [`lb_core::attempts`] decides what comes next and whose fault it was.

use std::{borrow::Cow, io};

use lb_core::{
    attempts::{Cause, Fault, Timeout},
    config::ByteSize,
    health::is_out_of_files,
    pool::NoBackend,
    route::{Unrouted, ambiguity::Ambiguity},
};
use lb_wire::RequestError;
use log::Level;

use crate::upstream::OwnListener;

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

/// Why a request, or one attempt of it, failed.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No connection to the backend.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No connection, because this process or machine has no file descriptor left.
    #[error("no file descriptor left: {0}")]
    OutOfFiles(String),
    /// The backend is this balancer itself.
    #[error("{0}")]
    OwnListener(#[source] OwnListener),
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
    #[error(transparent)]
    TimedOut(#[from] Timeout),
    /// The client's body is malformed, or ended before it was complete.
    #[error("the client's body is broken: {0}")]
    ClientBody(String),
    /// More connections than `limits.connections` or `limits.connections_per_client`.
    #[error("more connections than limits.connections or limits.connections_per_client")]
    TooManyConnections,
    /// The head is no request, or an ambiguous one.
    #[error("the request's head is refused: {0}")]
    BadHead(#[from] RequestError),
    /// The head did not come to its end within `timeouts.request_header`.
    #[error("timeouts.request_header is over")]
    SlowHead,
    /// CONNECT.
    #[error("the method is CONNECT")]
    ConnectMethod,
    /// TRACE without `trace: on`.
    #[error("the method is TRACE, and `trace` is off")]
    TraceMethod,
    /// A target of https over a connection of http.
    #[error("the request's target is https, and the connection is not")]
    Misdirected,
    /// It came through this balancer before.
    #[error("the request came through here before: see `via`")]
    Loop,
    /// It has no route.
    #[error(transparent)]
    Unrouted(#[from] Unrouted),
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
    reason: Cow<'static, str>,
    why: Why,
    /// Of the line that says it. The lines of a worker are limited, see [`super::FailureLog`].
    level: Level,
    /// In how many seconds it is worth to ask again, where the client is told so (RFC 9110 section 15.6.4).
    retry_after: Option<u32>,
}

/// What failed.
enum Why {
    /// An attempt.
    Attempt(Cause),
    /// The request, before or after all attempts, by this side's fault.
    Request(Fault),
}

impl ProxyError {
    fn row(&self) -> Row {
        use Cause::{Broken, Client, Connect, OutOfFiles, Response};
        let row = |status, reason: &'static str, why, level| Row {
            status,
            reason: reason.into(),
            why,
            level,
            retry_after: None,
        };
        let later = |row| Row {
            retry_after: Some(1),
            ..row
        };
        let attempt = |status, reason, cause| match cause {
            Client => row(status, reason, Why::Attempt(cause), Level::Debug),
            _ => row(status, reason, Why::Attempt(cause), Level::Warn),
        };
        let refused = |status, reason| row(status, reason, Why::Request(Fault::Client), Level::Debug);
        let failed = |status, reason| row(status, reason, Why::Request(Fault::Balancer), Level::Warn);
        match self {
            Self::Connect(_) => attempt(502, "no backend could be reached", Connect),
            Self::OutOfFiles(_) => later(attempt(
                503,
                "the load balancer is out of connections",
                OutOfFiles,
            )),
            Self::OwnListener(_) => {
                attempt(508, "the backend is the load balancer itself", Cause::OwnListener)
            }
            Self::Closed => attempt(502, "the backend closed the connection without an answer", Broken),
            Self::Io(_) => attempt(502, "the connection to the backend failed", Broken),
            Self::BadAnswer(_) => attempt(502, "the backend's answer could not be understood", Response),
            Self::CutShort { .. } => attempt(502, "the backend's answer was cut short", Broken),
            Self::RetriedStatus(_) => attempt(502, "the backend answered with an error", Response),
            Self::TimedOut(Timeout { limit, .. }) => attempt(limit.status(), limit.reason(), limit.cause()),
            Self::ClientBody(_) => attempt(400, "the request's body is malformed or incomplete", Client),
            Self::BodyTooLarge(_) => attempt(413, "the request's body is larger than allowed", Client),
            Self::TooManyConnections => later(failed(503, "too many connections")),
            Self::BadHead(error) => Row {
                reason: error.to_string().into(),
                ..refused(status_of(*error), "")
            },
            Self::SlowHead => refused(408, "the request's head did not arrive in time"),
            Self::ConnectMethod => refused(405, "CONNECT is not allowed here"),
            Self::TraceMethod => refused(405, "TRACE is not allowed here"),
            Self::Misdirected => refused(421, "the request's target is https, and the connection is not"),
            Self::Loop => Row {
                level: Level::Warn,
                ..refused(508, "the request came through here before (Via)")
            },
            Self::Unrouted(Unrouted::NoMatch) => refused(404, "no route matches the request"),
            Self::Unrouted(Unrouted::AmbiguousPath(Ambiguity::DotSegment)) => {
                refused(400, "the request's path has dot segments")
            }
            Self::Unrouted(Unrouted::AmbiguousPath(Ambiguity::EncodedSlash)) => {
                refused(400, "the request's path has encoded slashes")
            }
            Self::Unrouted(Unrouted::AmbiguousHost) => {
                refused(400, "the request's host can be read in two ways")
            }
            Self::NoHost => refused(400, "the request names no host"),
            Self::BadTarget => refused(400, "the request's target cannot be forwarded"),
            Self::NoBackend(none) => match none {
                NoBackend::NoneEligible => later(failed(503, "no backend is ready for requests")),
                NoBackend::Saturated => later(failed(503, "all backends are busy")),
                NoBackend::QueueFull => later(failed(503, "all backends are busy, and the queue is full")),
                NoBackend::QueueTimedOut => {
                    later(failed(503, "all backends are busy, and the wait was too long"))
                }
                NoBackend::AllTried => failed(502, "no backend answered"),
            },
        }
    }

    /// Why a connection to a backend was not made; `timeout` is what ends a wait for one.
    pub fn connecting(error: &io::Error, timeout: Timeout) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => timeout.into(),
            _ if is_out_of_files(error) => Self::OutOfFiles(error.to_string()),
            _ if error.get_ref().is_some_and(|inner| inner.is::<OwnListener>()) => {
                Self::OwnListener(OwnListener)
            }
            _ => Self::Connect(error.to_string()),
        }
    }

    /// The status for the client.
    pub fn status(&self) -> u16 {
        self.row().status
    }

    /// The reason for the client; it names no backend.
    pub fn reason(&self) -> Cow<'static, str> {
        self.row().reason
    }

    /// In how many seconds it is worth to ask again, where the client is told so.
    pub fn retry_after(&self) -> Option<u32> {
        self.row().retry_after
    }

    /// Whether the client's connection ends behind it, though all of the request may have been read: what the client takes the
    /// connection for, or where its next request begins, is in doubt.
    pub fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::BadHead(_) | Self::ConnectMethod | Self::TraceMethod | Self::Misdirected | Self::Loop
        )
    }

    /// The level of the line that says it.
    pub fn level(&self) -> Level {
        self.row().level
    }

    /// Whose fault it was.
    pub fn fault(&self) -> Fault {
        match self.row().why {
            Why::Attempt(cause) => cause.fault(),
            Why::Request(fault) => fault,
        }
    }

    /// Why an attempt failed that ended with this error.
    pub fn cause(&self) -> Cause {
        match self.row().why {
            Why::Attempt(cause) => cause,
            Why::Request(Fault::Client) => Cause::Client,
            Why::Request(Fault::Backend | Fault::Balancer) => Cause::OutOfFiles,
        }
    }
}

/// The status code for a head that is refused. Each stands here, so that a new one has to be decided on.
fn status_of(error: RequestError) -> u16 {
    match error {
        RequestError::LineEnding
        | RequestError::EmptyLines
        | RequestError::Method
        | RequestError::Target
        | RequestError::TargetForm
        | RequestError::TargetAuthority
        | RequestError::Version
        | RequestError::HeaderName
        | RequestError::HeaderValue
        | RequestError::HostMissing
        | RequestError::HostRepeated
        | RequestError::Host
        | RequestError::ContentLength
        | RequestError::ContentLengthRepeated
        | RequestError::TransferEncoding
        | RequestError::TransferEncodingInHttp10
        | RequestError::LengthAndEncoding
        | RequestError::TraceContent
        | RequestError::MaxForwards => 400,
        RequestError::TargetTooLong => 414,
        RequestError::Expectation => 417,
        RequestError::TooManyHeaders | RequestError::HeadTooLarge | RequestError::ConnectionOptions => 431,
        RequestError::MethodTooLong | RequestError::TransferEncodingUnknown => 501,
        RequestError::VersionUnsupported => 505,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lb_core::attempts::TimeLimit;

    use super::*;

    fn timeout(limit: TimeLimit) -> ProxyError {
        let after = Duration::from_secs(60);
        Timeout { limit, after }.into()
    }

    #[test]
    fn every_error_has_the_status_that_clients_expect() {
        let table = [
            (ProxyError::Connect("refused".into()), 502, Fault::Backend),
            (ProxyError::OutOfFiles("EMFILE".into()), 503, Fault::Balancer),
            (ProxyError::OwnListener(OwnListener), 508, Fault::Balancer),
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
            (ProxyError::NoBackend(NoBackend::QueueFull), 503, Fault::Balancer),
            (
                ProxyError::NoBackend(NoBackend::QueueTimedOut),
                503,
                Fault::Balancer,
            ),
            (ProxyError::TooManyConnections, 503, Fault::Balancer),
            (ProxyError::SlowHead, 408, Fault::Client),
            (ProxyError::ConnectMethod, 405, Fault::Client),
            (ProxyError::Misdirected, 421, Fault::Client),
            (ProxyError::Loop, 508, Fault::Client),
            (RequestError::Target.into(), 400, Fault::Client),
            (RequestError::TargetTooLong.into(), 414, Fault::Client),
            (RequestError::Expectation.into(), 417, Fault::Client),
            (RequestError::HeadTooLarge.into(), 431, Fault::Client),
            (RequestError::MethodTooLong.into(), 501, Fault::Client),
            (RequestError::VersionUnsupported.into(), 505, Fault::Client),
            (Unrouted::NoMatch.into(), 404, Fault::Client),
            (ProxyError::NoHost, 400, Fault::Client),
            (
                Unrouted::AmbiguousPath(Ambiguity::DotSegment).into(),
                400,
                Fault::Client,
            ),
            (
                Unrouted::AmbiguousPath(Ambiguity::EncodedSlash).into(),
                400,
                Fault::Client,
            ),
        ];
        for (error, status, fault) in table {
            assert_eq!((error.status(), error.fault()), (status, fault), "{error}");
            assert_eq!(error.retry_after().is_some(), status == 503, "{error}");
        }
    }

    #[test]
    fn a_timeout_names_its_key() {
        let error = timeout(TimeLimit::ResponseIdle);
        assert_eq!(error.to_string(), "timeouts.response_idle is over (1m)");
    }
}

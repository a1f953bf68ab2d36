//! How an attempt ended: why, how far it had come, and whom it was waiting for; and what that says of its backend.

use crate::pool::Outcome;

/// Whose fault a failure was. Only a backend's own faults are held against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client sent something broken, was too slow, or left.
    Client,
    /// A backend could not be reached, was too slow, or sent nonsense.
    Backend,
    /// The balancer has nothing to send to, or is defective.
    Balancer,
}

impl Fault {
    /// As logs and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
            Self::Balancer => "balancer",
        }
    }
}

/// Why an attempt failed, as far as it matters for what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No connection to the backend was made.
    Connect,
    /// This process or machine has no file descriptor left for one.
    OutOfFiles,
    /// The backend is one of this balancer's own listeners.
    OwnListener,
    /// The connection ended or broke.
    Broken,
    /// The response is not usable HTTP.
    Response,
    /// `timeouts.response_idle`: the backend was silent.
    Silence,
    /// `timeouts.request`: the request as a whole took too long.
    Deadline,
    /// The client's body is malformed, incomplete, too slow or too large, or the client does not take the response.
    Client,
}

impl Cause {
    /// As logs and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::OutOfFiles => "out_of_files",
            Self::OwnListener => "own_listener",
            Self::Broken => "broken",
            Self::Response => "response",
            Self::Silence => "silence",
            Self::Deadline => "deadline",
            Self::Client => "client",
        }
    }
}

/// How far an attempt had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was sent.
    NotSent,
    /// Something may have reached the backend, and nothing of a response had come.
    Sent,
    /// The client has got a part of the response.
    Responding,
}

/// How far the client's body had come when an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// All of it, or there is none.
    Complete,
    /// The backend has been sent what there is, and the client owes the rest.
    Owed,
    /// The backend does not take what there is.
    Blocked,
}

/// The connection of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// It carried nothing but this request.
    New,
    /// It was kept from an earlier request, and its backend may have closed it just as this one was sent.
    Kept,
}

/// A failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// How far it had come.
    pub progress: Progress,
    /// How far the client's body had come.
    pub upload: Upload,
    /// What it was sent over.
    pub connection: Connection,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The response was passed on, whatever its status.
    Complete,
    /// A response came whose status is to be retried; it is kept until it is known whether another backend is there.
    Rejected,
    /// It failed.
    Failed(Failure),
    /// The client left.
    ClientGone,
}

impl Cause {
    /// Whose fault it was.
    pub fn fault(self) -> Fault {
        match self {
            Self::Connect | Self::Broken | Self::Response | Self::Silence | Self::Deadline => Fault::Backend,
            Self::OutOfFiles | Self::OwnListener => Fault::Balancer,
            Self::Client => Fault::Client,
        }
    }

    /// Whether another backend could do better. A client that fails, or time that is over, stays so.
    pub(super) fn may_pass(self) -> bool {
        !matches!(self, Self::Client | Self::Deadline)
    }
}

impl Failure {
    /// Whether the backend is to blame.
    ///
    /// A connection that ends while the client owes the rest of its body says nothing of the backend: servers lose patience
    /// with slow uploads, and some close after an early response, which destroys it. Otherwise a few slow clients would eject
    /// healthy backends. So it is with a backend that does not ask for the body of a client that waits for `100 Continue`.
    /// A backend that is really broken fails requests whose bodies are complete, too. The cap on the whole request is used
    /// up by the backend only where nothing but the beginning of its response is missing, and where the attempt had enough of
    /// that time, which [`Attempts`](super::Attempts) knows.
    pub fn is_backends(&self) -> bool {
        match self.cause {
            Cause::Connect | Cause::Response => true,
            Cause::Broken => self.upload == Upload::Complete,
            Cause::Silence => self.upload != Upload::Owed,
            Cause::Deadline => self.upload == Upload::Complete && self.progress != Progress::Responding,
            Cause::OutOfFiles | Cause::OwnListener | Cause::Client => false,
        }
    }
}

impl Failure {
    /// Whether the backend was not reached at all, so that its name may mean another address by now.
    pub(super) fn could_not_connect(&self) -> bool {
        match self.cause {
            Cause::Connect => true,
            Cause::Deadline => self.progress == Progress::NotSent,
            _ => false,
        }
    }
}

impl AttemptEnd {
    /// What the backend's lease ends with.
    #[inline]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Complete => Outcome::Answered,
            Self::Rejected => Outcome::Rejected,
            Self::Failed(failure) if failure.is_backends() => Outcome::BackendFailed,
            Self::Failed(_) | Self::ClientGone => Outcome::Abandoned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause::*, Upload::*, *};

    /// For a complete, an owed and a blocked upload: `x` where the backend is to blame.
    fn blamed(cause: Cause, progress: Progress) -> String {
        let blamed = [Complete, Owed, Blocked].map(|upload| {
            let failure = Failure {
                cause,
                progress,
                upload,
                connection: Connection::New,
            };
            match AttemptEnd::Failed(failure).outcome() {
                Outcome::BackendFailed => 'x',
                _ => '-',
            }
        });
        blamed.iter().collect()
    }

    #[test]
    fn a_backend_is_blamed_for_its_own_faults_only() {
        let table = [
            (Connect, "xxx"),
            (OutOfFiles, "---"),
            (OwnListener, "---"),
            (Broken, "x--"),
            (Response, "xxx"),
            (Silence, "x-x"),
            (Deadline, "x--"),
            (Client, "---"),
        ];
        for (cause, expected) in table {
            assert_eq!(blamed(cause, Progress::Sent), expected, "{cause:?}");
        }
        assert_eq!(
            blamed(Deadline, Progress::Responding),
            "---",
            "the client may be slow to read"
        );
        assert_eq!(blamed(Broken, Progress::Responding), "x--");
    }
}

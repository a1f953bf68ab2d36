//! Why an attempt failed: what awc and the guard under it say, in the words of the error table.

use std::{io, time::Duration};

use actix_http::error::ParseError;
use awc::error::{ConnectError, SendRequestError};
use lb_core::attempts::{Connection, TimeLimit};

use super::awc::Fault;
use crate::proxy::{Phase, ProxyError};

/// A failed attempt, and how far it had come.
pub(super) struct HandlerFailure {
    pub(super) phase: Phase,
    pub(super) error: ProxyError,
    /// A kept one may have been closed by its backend before the request came.
    pub(super) connection: Connection,
}

impl HandlerFailure {
    pub(super) fn new(phase: Phase, error: ProxyError) -> Self {
        Self {
            phase,
            error,
            connection: Connection::New,
        }
    }

    fn of(phase: Phase, error: &io::Error) -> Self {
        Self {
            connection: match Fault::of(error) {
                Some(Fault::Stale(_)) => Connection::Kept,
                _ => Connection::New,
            },
            ..Self::new(phase, describe_fault(error))
        }
    }

    /// What awc says. `after`: how long a connection may take.
    pub(super) fn sending(error: SendRequestError, after: Duration) -> Self {
        match error {
            SendRequestError::Connect(ConnectError::Disconnected) => {
                Self::new(Phase::Waiting, ProxyError::Closed)
            }
            SendRequestError::Connect(error) => Self::new(Phase::Connecting, describe_connect(&error, after)),
            SendRequestError::Send(error) => Self::of(Phase::Sending, &error),
            SendRequestError::Response(ParseError::Io(error)) => Self::of(Phase::Waiting, &error),
            SendRequestError::Response(error) => {
                Self::new(Phase::Waiting, ProxyError::BadAnswer(error.to_string()))
            }
            other => Self::new(Phase::Sending, ProxyError::Io(other.to_string())),
        }
    }
}

fn describe_connect(error: &ConnectError, after: Duration) -> ProxyError {
    match error {
        ConnectError::Timeout => ProxyError::TimedOut {
            limit: TimeLimit::Connect,
            after,
        },
        ConnectError::Io(error) => ProxyError::connecting(error, (TimeLimit::Connect, after)),
        ConnectError::Unresolved => ProxyError::Connect("the backend was just removed".to_owned()),
        other => ProxyError::Connect(other.to_string()),
    }
}

fn describe_fault(error: &io::Error) -> ProxyError {
    match Fault::of(error) {
        Some(Fault::Head(_) | Fault::Tunnel | Fault::ManyInterim | Fault::Body(_)) => {
            ProxyError::BadAnswer(error.to_string())
        }
        // Nothing of it is of use to the client, so it is as good as none.
        Some(Fault::HeadCutShort | Fault::CutShort | Fault::Stale(io::ErrorKind::UnexpectedEof)) => {
            ProxyError::Closed
        }
        Some(Fault::Upload | Fault::Order | Fault::Stale(_)) | None => ProxyError::Io(error.to_string()),
    }
}

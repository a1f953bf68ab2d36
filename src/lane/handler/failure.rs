//! Why an attempt failed: what awc and the guard under it say, in the words of the error table.

use std::io;

use actix_http::error::ParseError;
use awc::error::{ConnectError, SendRequestError};
use lb_core::attempts::{Connection, Timeout};

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

    /// What awc says. `timeout`: of the connection.
    pub(super) fn sending(error: SendRequestError, timeout: Timeout) -> Self {
        match error {
            SendRequestError::Connect(ConnectError::Disconnected) => {
                Self::new(Phase::Waiting, ProxyError::Closed)
            }
            SendRequestError::Connect(error) => {
                Self::new(Phase::Connecting, describe_connect(&error, timeout))
            }
            SendRequestError::Send(error) => Self::of(Phase::Sending, &error),
            SendRequestError::Response(ParseError::Io(error)) => Self::of(Phase::Waiting, &error),
            SendRequestError::Response(error) => {
                Self::new(Phase::Waiting, ProxyError::BadAnswer(error.to_string()))
            }
            other => Self::new(Phase::Sending, ProxyError::Io(other.to_string())),
        }
    }
}

fn describe_connect(error: &ConnectError, timeout: Timeout) -> ProxyError {
    match error {
        ConnectError::Timeout => timeout.into(),
        ConnectError::Io(error) => ProxyError::connecting(error, timeout),
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

//! Why a probe did not pass.

use std::{io, sync::Arc, time::Duration};

use lb_core::{config::format_duration, health::is_out_of_files};
use lb_wire::{BodyError, ResponseError, Truncated};

use crate::resolver::LookupError;

/// Why a probe did not pass; its text is what logs and `status` show.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProbeError {
    /// The backend's name has no address.
    #[error("name does not resolve: {0}")]
    Resolve(#[source] LookupError),
    /// No connection, or it broke.
    #[error("{}", of_io(.0))]
    Io(#[source] Arc<io::Error>),
    /// Its time was up.
    #[error("timed out after {}", format_duration(*.0))]
    TimedOut(Duration),
    /// The head of the response is not usable HTTP.
    #[error("not an HTTP answer: {0}")]
    Head(#[from] ResponseError),
    /// Its body is not.
    #[error("not an HTTP answer: {0}")]
    Body(#[from] BodyError),
    /// The connection ended within the body.
    #[error("its answer was cut short")]
    CutShort(#[from] Truncated),
    /// The connection ended before the head was complete; `true`: within it.
    #[error("{}", if *.begun { "the head of its answer was cut short" } else { "closed without an answer" })]
    Closed {
        /// Whether some of it had come.
        begun: bool,
    },
    /// No end of interim responses.
    #[error("too many interim answers")]
    ManyInterim,
    /// The connection reached one of this balancer's own listeners: requests would go round for ever.
    #[error("loop: this is the balancer's own listener")]
    Ourselves,
    /// A response, but not one of a backend that is well.
    #[error("{0}")]
    Unwell(String),
}

impl ProbeError {
    /// Whether nothing is known of the backend, because the balancer had no file descriptor left to ask with.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Resolve(error) => error.is_ours(),
            Self::Io(error) => is_out_of_files(error),
            _ => false,
        }
    }
}

impl From<io::Error> for ProbeError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}

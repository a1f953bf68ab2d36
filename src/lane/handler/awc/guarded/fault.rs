//! Why a guarded connection failed, as awc carries it through: inside an `io::Error`.

use std::io;

use lb_wire::{BodyError, ResponseError};

/// What the guard refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::lane::handler) enum Fault {
    /// The answer's head.
    #[error(transparent)]
    Head(#[from] ResponseError),
    /// A tunnel. Where the client had offered it, the attempt's watch has the connection.
    #[error("answer opens a tunnel")]
    Tunnel,
    /// Interim responses without end.
    #[error("too many interim answers")]
    ManyInterim,
    /// The answer's body.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The connection ended within the answer's head.
    #[error("the answer's head was cut short")]
    HeadCutShort,
    /// The connection ended within the answer's body.
    #[error("the answer's body was cut short")]
    CutShort,
    /// The client's body failed, or is not as long as announced.
    #[error("the request's body failed")]
    Upload,
    /// A connection that had carried an answer ended before any byte of the next one. The backend may have closed it just as
    /// the request was on its way, and have seen nothing of it.
    #[error("{0}")]
    Stale(io::ErrorKind),
    /// awc did what it is not expected to do; sending it on could end one message within another.
    #[error("request out of order")]
    Order,
}

impl Fault {
    /// The guard's fault in an error that awc returned.
    pub(in crate::lane::handler) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    fn kind(self) -> io::ErrorKind {
        match self {
            Self::Head(_) | Self::Tunnel | Self::ManyInterim | Self::Body(_) => io::ErrorKind::InvalidData,
            Self::HeadCutShort | Self::CutShort => io::ErrorKind::UnexpectedEof,
            Self::Upload | Self::Order => io::ErrorKind::InvalidInput,
            Self::Stale(kind) => kind,
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::new(fault.kind(), fault)
    }
}

//! Who asks.

use std::{fmt, net::IpAddr, sync::Arc};

use lb_core::config::AdminRole;

/// Who is at the other end of a connection to the control socket, as the system says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The user; `None` where the system does not tell it.
    pub(crate) uid: Option<u32>,
}

/// Who has sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// A user of this machine whom the runtime folder let in.
    User(Option<u32>),
    /// Whoever has this token.
    Token {
        name: Arc<str>,
        role: AdminRole,
        address: Option<IpAddr>,
    },
    /// Whoever reaches the listener.
    Anybody,
}

/// `token ops from 10.0.0.1`, `uid 0`
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(Some(uid)) => write!(f, "uid {uid}"),
            Self::User(None) => f.write_str("the control socket"),
            Self::Token { name, address, .. } => {
                write!(f, "token {name}")?;
                match address {
                    Some(address) => write!(f, " from {address}"),
                    None => Ok(()),
                }
            }
            Self::Anybody => f.write_str("anybody"),
        }
    }
}

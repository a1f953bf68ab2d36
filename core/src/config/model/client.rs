//! The client's side of a configuration: what is taken from clients, by which code, and what they are told.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::config::{Masked, size::ByteSize};

/// How the name in `Via` begins that `via: on` stands for.
pub const DEFAULT_PSEUDONYM: &str = "simple-lb";

/// The code that carries a request from its client to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// A handler of the web framework.
    Handler,
    /// This project's own HTTP/1.1, which passes bytes on.
    #[default]
    Wire,
}

impl Lane {
    /// As it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Wire => "wire",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What clients may take up. Whoever goes beyond is refused, with the status code that HTTP has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The size of a request's head: request line and headers; 1 KiB to 1 MiB.
    pub header_size: ByteSize,
    /// The headers of a request, 1 to 1000.
    pub header_count: u16,
    /// The size of a request's body; `None`: no limit.
    pub body_size: Option<ByteSize>,
    /// Connections of all clients together, at least 1; `None`: only the framework's limit.
    pub connections: Option<u32>,
    /// Connections from one client, at least 1; `None`: no limit.
    pub connections_per_client: Option<u32>,
    /// IPv6 addresses that have so many bits in common are one client, 1 to 128. An IPv4 address always is one.
    pub client_prefix: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_size: ByteSize::kib(32),
            header_count: 100,
            body_size: None,
            connections: None,
            connections_per_client: None,
            // What a provider gives to one customer at least (RFC 6177): with it, the customer has 2^64 addresses.
            client_prefix: 64,
        }
    }
}

/// A file whose content replaces this proxy's own error message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// As written: a relative path begins in the folder of the configuration file.
    pub path: Masked,
    /// What the file held when the configuration was read. Empty until somebody who may do I/O has filled it in.
    pub content: Arc<[u8]>,
}

/// The timeouts of the client's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// From the connection (or the first byte of a later request) to the end of the request's head.
    pub request_header: Duration,
    /// How long a kept-alive connection may be idle.
    pub client_idle: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            request_header: Duration::from_secs(10),
            client_idle: Duration::from_secs(75),
        }
    }
}

/// This proxy's name in `Via`, a token of RFC 9110 (section 7.6.3). Requests that bear it already are loops, so no other proxy
/// on the way may have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// `via: on`: a name that no other process has. This holds only the beginning of it until somebody who may draw random
    /// numbers has filled it in.
    Own(Arc<str>),
    /// As written.
    Named(Arc<str>),
}

impl Deref for Via {
    type Target = str;

    fn deref(&self) -> &str {
        let (Self::Own(name) | Self::Named(name)) = self;
        name
    }
}

impl Via {
    /// As it is written in the file.
    pub fn as_written(via: Option<&Self>) -> &str {
        match via {
            None => "off",
            Some(Self::Own(_)) => "on",
            Some(Self::Named(name)) => name,
        }
    }
}

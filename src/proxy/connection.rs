//! What is known of a client's connection, whatever version of HTTP is spoken over it.

use std::net::SocketAddr;

use lb_wire::ClientAddress;

/// What a URI says that is asked for over a connection (RFC 9110 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS that ends here.
    Https,
}

impl Scheme {
    /// As URIs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Facts of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// Who opened it.
    pub peer: SocketAddr,
    /// The same address as header fields have it.
    pub address: ClientAddress,
    /// What is spoken over it.
    pub scheme: Scheme,
}

impl Connection {
    /// That of this peer.
    pub fn new(peer: SocketAddr, scheme: Scheme) -> Self {
        Self {
            peer,
            address: ClientAddress::new(peer.ip()),
            scheme,
        }
    }
}

//! Where this process listens, so that it never forwards requests to itself: such a loop ends only when every descriptor is
//! used up.

use std::net::{IpAddr, SocketAddr};

/// The addresses of our own listening sockets.
#[derive(Debug, Clone, Default)]
pub struct Listening(Vec<SocketAddr>);

impl Listening {
    /// A process that listens nowhere.
    pub const fn nowhere() -> Self {
        Self(Vec::new())
    }

    /// As the sockets were bound, with the ports that they got. One that takes both families is there for each.
    pub fn new(at: Vec<SocketAddr>) -> Self {
        Self(at)
    }

    /// Whether a connection to `peer` has reached one of our own sockets. `local`, asked where it matters: the connection's
    /// address on this side. A socket that listens on all addresses is reached over each address of this machine, and a
    /// connection to one of these begins at the same one, or at a loopback address.
    #[inline]
    pub fn is_reached(&self, peer: SocketAddr, local: impl Fn() -> Option<IpAddr>) -> bool {
        let here = |listener: &SocketAddr| {
            let (ip, at) = (peer.ip().to_canonical(), listener.ip().to_canonical());
            if !at.is_unspecified() {
                return at == ip;
            }
            let is_local = || local().is_some_and(|local| local.to_canonical() == ip);
            at.is_ipv4() == ip.is_ipv4() && (ip.is_loopback() || ip.is_unspecified() || is_local())
        };
        let mut same_port = self.0.iter().filter(|at| at.port() == peer.port());
        same_port.any(here)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_connection_to_one_of_our_sockets_is_known_whatever_address_it_was_made_to() {
        let reached = |listener: &str, peer: &str, local: &str| {
            let listening = Listening::new(vec![listener.parse().unwrap()]);
            listening.is_reached(peer.parse().unwrap(), || local.parse().ok())
        };
        for (listener, peer, local) in [
            ("127.0.0.1:80", "127.0.0.1:80", "127.0.0.1"),
            ("0.0.0.0:80", "127.0.0.9:80", "127.0.0.1"),
            ("0.0.0.0:80", "10.0.0.1:80", "10.0.0.1"),
            ("[::]:80", "[::1]:80", "::1"),
            ("[::]:80", "[2001:db8::1]:80", "2001:db8::1"),
            ("0.0.0.0:80", "[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1"),
        ] {
            assert!(reached(listener, peer, local), "{listener} {peer}");
        }
        for (listener, peer, local) in [
            ("127.0.0.1:80", "127.0.0.1:81", "127.0.0.1"),
            ("127.0.0.1:80", "127.0.0.2:80", "127.0.0.1"),
            ("0.0.0.0:80", "10.0.0.2:80", "10.0.0.1"),
            ("0.0.0.0:80", "[::1]:80", "::1"),
            ("[::]:80", "127.0.0.1:80", "127.0.0.1"),
        ] {
            assert!(!reached(listener, peer, local), "{listener} {peer}");
        }
    }
}

//! How names of backends become addresses.

use std::{net::SocketAddr, time::Duration};

/// The settings of look-ups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverConfig {
    /// Who is asked.
    pub source: NameSource,
    /// The DNS servers to ask, in place of those of `/etc/resolv.conf`; empty: these.
    pub nameservers: Vec<SocketAddr>,
    /// How long the look-up of one name may take, all servers and search domains together.
    pub timeout: Duration,
}

/// Who is asked for the addresses of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSource {
    /// The hosts file, then DNS servers.
    Dns,
    /// The C library's getaddrinfo, with all that `/etc/nsswitch.conf` names.
    System,
}

impl Default for ResolverConfig {
    fn default() -> Self {
        Self {
            source: NameSource::Dns,
            nameservers: Vec::new(),
            // As resolv.conf's own default for one try.
            timeout: Duration::from_secs(5),
        }
    }
}

//! The manager's socket. sd-notify's own `notify` knows no abstract sockets.

use std::{
    ffi::OsStr,
    io,
    os::unix::{
        ffi::OsStrExt,
        net::{SocketAddr, UnixDatagram},
    },
};

/// A socket of datagrams that somebody else reads.
#[derive(Debug)]
pub(super) struct Socket {
    own: UnixDatagram,
    manager: SocketAddr,
}

impl Socket {
    /// `name` is a path, or `@` and an abstract name.
    ///
    /// # Errors
    /// When it is neither, or there is no descriptor for it. Nobody has to read there yet.
    pub(super) fn named(name: &OsStr) -> io::Result<Self> {
        let manager = match name.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            [b'@', name @ ..] => in_abstract(name)?,
            _ => return Err(io::Error::other("neither a path nor an abstract name")),
        };
        Ok(Self {
            own: UnixDatagram::unbound()?,
            manager,
        })
    }

    /// Sends a message, and waits for room for it. The address is looked up anew, as the manager may have been started again.
    ///
    /// # Errors
    /// When nobody reads there.
    pub(super) fn send(&self, message: &str) -> io::Result<()> {
        self.own
            .send_to_addr(message.as_bytes(), &self.manager)
            .map(|_sent| ())
    }
}

#[cfg(target_os = "linux")]
fn in_abstract(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn in_abstract(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

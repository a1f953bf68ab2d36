//! What both sides' connections are carried by.

use tokio::io::{AsyncRead, AsyncWrite};

/// A client's or a backend's byte stream: plain now, TLS later.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Makes the coming close a reset, so that the peer cannot take what it got for a whole message.
    fn reset_on_close(&self);

    /// Sends what the kernel has room for, whatever the runtime believes. The kernel calls a socket writable only when a
    /// third of its buffer is free, which can be a megabyte; room of any size shows that the peer has read.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room at all.
    fn send_at_once(&self, bytes: &[u8]) -> std::io::Result<usize>;
}

impl Transport for tokio::net::TcpStream {
    fn reset_on_close(&self) {
        if let Err(error) = socket2::SockRef::from(self).set_linger(Some(std::time::Duration::ZERO)) {
            log::debug!("cannot reset a connection: {error}");
        }
    }

    fn send_at_once(&self, bytes: &[u8]) -> std::io::Result<usize> {
        socket2::SockRef::from(self).send(bytes)
    }
}

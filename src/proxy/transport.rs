//! What both sides' connections are carried by, and what is needed of a socket beside reading and writing.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncRead, AsyncWrite};

/// What says that the peer has closed its side.
#[cfg(target_os = "linux")]
const CLOSED: PollFlags = PollFlags::RDHUP;
#[cfg(not(target_os = "linux"))]
const CLOSED: PollFlags = PollFlags::HUP;

/// A client's or a backend's byte stream: plain now, TLS later.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Makes the coming close a reset, so that the peer cannot take what it got for a whole message.
    fn reset_on_close(&self);

    /// Whether the peer is still there, asked of the kernel: for when nothing is read from it, and nothing written to it.
    fn look(&self) -> Look;

    /// Lets the kernel break the connection when the peer takes nothing of what was sent for so long. Room in the kernel's
    /// own buffer, which grows, does not show that the peer has read; acknowledgements do.
    fn give_up_after(&self, silence: Duration);

    /// Writes what there is room for, whatever the runtime believes; how many of `bytes` were taken. The kernel calls a socket
    /// writable only when a third of its buffer is free, which can be a megabyte; room of any size shows that the peer has
    /// read. The stream itself writes, so that a stream of records can write what it holds back first.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room at all.
    fn write_now(&mut self, bytes: &[u8]) -> std::io::Result<usize>;
}

/// What a look at a peer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is there.
    There,
    /// It has closed its side, and may still read.
    SendsNoMore,
    /// It has broken the connection.
    Gone,
}

impl Transport for tokio::net::TcpStream {
    fn look(&self) -> Look {
        let mut sockets = [PollFd::new(self, CLOSED)];
        if poll(&mut sockets, Some(&Timespec::default())).is_err() {
            return Look::There;
        }
        let said = sockets[0].revents();
        if said.contains(PollFlags::ERR) {
            Look::Gone
        } else if said.intersects(CLOSED | PollFlags::HUP) {
            Look::SendsNoMore
        } else {
            Look::There
        }
    }

    fn give_up_after(&self, silence: Duration) {
        #[cfg(target_os = "linux")]
        if let Err(error) = socket2::SockRef::from(self).set_tcp_user_timeout(Some(silence)) {
            log::debug!("cannot limit a connection's silence: {error}");
        }
    }

    fn reset_on_close(&self) {
        if let Err(error) = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO)) {
            log::debug!("cannot reset a connection: {error}");
        }
    }

    fn write_now(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        socket2::SockRef::from(&*self).send(bytes)
    }
}

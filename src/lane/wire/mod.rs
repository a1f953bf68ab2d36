//! The wire lane: HTTP/1.1 connections as bytes.
//!
//! A head is parsed in place and its lines are copied, case and order kept, into one outgoing buffer; bodies pass as
//! raw bytes while a tracker finds their end. What may be read in two ways is refused by `lb-wire`, so that client,
//! balancer and backend never disagree about where a message ends. One task serves a client's connection with all its
//! requests; nothing on the way takes a lock or waits for a message.

mod backlog;
mod client;
mod client_body;
mod dispatch;
mod exchange;
mod forward;
mod outgoing;
mod own_answer;
mod refusal;
mod service;
mod timer;
mod tunnel;
mod waiting;
mod worker;

pub use service::service;

use tokio::io::{AsyncRead, AsyncWrite};

/// A client's or a backend's byte stream: plain now, TLS later.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + 'static {
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

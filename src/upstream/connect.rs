//! Opens a TCP connection to a backend: every address its name has is tried, the one that last worked first. Names
//! are not resolved here but by the health checkers, so that no request waits for a resolver.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_rt::net::TcpStream;
use lb_core::pool::Backend;

use super::patience::timeout;

/// Opens a connection within `timeout`.
pub(crate) async fn connect(backend: &Arc<Backend>, timeout: Duration) -> io::Result<TcpStream> {
    let addresses = backend.addresses();
    let deadline = Instant::now() + timeout;
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "name is not resolved");
    for (index, address) in addresses.iter().enumerate() {
        // An address that swallows packets must leave time for the next one.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / (addresses.len() - index) as u32;
        match connect_to(*address, share).await {
            Ok(stream) => {
                if index > 0 {
                    backend.prefer_address(*address);
                }
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn connect_to(address: SocketAddr, share: Duration) -> io::Result<TcpStream> {
    let stream = timeout(share, TcpStream::connect(address))
        .await
        .ok_or(io::ErrorKind::TimedOut)??;
    // Without it a small write waits for the acknowledgement of the last one, up to 40 ms.
    stream.set_nodelay(true)?;
    Ok(stream)
}

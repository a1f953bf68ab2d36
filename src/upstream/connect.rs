//! Opens a TCP connection to a backend. Names are not resolved here but by the health checkers, so that no request waits for a
//! resolver.
//!
//! Where a name has several addresses, connections take them in turn ([`Addresses`](lb_core::pool::Addresses) has the order).
//! An address that refuses is followed by the next one at once, one that lets the connection wait after a moment, and the
//! first connection that is there is taken (RFC 8305 section 5). The backend has failed only when all of them have.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_rt::net::TcpStream;
use lb_core::{health::is_out_of_files, listening::Listening, pool::Backend};
use lb_net::{Staggered, timeout};

use super::IdlePool;

/// The connection reached one of this balancer's own listeners: the request would come back for ever.
#[derive(Debug, thiserror::Error)]
#[error("the backend is this balancer's own listener")]
pub struct OwnListener;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) stream: TcpStream,
    /// The address of the backend's name that it was made to.
    pub(crate) peer: SocketAddr,
    /// The version of its addresses at that time.
    pub(crate) version: u32,
}

/// Opens a connection within `limit`. Where no descriptor is left, those of idle connections are worth less than this one.
pub(crate) async fn connect(
    backend: &Arc<Backend>,
    limit: Duration,
    listening: &Listening,
    idle: &IdlePool,
) -> io::Result<Connected> {
    let begun = Instant::now();
    match connect_once(backend, begun, limit, listening).await {
        Err(error) if is_out_of_files(&error) && idle.give_back() => {
            let left = limit.saturating_sub(begun.elapsed());
            connect_once(backend, begun, left, listening).await
        }
        connected => connected,
    }
}

async fn connect_once(
    backend: &Arc<Backend>,
    begun: Instant,
    limit: Duration,
    listening: &Listening,
) -> io::Result<Connected> {
    let version = backend.addresses().version();
    let order = backend.addresses().in_turn(begun);
    let connected = match order.as_slice() {
        [] => return Err(io::Error::new(io::ErrorKind::NotFound, "name is not resolved")),
        [only] => {
            let connected = timeout(limit, TcpStream::connect(*only)).await;
            connected.map(|made| made.map(|stream| (*only, stream)))
        }
        several => timeout(limit, connect_to_one(backend, several, limit)).await,
    };
    let (peer, stream) = connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
    let local = || Some(stream.local_addr().ok()?.ip());
    if listening.is_reached(peer, local) {
        return Err(io::Error::other(OwnListener));
    }
    // Without it a small write waits for the acknowledgement of the last one, up to 40 ms.
    stream.set_nodelay(true)?;
    Ok(Connected {
        stream,
        peer,
        version,
    })
}

/// The first connection to one of several addresses.
async fn connect_to_one(
    backend: &Backend,
    order: &[SocketAddr],
    limit: Duration,
) -> io::Result<(SocketAddr, TcpStream)> {
    let mut attempts = Staggered::new(order, limit, TcpStream::connect::<SocketAddr>);
    let mut failure = io::Error::from(io::ErrorKind::TimedOut);
    let mut ours = None;
    let addresses = backend.addresses();
    while let Some((address, made)) = attempts.next().await {
        match made {
            Ok(stream) => {
                // Those that were tried before let it wait.
                let before = order.iter().take_while(|other| **other != address);
                before.for_each(|slow| addresses.skip(*slow, Instant::now()));
                addresses.accepted(address);
                return Ok((address, stream));
            }
            // No other address could do better; one that is tried already may.
            Err(error) if is_out_of_files(&error) => {
                attempts.begin_no_more();
                ours = Some(error);
            }
            Err(error) => {
                addresses.skip(address, Instant::now());
                failure = error;
            }
        }
    }
    Err(ours.unwrap_or(failure))
}

//! Opens a TCP connection to a backend: every address its name has is tried, the one that last worked first. Names
//! are not resolved here but by the health checkers, so that no request waits for a resolver.

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures::future::LocalBoxFuture;
use lb_core::pool::Backend;

use crate::proxy::Transport;

use super::{
    backends::Backends,
    guarded::{Guarded, Shared},
};

/// The connector under awc.
#[derive(Clone)]
pub(super) struct Connect {
    pub(super) backends: Backends,
    /// For all addresses together.
    pub(super) timeout: Duration,
    /// What the guards of this worker's connections share.
    pub(super) shared: Rc<Shared>,
}

impl Service<ConnectInfo<Uri>> for Connect {
    // Boxed, since awc moves it about for each request.
    type Response = Connection<Uri, Box<Guarded<TcpStream>>>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, info: ConnectInfo<Uri>) -> Self::Future {
        let name = info.request().host().unwrap_or_default();
        let backend = self.backends.find(name);
        let (timeout, shared) = (self.timeout, Rc::clone(&self.shared));
        Box::pin(async move {
            // Nobody waits for it any more.
            let backend = backend.ok_or(ConnectError::Unresolved)?;
            let stream = connect(&backend, timeout).await.map_err(ConnectError::Io)?;
            let ask = |stream: &mut TcpStream, bytes: &[u8]| stream.write_now(bytes);
            let guarded = Box::new(Guarded::new(stream, shared).asking(ask));
            Ok(Connection::new(info.request().clone(), guarded))
        })
    }
}

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
    let stream = tokio::time::timeout(share, TcpStream::connect(address))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    // Without it a small write waits for the acknowledgement of the last one, up to 40 ms.
    stream.set_nodelay(true)?;
    Ok(stream)
}

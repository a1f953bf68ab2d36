//! The connector under awc: a connection that is kept, or a new one.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures::future::LocalBoxFuture;

use super::{
    backends::Backends,
    guarded::{Guarded, Keeper as _, Shared},
    stream::{BackendStream, Kept},
};
use crate::{
    front::FrontWorker,
    upstream::{IdlePool, UpstreamConnection, connect},
};

/// Opens connections for one of a worker's clients.
#[derive(Clone)]
pub(super) struct Connect {
    pub(super) backends: Backends,
    /// For all addresses together.
    pub(super) timeout: Duration,
    /// What the guards of this worker's connections share.
    pub(super) shared: Rc<Shared>,
    pub(super) idle: Rc<IdlePool>,
    pub(super) front: Rc<FrontWorker>,
}

impl Service<ConnectInfo<Uri>> for Connect {
    // Boxed, since awc moves it about for each request.
    type Response = Connection<Uri, Box<Guarded<BackendStream>>>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, info: ConnectInfo<Uri>) -> Self::Future {
        let name = info.request().host().unwrap_or_default();
        let backend = self.backends.find(name);
        let Self {
            timeout,
            shared,
            idle,
            front,
            ..
        } = self.clone();
        Box::pin(async move {
            // Nobody waits for it any more.
            let backend = backend.ok_or(ConnectError::Unresolved)?;
            let keeper = Kept {
                backend: Arc::downgrade(&backend),
                idle,
                front: Rc::clone(&front),
            };
            let watch = shared.uploads.watch();
            let kept = watch.as_ref().and_then(|watch| keeper.take(watch));
            let reused = kept.is_some();
            let stream = match kept {
                Some(kept) => kept,
                None => {
                    let notes = watch.as_ref().and_then(|watch| watch.notes());
                    let notes = notes.filter(|notes| notes.are_wanted());
                    let begun = notes.map(|_| Instant::now());
                    let listening = front.shared.registry.listening();
                    let connected = connect(&backend, timeout, listening, &keeper.idle).await;
                    if let (Some(notes), Some(begun)) = (notes, begun) {
                        notes.note(|facts| facts.times.connect = Some(begun.elapsed()));
                    }
                    let connected = connected.map_err(ConnectError::Io)?;
                    BackendStream(UpstreamConnection::new(connected, keeper.front.timers.real()))
                }
            };
            let guarded = Guarded::new(stream, shared).kept_by(Box::new(keeper), reused);
            Ok(Connection::new(info.request().clone(), Box::new(guarded)))
        })
    }
}

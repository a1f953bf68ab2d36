//! The awc clients of one worker. awc fixes how long connecting may take when a client is built, so there is one for each such
//! time that pools and routes have. Connections between two requests are the worker's, not awc's: awc never asks about those to
//! a backend that gets no request any more, and fixes their ages.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use actix_http::body::BoxBody;
use awc::{Client, ClientRequest, ClientResponse, Connector, error::SendRequestError, http::uri::Authority};
use lb_core::pool::Backend;

use super::{backends::Backends, connector::Connect, guarded::Shared, watch::Watch};
use crate::{front::FrontWorker, upstream::IdlePool};

/// Clients that are kept. A configuration with more different timeouts would build clients again and again, each without
/// kept connections.
const MOST_CLIENTS: usize = 64;

/// Shells of connections that awc may hold beyond those that are kept: those of backends that get no request any more are dropped
/// with their client.
const MOST_SHELLS: usize = 1024;

/// Longer than any connection is kept: awc has no say in it.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The clients of one worker, by how long connecting may take, the one used last in front.
pub(in crate::lane::handler) struct UpstreamClients {
    backends: Backends,
    shared: Rc<Shared>,
    idle: Rc<IdlePool>,
    front: Rc<FrontWorker>,
    clients: RefCell<Vec<(Duration, Client)>>,
}

impl UpstreamClients {
    /// For the requests of this worker.
    pub(in crate::lane::handler) fn new(front: Rc<FrontWorker>) -> Self {
        let clock = Rc::downgrade(&front);
        let now = move || clock.upgrade().map(|front| front.timers.real());
        Self {
            backends: Backends::default(),
            shared: Rc::default(),
            idle: IdlePool::swept(front.shared.registry.clone(), now),
            front,
            clients: RefCell::default(),
        }
    }

    /// The client for this connect timeout.
    pub(in crate::lane::handler) fn get(&self, connect: Duration) -> Client {
        let mut clients = self.clients.borrow_mut();
        if self.shared.shells.get() > MOST_SHELLS && self.shared.shells.get() > 4 * self.idle.count() {
            // Requests that are on their way hold theirs.
            clients.clear();
        }
        match clients.iter().position(|(built_for, _)| *built_for == connect) {
            Some(0) => {}
            Some(at) => clients[..=at].rotate_right(1),
            None => {
                clients.truncate(MOST_CLIENTS - 1);
                clients.insert(0, (connect, self.build(connect)));
            }
        }
        clients[0].1.clone()
    }

    /// What a URI for a backend has as its authority. Not for any header: it is known within this worker only.
    pub(in crate::lane::handler) fn authority(&self, backend: &Arc<Backend>) -> Option<Authority> {
        self.backends.name(backend)
    }

    /// Sends a request whose headers are complete, and its body as it comes; `watch` is the attempt's.
    ///
    /// # Errors
    /// As awc; what the connection's guard refused is a [`Fault`](super::Fault) inside of it.
    pub(in crate::lane::handler) fn send(
        &self,
        request: ClientRequest,
        body: BoxBody,
        watch: Rc<Watch>,
    ) -> impl Future<Output = Result<ClientResponse, SendRequestError>> + use<> {
        self.shared.uploads.send(request, body, watch)
    }

    fn build(&self, timeout: Duration) -> Client {
        let connect = Connect {
            backends: self.backends.clone(),
            timeout,
            shared: Rc::clone(&self.shared),
            idle: Rc::clone(&self.idle),
            front: Rc::clone(&self.front),
        };
        // awc's limits stand aside for ours: it would allow 100 connections in all, follow redirects, and count an
        // upload into 5 s. Its own connect timeout counts time in which the process does not run.
        let connector = Connector::new()
            .connector(connect)
            .limit(0)
            .timeout(FOREVER)
            .conn_keep_alive(FOREVER)
            .conn_lifetime(FOREVER);
        Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .finish()
    }
}

//! The awc clients of one worker. awc fixes its timeouts when a client is built, so there is one for each set of timeouts
//! that pools and routes have, and a reload that changes them makes a new one at the next request; connections of the old
//! one end with the requests they carry.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use actix_http::body::BoxBody;
use awc::{Client, ClientRequest, ClientResponse, Connector, error::SendRequestError, http::uri::Authority};
use lb_core::{config::UpstreamTimeouts, pool::Backend};

use super::{backends::Backends, connect::Connect, guarded::Shared, uploads::Pulse};

/// Clients that are kept. A configuration with more different timeouts would build clients again and again, each without
/// kept connections.
const MOST_CLIENTS: usize = 64;

/// The clients of one worker, by the timeouts they were built for, the one used last in front.
#[derive(Default)]
pub struct UpstreamClients {
    backends: Backends,
    shared: Rc<Shared>,
    clients: RefCell<Vec<(BuiltFor, Client)>>,
}

/// What a client is built for: all that awc fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BuiltFor {
    connect: Duration,
    idle: Duration,
    age: Duration,
}

impl UpstreamClients {
    /// The client for these timeouts.
    pub fn get(&self, timeouts: &UpstreamTimeouts) -> Client {
        let wanted = BuiltFor {
            connect: timeouts.connect,
            idle: timeouts.upstream_idle,
            age: timeouts.upstream_age,
        };
        let mut clients = self.clients.borrow_mut();
        match clients.iter().position(|(built_for, _)| *built_for == wanted) {
            Some(0) => {}
            Some(at) => clients[..=at].rotate_right(1),
            None => {
                clients.truncate(MOST_CLIENTS - 1);
                clients.insert(0, (wanted, self.build(wanted)));
            }
        }
        clients[0].1.clone()
    }

    /// What a URI for a backend has as its authority. Not for any header: it is known within this worker only.
    pub fn authority(&self, backend: &Arc<Backend>) -> Option<Authority> {
        self.backends.name(backend)
    }

    /// The same for a connection of its own, which awc has none of and keeps none of, if the request says that it closes: awc
    /// pools by the whole authority, and the connector finds the backend by its name alone.
    pub fn authority_for_new(&self, backend: &Arc<Backend>) -> Option<Authority> {
        format!("{}:1", self.backends.name(backend)?).parse().ok()
    }

    /// Sends a request whose headers are complete, and its body as it comes; `pulse` shows when the backend moves.
    ///
    /// # Errors
    /// As awc; what the connection's guard refused is a [`Fault`](super::Fault) inside of it.
    pub fn send(
        &self,
        request: ClientRequest,
        body: BoxBody,
        pulse: Pulse,
    ) -> impl Future<Output = Result<ClientResponse, SendRequestError>> + use<> {
        self.shared.uploads.send(request, body, pulse)
    }

    fn build(&self, wanted: BuiltFor) -> Client {
        let connect = Connect {
            backends: self.backends.clone(),
            timeout: wanted.connect,
            shared: Rc::clone(&self.shared),
        };
        // awc's limits stand aside for ours: it would allow 100 connections in all, follow redirects, and count an
        // upload into 5 s. Its own connect timeout only backs up ours.
        let connector = Connector::new()
            .connector(connect)
            .limit(0)
            .timeout(wanted.connect * 2)
            .conn_keep_alive(wanted.idle)
            .conn_lifetime(wanted.age);
        Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .finish()
    }
}

//! The awc client of one worker. awc fixes its timeouts when a client is built, so a reload that changes them makes a
//! new client at the next request; connections of the old one end with the requests they carry.

use std::{cell::RefCell, rc::Rc};

use actix_http::body::BoxBody;
use awc::{Client, ClientRequest, ClientResponse, Connector, error::SendRequestError};
use lb_actors::RegistryHandle;
use lb_core::config::UpstreamTimeouts;

use super::{connect::Connect, guarded::Shared};

/// The clients of one worker, by the timeouts they were built for.
pub struct UpstreamClients {
    registry: RegistryHandle,
    shared: Rc<Shared>,
    current: RefCell<Option<(UpstreamTimeouts, Client)>>,
}

impl UpstreamClients {
    /// No client yet; the first request makes one.
    pub fn new(registry: RegistryHandle) -> Self {
        Self {
            registry,
            shared: Rc::default(),
            current: RefCell::new(None),
        }
    }

    /// The client for these timeouts.
    pub fn get(&self, timeouts: &UpstreamTimeouts) -> Client {
        let mut current = self.current.borrow_mut();
        match &*current {
            Some((built_for, client)) if built_for == timeouts => client.clone(),
            _ => {
                let client = self.build(timeouts);
                *current = Some((*timeouts, client.clone()));
                client
            }
        }
    }

    /// Sends a request whose headers are complete, and its body as it comes.
    ///
    /// # Errors
    /// As awc; what the connection's guard refused is a [`Fault`](super::Fault) inside of it.
    pub fn send(
        &self,
        request: ClientRequest,
        body: BoxBody,
    ) -> impl Future<Output = Result<ClientResponse, SendRequestError>> + use<> {
        self.shared.uploads.send(request, body)
    }

    fn build(&self, timeouts: &UpstreamTimeouts) -> Client {
        let connect = Connect {
            registry: self.registry.clone(),
            timeout: timeouts.connect,
            shared: Rc::clone(&self.shared),
        };
        // awc's limits stand aside for ours: it would allow 100 connections in all, follow redirects, and count an
        // upload into 5 s. Its own connect timeout only backs up ours.
        let connector = Connector::new()
            .connector(connect)
            .limit(0)
            .timeout(timeouts.connect * 2)
            .conn_keep_alive(timeouts.upstream_idle)
            .conn_lifetime(timeouts.upstream_age);
        Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .finish()
    }
}

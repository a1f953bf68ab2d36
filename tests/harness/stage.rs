//! A backend that the test plays itself, byte by byte, on the test's own thread.

use std::net::TcpListener;

use super::{balancer::Balancer, peer::Peer, wait::eventually};

/// A listening socket. Connections wait in it until the test takes them.
pub struct Stage {
    listener: TcpListener,
}

impl Stage {
    /// Listens on 127.0.0.1 and nowhere else.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    /// A backend, and a balancer with one worker in front of it that never probes it.
    #[track_caller]
    pub fn with_balancer(more: &str) -> (Self, Balancer) {
        let stage = Self::new();
        let balancer = Balancer::start(&format!(
            "port: 0\nworkers: 1\nbackends: [\"{}\"]\nhealth_check: false\n{more}\n",
            stage.url()
        ));
        (stage, balancer)
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The next connection.
    #[track_caller]
    pub fn accept(&self) -> Peer {
        eventually("a connection to the backend", || self.waiting())
    }

    /// The next connection, if it is there already.
    pub fn waiting(&self) -> Option<Peer> {
        let (stream, _) = self.listener.accept().ok()?;
        Some(Peer::of(stream))
    }
}

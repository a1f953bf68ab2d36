//! One client, one backend, and the exchanges between them that the tests play.

use crate::harness::{Balancer, Head, Peer, Stage};

/// A request without anything special.
pub const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// An answer without anything special; its body is `ok`.
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A client's connection, and the backend that the test plays.
pub struct Play {
    pub client: Peer,
    pub stage: Stage,
    pub balancer: Balancer,
}

impl Play {
    #[track_caller]
    pub fn new() -> Self {
        Self::with("")
    }

    /// With more keys in the configuration.
    #[track_caller]
    pub fn with(more: &str) -> Self {
        let (stage, balancer) = Stage::with_balancer(more);
        Self {
            client: balancer.peer(),
            stage,
            balancer,
        }
    }

    /// Sends a request whose body, if it has one, is not looked at; the backend's end of it and the head that came.
    #[track_caller]
    pub fn request(&mut self, request: &str) -> (Peer, Head) {
        self.client.send(request);
        let mut backend = self.stage.accept();
        let head = backend.read_head();
        (backend, head)
    }

    /// Plays a GET and its answer over a new connection to the backend: that connection, and the head that came of it.
    #[track_caller]
    pub fn answer(&mut self, answer: impl AsRef<[u8]>) -> (Peer, Head) {
        let (mut backend, _) = self.request(GET);
        backend.send(answer);
        (backend, self.client.read_head())
    }

    /// The client's connection goes on, over a connection to the backend that is used again.
    #[track_caller]
    pub fn goes_on(&mut self, backend: &mut Peer) {
        self.client.send("GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(backend.read_head().first(), "GET /again HTTP/1.1");
        backend.send(OK);
        self.reads_ok();
    }

    /// The client's connection goes on, but that connection to the backend is closed and another one is used.
    #[track_caller]
    pub fn goes_on_without(&mut self, backend: &mut Peer) {
        backend.expect_end();
        self.goes_on_with_another();
    }

    /// The client's connection goes on over another connection to the backend.
    #[track_caller]
    pub fn goes_on_with_another(&mut self) -> Peer {
        let (mut other, head) = self.request("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(head.first(), "GET /other HTTP/1.1");
        other.send(OK);
        self.reads_ok();
        other
    }

    /// Reads the answer [`OK`].
    #[track_caller]
    pub fn reads_ok(&mut self) -> Head {
        let head = self.client.read_head();
        assert_eq!(head.first(), "HTTP/1.1 200 OK");
        assert_eq!(self.client.read(2), b"ok");
        head
    }

    /// Reads an error of the balancer's own with this status.
    #[track_caller]
    pub fn reads_error(&mut self, status: u16) -> Head {
        let head = self.client.read_head();
        assert_eq!(head.status(), status, "{head:?}");
        let length = head.one("Content-Length").unwrap().parse().unwrap();
        let body = self.client.read(length);
        assert!(body.starts_with(status.to_string().as_bytes()), "{head:?}");
        head
    }
}

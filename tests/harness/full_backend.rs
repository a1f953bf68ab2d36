//! A backend whose kernel takes no more connections: one that is opened to it waits for an answer that does not come.

use socket2::{Domain, Socket, Type};

/// Listens, accepts nobody, and has its queue full.
pub struct FullBackend {
    port: u16,
    _held: Vec<Socket>,
}

impl FullBackend {
    pub fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let port = address.as_socket().unwrap().port();
        let queued = (0..4).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _in_progress = socket.connect(&address);
            socket
        });
        Self {
            port,
            _held: queued.chain([listener]).collect::<Vec<_>>(),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

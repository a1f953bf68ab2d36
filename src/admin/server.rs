//! The admin listener: a server of its own, with a thread of its own, so that nobody who reaches it can hold up a request of a
//! client, and it responds while the balancer drains.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle, middleware, web};

use super::{AdminState, guard, routes};

/// Connections that it holds at once; others wait to be accepted. They fit into the file descriptors that are kept from
/// clients.
pub const MOST_CONNECTIONS: usize = 32;

/// For the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// For the next request on a connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// For responses that are under way when the process ends.
const STOP_TIMEOUT_SECONDS: u64 = 3;

/// The running server.
pub struct AdminServer {
    handle: ServerHandle,
}

impl AdminServer {
    /// Serves the API on a socket that listens.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(listener: TcpListener, state: Arc<AdminState>) -> io::Result<Self> {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&state)))
                .wrap(middleware::from_fn(guard::of_listener))
                .configure(routes)
        })
        .workers(1)
        .max_connections(MOST_CONNECTIONS)
        .disable_signals()
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(STOP_TIMEOUT_SECONDS)
        .listen(listener)?
        .run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self { handle })
    }

    /// Ends the server after the responses that are under way.
    pub async fn stop(self) {
        self.handle.stop(true).await;
    }
}

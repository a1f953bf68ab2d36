//! The control socket: the admin API on a server of its own, so that it responds while the balancer drains.
//!
//! What it offers is in [`admin`](crate::admin). Who may connect is decided by the runtime folder's mode, 0700.

use std::{
    any::Any,
    fs, io,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    dev::{Extensions, ServerHandle},
    middleware, web,
};
use tokio::net::UnixStream;

use crate::admin::{self, AdminState, Peer};

/// For responses that are under way when the process ends.
const STOP_TIMEOUT_SECONDS: u64 = 3;

/// The running control server.
pub struct ControlServer {
    handle: ServerHandle,
}

impl ControlServer {
    /// Listens on `socket`; a stale file there is removed, which the caller's lock makes safe.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn start(socket: &Path, state: Arc<AdminState>) -> io::Result<Self> {
        if let Err(error) = fs::remove_file(socket)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let listener = UnixListener::bind(socket)?;
        // For the folder's owner and root, whatever becomes of the folder's mode.
        fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&state)))
                .wrap(middleware::from_fn(admin::of_socket))
                .configure(admin::on_the_socket)
        })
        .on_connect(note_peer)
        .workers(1)
        .disable_signals()
        .keep_alive(Duration::from_secs(5))
        .shutdown_timeout(STOP_TIMEOUT_SECONDS)
        .listen_uds(listener)?
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

/// Who connects, for the log.
fn note_peer(connection: &dyn Any, facts: &mut Extensions) {
    let stream = connection.downcast_ref::<UnixStream>();
    let credentials = stream.and_then(|stream| stream.peer_cred().ok());
    let uid = credentials.map(|credentials| credentials.uid());
    facts.insert(Peer { uid });
}

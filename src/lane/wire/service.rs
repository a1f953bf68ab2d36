//! The lane as a service of actix-server, which accepts and hands out connections.

use std::{io, net::TcpListener, rc::Rc, sync::Arc};

use actix_rt::net::TcpStream;
use actix_server::ServerBuilder;
use actix_service::{fn_factory, fn_service};

use super::{
    Transport,
    client::{Client, NoRequest},
    forward::{self, Next},
    own_answer, tunnel,
    worker::WireWorker,
};
use crate::proxy::Worker;

/// Adds the lane's sockets to a server. `worker` makes what one worker thread has of its own.
///
/// # Errors
/// When a socket cannot be taken over.
pub fn listen(
    mut server: ServerBuilder,
    sockets: Vec<TcpListener>,
    worker: impl Fn() -> Worker + Send + Sync + 'static,
) -> io::Result<ServerBuilder> {
    let worker = Arc::new(worker);
    for (index, socket) in sockets.into_iter().enumerate() {
        let worker = Arc::clone(&worker);
        server = server.listen(format!("http-{index}"), socket, move || {
            let worker = Arc::clone(&worker);
            fn_factory(move || {
                let worker = WireWorker::start(worker());
                async move {
                    Ok::<_, ()>(fn_service(move |stream: TcpStream| {
                        let worker = Rc::clone(&worker);
                        async move {
                            accept(stream, worker).await;
                            Ok::<_, ()>(())
                        }
                    }))
                }
            })
        })?;
    }
    Ok(server)
}

async fn accept(stream: TcpStream, worker: Rc<WireWorker>) {
    // Fails only when the client is gone already.
    let Ok(peer) = stream.peer_addr() else { return };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let limits = worker.shared.registry.snapshot().config().limits;
    let client = Client::new(stream, peer, Rc::clone(&worker));
    match worker.traffic().connect(peer.ip(), &limits) {
        Some(open) => {
            serve(client).await;
            drop(open);
        }
        None => own_answer::refuse_connection(client).await,
    }
}

/// Serves one connection to its end.
async fn serve<S: Transport>(mut client: Client<S>) {
    let mut first = true;
    loop {
        let head = match client.read_head(first).await {
            Ok(head) => head,
            Err(NoRequest::Gone) => return,
            Err(NoRequest::TooSlow) => return own_answer::refuse_slow(client).await,
            Err(NoRequest::Refused(error)) => return own_answer::refuse_head(client, &error).await,
        };
        first = false;
        match forward::forward(&mut client, head).await {
            Next::Request => {}
            Next::Close => return client.close_gently().await,
            Next::Drop => return,
            Next::Reset => return client.stream.reset_on_close(),
            Next::Tunnel(open) => return tunnel::run(client, open).await,
        }
    }
}

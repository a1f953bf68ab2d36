//! The lane as a service of the listeners' workers, which accept and hand out connections.

use std::rc::Rc;

use super::{
    Transport,
    client::{Client, NoRequest},
    dispatch::dispatch,
    forward::Next,
    own_answer, tunnel,
    worker::WireWorker,
};
use crate::{listener::Accepted, proxy::Worker};

/// What serves the connections of one worker thread. `worker` is what that thread has of its own.
pub fn service(worker: Worker) -> impl Fn(Accepted) {
    let worker = WireWorker::start(worker);
    move |accepted| {
        actix_rt::spawn(accept(accepted, Rc::clone(&worker)));
    }
}

async fn accept(accepted: Accepted, worker: Rc<WireWorker>) {
    let Accepted { stream, peer, seat } = accepted;
    // Linux lets it be inherited from the listener.
    if cfg!(not(target_os = "linux")) && stream.set_nodelay(true).is_err() {
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
    drop(seat);
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
        match dispatch(&mut client, head).await {
            Next::Request => {}
            Next::Close => return client.close_gently().await,
            Next::Drop => return,
            Next::Reset => return client.stream.reset_on_close(),
            Next::Tunnel(open) => return tunnel::run(client, *open).await,
        }
    }
}

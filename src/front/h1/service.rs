//! The lane as a service of the listeners' workers, which accept and hand out connections.

use std::{rc::Rc, time::Duration};

use super::{
    Transport,
    client::{Client, NoRequest},
    dispatch::{Dispatched, dispatch, finish},
    forward::Next,
    own_answer, tunnel,
    worker::WireWorker,
};
use crate::{listener::Accepted, proxy::Worker};

/// How long a connection that is refused may take while places are few: longer, and those who may not have one would
/// take them from those who may.
const HASTE: Duration = Duration::from_millis(100);

/// What serves the connections of one worker thread. `worker` is what that thread has of its own.
pub fn service(worker: Worker) -> impl Fn(Accepted) {
    let worker = WireWorker::start(worker);
    move |accepted| accept(accepted, &worker)
}

fn accept(accepted: Accepted, worker: &Rc<WireWorker>) {
    let Accepted { stream, peer, seat } = accepted;
    // Linux lets it be inherited from the listener.
    if cfg!(not(target_os = "linux")) && stream.set_nodelay(true).is_err() {
        return;
    }
    let limits = worker.shared.registry.snapshot().config().limits;
    let open = worker.traffic().connect(peer.ip(), &limits);
    let client = Box::new(Client::new(stream, peer, Rc::clone(worker)));
    actix_rt::spawn(async move {
        match open {
            Some(open) => {
                serve(client).await;
                drop(open);
            }
            None => {
                let refused = Box::pin(own_answer::refuse_connection(client));
                let patience = if seat.is_one_of_few() {
                    HASTE
                } else {
                    Duration::MAX
                };
                // An error: it has been told, and may not have heard.
                let _ = tokio::time::timeout(patience, refused).await;
            }
        }
        drop(seat);
    });
}

/// Serves one connection to its end. What is rare is in boxes, so that all the others need no room for it.
async fn serve<S: Transport>(mut client: Box<Client<S>>) {
    let mut first = true;
    loop {
        let head = match client.read_head(first).await {
            Ok(head) => head,
            Err(NoRequest::Gone) => return,
            Err(NoRequest::TooSlow) => return Box::pin(own_answer::refuse_slow(client)).await,
            Err(NoRequest::Refused(error)) => {
                return Box::pin(own_answer::refuse_head(client, error)).await;
            }
        };
        first = false;
        let next = match dispatch(&mut client, &head) {
            Dispatched::Forward(request, lease) => request.run(&mut *client, lease).await,
            Dispatched::Wait(request) => Box::pin(request.wait_and_run(&mut *client)).await,
            Dispatched::Answered { goes_on, counted } => {
                let next = finish(&mut *client, goes_on).await;
                drop(counted);
                next
            }
        };
        match next {
            // Who has sent its next request already lets others go first; and what its backend did meanwhile comes to be
            // known before the connection there is used again.
            Next::Request if !client.unused().is_empty() => tokio::task::yield_now().await,
            Next::Request => {}
            Next::Close => return Box::pin(client.close_gently()).await,
            Next::Drop => return,
            Next::Reset => return client.stream.reset_on_close(),
            Next::Tunnel(open) => return Box::pin(tunnel::run(client, *open)).await,
        }
    }
}

//! The front as a service of the listeners' workers, which accept and hand out connections.

use std::{rc::Rc, time::Duration};

use super::{Client, Lane, Next, client::NoRequest, own_response, tunnel};
use crate::{
    front::FrontWorker,
    listener::Accepted,
    proxy::{ProxyError, Transport},
};

/// How long a connection that is refused may take while places are few: longer, and those who may not have one would
/// take them from those who may.
const REJECT_TIMEOUT: Duration = Duration::from_millis(100);

/// What serves the connections of one worker thread, by its lane.
pub fn service<L: Lane>(worker: Rc<FrontWorker>, lane: L) -> impl Fn(Accepted) {
    let lane = Rc::new(lane);
    move |accepted| accept(accepted, &worker, &lane)
}

fn accept<L: Lane>(accepted: Accepted, worker: &Rc<FrontWorker>, lane: &Rc<L>) {
    let Accepted {
        stream,
        connection,
        seat,
    } = accepted;
    // Linux lets it be inherited from the listener.
    if cfg!(not(target_os = "linux")) && stream.set_nodelay(true).is_err() {
        return;
    }
    let limits = worker.shared.registry.snapshot().config().limits;
    let open = worker.traffic().connect(connection.peer.ip(), &limits);
    let client = Box::new(Client::new(stream, connection, Rc::clone(worker)));
    let lane = Rc::clone(lane);
    actix_rt::spawn(async move {
        match open {
            Some(open) => {
                serve(client, &*lane).await;
                drop(open);
            }
            None => {
                let refused = Box::pin(own_response::refuse_unread(
                    client,
                    ProxyError::TooManyConnections,
                ));
                let patience = if seat.is_one_of_few() {
                    REJECT_TIMEOUT
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
async fn serve<S: Transport, L: Lane>(mut client: Box<Client<S>>, lane: &L) {
    let mut first = true;
    loop {
        let head = match client.read_head(first).await {
            Ok(head) => head,
            Err(NoRequest::Gone) => return,
            Err(NoRequest::Refused(error)) => {
                return Box::pin(own_response::refuse_unread(client, error)).await;
            }
        };
        first = false;
        client.begin_record(Some(&head));
        let next = lane.carry(&mut client, &head).await;
        if !matches!(next, Next::Tunnel(_)) {
            client.end_record();
        }
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

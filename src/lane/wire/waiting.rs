//! A request that waits for a place at a backend, in the queue of its pool.

use std::{future::poll_fn, rc::Rc, task::Poll};

use lb_core::pool::{Lease, NoBackend, Pool, Terms};

use super::{Transport, client::Client, worker::WireWorker};
use crate::proxy::PickBy;

/// How the waiting ended.
pub(super) enum Waited {
    /// With a backend, or with a reason why there is none.
    Picked(Result<Lease, NoBackend>),
    /// The client has left.
    ClientGone,
}

/// Waits until the request may go to a backend, for as long as the pool and the cap on
/// the whole request allow. What the client sends meanwhile is kept.
pub(super) async fn for_a_place<S: Transport>(
    client: &mut Client<S>,
    (pool, terms): (&Pool, &Terms),
    by: PickBy,
) -> Waited {
    let worker = Rc::clone(&client.worker);
    let queue = pool.config().queue;
    let Some(ticket) = pool.queue().join(queue.size as usize) else {
        return Waited::Picked(Err(NoBackend::Saturated));
    };
    let deadline = client.timer.clock().after(terms.longest_wait(&queue));
    poll_fn(|cx| {
        let pick = || {
            let now = WireWorker::precise_now();
            match worker.shared.pick_in_turn(pool, PickBy { now, ..by }) {
                Err(NoBackend::Saturated) => None,
                picked => Some(picked),
            }
        };
        if let Poll::Ready(picked) = ticket.poll(cx, pick) {
            return Poll::Ready(Waited::Picked(picked));
        }
        if client.poll_gone(cx).is_ready() {
            return Poll::Ready(Waited::ClientGone);
        }
        if deadline <= client.timer.clock().now() {
            return Poll::Ready(Waited::Picked(Err(NoBackend::Saturated)));
        }
        client.timer.arm(cx, Some(deadline), false);
        Poll::Pending
    })
    .await
}

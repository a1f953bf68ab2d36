//! A request that waits for a place at a backend, in the queue of its pool.

use std::{future::poll_fn, rc::Rc, task::Poll, time::Instant};

use lb_core::pool::{Lease, NoBackend, Pool, Tried};

use super::worker::WireWorker;
use crate::{
    front::h1::{Client, Leaving},
    proxy::{PickBy, Transport},
};

/// How the waiting ended.
pub(super) enum Waited {
    /// With a backend, or with a reason why there is none.
    Picked(Result<Lease, NoBackend>),
    /// The client has left.
    ClientGone,
}

/// Waits until the request may go to a backend that it has not tried, for as long as the pool allows, and no longer than
/// until `deadline`.
pub(super) async fn for_a_place<S: Transport>(
    client: &mut Client<S>,
    (pool, tried): (&Pool, &Tried),
    (by, deadline): (PickBy, Option<Instant>),
) -> Waited {
    let worker = Rc::clone(&client.worker);
    let clock = Rc::clone(client.timer.clock());
    let queue = pool.config().queue;
    let Some(mut ticket) = pool.queue().join(queue.size as usize) else {
        return Waited::Picked(Err(NoBackend::Saturated));
    };
    if !tried.is_empty() {
        ticket = ticket.choosy();
    }
    let longest = clock.after(queue.timeout);
    let until = deadline.map_or(longest, |deadline| deadline.min(longest));
    let mut leaving = Leaving::default();
    poll_fn(|cx| {
        let pick = || {
            let now = WireWorker::precise_now();
            match worker.shared.pick_in_turn(pool, tried, PickBy { now, ..by }) {
                Err(NoBackend::Saturated) => None,
                picked => Some(picked),
            }
        };
        if let Poll::Ready(picked) = ticket.poll(cx, pick) {
            return Poll::Ready(Waited::Picked(picked));
        }
        if leaving.poll(cx, client).is_ready() {
            return Poll::Ready(Waited::ClientGone);
        }
        if until <= clock.now() {
            return Poll::Ready(Waited::Picked(Err(NoBackend::Saturated)));
        }
        let wake = leaving.wakes(client).map_or(until, |wakes| wakes.min(until));
        client.timer.arm(cx, Some(wake), false);
        Poll::Pending
    })
    .await
}

//! A request that waits for a place at a backend, in the queue of its pool.

use std::{future::poll_fn, rc::Rc, task::Poll};

use lb_core::{
    attempts::Attempts,
    pool::{Lease, NoBackend, Pool},
};

use super::worker::WireWorker;
use crate::{
    front::h1::{Client, Leaving},
    proxy::Transport,
};

/// How the waiting ended.
pub(super) enum Waited {
    /// With a backend, or with a reason why there is none.
    Picked(Result<Lease, NoBackend>),
    /// The client has left.
    ClientGone,
}

/// Waits until the request may go to a backend that it has not tried, for as long as its attempts allow.
pub(super) async fn for_a_place<S: Transport>(
    client: &mut Client<S>,
    (attempts, pool): (&Attempts, &Pool),
) -> Waited {
    let worker = Rc::clone(&client.worker);
    let clock = Rc::clone(client.timer.clock());
    let begun = WireWorker::precise_now();
    let place = match attempts.join(pool, clock.at(begun)) {
        Ok(place) => place,
        Err(none) => return Waited::Picked(Err(none)),
    };
    let mut leaving = Leaving::default();
    let waited = poll_fn(|cx| {
        let pick = || worker.shared.in_turn(attempts, pool);
        if let Poll::Ready(picked) = place.ticket.poll(cx, pick) {
            return Poll::Ready(Waited::Picked(picked));
        }
        if leaving.poll(cx, client).is_ready() {
            return Poll::Ready(Waited::ClientGone);
        }
        if place.until <= clock.now() {
            return Poll::Ready(Waited::Picked(Err(NoBackend::QueueTimedOut)));
        }
        let wakes = leaving.wakes(client);
        let wake = wakes.map_or(place.until, |wakes| wakes.min(place.until));
        client.timer.arm(cx, Some(wake), false);
        Poll::Pending
    })
    .await;
    client.note(|notes| notes.note(|facts| facts.times.queued += begun.elapsed()));
    waited
}

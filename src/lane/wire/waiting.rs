//! A request that waits for a place at a backend, in the queue of its pool.

use std::{future::poll_fn, rc::Rc, sync::Arc, task::Poll};

use lb_core::{
    attempts::Attempts,
    pool::{Destination, Lease, NoBackend},
};

use super::worker::WireWorker;
use crate::{
    front::h1::{Client, Leaving},
    proxy::{Transport, Turn},
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
    attempts: &Attempts,
    destination: &Destination,
) -> Waited {
    let worker = Rc::clone(&client.worker);
    let clock = Rc::clone(client.timer.clock());
    let begun = WireWorker::precise_now();
    let mut leaving = Leaving::default();
    let mut pool = Arc::clone(destination.pool());
    let mut left = None;
    let waited = loop {
        let place = match attempts.join(&pool, clock.at(begun)) {
            Ok(place) => place,
            Err(none) => break Waited::Picked(Err(none)),
        };
        // Only now may those behind it follow, or they would get past it.
        drop(left.take());
        let turn = poll_fn(|cx| {
            let pick = || worker.shared.in_turn(attempts, &pool, destination);
            if let Poll::Ready(turn) = place.ticket.poll(cx, pick) {
                return Poll::Ready(Some(turn));
            }
            if leaving.poll(cx, client).is_ready() {
                return Poll::Ready(None);
            }
            if place.until <= clock.now() {
                return Poll::Ready(Some(Turn::Over(Err(NoBackend::QueueTimedOut))));
            }
            let wakes = leaving.wakes(client);
            let wake = wakes.map_or(place.until, |wakes| wakes.min(place.until));
            client.timer.arm(cx, Some(wake), false);
            Poll::Pending
        })
        .await;
        match turn {
            None => break Waited::ClientGone,
            Some(Turn::Over(picked)) => break Waited::Picked(picked),
            Some(Turn::Moved(successor)) => (pool, left) = (successor, Some(place)),
        }
    };
    client.note(|notes| notes.note(|facts| facts.times.queued += begun.elapsed()));
    waited
}

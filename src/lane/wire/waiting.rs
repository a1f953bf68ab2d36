//! A request that waits for a place at a backend, in the queue of its pool.

use std::{future::poll_fn, rc::Rc, task::Poll, time::Instant};

use lb_core::pool::{Lease, NoBackend, Pool, Tried};

use super::{Transport, client::Client, timer::TICK, worker::WireWorker};
use crate::proxy::{HALF_CLOSED, PickBy};

/// How the waiting ended.
pub(super) enum Waited {
    /// With a backend, or with a reason why there is none.
    Picked(Result<Lease, NoBackend>),
    /// The client has left.
    ClientGone,
}

/// Waits until the request may go to a backend that it has not tried, for as long as the pool allows, and no longer than
/// until `deadline`. What the client sends meanwhile is kept. One that closed its side may only have said that it
/// sends no more: it keeps its place for as long as a backend may be silent then.
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
    let mut left_at = None;
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
        if left_at.is_none() {
            match client.poll_gone(cx) {
                Poll::Ready(Ok(())) => left_at = Some(clock.now() + HALF_CLOSED + TICK),
                Poll::Ready(Err(_)) => return Poll::Ready(Waited::ClientGone),
                Poll::Pending => {}
            }
        }
        let now = clock.now();
        if until <= now {
            return Poll::Ready(Waited::Picked(Err(NoBackend::Saturated)));
        }
        if left_at.is_some_and(|left_at| left_at <= now) {
            return Poll::Ready(Waited::ClientGone);
        }
        let wake = left_at.map_or(until, |left_at| left_at.min(until));
        client.timer.arm(cx, Some(wake), false);
        Poll::Pending
    })
    .await
}

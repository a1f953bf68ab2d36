//! Which worker has how many connections: a new one goes to the worker that has the fewest, and waits in the listener's
//! queue while all are full.

use std::sync::{
    Arc,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Relaxed, SeqCst},
    },
};

use tokio::sync::Notify;

/// A worker's count, alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Taken(AtomicUsize);

/// The places for connections, of all workers.
#[derive(Debug)]
pub(super) struct Seats {
    taken: Box<[Taken]>,
    each: usize,
    next: AtomicUsize,
    /// Somebody waits for a seat to be given back.
    awaited: AtomicBool,
    given_back: Notify,
}

/// A connection's place at a worker, given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    worker: usize,
}

impl Seats {
    /// So many workers, with so many seats each.
    pub(super) fn new(workers: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            taken: (0..workers.max(1)).map(|_| Taken::default()).collect(),
            each: each.max(1),
            next: AtomicUsize::new(0),
            awaited: AtomicBool::new(false),
            given_back: Notify::new(),
        })
    }

    /// How many there are, taken or not.
    pub(super) fn count(&self) -> usize {
        self.taken.len().saturating_mul(self.each)
    }

    /// Whether every worker has as many connections as it takes.
    pub(super) fn are_full(&self) -> bool {
        self.taken.iter().all(|taken| taken.0.load(SeqCst) >= self.each)
    }

    /// A seat at the worker with the fewest connections; among equals they take turns. Whether there is one free is
    /// asked before a connection is accepted: the few that listeners of different workers may take beyond are no harm.
    pub(super) fn take(self: &Arc<Self>) -> Seat {
        let count = self.taken.len();
        let first = if count > 1 {
            self.next.fetch_add(1, Relaxed) % count
        } else {
            0
        };
        let worker = (first..first + count)
            .map(|index| index % count)
            .min_by_key(|&worker| self.taken[worker].0.load(Relaxed))
            .unwrap_or(first);
        self.taken[worker].0.fetch_add(1, SeqCst);
        Seat {
            seats: Arc::clone(self),
            worker,
        }
    }

    /// Waits until a seat may be free.
    pub(super) async fn until_free(&self) {
        self.until(|| !self.are_full()).await;
    }

    /// Waits until no seat is taken.
    pub(super) async fn until_empty(&self) {
        self.until(|| self.taken.iter().all(|taken| taken.0.load(SeqCst) == 0))
            .await;
    }

    async fn until(&self, condition: impl Fn() -> bool) {
        loop {
            let given_back = self.given_back.notified();
            self.awaited.store(true, SeqCst);
            // Looked at after the wish is known, so that a seat given back in between wakes this.
            if condition() {
                return;
            }
            given_back.await;
        }
    }
}

impl Seat {
    /// The worker's number.
    pub(super) fn worker(&self) -> usize {
        self.worker
    }

    /// Whether more than half of its worker's seats are taken.
    pub fn is_one_of_few(&self) -> bool {
        self.seats.taken[self.worker].0.load(Relaxed) > self.seats.each / 2
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken[self.worker].0.fetch_sub(1, SeqCst);
        if self.seats.awaited.load(SeqCst) && self.seats.awaited.swap(false, SeqCst) {
            self.seats.given_back.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn seats_are_few_when_more_than_half_are_taken() {
        let seats = Seats::new(1, 4);
        let held: Vec<Seat> = (0..2).map(|_| seats.take()).collect();
        assert!(!held[0].is_one_of_few());
        let third = seats.take();
        assert!(third.is_one_of_few() && held[0].is_one_of_few());
    }

    #[test]
    fn the_worker_with_the_fewest_connections_is_next() {
        let seats = Seats::new(3, 10);
        let mut held: Vec<Seat> = (0..6).map(|_| seats.take()).collect();
        let mut counts = [0; 3];
        held.iter().for_each(|seat| counts[seat.worker()] += 1);
        assert_eq!(counts, [2, 2, 2], "among equals they take turns");
        held.retain(|seat| seat.worker() != 1);
        assert_eq!(seats.take().worker(), 1);
    }

    #[test]
    fn a_seat_that_is_given_back_wakes_who_waits() {
        let seats = Seats::new(1, 1);
        assert!(!seats.are_full());
        let held = seats.take();
        assert!(seats.are_full());
        let mut free = Box::pin(seats.until_free());
        let mut empty = Box::pin(seats.until_empty());
        assert_eq!(free.as_mut().now_or_never(), None);
        assert_eq!(empty.as_mut().now_or_never(), None);
        drop(held);
        assert_eq!(free.as_mut().now_or_never(), Some(()));
        assert_eq!(empty.as_mut().now_or_never(), Some(()));
    }
}

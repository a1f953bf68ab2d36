//! Requests that wait for a place while every backend of a pool holds as many as its `max_connections` allows.
//!
//! First come, first served, over all workers: a place that becomes free wakes the request that has waited longest, and
//! nobody who comes later gets past it. A request that is woken picks for itself, from the newest snapshot; if it finds
//! no place after all it goes on waiting where it was. The queue is bounded: beyond its size nobody waits.
//!
//! Only requests of pools with limits come here, and of those only the ones that found no place; whether anybody waits
//! is one load.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

/// The requests of one pool that wait.
#[derive(Debug, Default)]
pub struct Queue {
    /// How many wait. One that was woken counts until it has its place: who comes in between is behind it.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next_number: u64,
    /// In the order of arrival.
    places: BTreeMap<u64, State>,
}

#[derive(Debug)]
enum State {
    /// Nobody has told it anything. The waker is missing until it first waits.
    Waits(Option<Waker>),
    /// There is a place for it.
    Called,
}

/// A request's place in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub struct Ticket {
    queue: Arc<Queue>,
    number: u64,
}

impl Queue {
    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a place at the end; `None` if `size` requests wait already.
    pub fn join(self: &Arc<Self>, size: usize) -> Option<Ticket> {
        let mut line = self.line();
        if line.places.len() >= size {
            return None;
        }
        let number = line.next_number;
        line.next_number += 1;
        line.places.insert(number, State::Waits(None));
        self.waiting.store(line.places.len(), SeqCst);
        Some(Ticket {
            queue: Arc::clone(self),
            number,
        })
    }

    /// A place has become free: calls the request that has waited longest.
    pub fn call_next(&self) {
        if self.is_empty() {
            return;
        }
        let waker = self.line().call().flatten();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// There may be many places, because a backend came back or a limit was raised: calls all. Whoever finds none waits
    /// on.
    pub fn call_all(&self) {
        if self.is_empty() {
            return;
        }
        let mut wakers = Vec::new();
        let mut line = self.line();
        while let Some(waker) = line.call() {
            wakers.extend(waker);
        }
        drop(line);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Calls the first that was not called yet, and gives its waker.
    fn call(&mut self) -> Option<Option<Waker>> {
        let first = self
            .places
            .values_mut()
            .find(|state| matches!(state, State::Waits(_)))?;
        match std::mem::replace(first, State::Called) {
            State::Waits(waker) => Some(waker),
            State::Called => None,
        }
    }
}

impl Ticket {
    /// Tries to pick when it was called, and when it has just begun to wait as the first: a place that became free
    /// before it was in the queue has called nobody.
    pub fn poll<T>(&self, cx: &Context<'_>, mut pick: impl FnMut() -> Option<T>) -> Poll<T> {
        loop {
            if !self.wait(cx) {
                return Poll::Pending;
            }
            if let Some(picked) = pick() {
                return Poll::Ready(picked);
            }
        }
    }

    /// Leaves word how to be woken; whether to try now.
    fn wait(&self, cx: &Context<'_>) -> bool {
        let mut line = self.queue.line();
        let first = line.places.keys().next() == Some(&self.number);
        let Some(state) = line.places.get_mut(&self.number) else {
            return false;
        };
        let (called, known) = match state {
            State::Called => (true, false),
            State::Waits(None) => (first, false),
            State::Waits(Some(waker)) => (false, waker.will_wake(cx.waker())),
        };
        if !known {
            // From here on it can be called again, also while it tries.
            *state = State::Waits(Some(cx.waker().clone()));
        }
        called
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        line.places.remove(&self.number);
        self.queue.waiting.store(line.places.len(), SeqCst);
        drop(line);
        // There may be one more place, or this one's, if it was called and left. Who finds none waits on.
        self.queue.call_next();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use super::*;

    fn poll(ticket: &Ticket, places: &Cell<u32>) -> bool {
        let pick = || {
            let left = places.get().checked_sub(1)?;
            places.set(left);
            Some(())
        };
        ticket.poll(&Context::from_waker(Waker::noop()), pick).is_ready()
    }

    #[test]
    fn a_free_place_is_for_the_one_that_waited_longest() {
        let (queue, places) = (Arc::new(Queue::default()), Cell::new(0));
        let tickets: Vec<Ticket> = (0..3).filter_map(|_| queue.join(10)).collect();
        assert!(tickets.iter().all(|ticket| !poll(ticket, &places)));
        places.set(1);
        queue.call_next();
        assert!(!poll(&tickets[2], &places));
        assert!(!poll(&tickets[1], &places));
        assert!(poll(&tickets[0], &places));
    }

    #[test]
    fn beyond_its_size_nobody_waits() {
        let queue = Arc::new(Queue::default());
        let tickets: Vec<Ticket> = (0..5).filter_map(|_| queue.join(2)).collect();
        assert_eq!((tickets.len(), queue.len()), (2, 2));
        drop(tickets);
        assert!(queue.is_empty() && queue.join(2).is_some());
    }

    #[test]
    fn a_place_that_became_free_just_before_is_found() {
        let (queue, places) = (Arc::new(Queue::default()), Cell::new(1));
        // Freed between the pick that found none and the joining: nobody was there to be called.
        queue.call_next();
        let ticket = queue.join(1).unwrap();
        assert!(poll(&ticket, &places));
    }

    #[test]
    fn who_leaves_after_the_call_hands_it_on() {
        let (queue, places) = (Arc::new(Queue::default()), Cell::new(0));
        let (first, second) = (queue.join(9).unwrap(), queue.join(9).unwrap());
        assert!(!poll(&first, &places) && !poll(&second, &places));
        places.set(1);
        queue.call_next();
        drop(first);
        assert!(poll(&second, &places));
    }

    #[test]
    fn who_finds_nothing_after_the_call_waits_on_where_it_was() {
        let (queue, places) = (Arc::new(Queue::default()), Cell::new(0));
        let (first, second) = (queue.join(9).unwrap(), queue.join(9).unwrap());
        assert!(!poll(&first, &places) && !poll(&second, &places));
        queue.call_all();
        assert!(!poll(&second, &places) && !poll(&first, &places));
        places.set(1);
        queue.call_next();
        assert!(!poll(&second, &places) && poll(&first, &places));
    }
}

//! Requests that wait for a place while every backend of a pool holds as many as its `max_connections` allows.
//!
//! First come, first served, over all workers: a place that becomes free calls the request that has waited longest, and
//! nobody who comes later gets past it. A request that is called picks for itself, from the newest snapshot; if it finds
//! no place after all it goes on waiting where it was. The queue is bounded: beyond its size nobody waits.
//!
//! A retry waits for some backends only, those that it has not tried. What is free elsewhere must not lie idle meanwhile:
//! a retry that finds nothing for itself lets those behind it look, and keeps its place.
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
    /// It has looked and found nothing for itself; those behind it may look.
    LetsPass(Waker),
    /// There may be a place for it.
    Called,
}

/// A request's place in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub struct Ticket {
    queue: Arc<Queue>,
    number: u64,
    choosy: bool,
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
            choosy: false,
        })
    }

    /// There may be a place: calls the request that has waited longest. When that one is gone, with a place or without,
    /// the next one is called, so this is enough for many places, too.
    pub fn call(&self) {
        if self.is_empty() {
            return;
        }
        let first = self.line().places.values_mut().next().and_then(State::call);
        if let Some(waker) = first {
            waker.wake();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells it to look; whom to wake for that.
    fn call(&mut self) -> Option<Waker> {
        match std::mem::replace(self, Self::Called) {
            Self::Waits(waker) => waker,
            Self::LetsPass(waker) => Some(waker),
            // It will look whatever happens.
            Self::Called => None,
        }
    }
}

impl Ticket {
    /// Of a request that not every backend will do for.
    #[must_use]
    pub fn choosy(self) -> Self {
        let mut this = self;
        this.choosy = true;
        this
    }

    /// Tries to pick when it is the first and was called, or has just become the first: a place that became free before
    /// it was in the queue has called nobody.
    pub fn poll<T>(&self, cx: &Context<'_>, mut pick: impl FnMut() -> Option<T>) -> Poll<T> {
        while self.may_try(cx) {
            if let Some(picked) = pick() {
                return Poll::Ready(picked);
            }
            if self.choosy {
                self.let_pass();
            }
        }
        Poll::Pending
    }

    /// Lets the next one look, unless there is something new to look for.
    fn let_pass(&self) {
        let mut line = self.queue.line();
        let mut from_here = line.places.range_mut(self.number..);
        let Some((_, own)) = from_here.next() else {
            return;
        };
        let State::Waits(Some(waker)) = own else {
            return;
        };
        *own = State::LetsPass(waker.clone());
        let next = from_here.next().and_then(|(_, next)| next.call());
        drop(line);
        if let Some(waker) = next {
            waker.wake();
        }
    }

    /// Leaves word how to be woken; whether to try now. Nobody tries but the first that lets nobody pass, or who was called
    /// later could get past one that is slow to come.
    fn may_try(&self, cx: &Context<'_>) -> bool {
        let mut line = self.queue.line();
        let mut before = line.places.range(..self.number);
        let is_first = before.all(|(_, state)| matches!(state, State::LetsPass(_)));
        let Some(state) = line.places.get_mut(&self.number) else {
            return false;
        };
        let (is_due, is_known) = match state {
            State::Called | State::Waits(None) => (true, false),
            State::Waits(Some(waker)) => (false, waker.will_wake(cx.waker())),
            State::LetsPass(waker) => {
                waker.clone_from(cx.waker());
                (false, true)
            }
        };
        if !is_known {
            // From here on it can be called again, also while it tries.
            *state = State::Waits(Some(cx.waker().clone()));
        }
        is_first && is_due
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        line.places.remove(&self.number);
        self.queue.waiting.store(line.places.len(), SeqCst);
        drop(line);
        // There may be one more place, or this one's, if it was called and left.
        self.queue.call();
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
        queue.call();
        assert!(!poll(&tickets[2], &places));
        assert!(!poll(&tickets[1], &places));
        assert!(poll(&tickets[0], &places));
    }

    #[test]
    fn many_places_are_taken_one_after_the_other_in_order() {
        let (queue, places) = (Arc::new(Queue::default()), Cell::new(0));
        let mut tickets: Vec<Ticket> = (0..4).filter_map(|_| queue.join(10)).collect();
        assert!(tickets.iter().all(|ticket| !poll(ticket, &places)));
        places.set(3);
        queue.call();
        for _ in 0..3 {
            assert!(
                tickets[1..].iter().all(|later| !poll(later, &places)),
                "nobody gets past the first"
            );
            assert!(poll(&tickets.remove(0), &places));
        }
        assert!(!poll(&tickets[0], &places));
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
        queue.call();
        let ticket = queue.join(1).unwrap();
        assert!(poll(&ticket, &places));
    }

    #[test]
    fn who_leaves_after_the_call_hands_it_on() {
        let (queue, places) = (Arc::new(Queue::default()), Cell::new(0));
        let (first, second) = (queue.join(9).unwrap(), queue.join(9).unwrap());
        assert!(!poll(&first, &places) && !poll(&second, &places));
        places.set(1);
        queue.call();
        drop(first);
        assert!(poll(&second, &places));
    }

    #[test]
    fn who_wants_something_else_lets_those_behind_look_and_keeps_its_place() {
        let (queue, places, none) = (Arc::new(Queue::default()), Cell::new(1), Cell::new(0));
        let first = queue.join(9).unwrap().choosy();
        let (second, third) = (queue.join(9).unwrap(), queue.join(9).unwrap());
        assert!(!poll(&third, &places), "the first has not looked yet");
        assert!(!poll(&first, &none));
        assert!(poll(&second, &places) && !poll(&third, &places));
        drop(second);
        places.set(2);
        assert!(!poll(&third, &places), "first the first is asked again");
        assert!(poll(&first, &places), "and has its place still");
        drop(first);
        assert!(poll(&third, &places));
    }

    #[test]
    fn who_finds_nothing_after_the_call_waits_on_where_it_was() {
        let (queue, places) = (Arc::new(Queue::default()), Cell::new(0));
        let (first, second) = (queue.join(9).unwrap(), queue.join(9).unwrap());
        assert!(!poll(&first, &places) && !poll(&second, &places));
        queue.call();
        assert!(!poll(&second, &places) && !poll(&first, &places));
        places.set(1);
        queue.call();
        assert!(!poll(&second, &places) && poll(&first, &places));
    }
}

//! Requests that wait for a place while every backend of a pool holds as many as its `max_connections` allows.
//!
//! First come, first served, over all workers: a place that becomes free calls the request that has waited longest, and
//! nobody who comes later gets past it. A request that is called picks for itself, from the newest snapshot; if it finds
//! no place after all it goes on waiting where it was. The queue is bounded: beyond its size nobody waits.
//!
//! A retry waits for some backends only, those that it has not tried. What is free elsewhere must not lie idle meanwhile:
//! a retry that finds nothing for itself lets those behind it look, and keeps its place. Requests that have tried the same
//! backends wait for the same ones, so where one of them has found nothing the others need not look. They form a class,
//! only the first of which is ever called, and so a free place costs a look for each class, not for each request. There
//! are at most [`MOST_CLASSES`]: what comes beyond them shares the last one, and waits behind those before it there.
//!
//! Only requests of pools with limits come here, and of those only the ones that found no place; whether anybody waits
//! is one load.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use super::Tried;

/// Bounds what a free place costs. With one retry a pool of 60 backends has no more; and where there are more, most hold
/// one request.
const MOST_CLASSES: usize = 64;

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
    /// Empty ones are used again.
    classes: Vec<Class>,
    /// The first request of each class, in the order of arrival, with the index of the class.
    heads: BTreeMap<u64, usize>,
}

/// Requests that wait for the same backends.
#[derive(Debug, Default)]
struct Class {
    tried: Tried,
    /// In the order of arrival.
    places: BTreeMap<u64, State>,
    /// Its first request has looked and found nothing; those behind it may look.
    lets_pass: bool,
}

#[derive(Debug)]
enum State {
    /// Nobody has told it anything. The waker is missing until it first waits.
    Waits(Option<Waker>),
    /// There may be a place for it.
    Called,
}

/// A request's place in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub struct Ticket {
    queue: Arc<Queue>,
    number: u64,
    class: usize,
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

    /// Takes a place at the end for a request that has tried these backends; `None` if `size` requests wait already.
    pub fn join(self: &Arc<Self>, size: usize, tried: &Tried) -> Option<Ticket> {
        let mut line = self.line();
        let waiting = self.len();
        if waiting >= size {
            return None;
        }
        let (number, class) = line.add(tried);
        self.waiting.store(waiting + 1, SeqCst);
        Some(Ticket {
            queue: Arc::clone(self),
            number,
            class,
            choosy: !tried.is_empty(),
        })
    }

    /// There may be a place: calls the request that has waited longest. When that one is gone, with a place or without,
    /// the next one is called, so this is enough for many places, too.
    pub fn call(&self) {
        if self.is_empty() {
            return;
        }
        let first = self.line().call_from(0);
        if let Some(waker) = first {
            waker.wake();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Adds a request to its class: its number, and the index of the class.
    fn add(&mut self, tried: &Tried) -> (u64, usize) {
        let number = self.next_number;
        self.next_number += 1;
        let index = self.class_of(tried);
        let class = &mut self.classes[index];
        if class.places.is_empty() {
            self.heads.insert(number, index);
        }
        class.places.insert(number, State::Waits(None));
        (number, index)
    }

    fn class_of(&mut self, tried: &Tried) -> usize {
        let same = |class: &Class| !class.places.is_empty() && class.tried.is_same(tried);
        if let Some(index) = self.classes.iter().position(same) {
            return index;
        }
        let unused = self.classes.iter().position(|class| class.places.is_empty());
        match unused {
            None if self.classes.len() >= MOST_CLASSES => return MOST_CLASSES - 1,
            None => self.classes.push(Class::default()),
            Some(_) => {}
        }
        let index = unused.unwrap_or(self.classes.len() - 1);
        self.classes[index].tried = *tried;
        index
    }

    fn remove(&mut self, number: u64, index: usize) {
        let class = &mut self.classes[index];
        class.places.remove(&number);
        if self.heads.remove(&number).is_none() {
            return;
        }
        match class.places.first_key_value() {
            Some((&next, _)) => {
                self.heads.insert(next, index);
            }
            None => class.lets_pass = false,
        }
    }

    /// Tells the first head from this number on to look; whom to wake for that.
    fn call_from(&mut self, number: u64) -> Option<Waker> {
        let (number, &index) = self.heads.range(number..).next()?;
        let class = &mut self.classes[index];
        class.lets_pass = false;
        let state = class.places.get_mut(number)?;
        match std::mem::replace(state, State::Called) {
            State::Waits(waker) => waker,
            // It will look whatever happens.
            State::Called => None,
        }
    }

    /// Whether nobody before this one is to look first.
    fn is_first(&self, number: u64) -> bool {
        let mut before = self.heads.range(..number);
        self.heads.contains_key(&number) && before.all(|(_, &index)| self.classes[index].lets_pass)
    }
}

impl Ticket {
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

    /// Lets the next class look, unless there is something new to look for.
    fn let_pass(&self) {
        let mut line = self.queue.line();
        let class = &mut line.classes[self.class];
        if !matches!(class.places.get(&self.number), Some(State::Waits(Some(_)))) {
            return;
        }
        class.lets_pass = true;
        let next = line.call_from(self.number + 1);
        drop(line);
        if let Some(waker) = next {
            waker.wake();
        }
    }

    /// Leaves word how to be woken; whether to try now. Nobody tries but the first that lets nobody pass, or who was called
    /// later could get past one that is slow to come.
    fn may_try(&self, cx: &Context<'_>) -> bool {
        let mut line = self.queue.line();
        let is_first = line.is_first(self.number);
        let Some(state) = line.classes[self.class].places.get_mut(&self.number) else {
            return false;
        };
        let (is_due, is_known) = match state {
            State::Called | State::Waits(None) => (true, false),
            State::Waits(Some(waker)) => (false, waker.will_wake(cx.waker())),
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
        line.remove(self.number, self.class);
        let waiting = self.queue.len().saturating_sub(1);
        self.queue.waiting.store(waiting, SeqCst);
        drop(line);
        // There may be one more place, or this one's, if it was called and left.
        self.queue.call();
    }
}

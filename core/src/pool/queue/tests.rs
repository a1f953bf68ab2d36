#![allow(clippy::unwrap_used)]

use std::{cell::Cell, collections::VecDeque, sync::Mutex, task::Wake};

use super::*;
use crate::pool::Backend;

fn untried() -> Tried {
    Tried::default()
}

fn tried(ids: &[u64]) -> Tried {
    let mut tried = Tried::default();
    for &id in ids {
        tried.add(&Backend::new(id, "http://a".parse().unwrap(), 1));
    }
    tried
}

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
    let tickets: Vec<Ticket> = (0..3).filter_map(|_| queue.join(10, &untried())).collect();
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
    let mut tickets: Vec<Ticket> = (0..4).filter_map(|_| queue.join(10, &untried())).collect();
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
    let tickets: Vec<Ticket> = (0..5).filter_map(|_| queue.join(2, &untried())).collect();
    assert_eq!((tickets.len(), queue.len()), (2, 2));
    drop(tickets);
    assert!(queue.is_empty() && queue.join(2, &untried()).is_some());
}

#[test]
fn a_place_that_became_free_just_before_is_found() {
    let (queue, places) = (Arc::new(Queue::default()), Cell::new(1));
    // Freed between the pick that found none and the joining: nobody was there to be called.
    queue.call();
    let ticket = queue.join(1, &untried()).unwrap();
    assert!(poll(&ticket, &places));
}

#[test]
fn who_leaves_after_the_call_hands_it_on() {
    let (queue, places) = (Arc::new(Queue::default()), Cell::new(0));
    let (first, second) = (
        queue.join(9, &untried()).unwrap(),
        queue.join(9, &untried()).unwrap(),
    );
    assert!(!poll(&first, &places) && !poll(&second, &places));
    places.set(1);
    queue.call();
    drop(first);
    assert!(poll(&second, &places));
}

#[test]
fn who_wants_something_else_lets_those_behind_look_and_keeps_its_place() {
    let (queue, places, none) = (Arc::new(Queue::default()), Cell::new(1), Cell::new(0));
    let first = queue.join(9, &tried(&[1])).unwrap();
    let (second, third) = (
        queue.join(9, &untried()).unwrap(),
        queue.join(9, &untried()).unwrap(),
    );
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
    let (first, second) = (
        queue.join(9, &untried()).unwrap(),
        queue.join(9, &untried()).unwrap(),
    );
    assert!(!poll(&first, &places) && !poll(&second, &places));
    queue.call();
    assert!(!poll(&second, &places) && !poll(&first, &places));
    places.set(1);
    queue.call();
    assert!(!poll(&second, &places) && poll(&first, &places));
}

/// Tasks that wait in a queue, woken as a runtime wakes them.
struct Crowd {
    tickets: Vec<Option<Ticket>>,
    wakers: Vec<Waker>,
    woken: Arc<Woken>,
    /// Looks for a place so far.
    looks: usize,
}

#[derive(Default)]
struct Woken(Mutex<VecDeque<usize>>);

struct Task(usize, Arc<Woken>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.1.0.lock().unwrap().push_back(self.0);
    }
}

impl Crowd {
    /// Each has tried some backends, and waits already.
    fn new(queue: &Arc<Queue>, all: &[Tried]) -> Self {
        let woken = Arc::<Woken>::default();
        let task = |index| Waker::from(Arc::new(Task(index, Arc::clone(&woken))));
        let mut crowd = Self {
            tickets: all.iter().map(|tried| queue.join(usize::MAX, tried)).collect(),
            wakers: (0..all.len()).map(task).collect(),
            woken: Arc::clone(&woken),
            looks: 0,
        };
        crowd.woken.0.lock().unwrap().extend(0..all.len());
        assert!(crowd.run(|_| false).is_empty());
        crowd.looks = 0;
        crowd
    }

    /// Polls whoever is woken, until nobody is; who has got a place. `place`: takes one for this request, if there is one.
    fn run(&mut self, mut place: impl FnMut(usize) -> bool) -> Vec<usize> {
        let mut served = Vec::new();
        loop {
            let Some(index) = self.woken.0.lock().unwrap().pop_front() else {
                return served;
            };
            let Some(ticket) = &self.tickets[index] else {
                continue;
            };
            let pick = || {
                self.looks += 1;
                place(index).then_some(())
            };
            if ticket
                .poll(&Context::from_waker(&self.wakers[index]), pick)
                .is_ready()
            {
                self.tickets[index] = None;
                served.push(index);
            }
        }
    }
}

#[test]
fn a_free_place_costs_one_look_for_all_that_have_tried_the_same() {
    const MANY: usize = 2000;
    let queue = Arc::new(Queue::default());
    let mut all = vec![tried(&[1]); MANY];
    all.extend([tried(&[2, 1]), tried(&[1, 2]), untried()]);
    let mut crowd = Crowd::new(&queue, &all);
    // At the backend that nearly all of them have tried.
    queue.call();
    let mut places = 1;
    let served = crowd.run(|index| index == MANY + 2 && std::mem::take(&mut places) > 0);
    assert_eq!(served, [MANY + 2], "the first that may take it");
    // A look for each class on the way to it, and once more from the front when it has left.
    assert!(crowd.looks <= 6, "{}", crowd.looks);
    // Elsewhere: one after the other, in order.
    crowd.looks = 0;
    for turn in 0..MANY {
        queue.call();
        let mut places = 1;
        assert_eq!(crowd.run(|_| std::mem::take(&mut places) > 0), [turn]);
    }
    assert!(crowd.looks <= 4 * MANY, "{}", crowd.looks);
}

#[test]
fn more_classes_than_there_may_be_share_the_last_one() {
    let queue = Arc::new(Queue::default());
    let all: Vec<Tried> = (0..500).map(|id| tried(&[id])).collect();
    let mut crowd = Crowd::new(&queue, &all);
    queue.call();
    assert!(crowd.run(|_| false).is_empty());
    assert!(crowd.looks <= MOST_CLASSES, "{}", crowd.looks);
    // Nobody is forgotten.
    queue.call();
    let served = crowd.run(|_| true);
    assert_eq!((served.len(), queue.len()), (500, 0));
    assert!(served.is_sorted(), "in the order of arrival");
}

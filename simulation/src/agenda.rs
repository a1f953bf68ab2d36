//! What will happen, in the order of time; what is due at the same time, in the order in which it was noted.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::Nanos;

/// A queue of things to come.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    due: BinaryHeap<Reverse<Entry<T>>>,
    noted: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Nanos,
    number: u64,
    what: T,
}

impl<T> Agenda<T> {
    pub(super) fn new() -> Self {
        Self {
            due: BinaryHeap::new(),
            noted: 0,
        }
    }

    /// Notes what happens at that time.
    pub(super) fn note(&mut self, at: Nanos, what: T) {
        self.noted += 1;
        let number = self.noted;
        self.due.push(Reverse(Entry { at, number, what }));
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Nanos> {
        self.due.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next thing, with its time.
    pub(super) fn next(&mut self) -> Option<(Nanos, T)> {
        self.due.pop().map(|Reverse(entry)| (entry.at, entry.what))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_first_comes_first_and_ties_keep_their_order() {
        let mut agenda = Agenda::new();
        for (at, what) in [(5, 'd'), (1, 'a'), (3, 'b'), (3, 'c')] {
            agenda.note(at, what);
        }
        assert_eq!(agenda.next_at(), Some(1));
        let order: String = std::iter::from_fn(|| agenda.next())
            .map(|(_, what)| what)
            .collect();
        assert_eq!(order, "abcd");
    }
}

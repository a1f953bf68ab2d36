//! What requests leave behind at their backend for those who judge it: how many failed in a row, and what their
//! answers add up to.
//!
//! The count in a row is one number for all workers, because a backend fails for all of them. A good answer that finds
//! it at 0 only reads it, so workers share its cache line as long as all is well. It goes back to 0 when the head of a
//! good answer comes, not at the answer's end: a download must not keep failures alive that are an hour old. If that
//! answer then breaks off, what it took is given back, so that a backend which breaks off all its answers is found out.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use super::counter::Counter;
use crate::{
    config::EjectionRules,
    health::{Traffic, log_of},
};

/// What the head of an answer says of its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// It has done its work, if only to say that the client is wrong.
    Good,
    /// An error that says nothing of its backend: from 500 on, and none of `ejection.statuses`.
    Error,
    /// A failure: one of `ejection.statuses`.
    Failing,
}

impl AnswerKind {
    /// What an answer with this status says, by these rules.
    pub fn of(status: u16, rules: Option<&EjectionRules>) -> Self {
        match status {
            500..=599 if rules.is_some_and(|rules| rules.statuses.contains(status)) => Self::Failing,
            500..=599 => Self::Error,
            _ => Self::Good,
        }
    }
}

/// An answer whose head has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerHead {
    /// Its status code.
    pub status: u16,
    /// What it says of its backend.
    pub kind: AnswerKind,
    /// Whether its time says something, too. Not if a client had a body to send, however slowly.
    pub timed: bool,
}

/// How many requests failed in a row, alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Streak {
    count: AtomicU32,
    /// The number that somebody waits for; 0: nobody does.
    limit: AtomicU32,
    reached: AtomicBool,
    /// Counts the beginnings anew. What was sent before the last of them says nothing any more.
    era: AtomicU32,
}

impl Streak {
    pub(super) fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Relaxed);
    }

    pub(super) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// The limit, if it was reached since this was last asked.
    pub(super) fn take_reached(&self) -> Option<u32> {
        let reached = self.reached.load(Relaxed) && self.reached.swap(false, Relaxed);
        reached.then(|| self.limit.load(Relaxed))
    }

    pub(super) fn era(&self) -> u32 {
        self.era.load(Relaxed)
    }

    pub(super) fn forget(&self) {
        self.era.fetch_add(1, Relaxed);
        self.count.store(0, Relaxed);
        self.reached.store(false, Relaxed);
    }

    /// A good answer's head has come. What it has taken off the count.
    pub(super) fn end(&self) -> u32 {
        if self.count.load(Relaxed) == 0 {
            0
        } else {
            self.count.swap(0, Relaxed)
        }
    }

    /// So many failures. `true` if the limit was reached with them.
    pub(super) fn extend(&self, failures: u32) -> bool {
        let before = self.count.fetch_add(failures, Relaxed);
        let limit = self.limit.load(Relaxed);
        let reached = limit > 0 && before < limit && before.saturating_add(failures) >= limit;
        if reached {
            self.reached.store(true, Relaxed);
        }
        reached
    }
}

/// One worker's part of what requests add up to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    good: Counter,
    errors: Counter,
    timed: Counter,
    logs: Counter,
    log_squares: Counter,
}

impl Tally {
    pub(super) fn count_good(&self) {
        self.good.add(1);
    }

    pub(super) fn count_failure(&self) {
        self.errors.add(1);
    }

    pub(super) fn time(&self, latency: Duration) {
        let log = log_of(latency);
        self.timed.add(1);
        self.logs.add(log);
        self.log_squares.add(log * log);
    }

    pub(super) fn add_to(&self, all: &mut Traffic) {
        all.good += self.good.get();
        all.errors += self.errors.get();
        all.timed += self.timed.get();
        all.logs += self.logs.get();
        all.log_squares += self.log_squares.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reached_once_in_a_row_of_failures() {
        let streak = Streak::default();
        streak.set_limit(3);
        let reached: Vec<bool> = (0..6).map(|_| streak.extend(1)).collect();
        assert_eq!(reached, [false, false, true, false, false, false]);
        assert_eq!((streak.take_reached(), streak.take_reached()), (Some(3), None));
        assert_eq!(streak.end(), 6);
        assert_eq!((streak.count(), streak.end()), (0, 0));
        assert!(!streak.extend(2) && streak.extend(2));
    }

    #[test]
    fn without_a_limit_nothing_is_reached() {
        let streak = Streak::default();
        assert!(!streak.extend(u32::MAX - 1) && streak.take_reached().is_none());
    }
}

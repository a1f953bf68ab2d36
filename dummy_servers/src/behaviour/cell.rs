//! The behaviour of a running server, which changes while requests come.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Behaviour, Percent};

/// A behaviour that changes live: tag and value share one word, so that a request reads it without a lock.
#[derive(Debug)]
pub(crate) struct BehaviourCell {
    word: AtomicU64,
    flaky_requests: AtomicU64,
}

/// The word that stands for "none of its own".
const NONE: u64 = u64::MAX;

impl BehaviourCell {
    pub(crate) fn new(behaviour: Option<Behaviour>) -> Self {
        Self {
            word: AtomicU64::new(pack(behaviour)),
            flaky_requests: AtomicU64::new(0),
        }
    }

    pub(crate) fn set(&self, behaviour: Option<Behaviour>) {
        self.flaky_requests.store(0, Ordering::Relaxed);
        self.word.store(pack(behaviour), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Behaviour> {
        unpack(self.word.load(Ordering::Relaxed))
    }

    /// The behaviour for one more request, in which `Flaky` is decided into `Ok` or `Fail`.
    pub(crate) fn next(&self) -> Option<Behaviour> {
        match self.get() {
            Some(Behaviour::Flaky(share)) => {
                let fails = share.takes(self.flaky_requests.fetch_add(1, Ordering::Relaxed));
                Some(if fails { Behaviour::Fail } else { Behaviour::Ok })
            }
            other => other,
        }
    }
}

/// The upper 8 bits say which, the lower 56 carry microseconds or hundredths of a percent.
fn pack(behaviour: Option<Behaviour>) -> u64 {
    let (tag, value) = match behaviour {
        None => return NONE,
        Some(Behaviour::Ok) => (0, 0),
        Some(Behaviour::Slow(duration)) => (
            1,
            u64::try_from(duration.as_micros())
                .unwrap_or(u64::MAX)
                .min(u64::MAX >> 8),
        ),
        Some(Behaviour::Fail) => (2, 0),
        Some(Behaviour::Hang) => (3, 0),
        Some(Behaviour::Reset) => (4, 0),
        Some(Behaviour::Cut) => (5, 0),
        Some(Behaviour::Flaky(share)) => (6, u64::from(share.0)),
    };
    tag << 56 | value
}

fn unpack(word: u64) -> Option<Behaviour> {
    let value = word & (u64::MAX >> 8);
    match word >> 56 {
        0 => Some(Behaviour::Ok),
        1 => Some(Behaviour::Slow(Duration::from_micros(value))),
        2 => Some(Behaviour::Fail),
        3 => Some(Behaviour::Hang),
        4 => Some(Behaviour::Reset),
        5 => Some(Behaviour::Cut),
        6 => u16::try_from(value)
            .ok()
            .and_then(Percent::try_new)
            .map(Behaviour::Flaky),
        _ => None,
    }
}

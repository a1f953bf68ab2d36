//! Waiting for something to become true. The only place that lets time pass.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Tests share two cores with each other: a deadline that is met in milliseconds alone can take seconds here.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Lets a moment pass: between two looks, or between two requests of a load.
pub fn pause(duration: Duration) {
    let end = Instant::now() + duration;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        // May return early.
        thread::park_timeout(left);
    }
}

/// Asks until there is an answer; panics with `what` if there is none in time.
#[track_caller]
pub fn eventually<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, what, attempt)
}

/// The same with a deadline of its own.
#[track_caller]
pub fn eventually_within<T>(longest: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + longest;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {longest:?}: {what}");
        pause(Duration::from_millis(10));
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    eventually(what, || condition().then_some(()));
}

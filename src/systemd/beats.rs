//! Whether threads make progress: each is asked to run a little of ours in its own event loop. One that is stuck in a request,
//! or in a lock, never comes to it.
//!
//! Being asked costs a thread nothing but that; a timer of its own would wake it while it is idle.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use actix_rt::ArbiterHandle;

/// Threads that are watched.
#[derive(Debug, Default)]
pub(super) struct Beats {
    threads: Vec<Thread>,
}

#[derive(Debug)]
struct Thread {
    arbiter: ArbiterHandle,
    /// Whether it has run what it was asked to last.
    beat: Arc<AtomicBool>,
}

impl Beats {
    /// Begins to watch them.
    pub(super) fn of(threads: Vec<ArbiterHandle>) -> Self {
        let threads = threads.into_iter().map(|arbiter| Thread {
            arbiter,
            beat: Arc::default(),
        });
        let this = Self {
            threads: threads.collect(),
        };
        this.ask();
        this
    }

    /// Whether every thread has beaten since it was asked. If so, all are asked again. Without threads there is no beat.
    pub(super) fn all(&self) -> bool {
        let all = !self.threads.is_empty() && self.threads.iter().all(|thread| thread.beat.load(Relaxed));
        if all {
            self.ask();
        }
        all
    }

    fn ask(&self) {
        for thread in &self.threads {
            thread.beat.store(false, Relaxed);
            let beat = Arc::clone(&thread.beat);
            // Not run by a thread that has ended, which then beats no more.
            let _ended = thread.arbiter.spawn_fn(move || beat.store(true, Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc,
        time::{Duration, Instant},
    };

    use actix_rt::{Arbiter, System};

    use super::*;

    fn becomes_true(condition: impl Fn() -> bool) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if condition() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    #[test]
    fn there_is_no_beat_while_one_of_the_threads_is_stuck() {
        let system = System::new();
        let [fine, stuck] = [Arbiter::new(), Arbiter::new()];
        let beats = Beats::of(vec![fine.handle(), stuck.handle()]);
        assert!(becomes_true(|| beats.all()));
        assert!(becomes_true(|| beats.all()), "asked again, they beat again");

        let beaten = |index: usize| beats.threads[index].beat.load(Relaxed);
        assert!(becomes_true(|| beaten(0) && beaten(1)));
        let (go_on, waits) = mpsc::channel::<()>();
        stuck.spawn_fn(move || {
            let _goes_on = waits.recv();
        });
        assert!(beats.all(), "what they were asked before");
        assert!(becomes_true(|| beaten(0)));
        assert!(!beats.all() && !beats.all());
        go_on.send(()).ok();
        assert!(becomes_true(|| beats.all()));

        assert!(becomes_true(|| beaten(0) && beaten(1)));
        stuck.stop();
        assert!(stuck.join().is_ok());
        assert!(beats.all(), "what they were asked before");
        assert!(becomes_true(|| beaten(0)));
        assert!(!beats.all() && !beats.all(), "a thread that has ended");
        drop(system);
    }

    #[test]
    fn without_threads_there_is_no_beat() {
        assert!(!Beats::default().all());
    }
}

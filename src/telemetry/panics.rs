//! A panic ends the connection that caused it and nothing else: the runtime catches it at the task's edge. Here it is
//! counted and logged, so that it is not overlooked.

use std::{
    panic,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

static PANICS: AtomicU64 = AtomicU64::new(0);
static HOOK: Once = Once::new();

/// Starts counting, and returns how many panics there were so far.
pub fn count_panics() -> u64 {
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|info| {
            PANICS.fetch_add(1, Relaxed);
            log::error!("panic, this is a defect of simple-lb, please report it: {info}");
            // The process may end with its first thread; the lines of the others have time.
            if thread::current().name() == Some("main") {
                log::logger().flush();
            }
        }));
    });
    PANICS.load(Relaxed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

//! How many probes there are at once.
//!
//! A thousand backends are asked by a thousand checkers, each with its own clock. When they begin together, at the
//! start or after a reload, they queue here, so that there are never more than a few dozen connections; afterwards each
//! one's clock runs from another moment (see the checker's first pause).
//!
//! Backends whose last probe failed slowly queue apart: a hundred that hang, each until its timeout, must not delay the
//! question whether the others are alive, nor whether one that refuses connections since a moment ago is really dead.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Probes at once. A thousand backends every 5 s are 200 probes a second; with 32 at a time each may take 160 ms.
pub(crate) const USUAL: usize = 32;

/// Probes at once of backends whose last one failed slowly.
pub(crate) const HANGING: usize = 16;

/// Lets a few in at a time, in the order they came.
pub(crate) struct Gate {
    usual: Semaphore,
    hanging: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            usual: Semaphore::new(USUAL),
            hanging: Semaphore::new(HANGING),
        }
    }
}

impl Gate {
    /// Waits for its turn, which lasts until the permit is dropped.
    pub(crate) async fn enter(&self, hanging: bool) -> Option<SemaphorePermit<'_>> {
        let queue = if hanging { &self.hanging } else { &self.usual };
        // Fails only when it is closed, which nobody does.
        queue.acquire().await.ok()
    }
}

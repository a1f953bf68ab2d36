//! Notices that an actor is gone. actix's own `Supervisor` neither catches panics nor rebuilds an actor, so every
//! actor here carries an [`EndGuard`]: when it is dropped without having been told that the end is wanted, it says so.

use std::cell::Cell;

/// Calls a function when it is dropped, unless [`EndGuard::expect_end`] was called before.
pub(crate) struct EndGuard {
    on_end: Option<Box<dyn FnOnce()>>,
    expected: Cell<bool>,
}

impl EndGuard {
    /// `on_end` also runs while a panic unwinds, so it may only send a message.
    pub(crate) fn new(on_end: impl FnOnce() + 'static) -> Self {
        Self {
            on_end: Some(Box::new(on_end)),
            expected: Cell::new(false),
        }
    }

    /// From now on the end is wanted.
    pub(crate) fn expect_end(&self) {
        self.expected.set(true);
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if let Some(on_end) = self.on_end.take().filter(|_| !self.expected.get()) {
            on_end();
        }
    }
}

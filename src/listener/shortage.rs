//! When a shortage is worth a line. What runs out under load comes and goes with every connection; one beginning and one
//! end a minute tell as much.

use std::time::{Duration, Instant};

/// How long the next beginning is not said.
const PAUSE: Duration = Duration::from_secs(60);

/// A shortage of one thing.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    said: Option<Instant>,
    /// It was said that it began, and not yet that it ended.
    open: bool,
}

impl Shortage {
    /// It is there. Whether to say so.
    pub(super) fn begins(&mut self, now: Instant) -> bool {
        let lately = |said: Instant| now.saturating_duration_since(said) < PAUSE;
        if self.open || self.said.is_some_and(lately) {
            return false;
        }
        self.said = Some(now);
        self.open = true;
        true
    }

    /// It is not there. Whether to say so.
    pub(super) fn ends(&mut self) -> bool {
        std::mem::take(&mut self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_beginning_and_one_end_a_minute_are_said() {
        let mut shortage = Shortage::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!shortage.ends());
        assert!(shortage.begins(at(0)) && !shortage.begins(at(1)) && shortage.ends());
        assert!(!shortage.ends() && !shortage.begins(at(2)) && !shortage.ends() && !shortage.begins(at(59)));
        assert!(shortage.begins(at(60)) && !shortage.begins(at(200)) && shortage.ends());
    }
}

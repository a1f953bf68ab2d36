//! What the demo does by itself when nobody can press keys.

use std::time::Duration;

use super::keys::Deed;

/// Without `--seconds`: a minute is what somebody watches.
pub(super) const LENGTH: Duration = Duration::from_secs(60);

/// After how many quarters of the time what happens to which backend.
const CHAPTERS: [(u32, usize, Deed); 3] = [(1, 1, Deed::Kill), (2, 1, Deed::Revive), (3, 2, Deed::Slow)];

/// A story as far as it has been told.
pub(super) struct Story {
    length: Duration,
    told: usize,
}

impl Story {
    /// A story of that length.
    pub(super) fn new(length: Duration) -> Self {
        Self { length, told: 0 }
    }

    /// What is due, with the index of the backend; each once.
    pub(super) fn next(&mut self, elapsed: Duration) -> Option<(usize, Deed)> {
        let (quarters, backend, deed) = *CHAPTERS.get(self.told)?;
        if elapsed < self.length * quarters / 4 {
            return None;
        }
        self.told += 1;
        Some((backend, deed))
    }

    /// Whether it is at its end.
    pub(super) fn is_over(&self, elapsed: Duration) -> bool {
        elapsed >= self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_revives_and_slows_at_the_quarters_each_once() {
        let mut story = Story::new(Duration::from_secs(6));
        let mut told = Vec::new();
        for millis in (0..=6000).step_by(250) {
            while let Some((backend, deed)) = story.next(Duration::from_millis(millis)) {
                told.push((millis, backend, deed));
            }
            assert_eq!(story.is_over(Duration::from_millis(millis)), millis == 6000);
        }
        assert_eq!(
            told,
            [
                (1500, 1, Deed::Kill),
                (3000, 1, Deed::Revive),
                (4500, 2, Deed::Slow)
            ]
        );
    }

    #[test]
    fn a_chapter_that_was_missed_is_told_late_and_in_order() {
        let mut story = Story::new(LENGTH);
        let told: Vec<_> = std::iter::from_fn(|| story.next(LENGTH)).collect();
        assert_eq!(told, [(1, Deed::Kill), (1, Deed::Revive), (2, Deed::Slow)]);
    }
}

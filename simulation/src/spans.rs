//! Spans of time in which something is the case, and the questions that the model asks of them.

use std::time::Duration;

use super::{Nanos, nanos};

/// From a time to another, the end excluded; both counted from the begin of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The begin.
    pub from: Duration,
    /// The end; `None`: never.
    pub until: Option<Duration>,
}

impl Span {
    /// All the time.
    pub const ALWAYS: Self = Self {
        from: Duration::ZERO,
        until: None,
    };

    pub(super) fn contains(&self, at: Nanos) -> bool {
        at >= nanos(self.from) && self.until.is_none_or(|until| at < nanos(until))
    }
}

/// Spans in their order, none touching another.
#[derive(Debug, Clone, Default)]
pub(super) struct Spans {
    spans: Vec<(Nanos, Nanos)>,
}

impl Spans {
    /// Puts spans in order and joins those that touch.
    pub(super) fn new(spans: impl IntoIterator<Item = (Nanos, Nanos)>) -> Self {
        let mut sorted: Vec<(Nanos, Nanos)> =
            spans.into_iter().filter(|(from, until)| from < until).collect();
        sorted.sort_unstable();
        let mut joined: Vec<(Nanos, Nanos)> = Vec::with_capacity(sorted.len());
        for (from, until) in sorted {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => joined.push((from, until)),
            }
        }
        Self { spans: joined }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many have ended by then.
    pub(super) fn ended(&self, at: Nanos) -> usize {
        self.spans.partition_point(|&(_, until)| until <= at)
    }

    /// When the last one that has ended did so.
    pub(super) fn last_end(&self, at: Nanos) -> Option<Nanos> {
        let ended = self.ended(at);
        Some(self.spans.get(ended.checked_sub(1)?)?.1)
    }

    /// Whether one holds then.
    pub(super) fn contains(&self, at: Nanos) -> bool {
        self.spans
            .get(self.ended(at))
            .is_some_and(|&(from, _)| from <= at)
    }

    /// When the next one begins after that time, which no span holds.
    pub(super) fn next_begin(&self, at: Nanos) -> Option<Nanos> {
        self.spans.get(self.ended(at)).map(|&(from, _)| from)
    }

    /// When work that begins then is done if it stands still in every span.
    pub(super) fn pause(&self, begin: Nanos, work: Nanos) -> Nanos {
        let mut done = begin.saturating_add(work);
        for &(from, until) in &self.spans[self.ended(begin)..] {
            if from >= done {
                break;
            }
            done = done.saturating_add(until - from.max(begin));
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_are_one() {
        let spans = Spans::new([(30, 40), (10, 20), (20, 25), (7, 7)]);
        assert_eq!(spans.spans, [(10, 25), (30, 40)]);
    }

    #[test]
    fn answers_for_every_moment() {
        let spans = Spans::new([(10, 20), (30, 40)]);
        let held: Vec<Nanos> = (0..50).filter(|&at| spans.contains(at)).collect();
        assert_eq!(held, (10..20).chain(30..40).collect::<Vec<_>>());
        assert_eq!(
            [0, 20, 40].map(|at| spans.next_begin(at)),
            [Some(10), Some(30), None]
        );
        assert_eq!(
            [19, 20, 39, 45].map(|at| spans.last_end(at)),
            [None, Some(20), Some(20), Some(40)]
        );
    }

    #[test]
    fn work_stands_still_in_a_span() {
        let spans = Spans::new([(10, 20), (30, 40)]);
        assert_eq!(spans.pause(0, 10), 10);
        assert_eq!(spans.pause(0, 11), 21);
        assert_eq!(spans.pause(15, 5), 25, "begun in the middle of one");
        assert_eq!(spans.pause(5, 20), 45, "across both");
        assert_eq!(spans.pause(50, 5), 55);
    }
}

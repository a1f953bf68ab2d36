//! Whether a request may be sent a second time.

use super::Progress;

/// What sending a request again could do, from the strictest to the most lenient (RFC 9110 section 9.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replay {
    /// A part of its body is gone: it cannot be sent again.
    Never,
    /// All of it is there, but a backend may act on it twice: again only if no byte of it was sent.
    IfUnsent,
    /// Idempotent, and all of it is there: again as long as no response has come.
    IfUnanswered,
    /// Safe and without a body: again even if a response has come, whose status is to be retried.
    Always,
}

impl Replay {
    /// Whether it may be sent again after an attempt that failed so, the budget aside.
    pub fn allows(self, progress: Progress) -> bool {
        match progress {
            Progress::NotSent => self >= Self::IfUnsent,
            Progress::Sent => self >= Self::IfUnanswered,
            Progress::Responding => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_goes_elsewhere_only_if_that_does_no_harm() {
        let allowed = |replay: Replay| {
            [Progress::NotSent, Progress::Sent, Progress::Responding].map(|progress| replay.allows(progress))
        };
        assert_eq!(allowed(Replay::Never), [false, false, false]);
        assert_eq!(allowed(Replay::IfUnsent), [true, false, false]);
        assert_eq!(allowed(Replay::IfUnanswered), [true, true, false]);
        assert_eq!(allowed(Replay::Always), [true, true, false]);
    }
}

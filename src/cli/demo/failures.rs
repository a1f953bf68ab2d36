//! When clients begin to see failures and when that is over: two events, where one for each look would bury the rest.

use std::time::Duration;

use super::{load::Seen, text::Style};

/// Without a failure for this long, it is over.
const QUIET: Duration = Duration::from_secs(1);

/// What has been told of failures.
#[derive(Default)]
pub(super) struct Failures {
    failed: u64,
    /// How many there were before this time of trouble, and when the last one was seen.
    trouble: Option<(u64, Duration)>,
}

impl Failures {
    /// What to tell, having seen this, at this time since the start.
    pub(super) fn look(&mut self, seen: &Seen, at: Duration) -> Option<(Style, String)> {
        let before = std::mem::replace(&mut self.failed, seen.failed);
        match self.trouble {
            None if seen.failed > before => {
                self.trouble = Some((before, at));
                let why = seen.last_failure.as_deref().unwrap_or("unknown");
                Some((Style::Bad, format!("clients see failures: {why}")))
            }
            Some((first, _)) if seen.failed > before => {
                self.trouble = Some((first, at));
                None
            }
            Some((first, last)) if at.saturating_sub(last) >= QUIET => {
                self.trouble = None;
                let text = format!(
                    "clients see no more failures, there were {}",
                    seen.failed.saturating_sub(first)
                );
                Some((Style::Good, text))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_trouble_is_told_at_its_beginning_and_at_its_end() {
        let mut failures = Failures::default();
        let mut told = Vec::new();
        for (step, failed) in (0..).zip([0, 3, 5, 5, 9, 9, 9, 9, 9, 9, 10]) {
            let seen = Seen {
                failed,
                last_failure: Some("502 Bad Gateway".to_owned()),
                ..Seen::default()
            };
            if let Some((_, text)) = failures.look(&seen, Duration::from_millis(250 * step)) {
                told.push((step, text));
            }
        }
        let texts: Vec<_> = told.iter().map(|(step, text)| (*step, text.as_str())).collect();
        let begins = "clients see failures: 502 Bad Gateway";
        assert_eq!(
            texts,
            [
                (1, begins),
                (8, "clients see no more failures, there were 9"),
                (10, begins)
            ]
        );
    }
}

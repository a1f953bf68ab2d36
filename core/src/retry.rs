//! Whether a failed request may be sent to another backend, and how often in all.
//!
//! A request that never reached a backend can always go to another one. After a byte was sent it can go only if
//! sending it twice does no harm, and only within the [`RetryBudget`], so that a failing pool is not buried under its
//! own retries (the idea of finagle's `RetryBudget`: a share of requests, and a floor a second).

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::config::Retries;

/// How far a failed attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// No connection: nothing was sent.
    NotSent,
    /// Something may have reached the backend, nothing of an answer has come.
    Sent,
    /// The answer's head has come: a retry is out of the question.
    Answered,
}

/// What a request allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// GET or HEAD without a body: may be sent again after it was sent.
    pub safe: bool,
    /// Whether the body, if there is one, can still be sent from its first byte.
    pub body_intact: bool,
}

impl Replay {
    /// Whether another attempt is right, budget aside.
    pub fn allows(self, progress: Progress) -> bool {
        match progress {
            Progress::NotSent => self.body_intact,
            Progress::Sent => self.safe,
            Progress::Answered => false,
        }
    }
}

/// Unused allowance fades within this time, as in finagle; what is older no longer says anything of the load.
const WINDOW: Duration = Duration::from_secs(10);

/// Bounds retries after a byte was sent to a share of requests, with a floor a second. Costs requests nothing: it
/// compares the pool's count of requests when a retry asks.
#[derive(Debug)]
pub struct RetryBudget {
    state: Mutex<BudgetState>,
}

#[derive(Debug)]
struct BudgetState {
    asked: Option<Instant>,
    requests: u64,
    tokens: f64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            state: Mutex::new(BudgetState {
                asked: None,
                requests: 0,
                tokens: 0.0,
            }),
        }
    }
}

impl RetryBudget {
    /// Takes one retry from the budget; `false` when it is used up. `requests` is how many the pool has got so far.
    pub fn withdraw(&self, retries: &Retries, requests: u64, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let floor = f64::from(retries.min_per_second);
        let elapsed = state
            .asked
            .map_or(WINDOW, |asked| now.saturating_duration_since(asked));
        let new_requests = requests.saturating_sub(state.requests) as f64;
        // Of a longer time only the last window counts.
        let counted = if elapsed > WINDOW {
            WINDOW.as_secs_f64() / elapsed.as_secs_f64()
        } else {
            1.0
        };
        let earned = new_requests * counted * retries.budget.as_fraction();
        let allowed = elapsed.min(WINDOW).as_secs_f64() * floor;
        let unused = state.tokens * (1.0 - elapsed.min(WINDOW).as_secs_f64() / WINDOW.as_secs_f64());
        state.tokens = unused + earned + allowed;
        state.asked = Some(now);
        state.requests = requests;
        let granted = state.tokens >= 1.0;
        if granted {
            state.tokens -= 1.0;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    #[test]
    fn a_request_that_was_not_sent_may_go_elsewhere_while_its_body_is_whole() {
        let post = Replay {
            safe: false,
            body_intact: true,
        };
        assert!(post.allows(Progress::NotSent));
        assert!(!post.allows(Progress::Sent), "a POST is never sent twice");
        assert!(
            !Replay {
                safe: false,
                body_intact: false
            }
            .allows(Progress::NotSent)
        );
        let get = Replay {
            safe: true,
            body_intact: true,
        };
        assert!(get.allows(Progress::Sent) && !get.allows(Progress::Answered));
    }

    #[test]
    fn allows_a_share_of_requests_and_a_floor_a_second() {
        let (budget, start) = (RetryBudget::default(), Instant::now());
        let retries = Retries {
            min_per_second: 3,
            ..Retries::default()
        };
        let granted = (0..100).filter(|_| budget.withdraw(&retries, 0, start)).count();
        assert_eq!(granted, 30, "ten seconds of the floor are there at the start");
        let later = start + Duration::from_secs(1);
        let granted = (0..1000)
            .filter(|_| budget.withdraw(&retries, 1000, later))
            .count();
        assert_eq!(granted, 203, "20 % of 1,000 requests and 3 for the second");
    }

    #[test]
    fn no_budget_and_no_floor_means_no_retry() {
        let retries = Retries {
            min_per_second: 0,
            budget: crate::config::Share::percent(0).unwrap_or_default(),
            ..Retries::default()
        };
        assert!(!RetryBudget::default().withdraw(&retries, 1_000_000, Instant::now()));
    }
}

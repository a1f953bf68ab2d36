//! What probes say of a backend: results in, transitions out.
//!
//! The rule is the one of HAProxy's `rise` and `fall`: a state changes only after that many results in a row that
//! disagree with it. The first result of all decides at once, because before it nothing is known. The machine has no
//! clock and no I/O; whoever observes a [`Transition`] logs it and publishes.

use crate::status::HealthStatus;

/// Results in a row that change the state, each at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Good ones that bring a backend back.
    pub rise: u32,
    /// Bad ones that take it out.
    pub fall: u32,
}

/// A change of what probes say that others have to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: HealthStatus,
    /// The state now.
    pub to: HealthStatus,
}

/// What is known of one backend from its probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probes {
    status: HealthStatus,
    decided: bool,
    disagreeing: u32,
}

impl Probes {
    /// A backend that the configuration had at the start: up until its first result says otherwise.
    pub(super) fn at_start() -> Self {
        Self {
            status: HealthStatus::Up,
            decided: false,
            disagreeing: 0,
        }
    }

    /// A backend that a reload added: it gets no request before its first result.
    pub(super) fn added() -> Self {
        Self {
            status: HealthStatus::Pending,
            decided: false,
            disagreeing: 0,
        }
    }

    /// A backend that is not probed: up, and nothing will change that.
    pub(super) fn unprobed() -> Self {
        Self {
            status: HealthStatus::Up,
            decided: true,
            disagreeing: 0,
        }
    }

    /// The state as others see it.
    pub(super) fn status(&self) -> HealthStatus {
        self.status
    }

    /// Whether a result has ever arrived (or none ever will).
    pub(super) fn is_decided(&self) -> bool {
        self.decided
    }

    /// Whether the last results disagreed with the state, so that the next ones should come sooner.
    pub(super) fn is_changing(&self) -> bool {
        self.disagreeing > 0
    }

    /// Takes one result. `Some` when the state changed with it.
    pub(super) fn observe(&mut self, ok: bool, thresholds: Thresholds) -> Option<Transition> {
        let seen = if ok { HealthStatus::Up } else { HealthStatus::Down };
        if !self.decided {
            self.decided = true;
            return self.change_to(seen);
        }
        if seen == self.status {
            self.disagreeing = 0;
            return None;
        }
        self.disagreeing = self.disagreeing.saturating_add(1);
        let needed = if ok { thresholds.rise } else { thresholds.fall };
        if self.disagreeing >= needed {
            self.change_to(seen)
        } else {
            None
        }
    }

    fn change_to(&mut self, to: HealthStatus) -> Option<Transition> {
        let from = std::mem::replace(&mut self.status, to);
        self.disagreeing = 0;
        (from != to).then_some(Transition { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Thresholds = Thresholds { rise: 2, fall: 3 };

    fn after(mut probes: Probes, results: &str) -> (Probes, Vec<Option<HealthStatus>>) {
        let seen = results
            .chars()
            .map(|c| probes.observe(c == '+', T).map(|t| t.to))
            .collect();
        (probes, seen)
    }

    #[test]
    fn the_first_result_decides() {
        assert_eq!(after(Probes::at_start(), "-").1, [Some(HealthStatus::Down)]);
        assert_eq!(after(Probes::at_start(), "+").1, [None]);
        assert_eq!(after(Probes::added(), "+").1, [Some(HealthStatus::Up)]);
        assert_eq!(after(Probes::added(), "-").1, [Some(HealthStatus::Down)]);
    }

    #[test]
    fn goes_down_after_fall_bad_results_in_a_row() {
        assert_eq!(
            after(Probes::at_start(), "+---").1,
            [None, None, None, Some(HealthStatus::Down)]
        );
        let (probes, seen) = after(Probes::at_start(), "+--+--");
        assert!(
            seen.iter().all(Option::is_none),
            "a good result starts the count anew: {seen:?}"
        );
        assert!(probes.status() == HealthStatus::Up && probes.is_changing());
    }

    #[test]
    fn comes_back_after_rise_good_results_in_a_row() {
        let (probes, seen) = after(Probes::at_start(), "-+-++");
        assert_eq!(
            seen,
            [Some(HealthStatus::Down), None, None, None, Some(HealthStatus::Up)]
        );
        assert!(!probes.is_changing());
    }

    #[test]
    fn an_unprobed_backend_is_up_and_decided() {
        assert!(Probes::unprobed().status() == HealthStatus::Up && Probes::unprobed().is_decided());
        assert!(Probes::added().status() == HealthStatus::Pending && !Probes::added().is_decided());
    }
}

//! One backend's record: whether traffic has had it ejected, for how long, and how often lately.
//!
//! An ejection lasts `base` times the number of ejections so far, `max` at most, as Envoy has it. The number falls
//! again by itself, one for each time that the backend has behaved for as long as it was out for it; Envoy takes one
//! off every 10 s, with which a backend that fails twice a minute is never out for longer than the first time.
//!
//! A probe that was good all along says nothing of why requests failed, so it does not shorten an ejection. But if
//! probes saw the failure too, and then `rise` good ones came in a row, a *first* ejection ends with them: that is a
//! backend that was restarted. Later ones are served in full, because it is the repetition that they are for.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::config::{EjectionRules, format_duration};

/// How traffic has judged one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ejection {
    term: Option<Term>,
    count: u32,
    /// Since when it has behaved, towards the next step down of `count`.
    behaves_since: Option<Instant>,
}

/// One ejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// What for.
    pub why: Why,
    /// When it began.
    pub from: Instant,
    /// When it ends.
    pub until: Instant,
    /// Probes have failed since.
    probes_failed: bool,
    /// Good ones in a row after that.
    good_probes: u32,
    /// They were enough.
    cleared: bool,
}

/// What a backend is ejected for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// So many failures in a row.
    InARow(u32),
    /// Many more failures than the others.
    SuccessRate {
        /// Good responses of a thousand.
        permille: u16,
        /// The median of the pool.
        usual_permille: u16,
    },
    /// Much slower than the others.
    Latency {
        /// Its typical time to an answer's head (the geometric mean).
        typical: Duration,
        /// The median of the pool's.
        median: Duration,
    },
}

impl Ejection {
    /// The ejection that goes on now.
    pub fn term(&self) -> Option<&Term> {
        self.term.as_ref()
    }

    /// How many ejections count at present: the next one lasts `base` times one more than this.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Begins an ejection, and says how long it is. One that goes on is not begun again.
    pub(super) fn eject(&mut self, why: Why, rules: &EjectionRules, now: Instant) -> Duration {
        self.forgive(rules, now);
        let before = length(rules, self.count);
        // Beyond the longest there is nothing to count, and there would be no end of forgiving.
        if before < rules.max || self.count == 0 {
            self.count += 1;
        }
        let length = length(rules, self.count);
        self.behaves_since = None;
        self.term = Some(Term {
            why,
            from: now,
            until: now + length,
            probes_failed: false,
            good_probes: 0,
            cleared: false,
        });
        length
    }

    /// Ends the ejection, and says how long it was.
    pub(super) fn release(&mut self, now: Instant) -> Option<Duration> {
        let term = self.term.take()?;
        self.behaves_since = Some(now);
        Some(now.saturating_duration_since(term.from))
    }

    /// Takes back what good behaviour has earned.
    pub(super) fn forgive(&mut self, rules: &EjectionRules, now: Instant) {
        while let Some(since) = self.behaves_since {
            let step = length(rules, self.count);
            if self.count == 0 || now.saturating_duration_since(since) < step {
                break;
            }
            self.count -= 1;
            self.behaves_since = (self.count > 0).then_some(since + step);
        }
    }

    /// Takes a probe's result.
    pub(super) fn observe(&mut self, ok: bool, rise: u32) {
        let first = self.count <= 1;
        let Some(term) = &mut self.term else {
            return;
        };
        if ok {
            term.good_probes = term.good_probes.saturating_add(1);
            term.cleared |= first && term.probes_failed && term.good_probes >= rise;
        } else {
            term.probes_failed = true;
            term.good_probes = 0;
        }
    }
}

impl Term {
    /// Whether probes have ended it.
    pub(super) fn is_cleared(&self) -> bool {
        self.cleared
    }
}

/// How long the ejection with this number lasts.
fn length(rules: &EjectionRules, count: u32) -> Duration {
    rules.base.saturating_mul(count).min(rules.max)
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |permille: u16| f64::from(permille) / 10.0;
        let shown = |time: Duration| match time.as_millis() {
            0 => format!("{}us", time.as_micros()),
            millis => format_duration(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))),
        };
        match *self {
            Self::InARow(failures) => write!(f, "{failures} failures in a row"),
            Self::SuccessRate {
                permille,
                usual_permille,
            } => write!(
                f,
                "success rate {}%, pool {}%",
                percent(permille),
                percent(usual_permille)
            ),
            Self::Latency { typical, median } => {
                write!(f, "typical latency {}, pool {}", shown(typical), shown(median))
            }
        }
    }
}

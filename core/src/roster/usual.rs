//! How long a good response takes in a pool, told to its backends: a failure counts as load for as long.

use std::time::{Duration, Instant};

use crate::{health::Traffic, pool::Member};

/// How often it is worked out: counters of all workers are read for it.
const PAUSE: Duration = Duration::from_secs(1);

/// What the pool's responses add up to, and when that was last looked at.
#[derive(Debug, Default)]
pub(super) struct UsualTime {
    noted: Option<(Instant, Traffic)>,
}

impl UsualTime {
    /// Works out how long responses took since the last time, and tells the backends.
    pub(super) fn note(&mut self, members: &[Member], now: Instant) {
        let is_due = |at: Instant| now.saturating_duration_since(at) >= PAUSE;
        if !self.noted.is_none_or(|(at, _)| is_due(at)) {
            return;
        }
        let of_members = members.iter().map(|member| member.backend.traffic());
        let all = of_members.fold(Traffic::default(), Traffic::plus);
        let (_, before) = self
            .noted
            .replace((now, all))
            .unwrap_or((now, Traffic::default()));
        // After a reload there may be less than before.
        if all.timed < before.timed || all.logs < before.logs || all.log_squares < before.log_squares {
            return;
        }
        if let Some(time) = all.since(&before).mean_time() {
            members
                .iter()
                .for_each(|member| member.backend.set_usual_time(time));
        }
    }
}

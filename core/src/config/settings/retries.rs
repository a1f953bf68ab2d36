//! `retries`: when a failed request is sent to another backend. A route has no budget, which protects its pool.

use super::{
    Setting, Settings,
    field::{Leaf, lens},
    forms::{Percent, Statuses, Whole},
};
use crate::config::model::Retries;

/// More retries than this multiply an outage instead of hiding it.
const MAX_ATTEMPTS: u32 = 10;
/// As good as no budget at all.
const MAX_RETRIES_PER_SECOND: u32 = 1_000_000;

impl Settings for Retries {
    const SHORT: Option<&'static str> = Some("attempts");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "attempts",
            &Leaf(lens!(Retries, attempts), &Whole(0, MAX_ATTEMPTS)),
            "How many other backends are tried; 0: none. A request that a backend may have seen is only sent again if that is safe.",
        )
        .see(&["retries.budget", "timeouts.connect"])
        .on_routes(),
        Setting::new(
            "budget",
            &Leaf(lens!(Retries, budget), &Percent(100)),
            "The largest share of requests that may be retried after a byte was sent; connect errors are outside it.",
        )
        .danger("A large share multiplies the load of an outage.")
        .see(&["retries.min_per_second"]),
        Setting::new(
            "min_per_second",
            &Leaf(lens!(Retries, min_per_second), &Whole(0, MAX_RETRIES_PER_SECOND)),
            "Retries a second that are allowed whatever the share.",
        )
        .see(&["retries.budget"]),
        Setting::new(
            "statuses",
            &Leaf(lens!(Retries, statuses), &Statuses(400, 599)),
            "Status codes that count as a failure of the backend, for requests that may be sent twice.",
        )
        .example("statuses: [503, \"502-504\"]")
        .on_routes(),
    ];
}

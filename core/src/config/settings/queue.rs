//! `queue`: requests that wait for a place.

use super::{
    Setting, Settings,
    field::{Leaf, lens},
    forms::{Form, Single, TIMEOUT, Whole, switched},
    shape::Kind,
};
use crate::config::model::QueueConfig;

/// More would wait for longer than any timeout.
const SIZE: Whole = Whole(0, 1_000_000);

impl Settings for QueueConfig {
    const SHORT: Option<&'static str> = Some("size");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "size",
            &Leaf(
                lens!(QueueConfig, size),
                &Form {
                    expects: "a whole number or off",
                    kinds: || {
                        let mut kinds = Single::<u32>::kinds(&SIZE);
                        kinds.extend([Kind::Switch, Kind::Words(vec!["none"])]);
                        kinds
                    },
                    parse: |written| match (written.text(), switched(written)) {
                        ("none", _) | (_, Some(false)) => Ok(0),
                        (_, Some(true)) => Ok(QueueConfig::default().size),
                        _ => SIZE.number(written),
                    },
                    show: |size| match size {
                        0 => "off".to_owned(),
                        size => size.to_string(),
                    },
                },
            ),
            "How many requests may wait while every backend holds its `max_connections`. First come, first served, over all workers.",
        )
        .danger("Beyond it, and where it is off, clients get 503 with Retry-After at once.")
        .see(&["backends[].max_connections"]),
        Setting::new(
            "timeout",
            &Leaf(lens!(QueueConfig, timeout), &TIMEOUT),
            "How long a request may wait there.",
        ),
    ];
}

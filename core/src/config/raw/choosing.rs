//! The shapes of the settings that say how a pool chooses.

use super::fields::{Fields, Key, Written};
use crate::config::problem::Problems;

/// `strategy` as a name, or as a mapping.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawStrategy {
    pub(in crate::config) name: Option<Written>,
    pub(in crate::config) key: Option<Written>,
    pub(in crate::config) bounded_load: Option<Written>,
    pub(in crate::config) decay: Option<Written>,
}

/// `failover` as a mode, or as a mapping.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawFailover {
    pub(in crate::config) mode: Option<Written>,
    pub(in crate::config) overprovisioning: Option<Written>,
}

impl RawStrategy {
    /// Options belong to their name, so a pool that says something says all of it.
    pub(super) fn over(self, defaults: &Self) -> Self {
        let Self {
            name,
            key,
            bounded_load,
            decay,
        } = &self;
        let written = [name, key, bounded_load, decay]
            .iter()
            .any(|written| written.is_some());
        if written { self } else { defaults.clone() }
    }
}

impl RawFailover {
    /// As with strategies.
    pub(super) fn over(self, defaults: &Self) -> Self {
        let Self {
            mode,
            overprovisioning,
        } = &self;
        let written = [mode, overprovisioning].iter().any(|written| written.is_some());
        if written { self } else { defaults.clone() }
    }
}

const STRATEGY: &[Key] = &[
    ("name", "the name of a strategy"),
    ("key", "a part of the request, such as client"),
    ("bounded_load", "a factor or none"),
    ("decay", "a duration"),
];
const FAILOVER: &[Key] = &[("mode", "whole or gradual"), ("overprovisioning", "a factor")];

pub(super) fn strategy(fields: &Fields<'_>, problems: &mut Problems) -> RawStrategy {
    let Some(fields) = fields.mapping("strategy", (STRATEGY, &[]), problems) else {
        return RawStrategy {
            name: fields.scalar("strategy", problems),
            ..RawStrategy::default()
        };
    };
    fields.require("name", "add for example `name: hash`", problems);
    RawStrategy {
        name: fields.scalar("name", problems),
        key: fields.scalar("key", problems),
        bounded_load: fields.scalar("bounded_load", problems),
        decay: fields.scalar("decay", problems),
    }
}

pub(super) fn failover(fields: &Fields<'_>, problems: &mut Problems) -> RawFailover {
    let Some(fields) = fields.mapping("failover", (FAILOVER, &[]), problems) else {
        return RawFailover {
            mode: fields.scalar("failover", problems),
            ..RawFailover::default()
        };
    };
    RawFailover {
        mode: fields.scalar("mode", problems),
        overprovisioning: fields.scalar("overprovisioning", problems),
    }
}

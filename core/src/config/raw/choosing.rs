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

/// `queue` as a size, as `off`, or as a mapping.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawQueue {
    pub(in crate::config) size: Option<Written>,
    pub(in crate::config) timeout: Option<Written>,
}

/// `sticky` as a name, as `true` or `false`, or as a mapping.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawSticky {
    /// A mapping was written, maybe without a name.
    pub(in crate::config) is_mapping: bool,
    pub(in crate::config) cookie: Option<Written>,
    pub(in crate::config) secure: Option<Written>,
    pub(in crate::config) http_only: Option<Written>,
    pub(in crate::config) same_site: Option<Written>,
    pub(in crate::config) ttl: Option<Written>,
    pub(in crate::config) key: Option<Written>,
}

impl RawQueue {
    pub(super) fn over(self, defaults: &Self) -> Self {
        Self {
            size: self.size.or_else(|| defaults.size.clone()),
            timeout: self.timeout.or_else(|| defaults.timeout.clone()),
        }
    }
}

impl RawSticky {
    /// Whether the pool gives its cookie a name, and does not leave it to us.
    pub(in crate::config) fn is_named(&self) -> bool {
        self.cookie
            .as_ref()
            .is_some_and(|cookie| cookie.as_bool().is_none())
    }

    /// Whether the pool says something of it.
    fn is_written(&self) -> bool {
        self.is_mapping || self.cookie.is_some()
    }

    /// Options belong to their cookie, so a pool that says something says all of it.
    pub(super) fn over(self, defaults: &Self) -> Self {
        if self.is_written() { self } else { defaults.clone() }
    }
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

const QUEUE: &[Key] = &[("size", "a whole number or off"), ("timeout", "a duration")];
const STICKY: &[Key] = &[
    ("cookie", "the name of a cookie"),
    ("secure", "true or false"),
    ("http_only", "true or false"),
    ("same_site", "strict, lax or none"),
    ("ttl", "a duration or none"),
    ("key", "a secret"),
];

pub(super) fn queue(fields: &Fields<'_>, problems: &mut Problems) -> RawQueue {
    let Some(fields) = fields.mapping("queue", (QUEUE, &[]), problems) else {
        return RawQueue {
            size: fields.scalar("queue", problems),
            ..RawQueue::default()
        };
    };
    RawQueue {
        size: fields.scalar("size", problems),
        timeout: fields.scalar("timeout", problems),
    }
}

pub(super) fn sticky(fields: &Fields<'_>, problems: &mut Problems) -> RawSticky {
    let Some(fields) = fields.mapping("sticky", (STICKY, &[]), problems) else {
        return RawSticky {
            cookie: fields.scalar("sticky", problems),
            ..RawSticky::default()
        };
    };
    RawSticky {
        is_mapping: true,
        cookie: fields.scalar("cookie", problems),
        secure: fields.scalar("secure", problems),
        http_only: fields.scalar("http_only", problems),
        same_site: fields.scalar("same_site", problems),
        ttl: fields.scalar("ttl", problems),
        key: fields.scalar("key", problems),
    }
}

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

//! The settings by which a pool judges its backends: name, value, and how to put one in place. Checks and ejection are
//! values as a whole, since they are off or merged as a whole, but only what differs in them is said.

use std::{borrow::Cow, fmt};

use crate::config::model::*;

/// `health_check`, `ejection` or `all_down`, with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HealthSetting {
    Check(HealthCheck),
    Ejection(Option<EjectionRules>),
    AllDown(AllDown),
}

impl HealthSetting {
    pub(super) fn all(pool: &PoolConfig) -> Vec<Self> {
        vec![
            Self::Check(pool.health_check.clone()),
            Self::Ejection(pool.ejection.clone()),
            Self::AllDown(pool.all_down),
        ]
    }

    /// Its name in the file.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Check(_) => "health_check",
            Self::Ejection(_) => "ejection",
            Self::AllDown(_) => "all_down",
        }
    }

    /// What a change from this value to another one says, a line a setting: `health_check.rise 2 -> 3`.
    pub(super) fn lines(&self, to: &Self) -> Vec<String> {
        match (self, to) {
            (Self::Check(from), Self::Check(to)) => differences("health_check", &from.parts(), &to.parts()),
            (Self::Ejection(Some(from)), Self::Ejection(Some(to))) => {
                differences("ejection", &from.parts(), &to.parts())
            }
            _ => vec![format!("{} {self} -> {to}", self.key())],
        }
    }

    pub(super) fn put(self, pool: &mut PoolConfig) {
        match self {
            Self::Check(check) => pool.health_check = check,
            Self::Ejection(rules) => pool.ejection = rules,
            Self::AllDown(all_down) => pool.all_down = all_down,
        }
    }
}

impl fmt::Display for HealthSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(_) | Self::Ejection(Some(_)) => f.write_str("on"),
            Self::Ejection(None) => f.write_str("off"),
            Self::AllDown(all_down) => all_down.fmt(f),
        }
    }
}

/// The settings of two mappings that differ; one that is only in one of them is `-` in the other.
pub(super) fn differences(key: &str, from: &[Part], to: &[Part]) -> Vec<String> {
    let value = |parts: &[Part], name: &str| {
        let part = parts.iter().find(|(other, _)| *other == name);
        part.map_or(Cow::Borrowed("-"), |(_, value)| Cow::Owned(value.clone()))
    };
    let only_in_to = to
        .iter()
        .filter(|(name, _)| !from.iter().any(|(other, _)| other == name));
    let names = from.iter().chain(only_in_to).map(|(name, _)| *name);
    let changed = |name: &'static str| {
        let (before, after) = (value(from, name), value(to, name));
        (before != after).then(|| format!("{key}.{name} {before} -> {after}"))
    };
    names.filter_map(changed).collect()
}

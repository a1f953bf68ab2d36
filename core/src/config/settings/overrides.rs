//! What a route says of a mapping's settings, over those of its pool.

use std::fmt;

use super::{
    Checker, Settings,
    field::{At, read_part},
};

/// A route's own settings of a mapping; what it does not write is as the pool has it.
#[derive(Clone)]
pub struct Overrides<M> {
    values: M,
    written: Vec<&'static str>,
}

impl<M: Default> Default for Overrides<M> {
    fn default() -> Self {
        Self {
            values: M::default(),
            written: Vec::new(),
        }
    }
}

#[allow(private_bounds)]
impl<M: Settings> Overrides<M> {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The pool's settings with these in their place.
    pub fn over(&self, pool: &M) -> M {
        let mut settings = pool.clone();
        for setting in self.written.iter().filter_map(|key| M::setting(key)) {
            setting.field.put(&self.values, &mut settings);
        }
        settings
    }

    /// What is written, with its keys.
    pub(in crate::config) fn lines(&self, path: &str) -> Vec<(String, String)> {
        let written = self.written.iter().filter_map(|key| M::setting(key));
        written
            .flat_map(|setting| {
                setting
                    .field
                    .lines(&format!("{path}{}", setting.about.key), &self.values)
            })
            .collect()
    }
}

#[allow(private_bounds)]
impl<M: Settings + Default> Overrides<M> {
    pub(in crate::config) fn read((own, key): At<'_>, checker: &mut Checker<'_>) -> Self {
        let mut overrides = Self::default();
        let Some(node) = own.node(key) else {
            return overrides;
        };
        read_part(&mut overrides.values, (own, key), checker);
        let is_written =
            |key: &&str| node.is_mapping_with(key) || !node.is_mapping() && Some(*key) == M::SHORT;
        let keys = M::SETTINGS.iter().map(|setting| setting.about.key);
        overrides.written = keys.filter(is_written).collect();
        overrides
    }
}

impl<M: Settings> PartialEq for Overrides<M> {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written && self.over(&other.values) == other.values
    }
}

impl<M: Settings> fmt::Debug for Overrides<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.lines("")).finish()
    }
}

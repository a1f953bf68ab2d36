//! Judging values: what is wrong is collected, and reading goes on, so that all problems come to light.

use std::{cell::Cell, sync::Arc};

use super::{
    fields::Fields,
    problem::{Position, Problems, Refusal},
    secrets::mark,
    written::Written,
};

/// Collects what is wrong with values, and what is right and yet probably not meant.
pub(super) struct Checker<'p> {
    pub(super) problems: &'p mut Problems,
    pub(super) warnings: &'p mut Problems,
    /// What marks of values that are not shown are made with.
    pub(super) key: Option<[u8; 16]>,
    /// Whether such a mark was made.
    pub(super) marked: Cell<bool>,
}

impl Checker<'_> {
    /// What a setting means; `None` if it is not written or refused.
    pub(super) fn value<T>(
        &mut self,
        written: &Option<Written>,
        read: impl FnOnce(&Written) -> Result<T, Refusal>,
    ) -> Option<T> {
        self.check(written.as_ref()?, read)
    }

    /// What the items of a list mean, without those that are refused.
    pub(super) fn all<T>(
        &mut self,
        written: &[Written],
        read: impl Fn(&Written) -> Result<T, Refusal>,
    ) -> Vec<T> {
        written
            .iter()
            .filter_map(|item| self.check(item, &read))
            .collect()
    }

    pub(super) fn check<T>(
        &mut self,
        written: &Written,
        read: impl FnOnce(&Written) -> Result<T, Refusal>,
    ) -> Option<T> {
        read(written)
            .map_err(|refusal| self.refuse(written, refusal))
            .ok()
    }

    /// What is shown instead of the value of a field or parameter of this name, if it is not to be shown.
    pub(super) fn mark(&self, name: &str, written: &Written) -> Option<Arc<str>> {
        match self.problems.secrets.is_secret(name) {
            true => {
                self.marked.set(true);
                Some(mark(written.text(), self.key.as_ref()))
            }
            false => written.mark(),
        }
    }

    pub(super) fn refuse(&mut self, written: &Written, refusal: Refusal) {
        self.problems.add_written(written, refusal);
    }

    /// Refuses a setting as far as it is written: each of its single values.
    pub(super) fn refuse_setting(&mut self, own: &Fields<'_>, key: &str, refusal: Refusal) {
        for written in own.all_written(key) {
            self.refuse(&written, refusal.clone());
        }
    }
}

/// `backends[0] in line 3`
pub(super) fn place(field: &str, position: Option<Position>) -> String {
    match position {
        Some(position) => format!("{field} in line {}", position.line),
        None => field.to_owned(),
    }
}

impl Written {
    /// `backends[0] in line 3`
    pub(super) fn place(&self) -> String {
        place(&self.field, self.position)
    }
}

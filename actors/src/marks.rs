//! The key of the marks that are shown instead of secrets.
//!
//! A command that only reads a file makes one and forgets it: what it prints says nothing beside another output. What runs
//! takes the kept one, so that the marks in its log and its plans can be compared over restarts.

use std::{path::Path, sync::OnceLock};

use lb_core::config::Config;

use crate::{
    kept::{KeepKey, StateDir, kept, state_dir},
    random::random,
};

pub(crate) type Key = [u8; 16];

/// The file in `state_dir`.
const FILE: &str = "marks.key";

/// What this process makes marks with, once it has made one. None where the system has no random numbers: marks without a key
/// would let others try out values.
static KEY: OnceLock<Option<Key>> = OnceLock::new();

/// The key of this process, made anew where it has none yet.
pub(crate) fn key() -> Option<Key> {
    *KEY.get_or_init(|| random().ok())
}

/// The same for a process that serves, before it has read the file that says where its key is kept.
pub(crate) fn known() -> Option<Option<Key>> {
    KEY.get().copied()
}

/// The key that was kept beside what this configuration keeps. `folder` is where a relative `state_dir` begins.
pub(crate) fn take_kept(config: &Config, folder: &Path) {
    if let Ok(kept) = in_state_dir(config, folder, KeepKey::OnlyRead) {
        let _known = KEY.set(Some(kept));
    }
}

/// Keeps the key, if none is kept yet. Where that fails, marks can be compared as long as the process runs, which is no warning
/// worth.
pub(crate) fn keep(config: &Config, folder: &Path) {
    if key().is_some() {
        let _kept = in_state_dir(config, folder, KeepKey::MakeIfMissing);
    }
}

fn in_state_dir(config: &Config, folder: &Path, keep: KeepKey) -> std::io::Result<Key> {
    match state_dir(config.state_dir.as_deref().map(|own| folder.join(own))) {
        StateDir::Folder(folder) => kept((&folder, FILE), keep, known().flatten()),
        StateDir::Nowhere(reason) => Err(std::io::Error::other(reason)),
    }
}

//! A line in the log for each change that is asked for over the control socket or the admin listener: what, by whom, and what
//! became of it. The registry and the watcher log what follows from it themselves.

use std::fmt::Display;

use log::info;

use super::caller::Caller;

/// Notes a change, or what was refused of one that the caller may make.
pub(super) fn note(caller: &Caller, what: impl Display, outcome: impl Display) {
    info!("{what}, asked by {caller}: {outcome}");
}

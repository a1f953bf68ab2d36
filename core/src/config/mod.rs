//! The configuration file: from text to a checked [`Config`], and from two of them to a [`ReloadPlan`].
//!
//! Text goes through four steps, and each knows only its own: `document` decides values (serde_yaml) and finds
//! their places (`marks`), `env` replaces variables, `raw` says what was written, `validate` says what it means.
//! Only the checked types of `model` leave this module.

mod address;
mod document;
mod env;
mod marks;
mod model;
mod node;
mod plan;
mod problem;
mod raw;
mod size;
mod suggest;
mod syntax;
mod units;
mod validate;

#[cfg(test)]
mod tests;

pub use model::*;
pub use plan::{BackendChange, ReloadPlan};
pub(crate) use problem::shown;
pub use problem::{ConfigError, Position, Problem, Refusal, shown_path};
pub use size::{ByteSize, MAX_SIZE, parse_size};
pub(crate) use suggest::closest;
pub use units::{MAX_DURATION, format_duration, format_seconds, parse_duration};
pub use validate::{load, load_with_warnings};

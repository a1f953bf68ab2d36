//! The configuration file: from text to a checked [`Config`], and from two of them to a [`ReloadPlan`].
//!
//! Text goes through three steps, and each knows only its own: `document` decides values (serde_yaml) and finds
//! their places (`marks`), `env` replaces variables, `load` reads what is written by the rows of `settings`.
//! Only the checked types of `model` leave this module.

mod address;
mod checker;
mod document;
mod env;
mod fields;
mod load;
mod marks;
mod model;
mod node;
mod origin;
mod plan;
mod pools;
mod problem;
mod routes;
mod secrets;
mod settings;
mod size;
mod suggest;
mod syntax;
mod units;
mod written;

#[cfg(test)]
mod tests;

pub use load::{Loaded, load, load_with_origins};
pub use model::*;
pub use origin::{Origin, Origins};
pub use plan::{BackendChange, ReloadPlan};
pub(crate) use problem::shown;
pub use problem::{ConfigError, Position, Problem, Refusal, shown_path, shown_text};
pub use secrets::{Masked, Outside, SECRET_NAMES};
pub(crate) use settings::is_token_byte;
pub use settings::{MAX_HEADER_SIZE, Overrides, Reference, ReferenceEntry, reference, schema};
pub use size::{ByteSize, MAX_SIZE, parse_size};
pub(crate) use suggest::closest;
pub use units::{MAX_DURATION, format_duration, format_seconds, parse_duration};

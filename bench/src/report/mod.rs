//! What a run says: a table a case, a line a goal, JSON, a plot.

mod changes;
mod goals;
mod json;
mod svg;
mod table;

pub(crate) use changes::{Change, changes};
pub(crate) use goals::{Goal, goals};
pub(crate) use json::json;
pub(crate) use svg::svg;
pub(crate) use table::table;

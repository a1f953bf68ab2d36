//! What a line of the access log says: the names of its fields, and patterns made of them. The balancer fills them in.

mod fields;
mod pattern;

pub use fields::{FIELDS, LogField, VARIABLES};
pub use pattern::{BadPattern, COMBINED, LogPattern, Piece, TEXT};

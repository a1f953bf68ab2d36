//! What is counted and what is logged.

mod logging;
mod panics;
mod repeats;
mod traffic;
mod writer;

pub use logging::{dropped_log_lines, set_log_level, start_logging};
pub use panics::count_panics;
pub use traffic::{InFlight, OpenConnection, Traffic};

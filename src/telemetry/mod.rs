//! What is counted and what is logged.

mod logging;
mod panics;
mod repeats;
mod traffic;

pub use logging::{set_log_level, start_logging};
pub use panics::count_panics;
pub use traffic::{InFlight, OpenConnection, Traffic};

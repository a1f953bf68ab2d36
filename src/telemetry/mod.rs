//! What is counted and what is logged.

mod logging;
mod panics;
mod traffic;

pub use logging::{start_logging, set_log_level};
pub use panics::count_panics;
pub use traffic::{InFlight, Traffic};

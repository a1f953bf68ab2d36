//! What is counted and what is logged.

mod access_log;
mod journal;
mod logging;
mod panics;
mod record;
#[cfg(debug_assertions)]
mod record_lines;
mod repeats;
mod sinks;
mod target;
mod traffic;
mod writer;

pub use access_log::{AccessLog, CannotOpen};
pub use journal::{prefixed, stderr_is_the_journal};
pub use logging::{
    LevelIsFixed, change_log_level, configure_logging, dropped_log_lines, log_level, start_logging,
};
pub use panics::count_panics;
pub use record::{
    Needs, Notes, RecordSink, Records, RequestEnd, RequestFacts, RequestRecord, Responder, Retried, Times,
};
pub use sinks::{Sinks, Slot};
pub use target::{LONGEST, Target};
pub use traffic::{OpenConnection, Traffic};

/// What tests want to be told of requests that end.
pub fn add_test_sink(sinks: &Sinks) {
    #[cfg(debug_assertions)]
    sinks.set(Slot::Test, record_lines::from_environment());
    #[cfg(not(debug_assertions))]
    let _: &Sinks = sinks;
}

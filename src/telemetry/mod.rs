//! What is counted and what is logged.

mod journal;
mod logging;
mod panics;
mod record;
#[cfg(debug_assertions)]
mod record_lines;
mod repeats;
mod traffic;
mod writer;

pub use journal::{prefixed, stderr_is_the_journal};
pub use logging::{dropped_log_lines, set_log_level, start_logging};
pub use panics::count_panics;
pub use record::{
    Needs, Notes, RecordSink, Records, RequestEnd, RequestFacts, RequestRecord, Responder, Retried, Target,
    Times,
};
pub use traffic::{OpenConnection, Traffic};

/// What the end of requests is told to.
pub fn record_sink() -> Option<std::sync::Arc<dyn RecordSink>> {
    #[cfg(debug_assertions)]
    return record_lines::from_environment();
    #[cfg(not(debug_assertions))]
    None
}

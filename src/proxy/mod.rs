//! What a request needs whatever lane carries it: who sent it, how its failures are judged, what an error answer says.

mod context;
mod error;
mod error_answer;
mod failure_log;
mod hash_key;
mod routing;
mod sticky;
mod worker;

use std::time::Duration;

pub use context::{Client, RequestId};
pub use error::{Fault, Phase, ProxyError, TimeLimit};
pub use error_answer::{ErrorAnswer, reason_phrase, wants_json};
pub use failure_log::{FailureLog, Verdict};
pub use routing::{Edits, Incoming, LineChanges, Passage, RouteAnswer, Routed, route};
pub use sticky::sticky_cookie;
pub use worker::{PickBy, Worker, answer_head};

/// A client that closed its side may only have said that it sends no more; but most have left. So long may the backend
/// be silent then, before the head of its answer and within its body (nginx gives it no time at all).
pub const HALF_CLOSED: Duration = Duration::from_secs(2);

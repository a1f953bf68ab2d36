//! What a request needs whatever lane carries it: who sent it, how its failures are judged, what an error answer says.

mod context;
mod error;
mod error_answer;
mod failure_log;
mod hash_key;
mod routing;
mod sticky;
mod worker;

pub use context::{Client, RequestId};
pub use error::{Fault, Phase, ProxyError, TimeLimit};
pub use error_answer::{ErrorAnswer, reason_phrase, wants_json};
pub use failure_log::{FailureLog, Verdict};
pub use routing::{Edits, Incoming, LineChanges, Passage, RouteAnswer, Routed, route};
pub use sticky::sticky_cookie;
pub use worker::{PickBy, Worker, answer_head};

//! What a request needs whatever lane carries it: who sent it, how its failures are judged, what an error answer says.

mod context;
mod error;
mod error_answer;
mod failure_log;
mod hash_key;
mod worker;

pub use context::{Client, RequestId};
pub use error::{Fault, Phase, ProxyError, TimeLimit};
pub use error_answer::{ErrorAnswer, wants_json};
pub use failure_log::{FailureLog, Verdict};
pub use hash_key::{KeyParts, hash_key};
pub use worker::{PickBy, Worker, answer_head};

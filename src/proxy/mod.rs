//! What a request needs whatever lane carries it: who sent it, how its failures are judged, what an error answer says.

mod client_body;
mod connection;
mod context;
mod error;
mod error_answer;
mod error_page;
mod failure_log;
mod hash_key;
mod head;
mod routing;
mod sticky;
mod transport;
mod worker;

use std::time::Duration;

pub use client_body::ClientBody;
pub use connection::{Connection, Scheme};
pub use context::{Client, RequestId, client_address};
pub use error::{Phase, ProxyError};
pub use error_answer::{AnswerForm, ErrorAnswer, ErrorText, NO_FURTHER, ReplyTo, reason_phrase, wants_json};
pub use failure_log::{About, Asked, FailureLog};
pub use head::{HeadLines, Own, head_limits, identify, may_pass};
pub use routing::{Edits, Incoming, LineChanges, Passage, RouteAnswer, Routed, route, scheme};
pub use sticky::sticky_cookie;
pub use transport::{Look, Transport};
pub use worker::{BrokenResponse, FailedAttempt, FailedRequest, Line, Turn, Worker, answer_head};

/// A client that closed its side may only have said that it sends no more; but most have left. So long may the backend
/// be silent then, before the head of its answer and within its body (nginx gives it no time at all).
pub const HALF_CLOSED: Duration = Duration::from_secs(2);

/// How long a connection that is closed with bytes unread is read on, so that the close does not destroy the answer on
/// its way (RFC 9112 section 9.6), and how many bytes.
pub const LINGER: (Duration, usize) = (Duration::from_secs(2), 16 * 1024 * 1024);

/// Bytes of later requests that are read while one is answered; more wait in the socket.
pub const MOST_AHEAD: usize = 16 * 1024;

/// A connection that was opened so short a time ago may bring a request that is on its way while the balancer begins to stop.
pub const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(2);

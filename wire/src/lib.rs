//! HTTP/1.1 messages as bytes (RFC 9110, 9112): strict heads, header rules, body framing. Pure: no I/O, no clock, no randomness,
//! no logging; bytes and facts in, bytes and facts out.
//!
//! A proxy goes through a message in three steps, each of which is one call here:
//!
//! 1. [`parse_request`] or [`parse_response`] reads a head in place. The head is a small `Copy` value of offsets and facts; its
//!    header lines go into a reusable [`Lines`]. What two readers could read differently is refused.
//! 2. [`write_request_head`] or [`write_response_head`] copies the lines into an outgoing buffer, case and order kept, by the
//!    table in [`rules`]: our version, our connection options, exactly one framing.
//! 3. [`BodyTracker`] finds the end of the body in raw bytes that pass as they are, and [`BodyFilter`] leaves out of them what
//!    ends here. Where the other side cannot take that framing, [`BodyPlan`] says so, and [`BodyTracker::step`] and
//!    [`write_chunk`] do it.
//!
//! Nothing allocates in the usual case: a head of at most 24 lines, buffers that have grown to their size.
#![forbid(unsafe_code)]

mod authority;
mod bytes;
mod error;
mod fields;
mod framing;
mod limits;
mod lines;
mod message;
mod request;
mod response;
mod rewrite;
pub mod rules;

pub use authority::Authority;
pub use bytes::Span;
pub use error::{BodyError, RequestError, ResponseError, Truncated};
pub use fields::list;
pub use framing::{
    BodyFilter, BodyTracker, CHUNK_END, LAST_CHUNK, Passed, Piece, Progress, write_chunk, write_chunk_head,
};
pub use limits::Limits;
pub use lines::{Lines, worth_parsing};
pub use message::{Framing, Method, Parsed, Version};
pub use request::{Glimpse, RequestHead, RequestView, TargetForm, only_empty_lines, parse_request};
pub use response::{Asked, ResponseHead, ResponseView, parse_response};
pub use rewrite::{
    AddedLines, AnswerContext, BodyPlan, ClientAddress, ForwardContext, LineEdits, MadeBody, MadeHead,
    MadeLength, RequestEdits, replace_host, write_made_head, write_request_head, write_response_head,
};
pub use rules::{Name, is_lookalike};

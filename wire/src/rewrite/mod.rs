//! Heads for the other side: what was parsed, copied into one outgoing buffer by the table in [`rules`](crate::rules).
//!
//! Lines that stay are copied as runs of raw bytes, so their case, order and spacing survive and a head that changes little
//! costs little. Lines that decide about framing or routing are written plainly (`Name: value`) even where the client was
//! fanciful. The result is always one unambiguous HTTP/1.1 head; a test parses it again and compares.

mod client;
mod copier;
mod edits;
mod forwarded;
mod made;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use client::ClientAddress;
pub use edits::{AddedLines, LineEdits, RequestEdits, replace_host};
pub use made::{MadeBody, MadeHead, MadeLength, write_made_head};
pub use request::{ForwardContext, write_request_head};
pub use response::{AnswerContext, BodyPlan, write_response_head};

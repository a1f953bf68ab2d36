//! The wire lane: HTTP/1.1 connections as bytes.
//!
//! A head is parsed in place and its lines are copied, case and order kept, into one outgoing buffer; bodies pass as
//! raw bytes while a tracker finds their end. What may be read in two ways is refused by `lb-wire`, so that client,
//! balancer and backend never disagree about where a message ends. One task serves a client's connection with all its
//! requests; nothing on the way takes a lock or waits for a message.

mod attempt;
mod backlog;
mod client;
mod dispatch;
mod exchange;
mod forward;
mod leaving;
mod outgoing;
mod own_answer;
mod service;
mod timer;
mod tunnel;
mod waiting;
mod worker;

pub use service::service;

use crate::proxy::Transport;

//! Requests that are understood and not forwarded.

use lb_core::config::{ByteSize, Config};
use lb_wire::{Framing, Method, RequestHead};

use super::{Transport, client::Client};

/// Status and reason for what the balancer does not forward.
pub(super) fn refusal<S: Transport>(
    client: &Client<S>,
    head: &RequestHead,
    config: &Config,
) -> Option<(u16, &'static str)> {
    let too_large =
        |limit: ByteSize| matches!(head.framing, Framing::Length(length) if length > limit.bytes());
    match head.method {
        Method::Connect => return Some((405, "CONNECT is not allowed here")),
        Method::Trace if !config.allow_trace => return Some((405, "TRACE is not allowed here")),
        // RFC 9110 section 7.6.2: answered as by the last recipient.
        Method::Options if head.max_forwards == Some(0) => {
            return Some((200, "the request goes no further (Max-Forwards)"));
        }
        _ if head.max_forwards == Some(0) => {
            return Some((405, "the request may go no further (Max-Forwards)"));
        }
        _ if config.limits.body_size.is_some_and(too_large) => {
            return Some((413, "the request's body is larger than allowed"));
        }
        _ => {}
    }
    let lines = client.worker.lines();
    let view = head.view(client.unused(), &lines);
    let looped = config.via.as_deref().is_some_and(|via| view.went_through(via));
    looped.then_some((508, "the request came through here before (Via)"))
}

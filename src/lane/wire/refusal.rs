//! Requests that are understood and not forwarded.

use lb_core::config::{ByteSize, Config};
use lb_wire::{Framing, Method, RequestHead};

use super::{Transport, client::Client};
use crate::proxy;

/// What a request is answered with that is not forwarded.
pub(super) enum Refusal {
    /// Status and reason, and the connection ends.
    Error(u16, &'static str),
    /// OPTIONS that may go no further: what we pass on.
    Options,
    /// TRACE that may go no further: what came.
    Trace(Vec<u8>),
}

/// What the balancer does not forward.
pub(super) fn refusal<S: Transport>(
    client: &Client<S>,
    head: &RequestHead,
    config: &Config,
) -> Option<Refusal> {
    let lines = client.worker.lines();
    let view = head.view(client.unused(), &lines);
    let too_large =
        |limit: ByteSize| matches!(head.framing, Framing::Length(length) if length > limit.bytes());
    let (status, reason) = match head.method {
        Method::Connect => (405, "CONNECT is not allowed here"),
        Method::Trace if !config.allow_trace => (405, "TRACE is not allowed here"),
        // RFC 9110 section 7.4: only who ended TLS for us can know that it was https.
        _ if head.https && !proxy::Client::new(client.peer.ip(), &config.trusted_proxies).trusted => {
            (421, "the request's target is https, and the connection is not")
        }
        // RFC 9110 section 7.6.2: answered as by the last recipient.
        Method::Options if head.max_forwards == Some(0) => return Some(Refusal::Options),
        Method::Trace if head.max_forwards == Some(0) => {
            let mut trace = Vec::with_capacity(head.len);
            view.write_trace(&mut trace);
            return Some(Refusal::Trace(trace));
        }
        _ if config.limits.body_size.is_some_and(too_large) => {
            (413, "the request's body is larger than allowed")
        }
        _ if config.via.as_deref().is_some_and(|via| view.went_through(via)) => {
            (508, "the request came through here before (Via)")
        }
        _ => return None,
    };
    Some(Refusal::Error(status, reason))
}

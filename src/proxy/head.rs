//! What is found in a request's head before it has a route: its limits, its id, and whether it is forwarded at all.

use lb_core::config::{self, ByteSize, Config};
use lb_wire::{Framing, Limits, Method, RequestView};

use super::{RequestId, Scheme, wants_json};

/// The configured limits, as the parser has them.
pub fn head_limits(limits: &config::Limits) -> Limits {
    let head_bytes = u32::try_from(limits.header_size.bytes()).unwrap_or(u32::MAX);
    let target_bytes = Limits::default().target_bytes.min(head_bytes);
    Limits {
        head_bytes,
        header_count: limits.header_count,
        target_bytes,
    }
}

/// The request's id, and whether its sender wants errors as JSON.
pub fn identify(view: &RequestView<'_>, random: u128) -> (RequestId, bool) {
    let id = RequestId::new(view.header("x-request-id").next(), random);
    let accept = view
        .header("accept")
        .next()
        .filter(|accept| memchr::memmem::find(accept, b"json").is_some());
    (
        id,
        accept.is_some_and(|accept| wants_json(std::str::from_utf8(accept).ok())),
    )
}

/// What a request is answered with that is understood and not forwarded.
pub enum Refusal {
    /// Status and reason, and the connection ends.
    Error(u16, &'static str),
    /// OPTIONS that may go no further: what we pass on.
    Options,
    /// TRACE that may go no further: what came.
    Trace(Vec<u8>),
}

/// Whether a request that came over a connection of this scheme is not forwarded. `trusted`, asked where it matters: its sender is one of the configured proxies.
pub fn refusal(
    (view, scheme): (&RequestView<'_>, Scheme),
    config: &Config,
    trusted: impl FnOnce() -> bool,
) -> Option<Refusal> {
    let head = view.head;
    let too_large =
        |limit: ByteSize| matches!(head.framing, Framing::Length(length) if length > limit.bytes());
    let (status, reason) = match head.method {
        Method::Connect => (405, "CONNECT is not allowed here"),
        Method::Trace if !config.allow_trace => (405, "TRACE is not allowed here"),
        // RFC 9110 section 7.4: only a proxy that ended TLS for us can know that it was https.
        _ if head.https && scheme == Scheme::Http && !trusted() => {
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

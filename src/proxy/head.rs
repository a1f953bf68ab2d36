//! What is found in a request's head before it has a route: its limits, its id, and whether it is forwarded at all.

use lb_core::{
    config::{self, ByteSize, Config},
    route::Headers,
};
use lb_wire::{Framing, Limits, Method, RequestView};

use super::{ProxyError, RequestId, RouteAnswer, Scheme, wants_json};

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

/// The header lines of a head, for conditions of routes.
pub struct HeadLines<'a>(pub RequestView<'a>);

impl Headers for HeadLines<'_> {
    fn any(&self, name: &str, passes: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.header(name).any(passes)
    }
}

/// What a request is sent that goes no further.
pub enum Own {
    /// An error, behind which the connection ends.
    Error(ProxyError),
    /// What its route says.
    Route(RouteAnswer),
    /// OPTIONS that may go no further: what we pass on.
    Options,
    /// TRACE that may go no further: what was received.
    Trace(Vec<u8>),
}

impl<E: Into<ProxyError>> From<E> for Own {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Whether a request that came over a connection of this scheme may be forwarded. `trusted`, asked where it matters: its sender
/// is one of the configured proxies.
///
/// # Errors
/// What it is sent instead.
pub fn may_pass(
    view: &RequestView<'_>,
    scheme: Scheme,
    config: &Config,
    trusted: impl FnOnce() -> bool,
) -> Result<(), Own> {
    let head = view.head;
    let too_large =
        |limit: &ByteSize| matches!(head.framing, Framing::Length(length) if length > limit.bytes());
    match head.method {
        Method::Connect => return Err(ProxyError::ConnectMethod.into()),
        Method::Trace if !config.allow_trace => return Err(ProxyError::TraceMethod.into()),
        // RFC 9110 section 7.4: only a proxy that ended TLS for us can know that it was https.
        _ if head.https && scheme == Scheme::Http && !trusted() => {
            return Err(ProxyError::Misdirected.into());
        }
        // RFC 9110 section 7.6.2: answered as by the last recipient.
        Method::Options if head.max_forwards == Some(0) => return Err(Own::Options),
        Method::Trace if head.max_forwards == Some(0) => {
            let mut trace = Vec::with_capacity(head.len);
            view.write_trace(&mut trace);
            return Err(Own::Trace(trace));
        }
        _ => {}
    }
    if let Some(limit) = config.limits.body_size.filter(too_large) {
        return Err(ProxyError::BodyTooLarge(limit).into());
    }
    if config.via.as_deref().is_some_and(|via| view.went_through(via)) {
        return Err(ProxyError::Loop.into());
    }
    Ok(())
}

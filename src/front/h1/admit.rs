//! Whether a request is forwarded at all, before anybody asks where to.

use lb_core::config::Config;
use lb_wire::RequestHead;

use super::Client;
use crate::proxy::{self, ClientBody, Own, ProxyError, Transport};

/// The body of a request that may be forwarded, and what `take` made of the part that came with the head: it is looked at
/// before any backend is asked, and goes on with the head in one piece.
///
/// # Errors
/// What the request is sent instead.
#[inline]
pub(crate) fn admit<S: Transport, T>(
    client: &Client<S>,
    head: &RequestHead,
    config: &Config,
    take: impl FnOnce(&mut ClientBody, &[u8]) -> Result<T, ProxyError>,
) -> Result<(ClientBody, T), Own> {
    let lines = client.worker.lines();
    let view = head.view(client.unused(), &lines);
    let mut body = ClientBody::new(head.framing, view.named_away(), config.limits.body_size);
    let with_head = take(&mut body, &client.unused()[head.len..]);
    let connection = &client.connection;
    let trusted = || proxy::Client::new(connection.peer.ip(), &config.trusted_proxies).trusted;
    proxy::may_pass(&view, connection.scheme, config, trusted)?;
    Ok((body, with_head?))
}

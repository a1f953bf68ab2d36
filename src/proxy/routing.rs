//! From a request's head to what becomes of it, whatever lane carries it: its route, the pool, what is changed on the way,
//! or the answer that a route gives itself.
//!
//! Where one plain route takes everything, to a pool that tells no requests apart, the lanes do not come here.

use std::sync::Arc;

use lb_core::{
    config::{HashKey, Redirect, Respond, RouteAction, RouteConfig},
    pool::{Destination, Snapshot},
    route::{
        Headers, Request, Unrouted, Values,
        headers::HeaderChanges,
        rewrite::location,
        split::{SplitBy, point},
    },
    sticky::StickyId,
};
use lb_wire::{Authority, is_lookalike};

use super::{Client, ProxyError, RequestId, Scheme, context::client_address, hash_key::hash_key, sticky};

/// A request's head.
pub struct Incoming<'a> {
    /// `host[:port]` as asked for, an absolute target's before `Host`; empty where none is named.
    pub authority: &'a [u8],
    /// The method.
    pub method: &'a [u8],
    /// The raw path.
    pub path: &'a [u8],
    /// The raw query; `None` without `?`.
    pub query: Option<&'a [u8]>,
    /// Its header lines.
    pub headers: &'a dyn Headers,
    /// Who opened the connection.
    pub peer: Client,
    /// Its id.
    pub id: &'a RequestId,
    /// What the connection speaks.
    pub scheme: Scheme,
}

/// What becomes of a request.
pub enum Routed {
    /// It goes to a pool.
    Forward(Passage),
    /// It is answered here.
    Answer(RouteAnswer),
}

/// Where a request goes, and what is changed on the way.
pub struct Passage {
    /// The pool and its terms.
    pub destination: Arc<Destination>,
    /// `None`: nothing is changed.
    pub edits: Option<Box<Edits>>,
    /// What the pool's strategy tells requests apart by, if it does.
    pub key: Option<u64>,
    /// The backend that the client was told to come back to.
    pub sticky: Option<StickyId>,
}

/// What is changed of one request and its answer, with all variables filled in.
#[derive(Debug, Default)]
pub struct Edits {
    /// Another path and query.
    pub target: Option<Vec<u8>>,
    /// Of the request's header lines.
    pub request: LineChanges,
    /// Of the answer's.
    pub response: LineChanges,
}

/// Changes of header lines.
#[derive(Debug, Default)]
pub struct LineChanges {
    /// Names of lines to leave out, in lower case.
    pub dropped: Arc<[Box<str>]>,
    /// Lines to write: name and value.
    pub added: Vec<(Box<str>, Vec<u8>)>,
}

/// An answer that a route gives itself. The lane adds what belongs to the connection and the body.
#[derive(Debug, Clone)]
pub struct RouteAnswer {
    /// The route.
    pub route: Arc<RouteConfig>,
    /// The status.
    pub status: u16,
    /// Header lines: name and value.
    pub lines: Vec<(Box<str>, Vec<u8>)>,
    /// The body, complete.
    pub body: Arc<[u8]>,
}

impl Passage {
    /// Where every request of a snapshot goes that takes no decision: nothing has to be known of it.
    pub fn undecided(snapshot: &Snapshot) -> Option<Self> {
        let destination = snapshot.plain_route()?.destination(|| 0)?;
        let config = destination.pool().config();
        let keyless = config.strategy.hash_key().is_none() && config.sticky.is_none();
        keyless.then(|| Self {
            destination: Arc::clone(destination),
            edits: None,
            key: None,
            sticky: None,
        })
    }
}

/// Finds the route of a request and does what it says. `random` decides where nothing is to be remembered.
///
/// # Errors
/// When it has no route, or cannot do what its route says.
pub fn route(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    (worker, random): (usize, u64),
) -> Result<Routed, ProxyError> {
    let host = match incoming.authority {
        [] => &[],
        authority => Authority::parse(authority).ok_or(ProxyError::BadTarget)?.host,
    };
    let networks = &snapshot.config().trusted_proxies;
    let request = Request {
        host,
        method: incoming.method,
        path: incoming.path,
        query: incoming.query.unwrap_or_default(),
        headers: incoming.headers,
        client: client_address(incoming.peer, networks, incoming.headers),
    };
    let route = snapshot.route(&request)?;
    route.count(worker);
    let values = Values {
        authority: incoming.authority,
        client: request.client,
        host,
        method: incoming.method,
        path: incoming.path,
        query: incoming.query,
        request_id: incoming.id.as_str(),
        scheme: scheme(incoming.scheme, incoming.peer, incoming.headers),
    };
    let config = route.config();
    match &config.then {
        RouteAction::Redirect(redirect) => redirected(redirect, config, &values).map(Routed::Answer),
        RouteAction::Respond(respond) => Ok(Routed::Answer(responded(respond, config, &values))),
        RouteAction::Forward(forward) => {
            let destination = route.destination(|| match &forward.split_by {
                SplitBy::Random => random,
                SplitBy::Key(source) => {
                    let key = hash_key(source, incoming, request.client);
                    // Who has no such thing is known by the address, which everybody has.
                    let key = key.or_else(|| hash_key(&HashKey::Client, incoming, request.client));
                    point(key.unwrap_or(random))
                }
            });
            let destination = Arc::clone(destination.ok_or(Unrouted::NoMatch)?);
            let source = destination.pool().config().strategy.hash_key();
            let key = source.and_then(|source| hash_key(source, incoming, request.client));
            let sticky = sticky::asked_for(destination.pool(), incoming);
            Ok(Routed::Forward(Passage {
                destination,
                edits: edits(config, &values)?,
                key,
                sticky,
            }))
        }
    }
}

fn edits(config: &RouteConfig, values: &Values<'_>) -> Result<Option<Box<Edits>>, ProxyError> {
    let Some(forward) = config.forward() else {
        return Ok(None);
    };
    let changes_lines = !forward.request_headers.is_empty() || !config.response_headers.is_empty();
    if !changes_lines && forward.rewrite.is_none() {
        return Ok(None);
    }
    let mut edits = Edits {
        target: None,
        request: line_changes(&forward.request_headers, values),
        response: line_changes(&config.response_headers, values),
    };
    if let Some(rewrite) = &forward.rewrite {
        let mut target = Vec::with_capacity(128);
        let rewritten = rewrite.apply(values, config.allowed, &mut target);
        if rewritten.map_err(Unrouted::AmbiguousPath)? {
            edits.target = Some(target);
        }
    }
    Ok(Some(Box::new(edits)))
}

fn line_changes(changes: &HeaderChanges, values: &Values<'_>) -> LineChanges {
    LineChanges {
        dropped: Arc::clone(changes.dropped()),
        added: changes
            .render(values)
            .map(|(name, value)| (name.into(), value))
            .collect(),
    }
}

fn redirected(
    redirect: &Redirect,
    config: &Arc<RouteConfig>,
    values: &Values<'_>,
) -> Result<RouteAnswer, ProxyError> {
    if redirect.to.needs_host() && values.host.is_empty() {
        return Err(ProxyError::NoHost);
    }
    let to = location(&redirect.to, config.when.path.pattern(), values);
    Ok(answer(
        redirect.status,
        vec![("Location".into(), to)],
        config,
        values,
    ))
}

fn responded(respond: &Respond, config: &Arc<RouteConfig>, values: &Values<'_>) -> RouteAnswer {
    let content_type = ("Content-Type".into(), respond.content_type.as_bytes().to_vec());
    let lines = if respond.body.is_empty() {
        Vec::new()
    } else {
        vec![content_type]
    };
    RouteAnswer {
        body: Arc::clone(&respond.body),
        ..answer(respond.status, lines, config, values)
    }
}

/// An answer without a body, with the changes that its route wants.
fn answer(
    status: u16,
    mut lines: Vec<(Box<str>, Vec<u8>)>,
    config: &Arc<RouteConfig>,
    values: &Values<'_>,
) -> RouteAnswer {
    lines.push(("X-Request-Id".into(), values.request_id.as_bytes().to_vec()));
    let LineChanges { dropped, added } = line_changes(&config.response_headers, values);
    lines.retain(|(name, _)| {
        !dropped
            .iter()
            .any(|dropped| is_lookalike(name.as_bytes(), dropped.as_bytes()))
    });
    lines.extend(added);
    RouteAnswer {
        route: Arc::clone(config),
        status,
        lines,
        body: Arc::default(),
    }
}

/// What the client speaks: of a trusted proxy's connection to it only that proxy knows.
pub fn scheme(own: Scheme, peer: Client, headers: &dyn Headers) -> &'static str {
    let mut scheme = own.as_str();
    if peer.trusted {
        // Of several lines the last: the nearest proxy's, which is the one that goes on.
        headers.any("x-forwarded-proto", &mut |value| {
            let https = value.eq_ignore_ascii_case(b"https");
            scheme = if https { "https" } else { "http" };
            false
        });
    }
    scheme
}

#[cfg(test)]
mod tests {
    use lb_core::route::headers::{UNCHANGEABLE, unchangeable};
    use lb_wire::{AddedLines, rules::RULES};

    /// What the configuration refuses and what the wire never writes are two lists, since neither package knows the other.
    #[test]
    fn what_the_wire_lane_would_not_write_is_refused_in_the_configuration() {
        let writes = |name: &str| AddedLines::default().push(name, b"1");
        for rule in RULES {
            assert_eq!(
                writes(rule.name),
                unchangeable(rule.name).is_none(),
                "{}",
                rule.name
            );
        }
        for (name, _) in UNCHANGEABLE {
            assert!(!writes(name), "{name}");
        }
    }
}

//! Routes, checked: which requests they mean, and what becomes of those.

use std::{fmt, sync::Arc};

use ipnet::IpNet;

use super::{Retries, StrategyConfig, UpstreamTimeouts};
use crate::{
    config::{Masked, settings::Overrides},
    route::{
        Pattern, Template, ambiguity::Allowed, headers::HeaderChanges, rewrite::Rewrite, split::SplitBy,
    },
};

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteConfig {
    /// What logs and plans call it, instead of its conditions.
    pub name: Option<Arc<str>>,
    /// Which requests it means. Its text is the route's identity: a route with the same conditions stays itself.
    pub when: Conditions,
    /// What becomes of them.
    pub then: RouteAction,
    /// Changes of the answers that come of it, its own among them, but not of error messages.
    pub response_headers: HeaderChanges,
    /// Which ambiguous paths it takes.
    pub allowed: Allowed,
}

impl RouteConfig {
    /// The route of everything to one pool, which is there where none is written.
    pub fn everything_to(pool: Arc<str>) -> Self {
        Self {
            name: None,
            when: Conditions::default(),
            then: RouteAction::Forward(Box::new(Forward::to(pool))),
            response_headers: HeaderChanges::default(),
            allowed: Allowed::default(),
        }
    }

    /// What it is called in logs and plans: its name, else its conditions.
    pub fn label(&self) -> String {
        self.name
            .as_deref()
            .map_or_else(|| self.when.to_string(), str::to_owned)
    }

    /// Where it forwards to, if it does.
    pub fn forward(&self) -> Option<&Forward> {
        match &self.then {
            RouteAction::Forward(forward) => Some(forward),
            RouteAction::Redirect(_) | RouteAction::Respond(_) => None,
        }
    }

    /// Whether it takes all requests to one pool and changes nothing: then there is nothing to decide.
    pub fn is_plain(&self) -> bool {
        let plain = |forward: &Forward| forward.is_plain();
        self.when == Conditions::default()
            && self.response_headers.is_empty()
            && self.forward().is_some_and(plain)
    }

    /// What is set, by key, for a person: the action first, then what is not as it is by default.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut all = self.then.settings();
        all.extend(self.name.iter().map(|name| ("name".to_owned(), name.to_string())));
        if !self.response_headers.is_empty() {
            all.push(("response_headers".to_owned(), self.response_headers.describe()));
        }
        if self.allowed.dot_segments {
            all.push(("allow_dot_segments".to_owned(), "on".to_owned()));
        }
        if self.allowed.encoded_slashes {
            all.push(("allow_encoded_slashes".to_owned(), "on".to_owned()));
        }
        all
    }
}

/// What a request must be like; all of it. Nothing written: every request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conditions {
    /// The host, one of these; none: any.
    pub hosts: Vec<HostPattern>,
    /// The path.
    pub path: PathPattern,
    /// The method, one of these; none: any.
    pub methods: Vec<Arc<str>>,
    /// Header lines.
    pub headers: Vec<FieldTest>,
    /// Query parameters.
    pub query: Vec<FieldTest>,
    /// The client's address, in one of these; none: any.
    pub clients: Vec<IpNet>,
}

/// Which hosts are meant. In lower case, without port and without a dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `*`: any, also none.
    Any,
    /// This one.
    Exact(Arc<str>),
    /// All that end so, with at least one label before; begins with a dot.
    Wildcard(Arc<str>),
}

/// Which paths are meant, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PathPattern {
    /// Any.
    #[default]
    Any,
    /// This one and all below it; without a slash at its end.
    Prefix(Masked),
    /// This one.
    Exact(Masked),
    /// Those in which it is found.
    Regex(Pattern),
}

impl PathPattern {
    /// The regular expression, if it is one.
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Regex(pattern) => Some(pattern),
            Self::Any | Self::Prefix(_) | Self::Exact(_) => None,
        }
    }
}

/// A condition on a header or a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTest {
    /// Its name; of a header in lower case, of a parameter as it is in the raw query.
    pub name: Arc<str>,
    /// What is asked of its value.
    pub test: ValueTest,
}

/// What is asked of a value. Where a name comes several times, one of its values is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueTest {
    /// It is there.
    Present,
    /// It is not there.
    Absent,
    /// It is this.
    Exact(Masked),
    /// It is found in it.
    Regex(Pattern),
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum RouteAction {
    /// It goes to a backend.
    Forward(Box<Forward>),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered here.
    Respond(Respond),
}

/// How requests go to backends.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    /// The pools and their weights, at least one, the sum above 0; in the order written. Pools exist.
    pub split: Vec<(Arc<str>, u32)>,
    /// What a client is known by where there are several.
    pub split_by: SplitBy,
    /// How the next backend is chosen, if not as the pool has it: a choice of the route's own, over the same backends.
    pub strategy: Option<StrategyConfig>,
    /// Timeouts that differ from the pool's.
    pub timeouts: Overrides<UpstreamTimeouts>,
    /// Retries that differ from the pool's.
    pub retries: Overrides<Retries>,
    /// Changes of the request.
    pub request_headers: HeaderChanges,
    /// What the backend is told as the host.
    pub send_host: SendHost,
    /// Another path.
    pub rewrite: Option<Rewrite>,
}

impl Forward {
    /// All to one pool, as it is.
    pub fn to(pool: Arc<str>) -> Self {
        Self {
            split: vec![(pool, 1)],
            split_by: SplitBy::default(),
            strategy: None,
            timeouts: Overrides::default(),
            retries: Overrides::default(),
            request_headers: HeaderChanges::default(),
            send_host: SendHost::Preserve,
            rewrite: None,
        }
    }

    fn is_plain(&self) -> bool {
        matches!(&self.split[..], [(pool, _)] if *self == Self { split: vec![(pool.clone(), self.split[0].1)], ..Self::to(pool.clone()) })
    }

    /// Whether a request to a pool is under other terms than the pool's.
    pub fn has_own_terms(&self) -> bool {
        !self.timeouts.is_empty() || !self.retries.is_empty()
    }
}

/// The `Host` that a backend gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendHost {
    /// As the client sent it.
    Preserve,
    /// The backend's own `host:port`.
    Backend,
    /// This.
    Literal(Arc<str>),
}

/// An answer that sends the client elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// Where to, with groups of the route's path.
    pub to: Template,
}

/// A fixed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    /// 200 to 599.
    pub status: u16,
    /// Its body.
    pub body: Arc<[u8]>,
    /// The value of `Content-Type`; meaningless without a body.
    pub content_type: Masked,
}

impl RouteAction {
    fn settings(&self) -> Vec<(String, String)> {
        match self {
            Self::Forward(forward) => forward.settings(),
            Self::Redirect(Redirect { status, to }) => {
                vec![("redirect".to_owned(), format!("{status} {to}"))]
            }
            Self::Respond(Respond {
                status,
                body,
                content_type,
            }) if body.is_empty() => {
                let _ = content_type;
                vec![("respond".to_owned(), status.to_string())]
            }
            Self::Respond(Respond {
                status,
                body,
                content_type,
            }) => {
                vec![(
                    "respond".to_owned(),
                    format!("{status} {}, {} bytes", content_type.shown(), body.len()),
                )]
            }
        }
    }
}

impl Forward {
    fn settings(&self) -> Vec<(String, String)> {
        let Self {
            split,
            split_by,
            strategy,
            timeouts,
            retries,
            request_headers,
            send_host,
            rewrite,
        } = self;
        let mut all = match split.as_slice() {
            [(pool, _)] => vec![("pool".to_owned(), pool.to_string())],
            several => {
                let shares: Vec<_> = several
                    .iter()
                    .map(|(pool, weight)| format!("{pool} {weight}"))
                    .collect();
                vec![
                    ("split".to_owned(), shares.join(", ")),
                    ("split_by".to_owned(), split_by.to_string()),
                ]
            }
        };
        let mut add =
            |key: &str, value: Option<String>| all.extend(value.map(|value| (key.to_owned(), value)));
        add("strategy", strategy.as_ref().map(ToString::to_string));
        all.extend(timeouts.lines("timeouts."));
        all.extend(retries.lines("retries."));
        let mut add =
            |key: &str, value: Option<String>| all.extend(value.map(|value| (key.to_owned(), value)));
        add(
            "request_headers",
            (!request_headers.is_empty()).then(|| request_headers.describe()),
        );
        add(
            "send_host",
            (*send_host != SendHost::Preserve).then(|| send_host.to_string()),
        );
        add("rewrite", rewrite.as_ref().map(ToString::to_string));
        all
    }
}

impl fmt::Display for SendHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preserve => "preserve",
            Self::Backend => "backend",
            Self::Literal(host) => host,
        })
    }
}

impl fmt::Display for RouteAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward(forward) => match forward.split.as_slice() {
                [(pool, _)] => f.write_str(pool),
                several => {
                    let shares: Vec<_> = several
                        .iter()
                        .map(|(pool, weight)| format!("{pool} {weight}"))
                        .collect();
                    f.write_str(&shares.join(", "))
                }
            },
            Self::Redirect(Redirect { status, to }) => write!(f, "redirect {status} {to}"),
            Self::Respond(Respond { status, .. }) => write!(f, "respond {status}"),
        }
    }
}

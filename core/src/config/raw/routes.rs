//! Routes as written.

use super::{
    RawRetries, RawStrategy, RawTimeouts, choosing,
    fields::{self, Fields, Key, Keys, Written},
    pool,
};
use crate::config::{
    node::{Node, Value, item_path, key_path},
    problem::{Position, Problems, Refusal},
};

/// An item of `routes`.
#[derive(Debug, Default)]
pub(in crate::config) struct RawRoute {
    /// `routes[0]`, and where it stands.
    pub(in crate::config) field: String,
    pub(in crate::config) position: Option<Position>,
    pub(in crate::config) host: Option<Vec<Written>>,
    pub(in crate::config) path: Option<RawPath>,
    pub(in crate::config) method: Option<Vec<Written>>,
    pub(in crate::config) header: Vec<RawTest>,
    pub(in crate::config) query: Vec<RawTest>,
    pub(in crate::config) client: Option<Vec<Written>>,
    pub(in crate::config) pool: Option<Written>,
    /// In the order written.
    pub(in crate::config) split: Option<RawSplit>,
    pub(in crate::config) split_by: Option<Written>,
    pub(in crate::config) strategy: RawStrategy,
    pub(in crate::config) timeouts: RawTimeouts,
    pub(in crate::config) retries: RawRetries,
    pub(in crate::config) request_headers: RawChanges,
    pub(in crate::config) response_headers: RawChanges,
    pub(in crate::config) send_host: Option<Written>,
    pub(in crate::config) strip_prefix: Option<Written>,
    pub(in crate::config) rewrite: Option<RawRewrite>,
    pub(in crate::config) redirect: Option<RawRedirect>,
    pub(in crate::config) respond: Option<RawRespond>,
    pub(in crate::config) allow_dot_segments: Option<Written>,
    pub(in crate::config) allow_encoded_slashes: Option<Written>,
    /// What of `pool`, `split`, `redirect` and `respond` is there, also where its problem is already reported.
    pub(in crate::config) actions: Vec<&'static str>,
    /// Settings of the above that say how requests are forwarded, as far as they are written.
    pub(in crate::config) forwarding: Vec<(&'static str, Option<Position>)>,
}

/// `path`, of which one kind is written.
#[derive(Debug, Default)]
pub(in crate::config) struct RawPath {
    pub(in crate::config) prefix: Option<Written>,
    pub(in crate::config) exact: Option<Written>,
    pub(in crate::config) regex: Option<Written>,
}

/// A header or a query parameter, of which one kind of test is written.
#[derive(Debug)]
pub(in crate::config) struct RawTest {
    pub(in crate::config) name: Written,
    pub(in crate::config) exact: Option<Written>,
    pub(in crate::config) regex: Option<Written>,
    pub(in crate::config) present: Option<Written>,
}

/// Changes of headers: names with values, and names.
#[derive(Debug, Default)]
pub(in crate::config) struct RawChanges {
    pub(in crate::config) set: Vec<(Written, Vec<Written>)>,
    pub(in crate::config) add: Vec<(Written, Vec<Written>)>,
    pub(in crate::config) remove: Vec<Written>,
}

#[derive(Debug)]
pub(in crate::config) struct RawRewrite {
    pub(in crate::config) field: String,
    pub(in crate::config) position: Option<Position>,
    pub(in crate::config) prefix: Option<Written>,
    pub(in crate::config) regex: Option<Written>,
    pub(in crate::config) to: Option<Written>,
    /// Something of it is broken, which is already reported.
    pub(in crate::config) broken: bool,
}

#[derive(Debug, Default)]
pub(in crate::config) struct RawRedirect {
    pub(in crate::config) to: Option<Written>,
    pub(in crate::config) status: Option<Written>,
}

#[derive(Debug, Default)]
pub(in crate::config) struct RawRespond {
    pub(in crate::config) status: Option<Written>,
    pub(in crate::config) body: Option<Written>,
    pub(in crate::config) content_type: Option<Written>,
}

const ROUTE: &[Key] = &[
    ("host", "a host or a list of hosts"),
    ("path", "a path or a mapping with `prefix`, `exact` or `regex`"),
    ("method", "a method or a list of methods"),
    ("header", "a mapping of headers to values"),
    ("query", "a mapping of parameters to values"),
    ("client", "a network or a list of networks"),
    ("pool", "the name of a pool"),
    ("split", "a mapping of pools to weights"),
    ("split_by", "a part of the request, such as client"),
    ("redirect", "a URL or a mapping with `to`"),
    ("respond", "a status code or a mapping with `status`"),
    ("strategy", "the name of a strategy or a mapping"),
    ("timeouts", "a mapping or a duration"),
    ("retries", "a mapping or a whole number"),
    ("request_headers", "a mapping with `set`, `add` or `remove`"),
    ("response_headers", "a mapping with `set`, `add` or `remove`"),
    ("send_host", "preserve, backend or a host"),
    ("strip_prefix", "true or a path"),
    ("rewrite", "a path or a mapping with `to`"),
    ("allow_dot_segments", "true or false"),
    ("allow_encoded_slashes", "true or false"),
];
/// What a route does, of which each does one.
pub(in crate::config) const ACTIONS: [&str; 4] = ["pool", "split", "redirect", "respond"];
/// What only means something where a request goes to a backend.
const FORWARDING: [&str; 8] = [
    "split_by",
    "strategy",
    "timeouts",
    "retries",
    "request_headers",
    "send_host",
    "strip_prefix",
    "rewrite",
];
const PATH: &[Key] = &[
    ("prefix", "a path"),
    ("exact", "a path"),
    ("regex", "a regular expression"),
];
const TEST: &[Key] = &[
    ("exact", "a value"),
    ("regex", "a regular expression"),
    ("present", "true or false"),
];
const CHANGES: &[Key] = &[
    ("set", "a mapping of headers to values"),
    ("add", "a mapping of headers to values"),
    ("remove", "a header or a list of headers"),
];
const REWRITE: &[Key] = &[
    ("prefix", "a path"),
    ("regex", "a regular expression"),
    ("to", "a path with groups"),
];
const REDIRECT: &[Key] = &[("to", "a URL"), ("status", "a status code")];
const RESPOND: &[Key] = &[
    ("status", "a status code"),
    ("body", "text"),
    ("content_type", "a media type"),
];
/// Without what belongs to the connections that all routes of a pool share.
const TIMEOUTS: &[Key] = &[
    ("connect", "a duration"),
    ("response_idle", "a duration"),
    ("body_stall", "a duration"),
    ("tunnel_idle", "a duration"),
    ("request", "a duration or none"),
];
/// Without the budget, which is the pool's.
const RETRIES: &[Key] = &[
    ("attempts", "a whole number"),
    ("statuses", "a status code, a range or a list of them"),
];

const EXAMPLE: &str = "routes: [{host: api.example.com, pool: api}]";

/// All routes; `None` where none are written.
pub(super) fn routes(fields: &Fields<'_>, problems: &mut Problems) -> Option<Vec<RawRoute>> {
    let node = fields.node("routes")?;
    let refusal = match &node.value {
        Value::List(items) if !items.is_empty() => {
            let item = |(index, item)| route(item, &item_path("routes", index), problems);
            return Some(items.iter().enumerate().map(item).collect());
        }
        Value::List(_) => Refusal::new("must hold at least one route"),
        other => Refusal::new(format!("must be a list of routes, not {}", other.noun())),
    };
    let refusal = refusal.hint(format!("write for example `{EXAMPLE}`"));
    problems.add(node.position, "routes", refusal, None);
    Some(Vec::new())
}

fn route(item: &Node, path: &str, problems: &mut Problems) -> RawRoute {
    let Value::Mapping(entries) = &item.value else {
        if item.value != Value::Broken {
            let refusal = Refusal::new(format!("must be a mapping, not {}", item.value.noun()));
            let refusal = refusal.hint("write for example `{host: api.example.com, pool: api}`");
            problems.add(item.position, path, refusal, None);
        }
        return RawRoute::default();
    };
    let fields = Fields::read(entries, path, item.position, (ROUTE, &[]), problems);
    let forwarding = FORWARDING
        .iter()
        .filter_map(|key| Some((*key, fields.node(key)?.position)))
        .collect();
    let is_written = |key: &&str| fields.is_written(key);
    RawRoute {
        actions: ACTIONS.into_iter().filter(is_written).collect(),
        field: path.to_owned(),
        position: item.position,
        host: fields.list("host", true, problems),
        path: path_kinds(&fields, problems),
        method: fields.list("method", true, problems),
        header: tests(&fields, "header", problems),
        query: tests(&fields, "query", problems),
        client: fields.list("client", true, problems),
        pool: fields.scalar("pool", problems),
        split: split(&fields, problems),
        split_by: fields.scalar("split_by", problems),
        strategy: choosing::strategy(&fields, problems),
        timeouts: pool::timeouts(&fields, TIMEOUTS, problems),
        retries: pool::retries(&fields, RETRIES, problems),
        request_headers: changes(&fields, "request_headers", problems),
        response_headers: changes(&fields, "response_headers", problems),
        send_host: fields.scalar("send_host", problems),
        strip_prefix: fields.scalar("strip_prefix", problems),
        rewrite: rewrite(&fields, problems),
        redirect: redirect(&fields, problems),
        respond: respond(&fields, problems),
        allow_dot_segments: fields.scalar("allow_dot_segments", problems),
        allow_encoded_slashes: fields.scalar("allow_encoded_slashes", problems),
        forwarding,
    }
}

/// The settings of a mapping of which just one may be written.
fn one_of<'n>(fields: &Fields<'n>, key: &str, keys: Keys, problems: &mut Problems) -> Option<Fields<'n>> {
    let found = fields.mapping(key, keys, problems)?;
    require_one(&found, keys, problems);
    Some(found)
}

fn require_one(found: &Fields<'_>, keys: Keys, problems: &mut Problems) {
    let written = keys.0.iter().filter(|(key, _)| found.is_written(key)).count();
    if written != 1 && !found.has_misspelt() {
        let names: Vec<_> = keys.0.iter().map(|(key, _)| *key).collect();
        found.refuse(&format!("must have one of {}", names.join(", ")), problems);
    }
}

fn path_kinds(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawPath> {
    if !fields.is_written("path") {
        return None;
    }
    let Some(kinds) = one_of(fields, "path", (PATH, &[]), problems) else {
        let prefix = fields.scalar("path", problems);
        return Some(RawPath {
            prefix,
            ..RawPath::default()
        });
    };
    Some(RawPath {
        prefix: kinds.scalar("prefix", problems),
        exact: kinds.scalar("exact", problems),
        regex: kinds.scalar("regex", problems),
    })
}

fn tests(fields: &Fields<'_>, key: &str, problems: &mut Problems) -> Vec<RawTest> {
    let example = format!("{key}: {{X-Beta: \"1\"}}");
    let entries = fields.entries(key, &example, problems).unwrap_or_default();
    let test = |entry: &crate::config::node::Entry| {
        let path = key_path(&fields.path_of(key), &entry.key);
        let name = fields::key(entry, &path);
        let Value::Mapping(entries) = &entry.value.value else {
            let exact = fields::scalar(&entry.value, &path, "a value or a mapping", problems);
            return RawTest {
                name,
                exact,
                regex: None,
                present: None,
            };
        };
        let kinds = Fields::read(entries, &path, entry.value.position, (TEST, &[]), problems);
        require_one(&kinds, (TEST, &[]), problems);
        RawTest {
            name,
            exact: kinds.scalar("exact", problems),
            regex: kinds.scalar("regex", problems),
            present: kinds.scalar("present", problems),
        }
    };
    entries.iter().map(test).collect()
}

/// Where a split stands, and its pools with their weights.
pub(in crate::config) type RawSplit = (Option<Position>, Vec<(Written, Option<Written>)>);

fn split(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawSplit> {
    let position = fields.node("split")?.position;
    let example = "split: {default: 95, canary: 5}";
    let entries = fields.entries("split", example, problems);
    if entries.is_some_and(<[_]>::is_empty) {
        let refusal =
            Refusal::new("must hold at least one pool").hint(format!("write for example `{example}`"));
        problems.add(position, &fields.path_of("split"), refusal, None);
    }
    let entries = entries.unwrap_or_default();
    let share = |entry: &crate::config::node::Entry| {
        let path = key_path(&fields.path_of("split"), &entry.key);
        let weight = fields::scalar(&entry.value, &path, "a weight", problems);
        (fields::key(entry, &path), weight)
    };
    Some((position, entries.iter().map(share).collect()))
}

fn changes(fields: &Fields<'_>, key: &str, problems: &mut Problems) -> RawChanges {
    // Reports other shapes.
    fields.entries(key, &format!("{key}: {{set: {{X-Name: value}}}}"), problems);
    let Some(changes) = fields.mapping(key, (CHANGES, &[]), problems) else {
        return RawChanges::default();
    };
    RawChanges {
        set: lines(&changes, "set", problems),
        add: lines(&changes, "add", problems),
        remove: changes.list("remove", true, problems).unwrap_or_default(),
    }
}

fn lines(fields: &Fields<'_>, key: &str, problems: &mut Problems) -> Vec<(Written, Vec<Written>)> {
    let entries = fields.entries(key, &format!("{key}: {{X-Name: value}}"), problems);
    let line = |entry: &crate::config::node::Entry| {
        let path = key_path(&fields.path_of(key), &entry.key);
        let values = match &entry.value.value {
            Value::List(items) if key == "add" => items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    fields::scalar(item, &item_path(&path, index), "a value", problems)
                })
                .collect(),
            _ => Vec::from_iter(fields::scalar(&entry.value, &path, "a value", problems)),
        };
        (fields::key(entry, &path), values)
    };
    entries.unwrap_or_default().iter().map(line).collect()
}

fn rewrite(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawRewrite> {
    let node = fields.node("rewrite")?;
    let mut rewrite = RawRewrite {
        field: fields.path_of("rewrite"),
        position: node.position,
        prefix: None,
        regex: None,
        to: None,
        broken: false,
    };
    match fields.mapping("rewrite", (REWRITE, &[]), problems) {
        Some(parts) => {
            rewrite.prefix = parts.scalar("prefix", problems);
            rewrite.regex = parts.scalar("regex", problems);
            rewrite.to = parts.scalar("to", problems);
            let found = [&rewrite.prefix, &rewrite.regex, &rewrite.to];
            let found = found.into_iter().flatten().count();
            rewrite.broken = REWRITE.iter().filter(|(key, _)| parts.is_written(key)).count() > found;
        }
        None => rewrite.prefix = Some(fields.scalar("rewrite", problems)?),
    }
    Some(rewrite)
}

fn redirect(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawRedirect> {
    fields.node("redirect")?;
    let Some(parts) = fields.mapping("redirect", (REDIRECT, &[]), problems) else {
        let to = fields.scalar("redirect", problems);
        return Some(RawRedirect { to, status: None });
    };
    parts.require(
        "to",
        "write for example `to: \"https://{host}{target}\"`",
        problems,
    );
    Some(RawRedirect {
        to: parts.scalar("to", problems),
        status: parts.scalar("status", problems),
    })
}

fn respond(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawRespond> {
    fields.node("respond")?;
    let Some(parts) = fields.mapping("respond", (RESPOND, &[]), problems) else {
        let status = fields.scalar("respond", problems);
        return Some(RawRespond {
            status,
            ..RawRespond::default()
        });
    };
    Some(RawRespond {
        status: parts.scalar("status", problems),
        body: parts.scalar("body", problems),
        content_type: parts.scalar("content_type", problems),
    })
}

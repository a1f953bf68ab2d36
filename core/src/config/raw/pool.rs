//! A pool as written: what stands at the top of the file, or below `pools`.

use super::{
    choosing::{self, RawFailover, RawQueue, RawSticky, RawStrategy},
    fields::{self, Fields, Key, Written},
    health::{self, RawEjection, RawHealthCheck},
};
use crate::config::{
    node::{Entry, Node, Value, item_path, key_path},
    problem::{Problems, Refusal},
};

/// The settings of a pool. Those at the top of the file are the defaults of all pools.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawPool {
    pub(in crate::config) strategy: RawStrategy,
    pub(in crate::config) failover: RawFailover,
    pub(in crate::config) slow_start: Option<Written>,
    pub(in crate::config) queue: RawQueue,
    pub(in crate::config) sticky: RawSticky,
    /// `None`: not written.
    pub(in crate::config) backends: Option<Vec<RawBackend>>,
    pub(in crate::config) health_check: Option<RawHealthCheck>,
    pub(in crate::config) ejection: Option<RawEjection>,
    pub(in crate::config) all_down: Option<Written>,
    pub(in crate::config) timeouts: RawTimeouts,
    pub(in crate::config) retries: RawRetries,
}

/// An item of `backends`, a text or a mapping.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct RawBackend {
    /// `None` only if its problem is reported already.
    pub(in crate::config) url: Option<Written>,
    pub(in crate::config) weight: Option<Written>,
    pub(in crate::config) priority: Option<Written>,
    pub(in crate::config) backup: Option<Written>,
    pub(in crate::config) max_connections: Option<Written>,
    pub(in crate::config) health_check: Option<RawHealthCheck>,
    pub(in crate::config) drain: Option<Written>,
    pub(in crate::config) maintenance: Option<Written>,
}

/// A pool below `pools`.
#[derive(Debug, Clone)]
pub(in crate::config) struct RawNamedPool {
    /// Its key, which is a value as well.
    pub(in crate::config) name: Written,
    pub(in crate::config) pool: RawPool,
}

#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawTimeouts {
    pub(in crate::config) connect: Option<Written>,
    pub(in crate::config) response_idle: Option<Written>,
    pub(in crate::config) request_header: Option<Written>,
    pub(in crate::config) body_stall: Option<Written>,
    pub(in crate::config) client_idle: Option<Written>,
    pub(in crate::config) upstream_idle: Option<Written>,
    pub(in crate::config) upstream_age: Option<Written>,
    pub(in crate::config) tunnel_idle: Option<Written>,
    pub(in crate::config) request: Option<Written>,
}

#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawRetries {
    pub(in crate::config) attempts: Option<Written>,
    pub(in crate::config) budget: Option<Written>,
    pub(in crate::config) min_per_second: Option<Written>,
    pub(in crate::config) statuses: Option<Vec<Written>>,
}

const POOL: &[Key] = &[
    ("strategy", "the name of a strategy or a mapping"),
    ("failover", "whole, gradual or a mapping"),
    ("slow_start", "a duration"),
    ("queue", "a whole number, off or a mapping"),
    ("sticky", "the name of a cookie, true, false or a mapping"),
    ("backends", "a list of backends"),
    ("health_check", "a path, a mapping or false"),
    ("ejection", "a whole number, a mapping or off"),
    ("all_down", "try or fail"),
    ("timeouts", "a mapping or a duration"),
    ("retries", "a mapping or a whole number"),
];
const POOL_LATER: &[&str] = &["tls"];
const BACKEND: &[Key] = &[
    ("url", "a URL"),
    ("weight", "a whole number"),
    ("priority", "a whole number"),
    ("backup", "true or false"),
    ("max_connections", "a whole number or none"),
    ("health_check", "a path, a mapping or false"),
    ("drain", "true or false"),
    ("maintenance", "true or false"),
];
const BACKEND_LATER: &[&str] = &["tls", "resolve"];
const TIMEOUTS: &[Key] = &[
    ("connect", "a duration"),
    ("response_idle", "a duration"),
    ("request_header", "a duration"),
    ("body_stall", "a duration"),
    ("client_idle", "a duration"),
    ("upstream_idle", "a duration"),
    ("upstream_age", "a duration"),
    ("tunnel_idle", "a duration"),
    ("request", "a duration or none"),
];
/// Without the client's side, which no pool can have for itself.
const POOL_TIMEOUTS: &[Key] = &[
    ("connect", "a duration"),
    ("response_idle", "a duration"),
    ("body_stall", "a duration"),
    ("upstream_idle", "a duration"),
    ("upstream_age", "a duration"),
    ("tunnel_idle", "a duration"),
    ("request", "a duration or none"),
];
const RETRIES: &[Key] = &[
    ("attempts", "a whole number"),
    ("budget", "a percentage"),
    ("min_per_second", "a whole number"),
    ("statuses", "a status code, a range or a list of them"),
];

/// What is at the top of the file.
pub(super) fn top(fields: &Fields<'_>, problems: &mut Problems) -> RawPool {
    settings(fields, TIMEOUTS, problems)
}

/// The pools below `pools`, in the order written.
pub(super) fn named(fields: &Fields<'_>, problems: &mut Problems) -> Vec<RawNamedPool> {
    let entries = fields.entries("pools", EXAMPLE, problems).unwrap_or_default();
    if entries.is_empty()
        && let Some(node) = fields.node("pools")
        && matches!(node.value, Value::Mapping(_))
    {
        let refusal =
            Refusal::new("must hold at least one pool").hint(format!("write for example `{EXAMPLE}`"));
        problems.add(node.position, "pools", refusal, None);
    }
    entries
        .iter()
        .map(|entry| {
            let path = key_path("pools", &entry.key);
            RawNamedPool {
                name: fields::key(entry, &path),
                pool: pool(entry, &path, problems),
            }
        })
        .collect()
}

const EXAMPLE: &str = "pools: {api: {backends: [\"http://localhost:9001\"]}}";

/// A mapping of settings, or a list of backends.
fn pool(entry: &Entry, path: &str, problems: &mut Problems) -> RawPool {
    match &entry.value.value {
        Value::Mapping(entries) => {
            let fields = Fields::read(entries, path, entry.value.position, (POOL, POOL_LATER), problems);
            fields.require("backends", ADD_A_BACKEND, problems);
            settings(&fields, POOL_TIMEOUTS, problems)
        }
        Value::Broken => RawPool::default(),
        _ => RawPool {
            backends: Some(backends(&entry.value, path, problems)),
            ..RawPool::default()
        },
    }
}

/// What to do about missing backends.
pub(super) const ADD_A_BACKEND: &str =
    "add at least one, for example `backends: [\"http://localhost:9001\"]`";

/// Reads the settings of a pool out of whatever mapping holds them.
fn settings(fields: &Fields<'_>, timeout_keys: &'static [Key], problems: &mut Problems) -> RawPool {
    let backends = fields
        .node("backends")
        .map(|node| backends(node, &fields.path_of("backends"), problems));
    RawPool {
        strategy: choosing::strategy(fields, problems),
        failover: choosing::failover(fields, problems),
        slow_start: fields.scalar("slow_start", problems),
        queue: choosing::queue(fields, problems),
        sticky: choosing::sticky(fields, problems),
        backends,
        health_check: health::health_check(fields, problems),
        ejection: health::ejection(fields, problems),
        all_down: fields.scalar("all_down", problems),
        timeouts: timeouts(fields, timeout_keys, problems),
        retries: retries(fields, RETRIES, problems),
    }
}

fn backends(node: &Node, path: &str, problems: &mut Problems) -> Vec<RawBackend> {
    match &node.value {
        Value::List(items) if items.is_empty() => {
            let refusal = Refusal::new("must hold at least one backend");
            problems.add(node.position, path, refusal, None);
            Vec::new()
        }
        Value::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| backend(item, &item_path(path, index), problems))
            .collect(),
        other => {
            let refusal = Refusal::new(format!("must be a list of backends, not {}", other.noun()));
            let hint = "begin each backend's line with `- `";
            let written = Some(node.written.as_str()).filter(|text| !text.is_empty());
            problems.add(node.position, path, refusal.hint(hint), written);
            Vec::new()
        }
    }
}

fn backend(item: &Node, path: &str, problems: &mut Problems) -> RawBackend {
    let Value::Mapping(entries) = &item.value else {
        let url = fields::scalar(item, path, "a URL or a mapping with `url`", problems);
        return RawBackend {
            url,
            ..RawBackend::default()
        };
    };
    let fields = Fields::read(entries, path, item.position, (BACKEND, BACKEND_LATER), problems);
    fields.require("url", "add for example `url: http://localhost:9001`", problems);
    RawBackend {
        url: fields.scalar("url", problems),
        weight: fields.scalar("weight", problems),
        priority: fields.scalar("priority", problems),
        backup: fields.scalar("backup", problems),
        max_connections: fields.scalar("max_connections", problems),
        health_check: health::health_check(&fields, problems),
        drain: fields.scalar("drain", problems),
        maintenance: fields.scalar("maintenance", problems),
    }
}

pub(super) fn timeouts(fields: &Fields<'_>, keys: &'static [Key], problems: &mut Problems) -> RawTimeouts {
    let Some(fields) = fields.mapping("timeouts", (keys, &[]), problems) else {
        return RawTimeouts {
            response_idle: fields.scalar("timeouts", problems),
            ..RawTimeouts::default()
        };
    };
    RawTimeouts {
        connect: fields.scalar("connect", problems),
        response_idle: fields.scalar("response_idle", problems),
        request_header: fields.scalar("request_header", problems),
        body_stall: fields.scalar("body_stall", problems),
        client_idle: fields.scalar("client_idle", problems),
        upstream_idle: fields.scalar("upstream_idle", problems),
        upstream_age: fields.scalar("upstream_age", problems),
        tunnel_idle: fields.scalar("tunnel_idle", problems),
        request: fields.scalar("request", problems),
    }
}

pub(super) fn retries(fields: &Fields<'_>, keys: &'static [Key], problems: &mut Problems) -> RawRetries {
    let Some(fields) = fields.mapping("retries", (keys, &[]), problems) else {
        return RawRetries {
            attempts: fields.scalar("retries", problems),
            ..RawRetries::default()
        };
    };
    RawRetries {
        attempts: fields.scalar("attempts", problems),
        budget: fields.scalar("budget", problems),
        min_per_second: fields.scalar("min_per_second", problems),
        statuses: fields.list("statuses", false, problems),
    }
}

/// What a pool does not say itself, the defaults say. Each list of fields is complete, so that a new setting does not
/// compile before it is inherited as well.
impl RawPool {
    /// This pool, over the settings at the top of the file. Backends are nobody's default.
    pub(in crate::config) fn over(self, defaults: &Self) -> Self {
        Self {
            strategy: self.strategy.over(&defaults.strategy),
            failover: self.failover.over(&defaults.failover),
            slow_start: self.slow_start.or_else(|| defaults.slow_start.clone()),
            queue: self.queue.over(&defaults.queue),
            sticky: self.sticky.over(&defaults.sticky),
            backends: self.backends,
            health_check: RawHealthCheck::over(self.health_check, defaults.health_check.as_ref()),
            ejection: RawEjection::over(self.ejection, defaults.ejection.as_ref()),
            all_down: self.all_down.or_else(|| defaults.all_down.clone()),
            timeouts: self.timeouts.over(&defaults.timeouts),
            retries: self.retries.over(&defaults.retries),
        }
    }
}

impl RawTimeouts {
    fn over(self, defaults: &Self) -> Self {
        Self {
            connect: self.connect.or_else(|| defaults.connect.clone()),
            response_idle: self.response_idle.or_else(|| defaults.response_idle.clone()),
            request_header: self.request_header.or_else(|| defaults.request_header.clone()),
            body_stall: self.body_stall.or_else(|| defaults.body_stall.clone()),
            client_idle: self.client_idle.or_else(|| defaults.client_idle.clone()),
            upstream_idle: self.upstream_idle.or_else(|| defaults.upstream_idle.clone()),
            upstream_age: self.upstream_age.or_else(|| defaults.upstream_age.clone()),
            tunnel_idle: self.tunnel_idle.or_else(|| defaults.tunnel_idle.clone()),
            request: self.request.or_else(|| defaults.request.clone()),
        }
    }
}

impl RawRetries {
    fn over(self, defaults: &Self) -> Self {
        Self {
            attempts: self.attempts.or_else(|| defaults.attempts.clone()),
            budget: self.budget.or_else(|| defaults.budget.clone()),
            min_per_second: self.min_per_second.or_else(|| defaults.min_per_second.clone()),
            statuses: self.statuses.or_else(|| defaults.statuses.clone()),
        }
    }
}

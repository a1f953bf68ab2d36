//! The configuration as written: which settings are there, each with its place, none of them judged.
//!
//! The decoder is written by hand because serde's derived ones stop at the first error and know no places. It reports
//! what is wrong with the shape (unknown keys, a list where a value belongs, a required key that is missing) and goes on;
//! what the values mean is for [`validate`](super::validate).

mod choosing;
mod fields;

pub(super) use self::choosing::{RawFailover, RawStrategy};
use self::fields::{Fields, Key};
pub(super) use self::fields::{Scalar, Written};
use super::{
    node::{Node, Value, item_path, key_path},
    problem::{Problems, Refusal},
};

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct RawConfig {
    pub(super) port: Vec<Written>,
    pub(super) strategy: RawStrategy,
    pub(super) failover: RawFailover,
    pub(super) slow_start: Option<Written>,
    pub(super) backends: Vec<RawBackend>,
    pub(super) health_check: Option<RawHealthCheck>,
    pub(super) timeouts: RawTimeouts,
    pub(super) retries: RawRetries,
    pub(super) trusted_proxies: Vec<Written>,
    pub(super) workers: Option<Written>,
    pub(super) shutdown_timeout: Option<Written>,
    pub(super) log: Option<Written>,
    pub(super) lane: Option<Written>,
    pub(super) via: Option<Written>,
    pub(super) trace: Option<Written>,
    pub(super) limits: RawLimits,
    pub(super) error_pages: Vec<RawErrorPage>,
}

/// An item of `backends`, a text or a mapping.
#[derive(Debug, Default)]
pub(super) struct RawBackend {
    /// `None` only if its problem is reported already.
    pub(super) url: Option<Written>,
    pub(super) weight: Option<Written>,
    pub(super) priority: Option<Written>,
    pub(super) backup: Option<Written>,
    pub(super) max_connections: Option<Written>,
    pub(super) health_check: Option<Written>,
}

/// `health_check` as `false`, as a path, or as a mapping.
#[derive(Debug)]
pub(super) enum RawHealthCheck {
    Off,
    Probe(Box<RawProbe>),
}

#[derive(Debug, Default)]
pub(super) struct RawProbe {
    pub(super) path: Option<Written>,
    pub(super) interval: Option<Written>,
    pub(super) fast_interval: Option<Written>,
    pub(super) timeout: Option<Written>,
    pub(super) rise: Option<Written>,
    pub(super) fall: Option<Written>,
    pub(super) status: Option<Vec<Written>>,
    pub(super) jitter: Option<Written>,
}

#[derive(Debug, Default)]
pub(super) struct RawTimeouts {
    pub(super) connect: Option<Written>,
    pub(super) response_idle: Option<Written>,
    pub(super) request_header: Option<Written>,
    pub(super) body_stall: Option<Written>,
    pub(super) client_idle: Option<Written>,
    pub(super) upstream_idle: Option<Written>,
    pub(super) upstream_age: Option<Written>,
    pub(super) tunnel_idle: Option<Written>,
    pub(super) request: Option<Written>,
}

#[derive(Debug, Default)]
pub(super) struct RawRetries {
    pub(super) attempts: Option<Written>,
    pub(super) budget: Option<Written>,
    pub(super) min_per_second: Option<Written>,
    pub(super) statuses: Vec<Written>,
}

#[derive(Debug, Default)]
pub(super) struct RawLimits {
    pub(super) header_size: Option<Written>,
    pub(super) header_count: Option<Written>,
    pub(super) body_size: Option<Written>,
    pub(super) connections: Option<Written>,
    pub(super) connections_per_client: Option<Written>,
}

/// An entry of `error_pages`, whose keys are values as well.
#[derive(Debug)]
pub(super) struct RawErrorPage {
    pub(super) status: Written,
    /// `None` only if its problem is reported already.
    pub(super) path: Option<Written>,
}

const CONFIG: &[Key] = &[
    ("port", "a port such as 8000, or a list of ports"),
    ("strategy", "the name of a strategy or a mapping"),
    ("failover", "whole, gradual or a mapping"),
    ("slow_start", "a duration"),
    ("backends", "a list of backends"),
    ("health_check", "a path, a mapping or false"),
    ("timeouts", "a mapping or a duration"),
    ("retries", "a mapping or a whole number"),
    ("trusted_proxies", "a network or a list of networks"),
    ("workers", "a whole number"),
    ("shutdown_timeout", "a duration"),
    ("log", "the name of a level"),
    ("lane", "the name of a lane"),
    ("via", "on, off or a name"),
    ("trace", "on or off"),
    ("limits", "a mapping of limits"),
    ("error_pages", "a mapping of status codes to files"),
];
/// What the design has and this version has not, so that nobody looks for a spelling.
const CONFIG_LATER: &[&str] = &["pools", "routes", "ejection", "admin", "tls", "state_dir"];
const BACKEND: &[Key] = &[
    ("url", "a URL"),
    ("weight", "a whole number"),
    ("priority", "a whole number"),
    ("backup", "true or false"),
    ("max_connections", "a whole number or none"),
    ("health_check", "true or false"),
];
const BACKEND_LATER: &[&str] = &["tls", "resolve"];
const PROBE: &[Key] = &[
    ("path", "a path"),
    ("interval", "a duration"),
    ("fast_interval", "a duration"),
    ("timeout", "a duration"),
    ("rise", "a whole number"),
    ("fall", "a whole number"),
    ("status", "a status code, a range or a list of them"),
    ("jitter", "a percentage"),
];
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
const LIMITS: &[Key] = &[
    ("header_size", "a size"),
    ("header_count", "a whole number"),
    ("body_size", "a size or none"),
    ("connections", "a whole number or none"),
    ("connections_per_client", "a whole number or none"),
];
const RETRIES: &[Key] = &[
    ("attempts", "a whole number"),
    ("budget", "a percentage"),
    ("min_per_second", "a whole number"),
    ("statuses", "a status code, a range or a list of them"),
];

/// Reads the shape of a whole file.
pub(super) fn decode(root: &Node, problems: &mut Problems) -> RawConfig {
    let fields = match &root.value {
        Value::Null => {
            problems.add(None, "", missing_everything(), None);
            return RawConfig::default();
        }
        Value::Broken => return RawConfig::default(),
        Value::Mapping(entries) => Fields::read(entries, "", root.position, (CONFIG, CONFIG_LATER), problems),
        other => {
            let refusal = Refusal::new(format!("must be a mapping of settings, not {}", other.noun()));
            problems.add(root.position, "", refusal.hint(EXAMPLE), None);
            return RawConfig::default();
        }
    };
    fields.require("port", "add for example `port: 8000`", problems);
    fields.require(
        "backends",
        "add at least one, for example `backends: [\"http://localhost:9001\"]`",
        problems,
    );
    RawConfig {
        port: fields.list("port", true, problems).unwrap_or_default(),
        strategy: choosing::strategy(&fields, problems),
        failover: choosing::failover(&fields, problems),
        slow_start: fields.scalar("slow_start", problems),
        backends: backends(&fields, problems),
        health_check: health_check(&fields, problems),
        timeouts: timeouts(&fields, problems),
        retries: retries(&fields, problems),
        trusted_proxies: fields
            .list("trusted_proxies", false, problems)
            .unwrap_or_default(),
        workers: fields.scalar("workers", problems),
        shutdown_timeout: fields.scalar("shutdown_timeout", problems),
        log: fields.scalar("log", problems),
        lane: fields.scalar("lane", problems),
        via: fields.scalar("via", problems),
        trace: fields.scalar("trace", problems),
        limits: limits(&fields, problems),
        error_pages: error_pages(&fields, problems),
    }
}

const EXAMPLE: &str =
    "three keys are enough: `port: 8000`, `strategy: round-robin`, `backends: [\"http://localhost:9001\"]`";

fn missing_everything() -> Refusal {
    Refusal::new("is empty").hint(EXAMPLE)
}

fn backends(fields: &Fields<'_>, problems: &mut Problems) -> Vec<RawBackend> {
    let Some(node) = fields.node("backends") else {
        return Vec::new();
    };
    match &node.value {
        Value::List(items) if items.is_empty() => {
            problems.add(
                node.position,
                "backends",
                Refusal::new("must hold at least one backend"),
                None,
            );
            Vec::new()
        }
        Value::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| backend(item, &item_path("backends", index), problems))
            .collect(),
        other => {
            let refusal = Refusal::new(format!("must be a list of backends, not {}", other.noun()));
            let hint = "begin each backend's line with `- `";
            let written = Some(node.written.as_str()).filter(|text| !text.is_empty());
            problems.add(node.position, "backends", refusal.hint(hint), written);
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
        health_check: fields.scalar("health_check", problems),
    }
}

/// `true` is as good as not written.
fn health_check(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawHealthCheck> {
    let mapping = fields.mapping("health_check", (PROBE, &[]), problems);
    if let Some(fields) = mapping {
        return Some(RawHealthCheck::Probe(Box::new(RawProbe {
            path: fields.scalar("path", problems),
            interval: fields.scalar("interval", problems),
            fast_interval: fields.scalar("fast_interval", problems),
            timeout: fields.scalar("timeout", problems),
            rise: fields.scalar("rise", problems),
            fall: fields.scalar("fall", problems),
            status: fields.list("status", true, problems),
            jitter: fields.scalar("jitter", problems),
        })));
    }
    let path = fields.scalar("health_check", problems)?;
    match path.as_bool() {
        Some(true) => None,
        Some(false) => Some(RawHealthCheck::Off),
        None => Some(RawHealthCheck::Probe(Box::new(RawProbe {
            path: Some(path),
            ..RawProbe::default()
        }))),
    }
}

fn timeouts(fields: &Fields<'_>, problems: &mut Problems) -> RawTimeouts {
    let Some(fields) = fields.mapping("timeouts", (TIMEOUTS, &[]), problems) else {
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

fn limits(fields: &Fields<'_>, problems: &mut Problems) -> RawLimits {
    // Reports other shapes; there is no limit that a single value could stand for.
    fields.entries("limits", "limits: {body_size: 10MiB}", problems);
    let Some(fields) = fields.mapping("limits", (LIMITS, &[]), problems) else {
        return RawLimits::default();
    };
    RawLimits {
        header_size: fields.scalar("header_size", problems),
        header_count: fields.scalar("header_count", problems),
        body_size: fields.scalar("body_size", problems),
        connections: fields.scalar("connections", problems),
        connections_per_client: fields.scalar("connections_per_client", problems),
    }
}

/// As elsewhere, null is as good as not written.
fn error_pages(fields: &Fields<'_>, problems: &mut Problems) -> Vec<RawErrorPage> {
    let entries = fields.entries("error_pages", "error_pages: {502: 502.html}", problems);
    let written = entries
        .unwrap_or_default()
        .iter()
        .filter(|entry| entry.value.value != Value::Null);
    written
        .map(|entry| {
            let path = key_path("error_pages", &entry.key);
            RawErrorPage {
                status: Written {
                    field: path.clone(),
                    position: entry.position,
                    written: entry.key.clone(),
                    value: Scalar::Text(entry.key.clone()),
                },
                path: fields::scalar(&entry.value, &path, "the path of a file", problems),
            }
        })
        .collect()
}

fn retries(fields: &Fields<'_>, problems: &mut Problems) -> RawRetries {
    let Some(fields) = fields.mapping("retries", (RETRIES, &[]), problems) else {
        return RawRetries {
            attempts: fields.scalar("retries", problems),
            ..RawRetries::default()
        };
    };
    RawRetries {
        attempts: fields.scalar("attempts", problems),
        budget: fields.scalar("budget", problems),
        min_per_second: fields.scalar("min_per_second", problems),
        statuses: fields.list("statuses", false, problems).unwrap_or_default(),
    }
}

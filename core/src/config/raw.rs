//! The configuration as written: which settings are there, each with its place, none of them judged.
//!
//! The decoder is written by hand because serde's derived ones stop at the first error and know no places. It reports
//! what is wrong with the shape (unknown keys, a list where a value belongs, a required key that is missing) and goes on;
//! what the values mean is for [`validate`](super::validate).

mod choosing;
mod fields;
mod health;
mod pool;
mod routes;

use self::fields::{Fields, Key};
pub(super) use self::{
    choosing::{RawFailover, RawQueue, RawSticky, RawStrategy},
    fields::{Scalar, Written},
    health::{RawBody, RawEjection, RawHeader, RawHealthCheck, RawOutliers, RawProbe, switched},
    pool::*,
    routes::*,
};
use super::{
    node::{Node, Value, key_path},
    problem::{Position, Problems, Refusal},
};

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct RawConfig {
    /// Where the file's settings begin.
    pub(super) position: Option<Position>,
    pub(super) port: Vec<Written>,
    /// The settings of pools: the defaults of all, and with its backends the pool `default`.
    pub(super) pool: RawPool,
    pub(super) pools: Vec<RawNamedPool>,
    /// `None`: not written.
    pub(super) routes: Option<Vec<RawRoute>>,
    pub(super) trusted_proxies: Vec<Written>,
    pub(super) workers: Option<Written>,
    pub(super) shutdown_timeout: Option<Written>,
    pub(super) state_dir: Option<Written>,
    pub(super) log: Option<Written>,
    pub(super) lane: Option<Written>,
    pub(super) via: Option<Written>,
    pub(super) trace: Option<Written>,
    pub(super) limits: RawLimits,
    pub(super) error_pages: Vec<RawErrorPage>,
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
    ("queue", "a whole number, off or a mapping"),
    ("sticky", "the name of a cookie, true, false or a mapping"),
    ("backends", "a list of backends"),
    ("health_check", "a path, a mapping or false"),
    ("ejection", "a whole number, a mapping or off"),
    ("all_down", "try or fail"),
    ("timeouts", "a mapping or a duration"),
    ("retries", "a mapping or a whole number"),
    ("pools", "a mapping of names to pools"),
    ("routes", "a list of routes"),
    ("trusted_proxies", "a network or a list of networks"),
    ("workers", "a whole number"),
    ("shutdown_timeout", "a duration"),
    ("state_dir", "a folder"),
    ("log", "the name of a level"),
    ("lane", "the name of a lane"),
    ("via", "on, off or a name"),
    ("trace", "on or off"),
    ("limits", "a mapping of limits"),
    ("error_pages", "a mapping of status codes to files"),
];
/// What the design has and this version has not, so that nobody looks for a spelling.
const CONFIG_LATER: &[&str] = &["admin", "tls"];
const LIMITS: &[Key] = &[
    ("header_size", "a size"),
    ("header_count", "a whole number"),
    ("body_size", "a size or none"),
    ("connections", "a whole number or none"),
    ("connections_per_client", "a whole number or none"),
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
    if !fields.is_written("pools") {
        fields.require("backends", pool::ADD_A_BACKEND, problems);
    }
    RawConfig {
        position: root.position,
        port: fields.list("port", true, problems).unwrap_or_default(),
        pool: pool::top(&fields, problems),
        pools: pool::named(&fields, problems),
        routes: routes::routes(&fields, problems),
        trusted_proxies: fields
            .list("trusted_proxies", false, problems)
            .unwrap_or_default(),
        workers: fields.scalar("workers", problems),
        shutdown_timeout: fields.scalar("shutdown_timeout", problems),
        state_dir: fields.scalar("state_dir", problems),
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
                status: fields::key(entry, &path),
                path: fields::scalar(&entry.value, &path, "the path of a file", problems),
            }
        })
        .collect()
}

//! The settings by which a pool judges its backends: name, value, and how to put one in place.

use std::{fmt, sync::Arc, time::Duration};

use super::setting::or_none;
use crate::config::{model::*, size::ByteSize, units::format_duration};

type Headers = Arc<[(Arc<str>, Arc<str>)]>;

/// A setting of `health_check` or `ejection`, or `all_down`, with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HealthSetting {
    Kind(CheckKind),
    Port(Option<u16>),
    Method(CheckMethod),
    Path(Arc<str>),
    Host(Option<Arc<str>>),
    Headers(Headers),
    Interval(Duration),
    FastInterval(Duration),
    Timeout(Duration),
    Rise(u32),
    Fall(u32),
    Status(StatusRanges),
    Body(Option<BodyMatch>),
    MaxBody(ByteSize),
    Jitter(Share),
    /// Whether there is an ejection at all; its settings are shown one by one only while there is.
    Ejection(Option<EjectionRules>),
    AllDown(AllDown),
}

impl HealthSetting {
    /// The settings of a check, always in this order.
    pub(super) fn of_check(check: &HealthCheck) -> Vec<Self> {
        let HealthCheck {
            kind,
            port,
            method,
            path,
            host,
            headers,
            interval,
            fast_interval,
            timeout,
            rise,
            fall,
            status,
            body,
            max_body,
            jitter,
        } = check.clone();
        vec![
            Self::Kind(kind),
            Self::Port(port),
            Self::Method(method),
            Self::Path(path),
            Self::Host(host),
            Self::Headers(headers),
            Self::Interval(interval),
            Self::FastInterval(fast_interval),
            Self::Timeout(timeout),
            Self::Rise(rise),
            Self::Fall(fall),
            Self::Status(status),
            Self::Body(body),
            Self::MaxBody(max_body),
            Self::Jitter(jitter),
        ]
    }

    /// What is judged by traffic.
    pub(super) fn of_traffic(ejection: Option<&EjectionRules>, all_down: AllDown) -> Vec<Self> {
        vec![Self::Ejection(ejection.cloned()), Self::AllDown(all_down)]
    }

    /// Its name in the file.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Kind(_) => "health_check.type",
            Self::Port(_) => "health_check.port",
            Self::Method(_) => "health_check.method",
            Self::Path(_) => "health_check.path",
            Self::Host(_) => "health_check.host",
            Self::Headers(_) => "health_check.headers",
            Self::Interval(_) => "health_check.interval",
            Self::FastInterval(_) => "health_check.fast_interval",
            Self::Timeout(_) => "health_check.timeout",
            Self::Rise(_) => "health_check.rise",
            Self::Fall(_) => "health_check.fall",
            Self::Status(_) => "health_check.status",
            Self::Body(_) => "health_check.body",
            Self::MaxBody(_) => "health_check.max_body",
            Self::Jitter(_) => "health_check.jitter",
            Self::Ejection(_) => "ejection",
            Self::AllDown(_) => "all_down",
        }
    }

    /// What a change from this value to another one says: `health_check.rise 2 -> 3`. Of an ejection, what of it changes.
    pub(super) fn lines(&self, to: &Self) -> Vec<String> {
        let (Self::Ejection(Some(before)), Self::Ejection(Some(after))) = (self, to) else {
            return vec![format!("{} {self} -> {to}", self.key())];
        };
        let (before, after) = (before.parts(), after.parts());
        let value = |parts: &[(&'static str, String)], key: &str| {
            let part = parts.iter().find(|(name, _)| *name == key);
            part.map(|(_, value)| value.clone())
        };
        let mut keys: Vec<&'static str> = before.iter().map(|(key, _)| *key).collect();
        keys.extend(after.iter().map(|(key, _)| *key));
        keys.sort_unstable();
        keys.dedup();
        let changed = |key: &'static str| {
            let (before, after) = (value(&before, key), value(&after, key));
            let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            (before != after).then(|| format!("ejection.{key} {} -> {}", shown(before), shown(after)))
        };
        keys.into_iter().filter_map(changed).collect()
    }

    pub(super) fn put(self, pool: &mut PoolConfig) {
        let check = &mut pool.health_check;
        match self {
            Self::Kind(value) => check.kind = value,
            Self::Port(value) => check.port = value,
            Self::Method(value) => check.method = value,
            Self::Path(value) => check.path = value,
            Self::Host(value) => check.host = value,
            Self::Headers(value) => check.headers = value,
            Self::Interval(value) => check.interval = value,
            Self::FastInterval(value) => check.fast_interval = value,
            Self::Timeout(value) => check.timeout = value,
            Self::Rise(value) => check.rise = value,
            Self::Fall(value) => check.fall = value,
            Self::Status(value) => check.status = value,
            Self::Body(value) => check.body = value,
            Self::MaxBody(value) => check.max_body = value,
            Self::Jitter(value) => check.jitter = value,
            Self::Ejection(rules) => pool.ejection = rules,
            Self::AllDown(all_down) => pool.all_down = all_down,
        }
    }
}

impl fmt::Display for HealthSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Port(port) => or_none(f, port.as_ref()),
            Self::Method(method) => method.fmt(f),
            Self::Path(path) => path.fmt(f),
            Self::Host(host) => or_none(f, host.as_ref()),
            Self::Headers(headers) => f.write_str(&shown_headers(headers)),
            Self::Interval(duration) | Self::FastInterval(duration) | Self::Timeout(duration) => {
                f.write_str(&format_duration(*duration))
            }
            Self::Rise(number) | Self::Fall(number) => number.fmt(f),
            Self::Status(ranges) => ranges.fmt(f),
            Self::Body(body) => or_none(f, body.as_ref()),
            Self::MaxBody(size) => size.fmt(f),
            Self::Jitter(share) => share.fmt(f),
            Self::Ejection(rules) => match rules {
                Some(_) => f.write_str("on"),
                None => f.write_str("off"),
            },
            Self::AllDown(all_down) => all_down.fmt(f),
        }
    }
}

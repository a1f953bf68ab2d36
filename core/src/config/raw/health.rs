//! How backends are judged, as written: `health_check` of a pool or a backend, and `ejection`.

use super::{
    Scalar,
    fields::{self, Fields, Key, Written},
};
use crate::config::{
    node::{Value, key_path},
    problem::Problems,
};

/// `health_check` as `true` or `false`, as a path, or as a mapping.
#[derive(Debug, Clone)]
pub(in crate::config) enum RawHealthCheck {
    On(Written),
    Off,
    Probe(Box<RawProbe>),
}

#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawProbe {
    pub(in crate::config) kind: Option<Written>,
    pub(in crate::config) port: Option<Written>,
    pub(in crate::config) method: Option<Written>,
    pub(in crate::config) path: Option<Written>,
    pub(in crate::config) host: Option<Written>,
    pub(in crate::config) headers: Option<Vec<RawHeader>>,
    pub(in crate::config) interval: Option<Written>,
    pub(in crate::config) fast_interval: Option<Written>,
    pub(in crate::config) timeout: Option<Written>,
    pub(in crate::config) rise: Option<Written>,
    pub(in crate::config) fall: Option<Written>,
    pub(in crate::config) status: Option<Vec<Written>>,
    pub(in crate::config) body: Option<RawBody>,
    pub(in crate::config) max_body: Option<Written>,
    pub(in crate::config) jitter: Option<Written>,
}

/// A header line, whose name is a value as well.
#[derive(Debug, Clone)]
pub(in crate::config) struct RawHeader {
    pub(in crate::config) name: Written,
    /// `None` only if its problem is reported already.
    pub(in crate::config) value: Option<Written>,
}

/// `body` as a text, or as a mapping with one of two keys.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawBody {
    pub(in crate::config) contains: Option<Written>,
    pub(in crate::config) regex: Option<Written>,
}

/// `ejection` as `off`, as a number, or as a mapping.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawEjection {
    /// The single value that stands for all.
    pub(in crate::config) whole: Option<Written>,
    pub(in crate::config) consecutive: Option<Written>,
    pub(in crate::config) statuses: Option<Vec<Written>>,
    pub(in crate::config) base: Option<Written>,
    pub(in crate::config) max: Option<Written>,
    pub(in crate::config) max_share: Option<Written>,
    pub(in crate::config) interval: Option<Written>,
    pub(in crate::config) success_rate: Option<RawOutliers>,
    pub(in crate::config) latency: Option<RawOutliers>,
}

/// `success_rate` or `latency` as `on` or `off`, as a factor, or as a mapping.
#[derive(Debug, Default, Clone)]
pub(in crate::config) struct RawOutliers {
    /// The single value that stands for all.
    pub(in crate::config) whole: Option<Written>,
    pub(in crate::config) factor: Option<Written>,
    pub(in crate::config) min_hosts: Option<Written>,
    pub(in crate::config) min_volume: Option<Written>,
    pub(in crate::config) min_gap: Option<Written>,
    pub(in crate::config) floor: Option<Written>,
}

const PROBE: &[Key] = &[
    ("type", "http or tcp"),
    ("port", "a port"),
    ("method", "the name of a method"),
    ("path", "a path"),
    ("host", "a host"),
    ("headers", "a mapping of names to values"),
    ("interval", "a duration"),
    ("fast_interval", "a duration"),
    ("timeout", "a duration"),
    ("rise", "a whole number"),
    ("fall", "a whole number"),
    ("status", "a status code, a range or a list of them"),
    ("body", "a text, or a mapping with `contains` or `regex`"),
    ("max_body", "a size"),
    ("jitter", "a percentage"),
];
const BODY: &[Key] = &[("contains", "a text"), ("regex", "a regular expression")];
const EJECTION: &[Key] = &[
    ("consecutive", "a whole number or none"),
    ("statuses", "a status code, a range or a list of them"),
    ("base", "a duration"),
    ("max", "a duration"),
    ("max_share", "a percentage"),
    ("interval", "a duration"),
    ("success_rate", "a factor, a mapping or off"),
    ("latency", "a factor, a mapping or off"),
];
const SUCCESS_RATE: &[Key] = &[
    ("factor", "a number"),
    ("min_hosts", "a whole number"),
    ("min_volume", "a whole number"),
    ("min_gap", "a percentage"),
];
const LATENCY: &[Key] = &[
    ("factor", "a number"),
    ("min_hosts", "a whole number"),
    ("min_volume", "a whole number"),
    ("floor", "a duration"),
];

pub(super) fn health_check(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawHealthCheck> {
    if let Some(fields) = fields.mapping("health_check", (PROBE, &[]), problems) {
        return Some(RawHealthCheck::Probe(Box::new(RawProbe {
            kind: fields.scalar("type", problems),
            port: fields.scalar("port", problems),
            method: fields.scalar("method", problems),
            path: fields.scalar("path", problems),
            host: fields.scalar("host", problems),
            headers: headers(&fields, problems),
            interval: fields.scalar("interval", problems),
            fast_interval: fields.scalar("fast_interval", problems),
            timeout: fields.scalar("timeout", problems),
            rise: fields.scalar("rise", problems),
            fall: fields.scalar("fall", problems),
            status: fields.list("status", true, problems),
            body: body(&fields, problems),
            max_body: fields.scalar("max_body", problems),
            jitter: fields.scalar("jitter", problems),
        })));
    }
    let single = fields.scalar("health_check", problems)?;
    Some(match single.as_bool() {
        Some(true) => RawHealthCheck::On(single),
        Some(false) => RawHealthCheck::Off,
        None => RawHealthCheck::Probe(Box::new(RawProbe {
            path: Some(single),
            ..RawProbe::default()
        })),
    })
}

fn headers(fields: &Fields<'_>, problems: &mut Problems) -> Option<Vec<RawHeader>> {
    let entries = fields.entries("headers", "headers: {X-Probe: \"yes\"}", problems)?;
    let header = |entry: &crate::config::node::Entry| {
        let path = key_path(&fields.path_of("headers"), &entry.key);
        (entry.value.value != Value::Null).then(|| RawHeader {
            name: Written {
                field: path.clone(),
                position: entry.position,
                written: entry.key.clone(),
                value: Scalar::Text(entry.key.clone()),
            },
            value: fields::scalar(&entry.value, &path, "the value of a header", problems),
        })
    };
    Some(entries.iter().filter_map(header).collect())
}

fn body(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawBody> {
    if let Some(fields) = fields.mapping("body", (BODY, &[]), problems) {
        return Some(RawBody {
            contains: fields.scalar("contains", problems),
            regex: fields.scalar("regex", problems),
        });
    }
    let contains = Some(fields.scalar("body", problems)?);
    Some(RawBody {
        contains,
        regex: None,
    })
}

pub(super) fn ejection(fields: &Fields<'_>, problems: &mut Problems) -> Option<RawEjection> {
    let Some(fields) = fields.mapping("ejection", (EJECTION, &[]), problems) else {
        return Some(RawEjection {
            whole: Some(fields.scalar("ejection", problems)?),
            ..RawEjection::default()
        });
    };
    Some(RawEjection {
        whole: None,
        consecutive: fields.scalar("consecutive", problems),
        statuses: fields.list("statuses", true, problems),
        base: fields.scalar("base", problems),
        max: fields.scalar("max", problems),
        max_share: fields.scalar("max_share", problems),
        interval: fields.scalar("interval", problems),
        success_rate: outliers(&fields, "success_rate", SUCCESS_RATE, problems),
        latency: outliers(&fields, "latency", LATENCY, problems),
    })
}

fn outliers(
    fields: &Fields<'_>,
    key: &str,
    known: &'static [Key],
    problems: &mut Problems,
) -> Option<RawOutliers> {
    let Some(fields) = fields.mapping(key, (known, &[]), problems) else {
        return Some(RawOutliers {
            whole: Some(fields.scalar(key, problems)?),
            ..RawOutliers::default()
        });
    };
    Some(RawOutliers {
        whole: None,
        factor: fields.scalar("factor", problems),
        min_hosts: fields.scalar("min_hosts", problems),
        min_volume: fields.scalar("min_volume", problems),
        min_gap: fields.scalar("min_gap", problems),
        floor: fields.scalar("floor", problems),
    })
}

/// What a pool does not say itself, the defaults say. Each list of fields is complete, so that a new setting does not
/// compile before it is inherited as well.
impl RawHealthCheck {
    pub(super) fn over(own: Option<Self>, defaults: Option<&Self>) -> Option<Self> {
        match (own, defaults) {
            (Some(Self::Probe(own)), Some(Self::Probe(defaults))) => {
                Some(Self::Probe(Box::new(own.over(defaults))))
            }
            // As good as not written, but where the defaults turn it off.
            (None | Some(Self::On(_)), Some(Self::Probe(defaults))) => Some(Self::Probe(defaults.clone())),
            (None, defaults) => defaults.cloned(),
            (own, _) => own,
        }
    }
}

impl RawProbe {
    fn over(self, defaults: &Self) -> Self {
        // A fast interval belongs to its interval, and a check that only connects asks nothing.
        let connects = self.kind.as_ref().is_some_and(|kind| kind.text() == "tcp");
        let (timing, asking) = (self.interval.is_none(), !connects);
        Self {
            kind: self.kind.or_else(|| defaults.kind.clone()),
            port: self.port.or_else(|| defaults.port.clone()),
            method: inherit(self.method, &defaults.method, asking),
            path: inherit(self.path, &defaults.path, asking),
            host: inherit(self.host, &defaults.host, asking),
            headers: inherit(self.headers, &defaults.headers, asking),
            interval: self.interval.or_else(|| defaults.interval.clone()),
            fast_interval: inherit(self.fast_interval, &defaults.fast_interval, timing),
            timeout: self.timeout.or_else(|| defaults.timeout.clone()),
            rise: self.rise.or_else(|| defaults.rise.clone()),
            fall: self.fall.or_else(|| defaults.fall.clone()),
            status: inherit(self.status, &defaults.status, asking),
            body: inherit(self.body, &defaults.body, asking),
            max_body: inherit(self.max_body, &defaults.max_body, asking),
            jitter: self.jitter.or_else(|| defaults.jitter.clone()),
        }
    }
}

fn inherit<T: Clone>(own: Option<T>, defaults: &Option<T>, inherits: bool) -> Option<T> {
    own.or_else(|| defaults.clone().filter(|_| inherits))
}

/// `on` or `off`, if a value is a switch.
pub(in crate::config) fn switched(written: &Written) -> Option<bool> {
    match (written.as_bool(), written.text()) {
        (Some(on), _) => Some(on),
        (None, "on") => Some(true),
        (None, "off") => Some(false),
        _ => None,
    }
}

impl RawEjection {
    pub(super) fn over(own: Option<Self>, defaults: Option<&Self>) -> Option<Self> {
        let (own, defaults) = match (own, defaults) {
            (Some(own), Some(defaults)) => (own, defaults),
            (own, defaults) => return own.or_else(|| defaults.cloned()),
        };
        let single = defaults.whole.as_ref();
        Some(match own.whole.as_ref().map(switched) {
            // As good as not written, but where the defaults turn it off.
            Some(Some(true)) if single.and_then(switched) != Some(false) => defaults.clone(),
            Some(_) => own,
            None => own.merged(defaults),
        })
    }

    fn merged(self, defaults: &Self) -> Self {
        // What is longest belongs to what is first.
        let first = self.base.is_none();
        let single = defaults.whole.clone().filter(|whole| switched(whole).is_none());
        Self {
            whole: None,
            consecutive: self
                .consecutive
                .or(single)
                .or_else(|| defaults.consecutive.clone()),
            statuses: self.statuses.or_else(|| defaults.statuses.clone()),
            base: self.base.or_else(|| defaults.base.clone()),
            max: inherit(self.max, &defaults.max, first),
            max_share: self.max_share.or_else(|| defaults.max_share.clone()),
            interval: self.interval.or_else(|| defaults.interval.clone()),
            success_rate: RawOutliers::over(self.success_rate, defaults.success_rate.as_ref()),
            latency: RawOutliers::over(self.latency, defaults.latency.as_ref()),
        }
    }
}

impl RawOutliers {
    fn over(own: Option<Self>, defaults: Option<&Self>) -> Option<Self> {
        let (own, defaults) = match (own, defaults) {
            (Some(own), Some(defaults)) => (own, defaults),
            (own, defaults) => return own.or_else(|| defaults.cloned()),
        };
        let single = defaults.whole.as_ref();
        Some(match own.whole.as_ref().map(switched) {
            Some(Some(true)) if single.and_then(switched) != Some(false) => defaults.clone(),
            Some(_) => own,
            None => own.merged(defaults),
        })
    }

    fn merged(self, defaults: &Self) -> Self {
        let single = defaults.whole.clone().filter(|whole| switched(whole).is_none());
        Self {
            whole: None,
            factor: self.factor.or(single).or_else(|| defaults.factor.clone()),
            min_hosts: self.min_hosts.or_else(|| defaults.min_hosts.clone()),
            min_volume: self.min_volume.or_else(|| defaults.min_volume.clone()),
            min_gap: self.min_gap.or_else(|| defaults.min_gap.clone()),
            floor: self.floor.or_else(|| defaults.floor.clone()),
        }
    }
}

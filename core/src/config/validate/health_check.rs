//! How backends are probed: those of a pool, and single ones that say so themselves.

use std::{sync::Arc, time::Duration};

use super::{Checker, one_of, timeout, whole};
use crate::config::{
    model::*,
    problem::Refusal,
    raw::{RawBody, RawHeader, RawHealthCheck, RawProbe, Written},
    size::{ByteSize, parse_size},
    units::{format_duration, parse_share, parse_statuses},
};

/// More probes in a row than anybody waits for.
const MAX_STREAK: u32 = 100;
/// With more, a pause could shrink to nothing.
const MAX_JITTER_PERCENT: u8 = 50;
/// A request line that every server takes.
const MAX_PATH: usize = 2048;
/// Enough for every header, and short enough to be sent every few seconds.
const MAX_HEADERS: usize = 32;
const MAX_HEADER_VALUE: usize = 4096;
/// The longest host name, and a port.
const MAX_HOST: usize = 261;
/// Bodies of a few dozen probes are held at a time.
const MAX_BODY: ByteSize = ByteSize::kib(1024);
/// Each probe is a new connection: with this, up to ten a second from each balancer to each backend. More is a load of its own.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// For the few probes while a state is about to change.
const MIN_FAST_INTERVAL: Duration = Duration::from_millis(10);
/// The check of a pool.
pub(super) struct PoolCheck {
    pub(super) settings: HealthCheck,
    /// Whether backends are probed that say nothing else.
    on: bool,
    /// The statuses that are alive where a backend writes a check without saying which.
    status: StatusRanges,
}

impl Checker<'_> {
    pub(super) fn pool_check(&mut self, raw: &Option<RawHealthCheck>) -> PoolCheck {
        let (settings, on) = match raw {
            Some(RawHealthCheck::Probe(probe)) => {
                let settings = self.check_over(strict(HealthCheck::default()), probe);
                let status = settings.status.clone();
                let on = true;
                return PoolCheck { settings, on, status };
            }
            Some(RawHealthCheck::Off) => (HealthCheck::default(), false),
            Some(RawHealthCheck::On(_)) | None => (HealthCheck::default(), true),
        };
        let status = StatusRanges::default();
        PoolCheck { settings, on, status }
    }

    /// Whether a backend is probed, and how, if it says so itself.
    pub(super) fn backend_check(
        &mut self,
        raw: Option<&RawHealthCheck>,
        pool: &PoolCheck,
    ) -> (bool, Option<Arc<HealthCheck>>) {
        match raw {
            None => (pool.on, None),
            Some(RawHealthCheck::Off) => (false, None),
            Some(RawHealthCheck::On(written)) => {
                if !pool.on {
                    let rule = "must not be true while `health_check: false` turns probes off for all";
                    let hint = "write `health_check: false` at single backends instead";
                    self.refuse(written, Refusal::new(rule).hint(hint));
                }
                (pool.on, None)
            }
            Some(RawHealthCheck::Probe(probe)) => {
                let base = HealthCheck {
                    status: pool.status.clone(),
                    ..pool.settings.clone()
                };
                let own = self.check_over(base, probe);
                (true, Some(Arc::new(own)))
            }
        }
    }

    /// What is written over what holds without it.
    fn check_over(&mut self, base: HealthCheck, raw: &RawProbe) -> HealthCheck {
        let interval = self.value(&raw.interval, |interval| pause(interval, MIN_INTERVAL));
        let interval = interval.unwrap_or(base.interval);
        let fast_interval = self.value(&raw.fast_interval, |fast| match pause(fast, MIN_FAST_INTERVAL)? {
            fast if fast <= interval => Ok(fast),
            _ => Err(Refusal::new(format!(
                "must not be longer than `interval`, {}",
                format_duration(interval)
            ))),
        });
        let status = match &raw.status {
            Some(written) => self.statuses(written, (100, 599)).unwrap_or_default(),
            None => base.status,
        };
        let check = HealthCheck {
            kind: self.value(&raw.kind, kind).unwrap_or(base.kind),
            port: self.value(&raw.port, port).or(base.port),
            method: self.value(&raw.method, method).unwrap_or(base.method),
            path: self.value(&raw.path, probe_path).unwrap_or(base.path),
            host: self.value(&raw.host, host).or(base.host),
            headers: match &raw.headers {
                Some(written) => self.headers(written),
                None => base.headers,
            },
            interval,
            fast_interval: fast_interval.unwrap_or(base.fast_interval.min(interval)),
            timeout: self.value(&raw.timeout, timeout).unwrap_or(base.timeout),
            rise: self
                .value(&raw.rise, |rise| whole(rise, 1, MAX_STREAK))
                .unwrap_or(base.rise),
            fall: self
                .value(&raw.fall, |fall| whole(fall, 1, MAX_STREAK))
                .unwrap_or(base.fall),
            status,
            body: raw.body.as_ref().and_then(|body| self.body(body)).or(base.body),
            max_body: self.value(&raw.max_body, max_body).unwrap_or(base.max_body),
            jitter: self
                .value(&raw.jitter, |jitter| {
                    parse_share(jitter.text(), MAX_JITTER_PERCENT)
                })
                .unwrap_or(base.jitter),
        };
        self.refuse_what_has_no_meaning(&check, raw);
        check
    }

    fn refuse_what_has_no_meaning(&mut self, check: &HealthCheck, raw: &RawProbe) {
        let body = raw
            .body
            .iter()
            .flat_map(|body| [&body.contains, &body.regex])
            .flatten();
        if check.kind == CheckKind::Tcp {
            let single = [&raw.method, &raw.path, &raw.host, &raw.max_body];
            let lists = raw.status.iter().flatten();
            let headers = raw.headers.iter().flatten().map(|header| &header.name);
            let all = single
                .into_iter()
                .flatten()
                .chain(lists)
                .chain(headers)
                .chain(body);
            for written in all {
                let refusal = Refusal::new("has no meaning with `type: tcp`, which only connects");
                self.refuse(written, refusal.hint("remove it, or write `type: http`"));
            }
        } else if check.method == CheckMethod::Head && check.body.is_some() {
            for written in raw.method.iter().chain(body) {
                let rule = "must not go together: an answer to HEAD has no body";
                self.refuse(written, Refusal::new(rule).hint("use GET, or leave `body` out"));
            }
        }
    }

    pub(super) fn statuses(&mut self, raw: &[Written], within: (u16, u16)) -> Option<StatusRanges> {
        let ranges = self.all(raw, |status| parse_statuses(status.text(), within));
        StatusRanges::new(ranges.concat())
    }

    fn headers(&mut self, raw: &[RawHeader]) -> Arc<[(Arc<str>, Arc<str>)]> {
        if let Some(header) = raw.get(MAX_HEADERS) {
            let refusal = Refusal::new(format!("must be one of at most {MAX_HEADERS} headers"));
            self.refuse(&header.name, refusal);
        }
        let mut headers = Vec::new();
        for header in raw {
            let name = self.check(&header.name, header_name);
            let value = self.value(&header.value, header_value);
            headers.extend(name.zip(value));
        }
        headers.into()
    }

    fn body(&mut self, raw: &RawBody) -> Option<BodyMatch> {
        let invalid = |error: regex::Error| match error {
            regex::Error::CompiledTooBig(_) => Refusal::new("must be an expression that needs less memory"),
            other => {
                let message = other.to_string();
                let reason = message.lines().last().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                Refusal::new(format!("must be a regular expression: {reason}"))
            }
        };
        match (&raw.contains, &raw.regex) {
            (Some(_), Some(regex)) => {
                self.refuse(
                    regex,
                    Refusal::new("must not stand beside `contains`: write one of them"),
                );
                None
            }
            (Some(text), None) => self.check(text, |text| match text.text() {
                "" => Err(Refusal::new("must be a text that the body has to hold")),
                text => BodyMatch::contains(text).map_err(invalid),
            }),
            (None, Some(regex)) => self.check(regex, |regex| match regex.text() {
                "" => Err(Refusal::new("must be an expression that the body has to match")),
                regex => BodyMatch::regex(regex).map_err(invalid),
            }),
            (None, None) => None,
        }
    }
}

/// Once a check is written, 200-399 is alive unless it says otherwise.
fn strict(check: HealthCheck) -> HealthCheck {
    HealthCheck {
        status: StatusRanges::default(),
        ..check
    }
}

/// Between two probes of a backend.
fn pause(written: &Written, least: Duration) -> Result<Duration, Refusal> {
    match timeout(written)? {
        pause if pause >= least => Ok(pause),
        _ => Err(Refusal::new(format!(
            "must be at least {}",
            format_duration(least)
        ))),
    }
}

/// A switch that YAML knows as one.
pub(super) fn flag(written: &Written) -> Result<bool, Refusal> {
    written.as_bool().ok_or_else(|| {
        let refusal = Refusal::new("must be true or false");
        match written.text() {
            text @ ("true" | "false") => refusal.hint(format!("did you mean {text} without quotes?")),
            "on" | "yes" => refusal.did_you_mean(Some("true")),
            "off" | "no" => refusal.did_you_mean(Some("false")),
            _ => refusal,
        }
    })
}

fn kind(written: &Written) -> Result<CheckKind, Refusal> {
    if written.text() == "grpc" {
        let rule = "must be http or tcp: gRPC needs HTTP/2, which is not there yet";
        return Err(Refusal::new(rule).hint("use `type: tcp`, or an HTTP page of the backend"));
    }
    one_of(
        written.text(),
        [("http", CheckKind::Http), ("tcp", CheckKind::Tcp)],
    )
}

fn port(written: &Written) -> Result<u16, Refusal> {
    let refused = || Refusal::new("must be a port from 1 to 65535");
    let port = whole(written, 1, 65_535).map_err(|_| refused())?;
    u16::try_from(port).map_err(|_| refused())
}

fn method(written: &Written) -> Result<CheckMethod, Refusal> {
    let all = [
        CheckMethod::Get,
        CheckMethod::Head,
        CheckMethod::Options,
        CheckMethod::Post,
    ];
    let methods = all.map(|method| (method.as_str(), method));
    one_of(written.text(), methods).map_err(|refusal| {
        let upper = written.text().to_ascii_uppercase();
        let meant = methods.iter().find(|(name, _)| *name == upper);
        match meant {
            Some((name, _)) => Refusal::new(refusal.rule).did_you_mean(Some(*name)),
            None => refusal,
        }
    })
}

fn host(written: &Written) -> Result<Arc<str>, Refusal> {
    let host = written.text();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%[]:".contains(&byte);
    if host.is_empty() || host.len() > MAX_HOST || !host.bytes().all(legal) {
        return Err(Refusal::new(
            "must be a host, with a port if need be, such as api.example.com:8080",
        ));
    }
    Ok(host.into())
}

/// Those that the probe itself writes, or that would change how its answer is read.
const RESERVED_HEADERS: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "keep-alive",
    "proxy-connection",
];

fn header_name(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(Refusal::new(
            "must be the name of a header: letters, digits and !#$%&'*+-.^_`|~",
        ));
    }
    let lower = name.to_ascii_lowercase();
    if RESERVED_HEADERS.contains(&lower.as_str()) {
        let refusal = Refusal::new("must not be set: the probe writes it itself");
        return Err(if lower == "host" {
            refusal.hint("use `host` of the check")
        } else {
            refusal
        });
    }
    Ok(name.into())
}

fn header_value(written: &Written) -> Result<Arc<str>, Refusal> {
    let value = written.text();
    let legal = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    if value.len() > MAX_HEADER_VALUE || !value.bytes().all(legal) || value.trim() != value {
        let rule = "must be visible ASCII characters, with spaces only between them, at most 4096 of them";
        return Err(Refusal::new(rule));
    }
    Ok(value.into())
}

fn max_body(written: &Written) -> Result<ByteSize, Refusal> {
    let size = parse_size(written.text())?;
    if size.bytes() == 0 || size > MAX_BODY {
        return Err(Refusal::new(format!("must be a size from 1B to {MAX_BODY}")));
    }
    Ok(size)
}

/// Path and query as they go into a request line.
fn probe_path(written: &Written) -> Result<Arc<str>, Refusal> {
    let path = written.text();
    if !path.starts_with('/') {
        let refusal = Refusal::new("must be a path that begins with `/`");
        return Err(match path {
            "true" | "false" => refusal.hint(format!("did you mean {path} without quotes?")),
            _ => refusal.did_you_mean(
                path.starts_with(|c: char| c.is_ascii_alphanumeric())
                    .then(|| format!("/{path}")),
            ),
        });
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(
            Refusal::new("must be a path of visible ASCII characters without `#`")
                .hint("write others in their percent-encoded form, a space as %20"),
        );
    }
    if path.len() > MAX_PATH {
        return Err(Refusal::new(format!(
            "must be a path of at most {MAX_PATH} characters"
        )));
    }
    Ok(path.into())
}

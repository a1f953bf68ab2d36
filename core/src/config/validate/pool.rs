//! The settings of a pool: its strategy, its backends, and how they are probed and tried.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{Checker, duration, place_of, strategy::slow_start, timeout, whole};
use crate::config::{
    model::*,
    problem::Refusal,
    raw::{RawBackend, RawHealthCheck, RawPool, RawProbe, RawRetries, RawTimeouts, Written},
    units::{format_duration, parse_share, parse_statuses},
};

/// More probes in a row than anybody waits for.
const MAX_STREAK: u32 = 100;
/// More retries than this multiply an outage instead of hiding it.
const MAX_ATTEMPTS: u32 = 10;
/// As good as no budget at all.
const MAX_RETRIES_PER_SECOND: u32 = 1_000_000;
/// With more, a pause could shrink to nothing.
const MAX_JITTER_PERCENT: u8 = 50;
/// More than a process could open.
const MAX_CONNECTIONS: u32 = 100_000_000;
/// A request line that every server takes.
const MAX_PATH: usize = 2048;

impl Checker<'_> {
    /// Every pool: the one at the top of the file, also where it is but the defaults of others, and those below `pools`.
    pub(super) fn pool(&mut self, raw: &RawPool) -> PoolConfig {
        let probed = !matches!(raw.health_check, Some(RawHealthCheck::Off));
        PoolConfig {
            strategy: self.strategy(&raw.strategy),
            failover: self.failover(&raw.failover),
            slow_start: self
                .value(&raw.slow_start, slow_start)
                .unwrap_or(DEFAULT_SLOW_START),
            backends: self.backends(raw.backends.as_deref().unwrap_or_default(), probed),
            health_check: match &raw.health_check {
                Some(RawHealthCheck::Probe(probe)) => self.health_check(probe),
                Some(RawHealthCheck::Off | RawHealthCheck::On) | None => HealthCheck::default(),
            },
            ejection: Some(EjectionRules::default()),
            all_down: AllDown::default(),
            timeouts: self.upstream_timeouts(&raw.timeouts),
            retries: self.retries(&raw.retries),
        }
    }

    fn backends(&mut self, raw: &[RawBackend], probed: bool) -> Vec<BackendConfig> {
        let mut first_places: HashMap<BackendUrl, &Written> = HashMap::new();
        let mut backends = Vec::new();
        for backend in raw {
            let url = self.value(&backend.url, |url| url.text().parse::<BackendUrl>());
            let weight = self.value(&backend.weight, weight).unwrap_or_default();
            let own_probed = self.value(&backend.health_check, |own| backend_probed(own, probed));
            let priority = self.priority(backend);
            let max_connections = self.value(&backend.max_connections, max_connections);
            let (Some(url), Some(written)) = (url, &backend.url) else {
                continue;
            };
            if let Some(first) = first_places.get(&url) {
                let rule = format!("must not be there twice: {} is {url} as well", place_of(first));
                self.refuse(
                    written,
                    Refusal::new(rule).hint("to send it more requests, give it a `weight`"),
                );
                continue;
            }
            first_places.insert(url.clone(), written);
            backends.push(BackendConfig {
                url,
                weight,
                priority,
                max_connections: max_connections.flatten(),
                probed: own_probed.unwrap_or(probed),
                own_check: None,
                drain: false,
                maintenance: false,
            });
        }
        backends
    }

    fn priority(&mut self, raw: &RawBackend) -> Priority {
        let backup = self.value(&raw.backup, true_or_false).unwrap_or_default();
        let priority = self.value(&raw.priority, priority);
        if let (true, Some(written)) = (backup, &raw.priority) {
            let refusal = Refusal::new("must not be there beside `backup: true`");
            self.refuse(
                written,
                refusal.hint("a backup serves after all priorities; remove one of them"),
            );
        }
        if backup {
            Priority::BACKUP
        } else {
            priority.unwrap_or_default()
        }
    }

    fn health_check(&mut self, raw: &RawProbe) -> HealthCheck {
        let default = HealthCheck::default();
        let interval = self.value(&raw.interval, timeout).unwrap_or(default.interval);
        let fast_interval = self.value(&raw.fast_interval, |fast| match timeout(fast)? {
            fast if fast <= interval => Ok(fast),
            _ => Err(Refusal::new(format!(
                "must not be longer than `interval`, {}",
                format_duration(interval)
            ))),
        });
        HealthCheck {
            path: self.value(&raw.path, probe_path).unwrap_or(default.path),
            interval,
            fast_interval: fast_interval.unwrap_or(default.fast_interval.min(interval)),
            timeout: self.value(&raw.timeout, timeout).unwrap_or(default.timeout),
            rise: self
                .value(&raw.rise, |rise| whole(rise, 1, MAX_STREAK))
                .unwrap_or(default.rise),
            fall: self
                .value(&raw.fall, |fall| whole(fall, 1, MAX_STREAK))
                .unwrap_or(default.fall),
            status: self.statuses(raw.status.as_deref()),
            jitter: self
                .value(&raw.jitter, |jitter| {
                    parse_share(jitter.text(), MAX_JITTER_PERCENT)
                })
                .unwrap_or(default.jitter),
            ..default
        }
    }

    fn statuses(&mut self, raw: Option<&[Written]>) -> StatusRanges {
        let ranges = self.all(raw.unwrap_or_default(), |status| {
            parse_statuses(status.text(), (100, 599))
        });
        StatusRanges::new(ranges.concat()).unwrap_or_default()
    }

    fn upstream_timeouts(&mut self, raw: &RawTimeouts) -> UpstreamTimeouts {
        let default = UpstreamTimeouts::default();
        UpstreamTimeouts {
            connect: self.value(&raw.connect, timeout).unwrap_or(default.connect),
            response_idle: self
                .value(&raw.response_idle, timeout)
                .unwrap_or(default.response_idle),
            body_stall: self.value(&raw.body_stall, timeout).unwrap_or(default.body_stall),
            upstream_idle: self
                .value(&raw.upstream_idle, timeout)
                .unwrap_or(default.upstream_idle),
            upstream_age: self
                .value(&raw.upstream_age, timeout)
                .unwrap_or(default.upstream_age),
            tunnel_idle: self
                .value(&raw.tunnel_idle, timeout)
                .unwrap_or(default.tunnel_idle),
            request: self.value(&raw.request, request_cap).unwrap_or(default.request),
        }
    }

    fn retries(&mut self, raw: &RawRetries) -> Retries {
        let default = Retries::default();
        Retries {
            statuses: self.retried_statuses(raw.statuses.as_deref().unwrap_or_default()),
            attempts: self.value(&raw.attempts, attempts).unwrap_or(default.attempts),
            budget: self
                .value(&raw.budget, |budget| parse_share(budget.text(), 100))
                .unwrap_or(default.budget),
            min_per_second: self
                .value(&raw.min_per_second, |least| {
                    whole(least, 0, MAX_RETRIES_PER_SECOND)
                })
                .unwrap_or(default.min_per_second),
        }
    }
}

pub(super) fn attempts(written: &Written) -> Result<u32, Refusal> {
    whole(written, 0, MAX_ATTEMPTS)
}

fn weight(written: &Written) -> Result<Weight, Refusal> {
    let number = whole(written, 1, Weight::MAX.into());
    let none = written.as_whole() == Some(0);
    let weight = number.map_err(|refusal| {
        if none {
            refusal.hint("leave the backend out to send it nothing")
        } else {
            refusal
        }
    })?;
    u16::try_from(weight)
        .ok()
        .and_then(Weight::new)
        .ok_or_else(|| Refusal::new("must be a weight"))
}

fn priority(written: &Written) -> Result<Priority, Refusal> {
    let number = whole(written, 0, Priority::MAX.into())?;
    u8::try_from(number)
        .ok()
        .and_then(Priority::new)
        .ok_or_else(|| Refusal::new("must be a priority"))
}

fn max_connections(written: &Written) -> Result<Option<u32>, Refusal> {
    match written.text() {
        "none" => Ok(None),
        _ => whole(written, 1, MAX_CONNECTIONS)
            .map(Some)
            .map_err(|refusal| match written.as_whole() {
                Some(0) => refusal.hint("leave the backend out to send it nothing"),
                _ => Refusal::new(format!("{}, or none", refusal.rule)),
            }),
    }
}

fn true_or_false(written: &Written) -> Result<bool, Refusal> {
    let refused = || {
        let refusal = Refusal::new("must be true or false");
        match written.text() {
            text @ ("true" | "false") => refusal.hint(format!("did you mean {text} without quotes?")),
            _ => refusal,
        }
    };
    written.as_bool().ok_or_else(refused)
}

fn backend_probed(written: &Written, pool: bool) -> Result<bool, Refusal> {
    match true_or_false(written)? {
        true if !pool => Err(Refusal::new(
            "must not be true while `health_check: false` turns probes off for all",
        )
        .hint("write `health_check: false` at single backends instead")),
        probed => Ok(probed),
    }
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

pub(super) fn request_cap(written: &Written) -> Result<Option<Duration>, Refusal> {
    match (written.text(), duration(written)) {
        ("none", _) => Ok(None),
        ("0", _) | (_, Ok(Duration::ZERO)) => {
            Err(Refusal::new("must be longer than 0s, or none").did_you_mean(Some("none")))
        }
        (_, Ok(cap)) => Ok(Some(cap)),
        (_, Err(refusal)) => Err(Refusal {
            rule: format!("{}, or none", refusal.rule),
            ..refusal
        }),
    }
}

//! The settings of a pool: its strategy, its backends, and how they are tried. How they are judged is in `health`.

use std::{collections::HashMap, time::Duration};

use super::{
    Checker, duration,
    ejection::all_down,
    health_check::{PoolCheck, flag},
    place_of,
    strategy::slow_start,
    timeout, whole,
};
use crate::config::{
    model::*,
    problem::Refusal,
    raw::{RawBackend, RawPool, RawRetries, RawTimeouts, Written},
    units::parse_share,
};

/// More retries than this multiply an outage instead of hiding it.
const MAX_ATTEMPTS: u32 = 10;
/// As good as no budget at all.
const MAX_RETRIES_PER_SECOND: u32 = 1_000_000;
/// More than a process could open.
const MAX_CONNECTIONS: u32 = 100_000_000;

impl Checker<'_> {
    /// Every pool: the one at the top of the file, also where it is but the defaults of others, and those below `pools`.
    pub(super) fn pool(&mut self, raw: &RawPool) -> PoolConfig {
        let check = self.pool_check(&raw.health_check);
        PoolConfig {
            strategy: self.strategy(&raw.strategy),
            failover: self.failover(&raw.failover),
            slow_start: self
                .value(&raw.slow_start, slow_start)
                .unwrap_or(DEFAULT_SLOW_START),
            queue: self.queue(&raw.queue),
            sticky: self.sticky(&raw.sticky),
            backends: self.backends(raw.backends.as_deref().unwrap_or_default(), &check),
            health_check: check.settings,
            ejection: self.ejection(raw.ejection.as_ref()),
            all_down: self.value(&raw.all_down, all_down).unwrap_or_default(),
            timeouts: self.upstream_timeouts(&raw.timeouts),
            retries: self.retries(&raw.retries),
        }
    }

    fn backends(&mut self, raw: &[RawBackend], check: &PoolCheck) -> Vec<BackendConfig> {
        let mut first_places: HashMap<BackendUrl, &Written> = HashMap::new();
        let mut backends = Vec::new();
        for backend in raw {
            let url = self.value(&backend.url, |url| url.text().parse::<BackendUrl>());
            let weight = self.value(&backend.weight, weight).unwrap_or_default();
            let (probed, own_check) = self.backend_check(backend.health_check.as_ref(), check);
            let priority = self.priority(backend);
            let max_connections = self.value(&backend.max_connections, max_connections);
            let drain = self.value(&backend.drain, flag);
            let maintenance = self.value(&backend.maintenance, flag);
            if let (Some(true), Some(true), Some(written)) = (drain, maintenance, &backend.maintenance) {
                let refusal = Refusal::new("must not be there beside `drain: true`");
                self.refuse(
                    written,
                    refusal
                        .hint("in maintenance a backend gets nothing and is not probed; remove one of them"),
                );
            }
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
                probed,
                own_check,
                drain: drain.unwrap_or_default(),
                maintenance: maintenance.unwrap_or_default(),
            });
        }
        backends
    }

    fn priority(&mut self, raw: &RawBackend) -> Priority {
        let backup = self.value(&raw.backup, flag).unwrap_or_default();
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

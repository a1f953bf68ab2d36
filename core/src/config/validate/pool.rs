//! The settings of a pool: its strategy, its backends, and how they are tried. How they are judged is in `health`.

use std::{collections::HashMap, time::Duration};

use super::{
    Checker, duration,
    health::{PoolCheck, all_down, flag},
    one_of, place_of, timeout, whole,
};
use crate::config::{
    model::*,
    problem::Refusal,
    raw::{RawBackend, RawConfig, RawRetries, RawTimeouts, Written},
    units::{parse_share, parse_statuses},
};

/// More retries than this multiply an outage instead of hiding it.
const MAX_ATTEMPTS: u32 = 10;
/// As good as no budget at all.
const MAX_RETRIES_PER_SECOND: u32 = 1_000_000;

impl Checker<'_> {
    pub(super) fn pool(&mut self, raw: &RawConfig) -> PoolConfig {
        let check = self.pool_check(&raw.health_check);
        PoolConfig {
            strategy: self
                .value(&raw.strategy, strategy)
                .unwrap_or(StrategyName::RoundRobin),
            backends: self.backends(&raw.backends, &check),
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
            let drain = self.value(&backend.drain, flag);
            let maintenance = self.value(&backend.maintenance, flag);
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
                probed,
                own_check,
                drain: drain.unwrap_or_default(),
                maintenance: maintenance.unwrap_or_default(),
            });
        }
        backends
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
        let mut statuses: Vec<u16> = self
            .all(&raw.statuses, |status| parse_statuses(status.text(), (400, 599)))
            .concat()
            .into_iter()
            .flat_map(|(first, last)| first..=last)
            .collect();
        statuses.sort_unstable();
        statuses.dedup();
        Retries {
            attempts: self
                .value(&raw.attempts, |tries| whole(tries, 0, MAX_ATTEMPTS))
                .unwrap_or(default.attempts),
            budget: self
                .value(&raw.budget, |budget| parse_share(budget.text(), 100))
                .unwrap_or(default.budget),
            min_per_second: self
                .value(&raw.min_per_second, |least| {
                    whole(least, 0, MAX_RETRIES_PER_SECOND)
                })
                .unwrap_or(default.min_per_second),
            statuses,
        }
    }
}

fn strategy(written: &Written) -> Result<StrategyName, Refusal> {
    one_of(
        written.text(),
        [
            ("round-robin", StrategyName::RoundRobin),
            ("weighted", StrategyName::RoundRobin),
        ],
    )
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

fn request_cap(written: &Written) -> Result<Option<Duration>, Refusal> {
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

//! Routes: what becomes of the requests they mean, and which of them can never be taken.

use std::{collections::BTreeMap, sync::Arc};

use super::{Checker, place, pool, strategy::hash_key, timeout, whole};
use crate::{
    config::{
        model::*,
        problem::Refusal,
        raw::{ACTIONS, RawConfig, RawRetries, RawRoute, RawTimeouts, Written},
        suggest::closest,
        units::parse_statuses,
    },
    route::{
        ambiguity::Allowed,
        shadow::never_matching,
        split::{MAX_WEIGHT, SplitBy},
    },
};

pub(super) type Pools = BTreeMap<Arc<str>, PoolConfig>;

impl Checker<'_> {
    /// All routes; where none are written, one that takes everything.
    pub(super) fn routes(&mut self, raw: &RawConfig, pools: &Pools) -> Vec<Arc<RouteConfig>> {
        let Some(written) = &raw.routes else {
            let only = self.only_pool(pools, raw);
            let routes = vec![Arc::new(RouteConfig::everything_to(only.clone()))];
            let others = format!("without `routes` all of them go to `{only}`");
            self.unused_pools(raw, &routes, &others);
            return routes;
        };
        let routes: Vec<_> = written
            .iter()
            .map(|raw| Arc::new(self.route(raw, pools)))
            .collect();
        for (never, by) in never_matching(&routes) {
            let (route, other) = (&written[never], &written[by]);
            let other = place(&other.field, other.position);
            let refusal = Refusal::new(format!("can never match: {other} takes all its requests"));
            let refusal =
                refusal.hint("remove one of them, or give this one another host, path or condition");
            self.warnings.add(route.position, &route.field, refusal, None);
        }
        self.unused_pools(raw, &routes, "no route names it");
        self.shared_cookies(raw, pools, &routes);
        routes
    }

    fn route(&mut self, raw: &RawRoute, pools: &Pools) -> RouteConfig {
        let allowed = Allowed {
            dot_segments: self.value(&raw.allow_dot_segments, yes_or_no).unwrap_or_default(),
            encoded_slashes: self
                .value(&raw.allow_encoded_slashes, yes_or_no)
                .unwrap_or_default(),
        };
        let path = self.path(raw, allowed);
        RouteConfig {
            then: self.action(raw, (path.as_ref(), allowed), pools),
            response_headers: self.changes(&raw.response_headers),
            when: self.conditions(raw, path.unwrap_or_default()),
            allowed,
        }
    }

    fn action(
        &mut self,
        raw: &RawRoute,
        (path, allowed): (Option<&PathPattern>, Allowed),
        pools: &Pools,
    ) -> RouteAction {
        if raw.actions.len() != 1 && !raw.field.is_empty() {
            let refusal = Refusal::new(format!("must have one of {}", ACTIONS.join(", ")));
            self.problems.add(raw.position, &raw.field, refusal, None);
        }
        if raw
            .actions
            .iter()
            .any(|action| matches!(*action, "redirect" | "respond"))
        {
            for (key, position) in &raw.forwarding {
                let refusal = Refusal::new("has no effect on a route that sends nothing to a backend");
                self.problems.add(
                    *position,
                    &format!("{}.{key}", raw.field),
                    refusal.hint("remove it"),
                    None,
                );
            }
        }
        if let Some(redirect) = &raw.redirect {
            return self.redirect(redirect, path);
        }
        if let Some(respond) = &raw.respond {
            return self.respond(respond);
        }
        if let (false, Some((_, position))) = (
            raw.actions.contains(&"split"),
            raw.forwarding.iter().find(|(key, _)| *key == "split_by"),
        ) {
            let refusal = Refusal::new("has no effect without `split`").hint("remove it");
            self.problems
                .add(*position, &format!("{}.split_by", raw.field), refusal, None);
        }
        RouteAction::Forward(Box::new(Forward {
            split: self.split(raw, pools),
            split_by: self.value(&raw.split_by, split_by).unwrap_or_default(),
            strategy: raw.strategy.name.is_some().then(|| self.strategy(&raw.strategy)),
            timeouts: self.timeout_overrides(&raw.timeouts),
            retries: self.retry_overrides(&raw.retries),
            request_headers: self.changes(&raw.request_headers),
            send_host: self
                .value(&raw.send_host, send_host)
                .unwrap_or(SendHost::Preserve),
            rewrite: path.and_then(|path| self.rewrite(raw, path, allowed)),
        }))
    }

    fn split(&mut self, raw: &RawRoute, pools: &Pools) -> Vec<(Arc<str>, u32)> {
        let named = |name: &Written| known_pool(name, pools);
        let Some((position, shares)) = &raw.split else {
            let pool = self.value(&raw.pool, named);
            return vec![(pool.unwrap_or_else(|| DEFAULT_POOL.into()), 1)];
        };
        let mut split = Vec::new();
        for (name, weight) in shares {
            let pool = self.check(name, named);
            let weight = self.value(weight, |weight| whole(weight, 0, MAX_WEIGHT));
            split.extend(pool.zip(weight));
        }
        let all_zero = split.iter().all(|(_, weight)| *weight == 0);
        if all_zero && !split.is_empty() && split.len() == shares.len() {
            let refusal = Refusal::new("must give at least one pool a weight above 0");
            self.problems
                .add(*position, &format!("{}.split", raw.field), refusal, None);
        }
        split
    }

    fn timeout_overrides(&mut self, raw: &RawTimeouts) -> TimeoutOverrides {
        TimeoutOverrides {
            connect: self.value(&raw.connect, timeout),
            response_idle: self.value(&raw.response_idle, timeout),
            body_stall: self.value(&raw.body_stall, timeout),
            tunnel_idle: self.value(&raw.tunnel_idle, timeout),
            request: self.value(&raw.request, pool::request_cap),
        }
    }

    fn retry_overrides(&mut self, raw: &RawRetries) -> RetryOverrides {
        RetryOverrides {
            attempts: self.value(&raw.attempts, pool::attempts),
            statuses: raw
                .statuses
                .as_deref()
                .map(|statuses| self.retried_statuses(statuses)),
        }
    }

    /// Status codes of answers that are to be retried, in order.
    pub(super) fn retried_statuses(&mut self, written: &[Written]) -> Vec<u16> {
        let ranges = self.all(written, |status| parse_statuses(status.text(), (400, 599)));
        let mut statuses: Vec<u16> = ranges
            .concat()
            .into_iter()
            .flat_map(|(first, last)| first..=last)
            .collect();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }
}

fn known_pool(name: &Written, pools: &Pools) -> Result<Arc<str>, Refusal> {
    let text = name.text();
    if let Some((known, _)) = pools.get_key_value(text) {
        return Ok(known.clone());
    }
    let refusal = Refusal::new("must be the name of a pool");
    let names = || pools.keys().map(|name| &**name);
    Err(match closest(text, names()) {
        Some(meant) => refusal.did_you_mean(Some(meant)),
        None if text == DEFAULT_POOL => {
            refusal.hint("`default` is there where the file has `backends` at its top")
        }
        None => refusal.hint(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
    })
}

pub(super) fn yes_or_no(written: &Written) -> Result<bool, Refusal> {
    written.as_bool().ok_or_else(|| {
        let refusal = Refusal::new("must be true or false");
        match written.text() {
            text @ ("true" | "false") => refusal.hint(format!("did you mean {text} without quotes?")),
            _ => refusal,
        }
    })
}

fn split_by(written: &Written) -> Result<SplitBy, Refusal> {
    if written.text() == "random" {
        return Ok(SplitBy::Random);
    }
    hash_key(written).map(SplitBy::Key).map_err(|refusal| Refusal {
        rule: format!("{}, or random", refusal.rule),
        ..refusal
    })
}

fn send_host(written: &Written) -> Result<SendHost, Refusal> {
    match written.text() {
        "preserve" => Ok(SendHost::Preserve),
        "backend" => Ok(SendHost::Backend),
        host => match format!("http://{host}").parse::<BackendUrl>() {
            Ok(_) if !host.contains('/') => Ok(SendHost::Literal(host.into())),
            Ok(_) => Err(Refusal::new(
                "must be preserve, backend, or a host without a path",
            )),
            Err(_) => Err(
                Refusal::new("must be preserve, backend, or a host such as api.internal:8080")
                    .did_you_mean(closest(host, ["preserve", "backend"])),
            ),
        },
    }
}

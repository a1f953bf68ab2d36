//! The pools of a file: their names, their defaults, and where requests go that no route speaks of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Checker, routes::Pools};
use crate::{
    config::{
        model::*,
        problem::Refusal,
        raw::{RawConfig, Written},
    },
    route::meeting::meetings,
};

/// Enough for a host's name; names stand in logs and tables.
const MAX_POOL_NAME: usize = 64;

impl Checker<'_> {
    /// All pools by name. Settings at the top of the file are judged in any case: they are the defaults of all.
    pub(super) fn pools(&mut self, raw: &RawConfig) -> BTreeMap<Arc<str>, PoolConfig> {
        let mut pools = BTreeMap::new();
        let top = self.pool(&raw.pool);
        if raw.pool.backends.is_some() || raw.pools.is_empty() {
            pools.insert(DEFAULT_POOL.into(), top);
        }
        for named in &raw.pools {
            let mut pool = self.pool(&named.pool.clone().over(&raw.pool));
            let Some(name) = self.check(&named.name, pool_name) else {
                continue;
            };
            if *name == *DEFAULT_POOL && raw.pool.backends.is_some() {
                let refusal =
                    Refusal::new("must not be there twice: `backends` at the top of the file is this pool");
                self.refuse(
                    &named.name,
                    refusal.hint("give one of them another name, or remove it"),
                );
                continue;
            }
            // Pools that share a name must not overwrite each other's cookies.
            if !named.pool.sticky.is_named()
                && let Some(sticky) = &mut pool.sticky
            {
                sticky.cookie = format!("{}-{name}", sticky.cookie).into();
            }
            pools.insert(name, pool);
        }
        pools
    }

    /// Warns of pools with the same cookie that one client can use: each takes it from the other.
    pub(super) fn shared_cookies(&mut self, raw: &RawConfig, pools: &Pools, routes: &[Arc<RouteConfig>]) {
        let top = raw.pool.backends.is_some().then_some((DEFAULT_POOL, None));
        let named = raw.pools.iter().map(|named| (named.name.text(), Some(named)));
        let order: Vec<_> = top.into_iter().chain(named).collect();
        let numbers: HashMap<&str, usize> = order.iter().map(|(name, _)| *name).zip(0..).collect();
        let cookie = |pool: &str| {
            let sticky = pools.get(pool)?.sticky.as_ref()?;
            Some((*numbers.get(pool)?, &*sticky.cookie))
        };
        for (later, earlier) in meetings(routes, cookie) {
            let (Some((name, Some(named))), Some((other, _))) = (order.get(later), order.get(earlier)) else {
                continue;
            };
            let sticky = &named.pool.sticky;
            let written = sticky.cookie.as_ref().filter(|_| sticky.is_named());
            let (_, cookie) = cookie(name).unwrap_or_default();
            let refusal = Refusal::new(format!(
                "has the cookie {cookie} as pool `{other}` has: a client that uses both loses its backend in each"
            ));
            let hint = "give one of them another name, or write true: then the pool's own is added";
            self.warnings
                .add_written(written.unwrap_or(&named.name), refusal.hint(hint));
        }
    }

    /// Warns of pools that get no requests; `unnamed` says why of those that no route names.
    pub(super) fn unused_pools(&mut self, raw: &RawConfig, routes: &[Arc<RouteConfig>], unnamed: &str) {
        let mut weights: HashMap<&str, u32> = HashMap::new();
        let splits = routes.iter().filter_map(|route| Some(&route.forward()?.split));
        for (pool, weight) in splits.flatten() {
            let most = weights.entry(pool).or_default();
            *most = (*most).max(*weight);
        }
        let why = |pool: &str| match weights.get(pool) {
            None => Some(unnamed),
            Some(0) => Some("each route that names it gives it the weight 0"),
            Some(_) => None,
        };
        let hint = "lead a route to it, or remove it";
        if let (Some(first), Some(why)) = (raw.pool.backends.iter().flatten().next(), why(DEFAULT_POOL)) {
            let refusal = Refusal::new(format!("are the pool `default`, which gets no requests: {why}"));
            let position = first.url.as_ref().and_then(|url| url.position);
            self.warnings.add(position, "backends", refusal.hint(hint), None);
        }
        for named in &raw.pools {
            if let Some(why) = why(named.name.text()) {
                let refusal = Refusal::new(format!("gets no requests: {why}"));
                self.warnings
                    .add(named.name.position, &named.name.field, refusal.hint(hint), None);
            }
        }
    }

    /// Where everything goes without `routes`: to `default`, or to the only pool there is.
    pub(super) fn only_pool(&mut self, pools: &BTreeMap<Arc<str>, PoolConfig>, raw: &RawConfig) -> Arc<str> {
        let mut names = pools.keys();
        match (pools.get_key_value(DEFAULT_POOL), names.next(), names.next()) {
            (Some((default, _)), ..) => default.clone(),
            (None, Some(only), None) => only.clone(),
            (None, _, several) => {
                if several.is_some() {
                    let rule = "is required: there are several pools, and none is called `default`";
                    let hint = "add for example `routes: [{host: api.example.com, pool: api}]`";
                    self.problems
                        .add(raw.position, "routes", Refusal::new(rule).hint(hint), None);
                }
                DEFAULT_POOL.into()
            }
        }
    }
}

fn pool_name(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=MAX_POOL_NAME).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(name.into());
    }
    Err(Refusal::new(format!(
        "must be named by at most {MAX_POOL_NAME} letters, digits, `-`, `_` and `.`"
    )))
}

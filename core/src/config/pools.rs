//! The pools of a file: their names, their defaults, and where requests go that no route speaks of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    checker::Checker,
    fields::{self, Fields},
    model::*,
    node::{Entry, Value, key_path},
    problem::{Position, Refusal},
    settings::{ADD_A_BACKEND, Draft, Place, Settings, name, named_cookie},
    written::Written,
};
use crate::route::meeting::meetings;

pub(super) type Pools = BTreeMap<Arc<str>, PoolConfig>;

const EXAMPLE: &str = "pools: {api: {backends: [\"http://localhost:9001\"]}}";

/// The pools as they are written.
pub(super) struct WrittenPools<'n> {
    root: &'n Fields<'n>,
    /// Those below `pools`, in their order.
    named: Vec<NamedPool>,
}

/// A pool below `pools`.
struct NamedPool {
    /// Its key, which is a value as well.
    name: Written,
    /// The name of its cookie, if it writes one.
    cookie: Option<Written>,
}

impl WrittenPools<'_> {
    /// Whether there is a pool at the top of the file.
    fn has_top(&self) -> bool {
        self.root.node("backends").is_some()
    }
}

impl Checker<'_> {
    /// All pools by name, and as they are written. Settings at the top of the file are judged in any case: they are the
    /// defaults of all.
    pub(super) fn pools<'n>(&mut self, root: &'n Fields<'n>) -> (Pools, WrittenPools<'n>) {
        let top = Draft::default().read(root, self);
        let entries = self.named_pools(root);
        let mut pools = BTreeMap::new();
        let mut written = WrittenPools {
            root,
            named: Vec::new(),
        };
        if written.has_top() || entries.is_empty() {
            pools.insert(DEFAULT_POOL.into(), top.pool.clone());
        }
        for entry in entries {
            let path = key_path("pools", &entry.key);
            let (mut pool, cookie) = self.named_pool(entry, &path, &top);
            let key = fields::key(entry, &path);
            let name = self.check(&key, name);
            let is_twice = name.as_deref() == Some(DEFAULT_POOL) && written.has_top();
            if is_twice {
                let rule = "must not be there twice: `backends` at the top of the file is this pool";
                let hint = "give one of them another name, or remove it";
                self.refuse(&key, Refusal::new(rule).hint(hint));
            }
            if let (Some(name), false) = (name, is_twice) {
                // Pools that share a name must not overwrite each other's cookies.
                if cookie.is_none()
                    && let Some(sticky) = &mut pool.sticky
                {
                    sticky.cookie = format!("{}-{name}", sticky.cookie).into();
                }
                pools.insert(name, pool);
            }
            written.named.push(NamedPool { name: key, cookie });
        }
        (pools, written)
    }

    fn named_pools<'n>(&mut self, root: &'n Fields<'n>) -> &'n [Entry] {
        let entries = root.entries("pools", EXAMPLE, self.problems);
        if let (Some([]), Some(node)) = (entries, root.node("pools")) {
            let refusal = Refusal::new("must hold at least one pool");
            let refusal = refusal.hint(format!("write for example `{EXAMPLE}`"));
            self.problems.add(node.position, "pools", refusal, None);
        }
        entries.unwrap_or_default()
    }

    /// A mapping of settings, or a list of backends. With the name of its cookie, if it writes one.
    fn named_pool(&mut self, entry: &Entry, path: &str, top: &Draft) -> (PoolConfig, Option<Written>) {
        let node = &entry.value;
        let Value::Mapping(entries) = &node.value else {
            let draft = match node.value {
                Value::Broken => top.clone(),
                _ => top.of_backends((node, path), self),
            };
            return (draft.pool, None);
        };
        let keys = PoolConfig::keys(Place::Pool);
        let own = Fields::read(entries, (path, node.position), keys, self.problems);
        own.require("backends", ADD_A_BACKEND, self.problems);
        (top.read(&own, self).pool, named_cookie(&own, self))
    }

    /// Warns of pools with the same cookie that one client can use: each takes it from the other.
    pub(super) fn shared_cookies(
        &mut self,
        written: &WrittenPools<'_>,
        pools: &Pools,
        routes: &[Arc<RouteConfig>],
    ) {
        let top = written.has_top().then_some((DEFAULT_POOL, None));
        let named = written.named.iter().map(|named| (named.name.text(), Some(named)));
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
            let (_, cookie) = cookie(name).unwrap_or_default();
            let refusal = Refusal::new(format!(
                "has the cookie {cookie} as pool `{other}` has: a client that uses both loses its backend in each"
            ));
            let hint = "give one of them another name, or write true: then the pool's own is added";
            self.warnings
                .add_written(named.cookie.as_ref().unwrap_or(&named.name), refusal.hint(hint));
        }
    }

    /// Warns of pools that get no requests; `unnamed` says why of those that no route names.
    pub(super) fn unused_pools(
        &mut self,
        written: &WrittenPools<'_>,
        routes: &[Arc<RouteConfig>],
        unnamed: &str,
    ) {
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
        let first = written.root.all_written("backends").into_iter().next();
        if let (Some(first), Some(why)) = (first, why(DEFAULT_POOL)) {
            let refusal = Refusal::new(format!("are the pool `default`, which gets no requests: {why}"));
            let position = first.position;
            self.warnings.add(position, "backends", refusal.hint(hint), None);
        }
        for named in &written.named {
            if let Some(why) = why(named.name.text()) {
                let refusal = Refusal::new(format!("gets no requests: {why}"));
                self.warnings
                    .add(named.name.position, &named.name.field, refusal.hint(hint), None);
            }
        }
    }

    /// Warns of pools whose backends are all taken out of service: their requests get 503.
    pub(super) fn pools_out_of_service(&mut self, written: &WrittenPools<'_>, pools: &Pools) {
        let is_out = |pool: &str| {
            let out = |backend: &BackendConfig| backend.drain || backend.maintenance;
            pools
                .get(pool)
                .is_some_and(|pool| !pool.backends.is_empty() && pool.backends.iter().all(out))
        };
        let hint = "leave one in service, or its requests get 503";
        let rule = "has no backend in service: each has `drain` or `maintenance`";
        let first = written.root.all_written("backends").into_iter().next();
        if let Some(first) = first.filter(|_| is_out(DEFAULT_POOL)) {
            let refusal = Refusal::new(format!("are the pool `default`, which {rule}"));
            self.warnings
                .add(first.position, "backends", refusal.hint(hint), None);
        }
        for named in written.named.iter().filter(|named| is_out(named.name.text())) {
            let refusal = Refusal::new(rule.to_owned()).hint(hint);
            self.warnings
                .add(named.name.position, &named.name.field, refusal, None);
        }
    }

    /// Where everything goes without `routes`: to `default`, or to the only pool there is.
    pub(super) fn only_pool(&mut self, pools: &Pools, position: Option<Position>) -> Arc<str> {
        let mut names = pools.keys();
        match (pools.get_key_value(DEFAULT_POOL), names.next(), names.next()) {
            (Some((default, _)), ..) => default.clone(),
            (None, Some(only), None) => only.clone(),
            (None, _, several) => {
                if several.is_some() {
                    let rule = "is required: there are several pools, and none is called `default`";
                    let hint = "add for example `routes: [{host: api.example.com, pool: api}]`";
                    self.problems
                        .add(position, "routes", Refusal::new(rule).hint(hint), None);
                }
                DEFAULT_POOL.into()
            }
        }
    }
}

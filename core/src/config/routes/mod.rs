//! Routes: how they are read, what becomes of the requests they mean, and which of them can never be taken.

mod changes;
mod conditions;

use std::sync::Arc;

use self::conditions::Conditional;
use super::{
    checker::{Checker, place},
    fields::{self, Fields, Key, Keys},
    model::*,
    node::{Entry, Node, Value, item_path, key_path},
    pools::{Pools, WrittenPools},
    problem::{Position, Refusal},
    settings::{ACTIONS, FORWARDING, HASH_KEY, Overrides, Place, Settings, Single, Strategy, Type, Whole},
    suggest::closest,
    written::Written,
};
use crate::route::{
    shadow::never_matching,
    split::{MAX_WEIGHT, SplitBy},
};

const EXAMPLE: &str = "routes: [{host: api.example.com, pool: api}]";

/// A route as it is written, for what is said of it beside its settings: its path and place.
type Said = (String, Option<Position>);

impl Checker<'_> {
    /// All routes; where none are written, one that takes everything.
    pub(super) fn routes(
        &mut self,
        root: &Fields<'_>,
        written: &WrittenPools<'_>,
        pools: &Pools,
    ) -> Vec<Arc<RouteConfig>> {
        let Some(node) = root.node("routes") else {
            let only = self.only_pool(pools, root.position);
            let routes = vec![Arc::new(RouteConfig::everything_to(only.clone()))];
            let others = format!("without `routes` all of them go to `{only}`");
            self.unused_pools(written, &routes, &others);
            return routes;
        };
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items.as_slice(),
            other => {
                let refusal = match other {
                    Value::List(_) => Refusal::new("must hold at least one route"),
                    other => Refusal::new(format!("must be a list of routes, not {}", other.noun())),
                };
                let refusal = refusal.hint(format!("write for example `{EXAMPLE}`"));
                self.problems.add(node.position, "routes", refusal, None);
                return Vec::new();
            }
        };
        let said: Vec<Said> = items
            .iter()
            .enumerate()
            .map(|(index, item)| (item_path("routes", index), item.position))
            .collect();
        let routes: Vec<_> = items
            .iter()
            .zip(&said)
            .map(|(item, (path, _))| Arc::new(self.route(item, path, pools)))
            .collect();
        self.shadowed(&routes, &said);
        self.unused_pools(written, &routes, "no route names it");
        self.shared_cookies(written, pools, &routes);
        routes
    }

    /// Warns of routes that can never match.
    fn shadowed(&mut self, routes: &[Arc<RouteConfig>], said: &[Said]) {
        for (never, by) in never_matching(routes) {
            let ((field, position), (other, there)) = (&said[never], &said[by]);
            let other = place(other, *there);
            let refusal = Refusal::new(format!("can never match: {other} takes all its requests"));
            let hint = "remove one of them, or give this one another host, path or condition";
            self.warnings.add(*position, field, refusal.hint(hint), None);
        }
    }

    fn route(&mut self, item: &Node, path: &str, pools: &Pools) -> RouteConfig {
        let mut route = RouteConfig::everything_to(DEFAULT_POOL.into());
        let Value::Mapping(entries) = &item.value else {
            if item.value != Value::Broken {
                let refusal = Refusal::new(format!("must be a mapping, not {}", item.value.noun()));
                let refusal = refusal.hint("write for example `{host: api.example.com, pool: api}`");
                self.problems.add(item.position, path, refusal, None);
            }
            return route;
        };
        let keys = RouteConfig::keys(Place::Route);
        let own = Fields::read(entries, (path, item.position), keys, self.problems);
        route.read(&own, self);
        let path = self.path(&own, route.allowed);
        route.then = self.action(&own, (path.as_ref(), route.allowed), pools);
        route.response_headers = self.changes(&own, "response_headers");
        route.when = self.conditions(&own, path.unwrap_or_default());
        route
    }

    fn action(&mut self, own: &Fields<'_>, of: Conditional<'_>, pools: &Pools) -> RouteAction {
        let actions: Vec<_> = ACTIONS.iter().filter(|key| own.is_written(key)).collect();
        if actions.len() != 1 {
            own.refuse(&format!("must have one of {}", ACTIONS.join(", ")), self.problems);
        }
        let stays_here = ["redirect", "respond"]
            .into_iter()
            .find(|key| own.is_written(key));
        let refuse = |checker: &mut Self, key: &str, rule: &str| {
            if let Some(node) = own.node(key) {
                let refusal = Refusal::new(rule).hint("remove it");
                checker
                    .problems
                    .add(node.position, &own.path_of(key), refusal, None);
            }
        };
        if stays_here.is_some() {
            for key in FORWARDING {
                refuse(
                    self,
                    key,
                    "has no effect on a route that sends nothing to a backend",
                );
            }
        }
        if own.node("redirect").is_some() {
            return self.redirect(own, of.0);
        }
        if own.node("respond").is_some() {
            return self.respond(own);
        }
        if !own.is_written("split") && stays_here.is_none() {
            refuse(self, "split_by", "has no effect without `split`");
        }
        let split_by = own.scalar("split_by", self.problems);
        let host = own.scalar("send_host", self.problems);
        RouteAction::Forward(Box::new(Forward {
            split: self.split(own, pools),
            split_by: self.value(&split_by, parse_split_by).unwrap_or_default(),
            strategy: Strategy.read((own, "strategy"), self),
            timeouts: Overrides::read((own, "timeouts"), self),
            retries: Overrides::read((own, "retries"), self),
            request_headers: self.changes(own, "request_headers"),
            send_host: self.value(&host, send_host).unwrap_or(SendHost::Preserve),
            rewrite: of.0.and_then(|path| self.rewrite(own, path, of.1)),
        }))
    }

    fn split(&mut self, own: &Fields<'_>, pools: &Pools) -> Vec<(Arc<str>, u32)> {
        let named = |name: &Written| known_pool(name, pools);
        let Some(node) = own.node("split") else {
            let pool = own.scalar("pool", self.problems);
            let pool = self.value(&pool, named);
            return vec![(pool.unwrap_or_else(|| DEFAULT_POOL.into()), 1)];
        };
        let path = own.path_of("split");
        let example = "split: {default: 95, canary: 5}";
        let Some(entries) = own.entries("split", example, self.problems) else {
            return Vec::new();
        };
        let mut split = Vec::new();
        for entry in entries {
            let path = key_path(&path, &entry.key);
            let weight = fields::scalar(&entry.value, &path, "a weight", self.problems);
            let pool = self.check(&fields::key(entry, &path), named);
            let weight = self.value(&weight, |weight| Whole(0, MAX_WEIGHT).number(weight));
            split.extend(pool.zip(weight));
        }
        let refusal = if entries.is_empty() {
            Refusal::new("must hold at least one pool").hint(format!("write for example `{example}`"))
        } else if split.len() == entries.len() && split.iter().all(|(_, weight)| *weight == 0) {
            Refusal::new("must give at least one pool a weight above 0")
        } else {
            return split;
        };
        self.problems.add(node.position, &path, refusal, None);
        split
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

fn parse_split_by(written: &Written) -> Result<SplitBy, Refusal> {
    if written.text() == "random" {
        return Ok(SplitBy::Random);
    }
    let key = HASH_KEY.parse(written).map(SplitBy::Key);
    key.map_err(|refusal| Refusal {
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

/// Keys of a mapping that is read by code of its own.
fn keys(known: &[Key]) -> Keys {
    Keys {
        known: known.to_vec(),
        later: &[],
        elsewhere: &[],
        place: Place::Route,
    }
}

/// Refuses a mapping of which not exactly one key is written.
fn require_one(found: &Fields<'_>, known: &[Key], checker: &mut Checker<'_>) {
    let written = known.iter().filter(|(key, _)| found.is_written(key)).count();
    if written != 1 && !found.has_misspelt() {
        let names: Vec<_> = known.iter().map(|(key, _)| *key).collect();
        found.refuse(
            &format!("must have one of {}", names.join(", ")),
            checker.problems,
        );
    }
}

//! Which pools one client can use. Browsers keep cookies by host, so pools whose cookies have the same name are in each
//! other's way where requests to one host go to both.
//!
//! A host's requests go by its own routes, then by those of its wildcards, the longest first, then by those of any host, as in
//! [`matcher`](super::matcher); a route that takes everything ends this way. Other conditions are not compared: one client may
//! meet all of them, one after the other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::shadow::hosts;
use crate::config::{HostPattern, PathPattern, RouteConfig};

/// The routes of one host pattern.
#[derive(Default)]
struct Place<'c> {
    /// The pools they lead to, by the name of the cookie.
    pools: BTreeMap<&'c str, BTreeSet<usize>>,
    /// One of them takes everything.
    ends: bool,
}

/// Pools that one client can use beside an earlier one with the same cookie, and the first such that was found. `cookie`
/// numbers a pool by name, and says what its cookie is called; `None` for one without.
pub(crate) fn meetings<'c>(
    routes: &[Arc<RouteConfig>],
    cookie: impl Fn(&str) -> Option<(usize, &'c str)>,
) -> BTreeMap<usize, usize> {
    let mut places: HashMap<HostPattern, Place<'c>> = HashMap::new();
    for route in routes {
        let split = route.forward().map_or(&[][..], |forward| &forward.split);
        let used = split.iter().filter(|(_, weight)| *weight > 0);
        let pools: Vec<_> = used.filter_map(|(pool, _)| cookie(pool)).collect();
        for host in hosts(&route.when) {
            let place = places.entry(host).or_default();
            place.ends |= route.when.path == PathPattern::Any && route.when.others() == 0;
            for (pool, cookie) in &pools {
                place.pools.entry(cookie).or_default().insert(*pool);
            }
        }
    }
    let mut found = BTreeMap::new();
    for host in places.keys() {
        // The first pool of a pattern stands for all of it, so that many patterns with many pools take no longer than they
        // are long; the others meet it where they are looked at themselves.
        let mut met: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, place) in way(host).iter().filter_map(|host| places.get(host)).enumerate() {
            for (cookie, pools) in &place.pools {
                let Some(first) = pools.first() else { continue };
                let one = *met.entry(cookie).or_insert(*first);
                let others = if number == 0 { pools.len() } else { 1 };
                for other in pools.iter().take(others).filter(|other| **other != one) {
                    let earlier = found.entry(one.max(*other)).or_insert(usize::MAX);
                    *earlier = one.min(*other).min(*earlier);
                }
            }
            if place.ends {
                break;
            }
        }
    }
    found
}

/// The patterns of which the routes are asked for a host, in their order.
fn way(host: &HostPattern) -> Vec<HostPattern> {
    let mut way = vec![host.clone()];
    if let HostPattern::Exact(name) | HostPattern::Wildcard(name) = host {
        let dots = name.match_indices('.').filter(|(at, _)| *at > 0);
        way.extend(dots.map(|(at, _)| HostPattern::Wildcard(name[at..].into())));
        way.push(HostPattern::Any);
    }
    way
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Which of pools `a` to `d`, which all have one cookie, and `x`, which has another, meet which earlier one.
    fn met(routes: &str) -> String {
        let text = format!(
            "port: 1\npools: {{a: [http://a], b: [http://b], c: [http://c], d: [http://d], x: [http://x]}}\nroutes: [{routes}]\n"
        );
        let config = crate::config::load(&text, "config.yaml", &|_| None).unwrap();
        let names = ["a", "b", "c", "d", "x"];
        let number = |pool: &str| names.iter().position(|name| *name == pool);
        let cookie = |pool: &str| Some((number(pool)?, if pool == "x" { "other" } else { "one" }));
        let met = meetings(&config.routes, cookie);
        let met = met
            .iter()
            .map(|(later, earlier)| format!("{}-{}", names[*later], names[*earlier]));
        met.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn pools_meet_where_one_host_leads_to_both() {
        for (routes, expected) in [
            (
                "{path: /a, pool: a}, {path: /b, pool: b}, {path: /x, pool: x}",
                "b-a",
            ),
            ("{split: {a: 1, b: 1, c: 0}}", "b-a"),
            ("{split: {a: 1, b: 1, c: 1}}", "b-a c-a"),
            ("{host: a.example, pool: a}, {host: b.example, pool: b}", ""),
            (
                "{host: [a.example, b.example], pool: a}, {host: b.example, path: /b, pool: b}",
                "b-a",
            ),
            ("{host: a.example, path: /a, pool: a}, {pool: b}", "b-a"),
            ("{host: a.example, pool: a}, {pool: b}", ""),
            (
                "{host: a.example, path: /a, pool: a}, {host: \"*.example\", pool: b}, {pool: c}",
                "b-a",
            ),
            (
                "{host: x.a.example, path: /a, pool: a}, {host: \"*.a.example\", method: GET, pool: b}, \
                 {host: \"*.example\", path: /c, pool: c}, {pool: d}",
                "b-a c-a d-a",
            ),
            (
                "{host: a.example, path: /a, pool: c}, {host: a.example, path: /b, pool: d}, {method: GET, pool: b}, {pool: a}",
                "b-a c-a d-c",
            ),
            ("{host: a.example, path: /, pool: x}, {pool: a}", ""),
        ] {
            assert_eq!(met(routes), expected, "{routes}");
        }
    }
}

//! Routes that can never be taken, because others before them take all they mean.
//!
//! Found is what one other route shadows as a whole; what several shadow together is not looked for. A route can only be
//! shadowed by one of the same host, since a wider host comes later, and by one of the same path, or of a prefix where it has
//! a pattern that begins so.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::config::{Conditions, FieldTest, HostPattern, PathPattern, RouteConfig, ValueTest};

/// Routes of one place that a route is compared with: so many that nobody writes more, and few enough to compare each
/// with each.
const MOST_COMPARED: usize = 1_000;

/// Pairs of numbers in the order written: a route that never matches, and the one that takes its requests (of several
/// hosts, the last one's).
pub(crate) fn never_matching(routes: &[Arc<RouteConfig>]) -> Vec<(usize, usize)> {
    let mut places: HashMap<(HostPattern, String), Vec<usize>> = HashMap::new();
    for (index, route) in routes.iter().enumerate() {
        for host in hosts(&route.when) {
            places
                .entry((host, key(&route.when.path)))
                .or_default()
                .push(index);
        }
    }
    for place in places.values_mut() {
        place.dedup();
        place.sort_by_key(|&index| (Reverse(routes[index].when.others()), index));
    }
    let mut never = BTreeMap::new();
    for (index, route) in routes.iter().enumerate() {
        let shadows: Option<Vec<usize>> = hosts(&route.when)
            .into_iter()
            .map(|host| shadow(routes, &places, index, host))
            .collect();
        if let Some(by) = shadows.and_then(|shadows| shadows.last().copied()) {
            never.insert(index, by);
        }
    }
    never.into_iter().collect()
}

/// Which route takes all of a route's requests for a host.
fn shadow(
    routes: &[Arc<RouteConfig>],
    places: &HashMap<(HostPattern, String), Vec<usize>>,
    index: usize,
    host: HostPattern,
) -> Option<usize> {
    let when = &routes[index].when;
    let rank = |index: usize| (Reverse(routes[index].when.others()), index);
    let takes_all = |other: &usize| others_cover(&routes[*other].when, when);
    let same = places.get(&(host.clone(), key(&when.path)))?;
    let earlier = same
        .iter()
        .take(MOST_COMPARED)
        .take_while(|other| rank(**other) < rank(index));
    if let Some(found) = earlier.copied().find(|other| takes_all(other)) {
        return Some(found);
    }
    let PathPattern::Regex(pattern) = &when.path else {
        return None;
    };
    // Prefixes that all its matches have: those that end before a slash of what they begin with.
    let start = pattern.literal_start();
    let ends = start.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    let mut prefixes = ends.filter_map(|end| {
        let prefix = PathPattern::Prefix(start[..end].into());
        places.get(&(host.clone(), key(&prefix)))
    });
    prefixes.find_map(|place| {
        place
            .iter()
            .take(MOST_COMPARED)
            .copied()
            .find(|other| takes_all(other))
    })
}

pub(super) fn hosts(when: &Conditions) -> Vec<HostPattern> {
    if when.hosts.is_empty() {
        vec![HostPattern::Any]
    } else {
        when.hosts.clone()
    }
}

/// Two paths with the same text are the same.
fn key(path: &PathPattern) -> String {
    match path {
        PathPattern::Any => String::new(),
        PathPattern::Exact(path) => format!("={}", &**path),
        PathPattern::Prefix(prefix) => format!("/{}", &**prefix),
        PathPattern::Regex(pattern) => format!("~{}", pattern.as_str()),
    }
}

/// Whether all requests that meet the further conditions of `inner` meet those of `outer`.
fn others_cover(outer: &Conditions, inner: &Conditions) -> bool {
    let methods = outer.methods.is_empty()
        || (!inner.methods.is_empty() && inner.methods.iter().all(|method| outer.methods.contains(method)));
    let clients = outer.clients.is_empty()
        || (!inner.clients.is_empty()
            && inner
                .clients
                .iter()
                .all(|network| outer.clients.iter().any(|other| other.contains(network))));
    methods
        && clients
        && tests_cover(&outer.headers, &inner.headers)
        && tests_cover(&outer.query, &inner.query)
}

fn tests_cover(outer: &[FieldTest], inner: &[FieldTest]) -> bool {
    outer.iter().all(|outer| {
        inner
            .iter()
            .filter(|inner| inner.name == outer.name)
            .any(|inner| value_covers(&outer.test, &inner.test))
    })
}

fn value_covers(outer: &ValueTest, inner: &ValueTest) -> bool {
    match (outer, inner) {
        (ValueTest::Present, inner) => *inner != ValueTest::Absent,
        (ValueTest::Regex(pattern), ValueTest::Exact(value)) => pattern.is_match(value.as_bytes()),
        (outer, inner) => outer == inner,
    }
}

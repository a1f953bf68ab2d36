//! What a reload changes of the routes, in words. A route is the one with the same conditions.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::config::model::RouteConfig;

type Key = (String, usize);

/// One line a change: `+ route host a -> api`, `~ route host a: timeouts.request none -> 5s`, `~ routes order`.
pub(super) fn lines(running: &[Arc<RouteConfig>], next: &[Arc<RouteConfig>]) -> Vec<String> {
    let (before, after) = (keyed(running), keyed(next));
    let known: HashMap<&Key, &RouteConfig> = before.iter().map(|(key, route)| (key, *route)).collect();
    let stays: HashMap<&Key, &RouteConfig> = after.iter().map(|(key, route)| (key, *route)).collect();
    let mut lines = Vec::new();
    for (_, route) in before.iter().filter(|(key, _)| !stays.contains_key(key)) {
        lines.push(format!("- route {} -> {}", route.label(), route.then));
    }
    for (key, route) in &after {
        match known.get(key) {
            None => lines.push(format!("+ route {} -> {}", route.label(), route.then)),
            Some(before) if before == route => {}
            Some(before) => {
                let label = route.label();
                lines.extend(changes(before, route).map(|change| format!("~ route {label}: {change}")));
            }
        }
    }
    let staying = |all: &[(Key, &RouteConfig)], others: &HashMap<&Key, &RouteConfig>| -> Vec<Key> {
        all.iter()
            .map(|(key, _)| key.clone())
            .filter(|key| others.contains_key(key))
            .collect()
    };
    if staying(&before, &stays) != staying(&after, &known) {
        lines.push("~ routes order".to_owned());
    }
    lines
}

/// Routes by their conditions; of several with the same ones, the first is the first.
fn keyed(routes: &[Arc<RouteConfig>]) -> Vec<(Key, &RouteConfig)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    routes
        .iter()
        .map(|route| {
            let when = route.when.to_string();
            let count = seen.entry(when.clone()).or_default();
            *count += 1;
            ((when, *count), &**route)
        })
        .collect()
}

fn changes(before: &RouteConfig, after: &RouteConfig) -> impl Iterator<Item = String> {
    let (before, after) = (before.settings(), after.settings());
    let mut keys: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for (key, value) in &before {
        keys.entry(key).or_default().0 = Some(value);
    }
    for (key, value) in &after {
        keys.entry(key).or_default().1 = Some(value);
    }
    let changed = keys.iter().filter(|(_, (from, to))| from != to);
    let mut lines: Vec<String> = changed
        .map(|(key, (from, to))| format!("{key} {} -> {}", from.unwrap_or("-"), to.unwrap_or("-")))
        .collect();
    if lines.is_empty() {
        // A body of the same length, say.
        lines.push("changed".to_owned());
    }
    lines.into_iter()
}

//! Pools by name: what they take over from the top of the file, and where requests go without routes.

use std::time::Duration;

use super::*;
use crate::config::*;

/// Where everything goes.
fn target(config: &Config) -> &str {
    assert!(config.routes[0].is_plain());
    &config.routes[0].forward().unwrap().split[0].0
}

fn names(config: &Config) -> Vec<&str> {
    config.pools.keys().map(|name| &**name).collect()
}

#[test]
fn backends_at_the_top_are_the_pool_default_beside_others() {
    let config = config(
        "port: 1\nbackends: [http://a]\npools: {api: {backends: [http://b]}, web: [http://c, http://d]}",
    );
    assert_eq!(names(&config), ["api", "default", "web"]);
    assert_eq!(config.pools["web"].backends.len(), 2);
    assert_eq!(target(&config), "default");
}

#[test]
fn a_pool_says_what_differs_from_the_top_field_by_field() {
    let config = config(
        "port: 1\nbackends: [http://z]\nstrategy: weighted\ntimeouts: {connect: 1s, request: 9s, client_idle: 70s}\nretries: {attempts: 5, statuses: 503}\n\
         health_check: {path: /up, interval: 9s, fast_interval: 2s, status: 204}\npools:\n  a: [http://a]\n  b:\n    backends: [http://a]\n    \
         timeouts: {request: none}\n    retries: 1\n    health_check: {interval: 1s}\n  c: {backends: [http://a], health_check: false}\n",
    );
    let [a, b, c] = ["a", "b", "c"].map(|name| &config.pools[name]);
    assert_eq!(
        (a.timeouts.connect, a.timeouts.request),
        (Duration::from_secs(1), Some(Duration::from_secs(9)))
    );
    assert_eq!(
        (b.timeouts.connect, b.timeouts.request),
        (Duration::from_secs(1), None)
    );
    assert_eq!((a.retries.attempts, b.retries.attempts), (5, 1));
    assert_eq!(
        (&a.retries.statuses[..], &b.retries.statuses[..]),
        (&[503][..], &[503][..])
    );
    assert_eq!(
        (&*b.health_check.path, b.health_check.status.to_string()),
        ("/up", "204".to_owned())
    );
    assert_eq!(a.health_check.fast_interval, Duration::from_secs(2));
    assert_eq!(
        b.health_check.fast_interval,
        Duration::from_secs(1),
        "a fast interval belongs to its interval"
    );
    assert!(!c.backends[0].probed && a.backends[0].probed);
    assert_eq!(config.client_timeouts.client_idle, Duration::from_secs(70));
}

#[test]
fn a_pool_can_turn_probes_on_that_are_off_for_all() {
    let config = config(
        "port: 1\nhealth_check: false\nbackends: [http://a]\npools:\n  b: {backends: [http://a], health_check: true}\n  \
         c: {backends: [http://a], health_check: /up}\n  d: [http://a]\n",
    );
    let probed = |name: &str| config.pools[name].backends[0].probed;
    assert_eq!(
        [probed("default"), probed("b"), probed("c"), probed("d")],
        [false, true, true, false]
    );
    assert_eq!(config.pools["b"].health_check, HealthCheck::default());
    assert_eq!(config.pools["c"].health_check.status, StatusRanges::default());
}

#[test]
fn without_routes_everything_goes_to_default_or_to_the_only_pool() {
    let only = config("port: 1\npools: {api: [http://a]}");
    assert_eq!((names(&only), target(&only)), (vec!["api"], "api"));
    let named = config("port: 1\npools: {api: [http://a], default: [http://b]}");
    assert_eq!(target(&named), "default");
    assert_eq!(
        problems("port: 1\npools: {api: [http://a], web: [http://b]}"),
        [
            "1:1: routes: is required: there are several pools, and none is called `default`; add for example `routes: [{host: api.example.com, pool: api}]`"
        ]
    );
}

#[test]
fn pools_with_one_cookie_that_a_client_can_use_side_by_side_are_named() {
    let file = |routes: &str| {
        format!(
            "port: 1\nbackends: [http://a]\nsticky: srv\npools:\n  b: {{backends: [http://b], sticky: srv}}\n  \
             c: {{backends: [http://c], sticky: {{cookie: srv-d}}}}\n  d: [http://d]\nroutes: [{routes}]\n"
        )
    };
    let has = |cookie: &str, other: &str, got: &str| {
        format!(
            "has the cookie {cookie} as pool `{other}` has: a client that uses both loses its backend in each, got \"{got}\"; \
             give one of them another name, or write true: then the pool's own is added"
        )
    };
    assert_eq!(
        warnings_of(&file(
            "{path: /b, pool: b}, {path: /c, pool: c}, {split: {default: 1, d: 1}}"
        )),
        [
            format!("5:37: pools.b.sticky: {}", has("srv", "default", "srv")),
            format!("7:3: pools.d: {}", has("srv-d", "c", "d")),
        ]
    );
    assert_eq!(
        warnings_of(&file(
            "{host: a, pool: default}, {host: b, pool: b}, {host: c, pool: c}, {host: d, pool: d}"
        )),
        Vec::<String>::new(),
        "browsers keep cookies by host"
    );
}

#[test]
fn what_is_wrong_with_pools_is_said_once_and_where_it_stands() {
    for (text, said) in [
        (
            "port: 1\ntimeouts: {connect: 0s}\npools: {a: [http://a], b: [http://b]}\n",
            &[
                "2:21: timeouts.connect: must be longer than 0s, got \"0s\"",
                "1:1: routes: is required: there are several pools, and none is called `default`; add for example `routes: [{host: api.example.com, pool: api}]`",
            ][..],
        ),
        (
            "port: 1\nbackends: [http://a]\npools:\n  default: [http://b]\n  a b: [http://c]\n",
            &[
                "4:3: pools.default: must not be there twice: `backends` at the top of the file is this pool, got \"default\"; give one of them another name, or remove it",
                "5:3: pools.a b: must be named by at most 64 letters, digits, `-`, `_` and `.`, got \"a b\"",
            ],
        ),
        (
            "port: 1\npools:\n  a: {slow_start: soon}\n  b: [http://b, http://b/]\n  default: http://c\n",
            &[
                "3:6: pools.a.backends: is required; add at least one, for example `backends: [\"http://localhost:9001\"]`",
                "3:19: pools.a.slow_start: must be a duration with its unit, such as 250ms, 5s, 10m, 1h or 1d, got \"soon\"",
                "4:17: pools.b[1]: must not be there twice: pools.b[0] in line 4 is http://b:80 as well, got \"http://b/\"; to send it more requests, give it a `weight`",
                "5:12: pools.default: must be a list of backends, not text, got \"http://c\"; begin each backend's line with `- `",
            ],
        ),
        (
            "port: 1\npools: {default: {backends: [http://a], timeouts: {client_idle: 5s}}}\n",
            &[
                "2:52: pools.default.timeouts.client_idle: is not a known key; known here: connect, response_idle, body_stall, upstream_idle, upstream_age, tunnel_idle, request",
            ],
        ),
        (
            "port: 1\npools: {}\n",
            &[
                "2:8: pools: must hold at least one pool; write for example `pools: {api: {backends: [\"http://localhost:9001\"]}}`",
            ],
        ),
        (
            "port: 1\npools: [http://a]\n",
            &[
                "2:8: pools: must be a mapping of names to pools, not a list; write for example `pools: {api: {backends: [\"http://localhost:9001\"]}}`",
            ],
        ),
    ] {
        let mut expected: Vec<_> = said.iter().map(|line| (*line).to_owned()).collect();
        let mut found = problems(text);
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{text}");
    }
}

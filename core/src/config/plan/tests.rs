//! What a plan says, and that doing it gives the configuration that it was made for.
#![allow(clippy::unwrap_used)]

mod generated;

use super::*;
use crate::config::{load, model::*};

fn config(text: &str) -> Config {
    load(text, "config.yaml", &|_| None).unwrap()
}

fn plan(running: &str, next: &str) -> ReloadPlan {
    ReloadPlan::between(&config(running), &config(next))
}

/// A file with these backends on localhost and these settings.
fn file(backends: &str, settings: &str) -> String {
    let backends: String = backends
        .split_whitespace()
        .map(|port| format!("  - http://localhost:{port}\n"))
        .collect();
    format!("port: 8000\nbackends:\n{backends}{settings}")
}

/// The lines of the plan from the backends' ports `running` to `next`.
fn backend_lines(running: &str, next: &str) -> Vec<String> {
    plan(&file(running, ""), &file(next, "")).lines()
}

/// The lines of the plan from `running` to `next`, two sets of settings.
fn setting_lines(running: &str, next: &str) -> Vec<String> {
    plan(&file("9001", running), &file("9001", next)).lines()
}

#[test]
fn nothing_changed_is_an_empty_plan() {
    let running = file("9001 9002", "log: info");
    let same =
        "port: [\":8000\"]\nbackends: [{url: HTTP://LocalHost:9001/, weight: 1}, http://localhost:9002]";
    let plan = plan(&running, same);
    assert!(plan.is_empty());
    assert_eq!((plan.lines().len(), plan.restart_required().len()), (0, 0));
}

#[test]
fn backends_come_go_and_change() {
    assert_eq!(backend_lines("9001", "9001 9004"), ["+ http://localhost:9004"]);
    assert_eq!(backend_lines("9001 9002", "9001"), ["- http://localhost:9002"]);
    let weights = |first: u8, second: bool| {
        format!(
            "port: 1\nbackends: [{{url: http://localhost:9001, weight: {first}, health_check: {second}}}]"
        )
    };
    let backend = |settings: &str| format!("port: 1\nbackends: [{{url: http://a{settings}}}]");
    assert_eq!(
        plan(&backend(""), &backend(", max_connections: 5, backup: true")).lines(),
        [
            "~ http://a:80 priority 0 -> backup",
            "~ http://a:80 max_connections none -> 5"
        ]
    );
    assert_eq!(
        plan(&weights(1, true), &weights(3, true)).lines(),
        ["~ http://localhost:9001 weight 1 -> 3"]
    );
    assert_eq!(
        plan(&weights(1, true), &weights(3, false)).lines(),
        [
            "~ http://localhost:9001 weight 1 -> 3",
            "~ http://localhost:9001 health_check on -> off"
        ]
    );
}

#[test]
fn the_order_is_a_change_of_its_own_only_where_backends_that_stay_change_places() {
    assert_eq!(backend_lines("9001 9002", "9002 9001"), ["~ backends order"]);
    assert_eq!(
        backend_lines("9001 9002 9003", "9001 9004 9003"),
        ["- http://localhost:9002", "+ http://localhost:9004"]
    );
    assert_eq!(
        backend_lines("9001 9002", "9004 9001 9002"),
        ["+ http://localhost:9004"]
    );
    assert_eq!(
        backend_lines("9001 9002", "9002 9004 9001"),
        ["+ http://localhost:9004", "~ backends order"]
    );
}

#[test]
fn the_registry_sees_each_backend_with_its_pool() {
    let plan = plan(&file("9001 9002", ""), &file("9002 9003", ""));
    let seen: Vec<_> = plan
        .backends
        .iter()
        .map(|(pool, change)| match change {
            BackendChange::Added(new) => format!("{pool} added {}", new.url),
            BackendChange::Removed(old) => format!("{pool} removed {}", old.url),
            BackendChange::Changed { to, .. } => format!("{pool} changed {}", to.url),
        })
        .collect();
    assert_eq!(
        seen,
        [
            "default removed http://localhost:9001",
            "default added http://localhost:9003"
        ]
    );
}

#[test]
fn pools_and_routes_come_go_and_change() {
    let of = |pools: &str, routes: &str| format!("port: 1\npools: {{{pools}}}\nroutes:\n{routes}");
    let before = of(
        "a: [http://a], b: [http://b]",
        "  - {path: /x, pool: a, timeouts: {request: 1s}}\n  - {host: h, pool: b}\n  - {pool: a}\n",
    );
    let after = of(
        "a: {backends: [http://a], retries: 1}, c: [http://c]",
        "  - {pool: a}\n  - {path: /x, pool: c, timeouts: {request: none}, strip_prefix: true}\n  - {host: i, respond: 404}\n",
    );
    assert_eq!(
        plan(&before, &after).lines(),
        [
            "- pool b",
            "+ pool c",
            "- b http://b:80",
            "+ c http://c:80",
            "~ a.retries.attempts 2 -> 1",
            "- route host h -> b",
            "~ route path /x: pool a -> c",
            "~ route path /x: rewrite - -> /x -> /",
            "~ route path /x: timeouts.request 1s -> none",
            "+ route host i -> respond 404",
            "~ routes order",
        ]
    );
    assert!(plan(&before, &after).restart_required().is_empty());
    let (one, two) = (
        of("a: [http://a]", "  - {respond: {body: x}}"),
        of("a: [http://a]", "  - {respond: {body: y}}"),
    );
    assert_eq!(plan(&one, &two).lines(), ["~ route every request: changed"]);
    assert_eq!(config(&two), plan(&one, &two).apply(&config(&one)));
}

#[test]
fn settings_change_by_their_names_in_the_file() {
    for (running, next, line) in [
        ("", "log: debug", "log.level info -> debug"),
        (
            "",
            "trusted_proxies: [10.0.0.0/8, 1.1.1.1]",
            "trusted_proxies [] -> [10.0.0.0/8, 1.1.1.1/32]",
        ),
        (
            "",
            "secret_names: [X-Internal]",
            "secret_names [] -> [X-Internal]",
        ),
        ("", "workers: 2", "workers auto -> 2"),
        ("", "shutdown_timeout: 5s", "shutdown_timeout 30s -> 5s"),
        ("", "timeouts: {connect: 1s}", "timeouts.connect 3s -> 1s"),
        ("", "timeouts: 90s", "timeouts.response_idle 1m -> 90s"),
        (
            "",
            "timeouts: {request_header: 5s}",
            "timeouts.request_header 10s -> 5s",
        ),
        (
            "",
            "timeouts: {client_idle: 70s}",
            "timeouts.client_idle 75s -> 70s",
        ),
        ("", "timeouts: {body_stall: 1s}", "timeouts.body_stall 30s -> 1s"),
        (
            "",
            "timeouts: {upstream_idle: 1s}",
            "timeouts.upstream_idle 50s -> 1s",
        ),
        (
            "",
            "timeouts: {upstream_age: 1d}",
            "timeouts.upstream_age 1h -> 1d",
        ),
        (
            "",
            "timeouts: {tunnel_idle: 10m}",
            "timeouts.tunnel_idle 1h -> 10m",
        ),
        ("", "lane: handler", "lane wire -> handler"),
        ("", "via: on", "via off -> on"),
        ("via: on", "via: simple-lb", "via on -> simple-lb"),
        ("", "trace: on", "trace off -> on"),
        (
            "",
            "limits: {header_size: 64KiB}",
            "limits.header_size 32KiB -> 64KiB",
        ),
        (
            "",
            "limits: {header_count: 200}",
            "limits.header_count 100 -> 200",
        ),
        (
            "",
            "limits: {body_size: 10MB}",
            "limits.body_size none -> 10000000B",
        ),
        ("limits: {connections: 9}", "", "limits.connections 9 -> none"),
        ("", "limits: {client_prefix: 56}", "limits.client_prefix 64 -> 56"),
        (
            "",
            "limits: {connections_per_client: 9}",
            "limits.connections_per_client none -> 9",
        ),
        (
            "error_pages: {404: a.html}",
            "error_pages: {404: a.html, 502: a.html}",
            "error_pages.502 none -> a.html",
        ),
        (
            "error_pages: {404: a.html, 502: a.html}",
            "error_pages: {502: a.html}",
            "error_pages.404 a.html -> none",
        ),
        (
            "error_pages: {502: a.html}",
            "error_pages: {502: b.html}",
            "error_pages.502 a.html -> b.html",
        ),
        ("", "timeouts: {request: 1h30m}", "timeouts.request none -> 90m"),
        (
            "sticky: {key: 0123456789abcdef}",
            "sticky: {key: fedcba9876543210}",
            "sticky key changed",
        ),
        ("", "retries: 1", "retries.attempts 2 -> 1"),
        ("", "retries: {budget: 5%}", "retries.budget 20% -> 5%"),
        (
            "",
            "retries: {min_per_second: 0}",
            "retries.min_per_second 3 -> 0",
        ),
        (
            "",
            "retries: {statuses: 502-503}",
            "retries.statuses [] -> [502, 503]",
        ),
        (
            "strategy: random",
            "strategy: {name: hash, key: uri, bounded_load: 1.5}",
            "strategy random -> {name: hash, key: uri, bounded_load: 1.5}",
        ),
        (
            "",
            "failover: gradual",
            "failover whole -> {mode: gradual, overprovisioning: 1.4}",
        ),
        ("", "slow_start: none", "slow_start 10s -> 0s"),
        ("health_check: /", "health_check: /a", "health_check.path / -> /a"),
        (
            "health_check: {interval: 5s}",
            "health_check: {interval: 2s}",
            "health_check.interval 5s -> 2s",
        ),
        (
            "health_check: {}",
            "health_check: {fast_interval: 2s}",
            "health_check.fast_interval 1s -> 2s",
        ),
        (
            "health_check: {}",
            "health_check: {timeout: 1s}",
            "health_check.timeout 2s -> 1s",
        ),
        (
            "health_check: {}",
            "health_check: {rise: 1}",
            "health_check.rise 2 -> 1",
        ),
        (
            "health_check: {}",
            "health_check: {fall: 1}",
            "health_check.fall 3 -> 1",
        ),
        ("", "health_check: {}", "health_check.status 100-499 -> 200-399"),
        (
            "health_check: {}",
            "health_check: {jitter: 0%}",
            "health_check.jitter 10% -> 0%",
        ),
    ] {
        assert_eq!(setting_lines(running, next), [format!("~ {line}")]);
    }
}

#[test]
fn what_needs_a_restart_is_told_apart() {
    let running = file("9001", "");
    let next = file(
        "9001",
        "workers: 4\ntimeouts: {request_header: 5s, client_idle: 1m, connect: 1s, tunnel_idle: 1m}\nlog: warn\n\
         lane: handler\nvia: on\ntrace: on\nerror_pages: {502: a.html}\n\
         limits: {header_size: 1KiB, header_count: 1, body_size: 1B, connections: 1, connections_per_client: 1, client_prefix: 56}",
    )
    .replace("port: 8000", "port: [8001, \"127.0.0.1:8002\"]");
    let restart = [
        "port :8000 -> [:8001, 127.0.0.1:8002]",
        "workers auto -> 4",
        "lane wire -> handler",
    ];
    let plan = plan(&running, &next);
    assert_eq!(plan.restart_required(), restart);
    let lines = plan.lines();
    assert!(
        restart
            .iter()
            .all(|change| lines.contains(&format!("~ {change}"))),
        "{lines:?}"
    );
    for live in [
        "~ log.level info -> warn",
        "~ timeouts.request_header 10s -> 5s",
        "~ timeouts.client_idle 75s -> 1m",
    ] {
        assert!(lines.contains(&live.to_owned()), "{lines:?}");
    }
}

#[test]
fn a_route_is_called_by_its_name() {
    let of = |name: &str, cap: &str| {
        format!(
            "port: 1\nbackends: [http://a]\nroutes: [{{{name}path: /x, pool: default, timeouts: {{request: {cap}}}}}]"
        )
    };
    let named = "name: shop, ";
    assert_eq!(
        plan(&of(named, "1s"), &of(named, "2s")).lines(),
        ["~ route shop: timeouts.request 1s -> 2s"]
    );
    assert_eq!(
        plan(&of("", "1s"), &of(named, "1s")).lines(),
        ["~ route shop: name - -> shop"]
    );
}

#[test]
fn the_order_of_ports_is_no_change() {
    let with = |port: &str| format!("port: {port}\nbackends: [http://a]");
    let same = plan(
        &with("[8000, \"127.0.0.1:8001\"]"),
        &with("[\"127.0.0.1:8001\", \":8000\"]"),
    );
    assert!(same.is_empty() && same.lines().is_empty() && same.restart_required().is_empty());
    let fewer = plan(&with("[8000, 8001]"), &with("8000"));
    assert_eq!(fewer.restart_required(), ["port [:8000, :8001] -> :8000"]);
}

#[test]
fn other_pools_are_named() {
    let running = config(&file("9001", ""));
    let mut next = running.clone();
    let mut api = running.pools[DEFAULT_POOL].clone();
    next.pools.insert("api".into(), api.clone());
    let plan = ReloadPlan::between(&running, &next);
    assert_eq!(plan.lines(), ["+ pool api", "+ api http://localhost:9001"]);
    assert_eq!(plan.apply(&running), next);
    api.backends[0].weight = Weight::new(2).unwrap();
    api.retries.attempts = 0;
    let mut later = next.clone();
    later.pools.insert("api".into(), api);
    let plan = ReloadPlan::between(&next, &later);
    assert_eq!(
        plan.lines(),
        [
            "~ api http://localhost:9001 weight 1 -> 2",
            "~ api.retries.attempts 2 -> 0"
        ]
    );
    assert_eq!(
        ReloadPlan::between(&later, &running).lines(),
        ["- pool api", "- api http://localhost:9001"]
    );
}

#[test]
fn another_content_of_an_error_page_is_a_change_whatever_its_size() {
    let with = |content: &[u8]| {
        let mut config = config("port: 0\nbackends: [http://a]\nerror_pages: {502: a.html}");
        let page = ErrorPage {
            path: "a.html".into(),
            content: content.into(),
        };
        config.error_pages.insert(502, page);
        config
    };
    let lines = |running: &[u8], next: &[u8]| ReloadPlan::between(&with(running), &with(next)).lines();
    assert_eq!(lines(b"one", b"one"), Vec::<String>::new());
    assert_eq!(
        lines(b"one", b"three"),
        ["~ error_pages.502 a.html (3 bytes) -> a.html (5 bytes)"]
    );
    assert_eq!(
        lines(b"one", b"two"),
        ["~ error_pages.502 a.html (3 bytes) -> a.html (3 bytes), other content"]
    );
}

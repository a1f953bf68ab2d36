//! Routes: what they may say, and what is made of it.

use super::*;
use crate::config::*;

pub(super) fn with_routes(routes: &str) -> String {
    let mut text =
        "port: 1\nbackends: [http://a]\npools: {api: [http://b], canary: [http://c]}\nroutes:\n".to_owned();
    routes
        .lines()
        .for_each(|line| text.push_str(&format!("  - {line}\n")));
    text
}

/// Each route as `conditions -> action; other settings`.
fn shown(routes: &str) -> Vec<String> {
    let config = config(&with_routes(routes));
    let one = |route: &std::sync::Arc<RouteConfig>| {
        let settings: Vec<_> = route
            .settings()
            .into_iter()
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        format!("{}; {}", route.when, settings.join("; "))
    };
    config.routes.iter().map(one).collect()
}

#[test]
fn routes_that_all_stay_here_need_no_backends() {
    for routes in [
        "{respond: 503}",
        "{path: /a, redirect: \"https://a\"}, {respond: 503}",
    ] {
        let config = config(&format!("port: 8000\nroutes: [{routes}]"));
        assert!(config.pools.is_empty() && config.is_without_backends());
    }
    let missing =
        "1:1: backends: is required; add at least one, for example `backends: [\"http://localhost:9001\"]`";
    for routes in ["{respond: 503}, {path: /a, pool: default}", "{path: /a}"] {
        let found = problems(&format!("port: 8000\nroutes: [{routes}]"));
        assert!(found.contains(&missing.to_owned()), "{found:?}");
    }
    assert!(
        !config("port: 8000\nbackends: [http://a]\nroutes: [{respond: 503}]")
            .pools
            .is_empty()
    );
}

#[test]
fn conditions_are_scalars_lists_or_mappings() {
    for (route, expected) in [
        ("pool: api", "every request; pool api"),
        (
            "{host: API.Example.com., pool: api}",
            "host api.example.com; pool api",
        ),
        (
            "{host: [\"*.a.example\", \"*\", \"[0::1]\", 10.0.0.1], pool: api}",
            "host *.a.example|*|[::1]|10.0.0.1; pool api",
        ),
        ("{path: /v1, pool: api}", "path /v1; pool api"),
        ("{path: {prefix: /v1/}, pool: api}", "path /v1; pool api"),
        ("{path: /, pool: api}", "every request; pool api"),
        ("{path: {exact: /a/}, pool: api}", "path = /a/; pool api"),
        (
            "{path: {regex: \"^/user/[0-9]+$\"}, pool: api}",
            "path ~ ^/user/[0-9]+$; pool api",
        ),
        ("{method: [GET, PURGE], pool: api}", "method GET|PURGE; pool api"),
        (
            "{header: {X-Beta: 1, x-a: {regex: \"^b\"}, x-b: {present: true}, x-c: {present: false}}, pool: api}",
            "header x-beta = 1, header x-a ~ ^b, header x-b, no header x-c; pool api",
        ),
        (
            "{query: {debug: {present: true}, v: \"2\", e: {exact: \"\"}}, pool: api}",
            "query debug, query v = 2, query e = ; pool api",
        ),
        (
            "{client: [10.0.0.0/8, \"::1\"], pool: api}",
            "client 10.0.0.0/8|::1/128; pool api",
        ),
    ] {
        assert_eq!(shown(route), [expected], "{route}");
    }
}

#[test]
fn actions_and_settings_are_scalars_or_mappings() {
    for (route, expected) in [
        (
            "{split: {default: 95, canary: 5}}",
            "split default 95, canary 5; split_by client",
        ),
        (
            "{split: {default: 0, canary: 5}, split_by: cookie uid}",
            "split default 0, canary 5; split_by cookie uid",
        ),
        (
            "{split: {api: 1, canary: 1}, split_by: random}",
            "split api 1, canary 1; split_by random",
        ),
        (
            "{redirect: \"https://{host}{target}\"}",
            "redirect 302 https://{host}{target}",
        ),
        ("{redirect: {to: /new, status: 308}}", "redirect 308 /new"),
        (
            "{redirect: \"{scheme}://www.{host}:8443?{query}\"}",
            "redirect 302 {scheme}://www.{host}:8443?{query}",
        ),
        (
            "{redirect: \"https://a.{authority}\"}",
            "redirect 302 https://a.{authority}",
        ),
        (
            "{redirect: \"https://[::1]:8443/\"}",
            "redirect 302 https://[::1]:8443/",
        ),
        (
            "{path: {regex: \"^/u/(?P<id>.*)$\"}, redirect: \"https://u.example:8443/{id}?{1}\"}",
            "redirect 302 https://u.example:8443/{id}?{1}",
        ),
        ("{respond: 204}", "respond 204"),
        (
            "{respond: {status: 403, body: \"no\\n\", content_type: text/html}}",
            "respond 403 text/html, 3 bytes",
        ),
        (
            "{pool: api, timeouts: 5s, retries: 0}",
            "pool api; timeouts.response_idle 5s; retries.attempts 0",
        ),
        (
            "{pool: api, timeouts: {connect: 1s, request: none, tunnel_idle: 2h, body_stall: 9s}, retries: {statuses: [503, 502]}}",
            "pool api; timeouts.connect 1s; timeouts.body_stall 9s; timeouts.tunnel_idle 2h; timeouts.request none; retries.statuses [502, 503]",
        ),
        (
            "{pool: api, strategy: weighted}",
            "pool api; strategy round-robin",
        ),
        (
            "{pool: api, strategy: {name: hash, key: uri, bounded_load: 1.5}}",
            "pool api; strategy {name: hash, key: uri, bounded_load: 1.5}",
        ),
        (
            "{pool: api, request_headers: {set: {X-A: \"{client_ip}\"}, add: {X-B: [1, 2]}, remove: [Cookie, X-C]}}",
            "pool api; request_headers -cookie, -x-c, X-A: {client_ip}, +X-B: 1, +X-B: 2",
        ),
        (
            "{respond: 200, response_headers: {set: {X-A: b}}}",
            "respond 200; response_headers X-A: b",
        ),
        ("{pool: api, send_host: backend}", "pool api; send_host backend"),
        (
            "{pool: api, send_host: \"api.internal:8080\"}",
            "pool api; send_host api.internal:8080",
        ),
        (
            "{path: /v1, pool: api, strip_prefix: true}",
            "pool api; rewrite /v1 -> /",
        ),
        ("{pool: api, strip_prefix: /a/b/}", "pool api; rewrite /a/b -> /"),
        (
            "{path: /v1, pool: api, rewrite: /v2/}",
            "pool api; rewrite /v1 -> /v2",
        ),
        ("{pool: api, rewrite: /app}", "pool api; rewrite / -> /app"),
        (
            "{path: {regex: \"^/a(.)\"}, pool: api, rewrite: {to: \"/{1}\"}}",
            "pool api; rewrite ^/a(.) -> /{1}",
        ),
        (
            "{pool: api, rewrite: {regex: \"[0-9]$\", to: \"../.{0}\"}}",
            "pool api; rewrite [0-9]$ -> ../.{0}",
        ),
        (
            "{pool: api, rewrite: /a/../b, allow_dot_segments: true}",
            "pool api; rewrite / -> /a/../b; allow_dot_segments on",
        ),
        (
            "{pool: api, rewrite: {regex: x, to: \"{{\"}, allow_dot_segments: true, allow_encoded_slashes: true}",
            "pool api; rewrite x -> {{; allow_dot_segments on; allow_encoded_slashes on",
        ),
    ] {
        let all = shown(route);
        let (_, settings) = all[0].split_once("; ").unwrap();
        assert_eq!(settings, expected, "{route}");
    }
}

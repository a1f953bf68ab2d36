//! What is said of routes that are wrong.

use super::{routes::with_routes, *};

/// Each route with what is said of it, without the line that the route stands in.
const BAD_ROUTES: &[(&str, &[&str])] = &[
    (
        "{pool: ap}",
        &["pool: must be the name of a pool, got \"ap\"; did you mean `api`?"],
    ),
    (
        "{pool: nowhere}",
        &["pool: must be the name of a pool, got \"nowhere\"; there are: api, canary, default"],
    ),
    (
        "{host: a.example}",
        &["must have one of pool, split, redirect, respond"],
    ),
    (
        "{pool: api, respond: 200}",
        &["must have one of pool, split, redirect, respond"],
    ),
    (
        "{hots: a, pool: api}",
        &["hots: is not a known key; did you mean `host`?"],
    ),
    (
        "api",
        &["must be a mapping, not text; write for example `{host: api.example.com, pool: api}`"],
    ),
    (
        "{host: a.example:8080, pool: api}",
        &[
            "host: must be a host without a port, which makes no difference, got \"a.example:8080\"; did you mean `a.example`?",
        ],
    ),
    (
        "{host: http://a.example/x, pool: api}",
        &["host: must be a host, not a URL, got \"http://a.example/x\"; did you mean `a.example`?"],
    ),
    (
        "{host: \"a.*.example\", pool: api}",
        &["host: must be a host, `*.` and the end of one, or `*`, got \"a.*.example\""],
    ),
    ("{host: [], pool: api}", &["host: must not be an empty list"]),
    (
        "{host: [\"\", \"*.\"], pool: api}",
        &[
            "host[0]: must name a host, such as example.com or *.example.com, got \"\"",
            "host[1]: must name a host, such as example.com or *.example.com, got \"*.\"",
        ],
    ),
    (
        "{host: 한국.example, pool: api}",
        &["host: must name a host in ASCII letters, got \"한국.example\"; write its xn--… form"],
    ),
    (
        "{path: v1, pool: api}",
        &["path: must be a path that begins with `/`, got \"v1\"; did you mean `/v1`?"],
    ),
    (
        "{path: \"^/v1\", pool: api}",
        &["path: must be a path that begins with `/`, got \"^/v1\"; did you mean `{regex: \"^/v1\"}`?"],
    ),
    (
        "{path: \"/v1/*\", pool: api}",
        &["path: must be a path, which means itself and all below it, got \"/v1/*\"; did you mean `/v1`?"],
    ),
    (
        "{path: \"/a?b\", pool: api}",
        &[
            "path: must be a path of visible ASCII characters without `?` and `#`, got \"/a?b\"; write others in their percent-encoded form, as clients send them",
        ],
    ),
    (
        "{path: /a//b, pool: api}",
        &[
            "path: must not hold empty segments (`//`), got \"/a//b\"; write `{exact: …}` or `{regex: …}` for such a path",
        ],
    ),
    (
        "{path: /a/%2e%2e/b, pool: api}",
        &[
            "path: can never match: requests with dot segments in their path are refused, got \"/a/%2e%2e/b\"; write `allow_dot_segments: true` beside it",
        ],
    ),
    (
        "{path: {exact: /a%2Fb}, pool: api}",
        &[
            "path.exact: can never match: requests with encoded slashes in their path are refused, got \"/a%2Fb\"; write `allow_encoded_slashes: true` beside it",
        ],
    ),
    (
        "{path: {exact: /a, prefix: /b}, pool: api}",
        &["path: must have one of prefix, exact, regex"],
    ),
    (
        "{path: {regex: \"a(\"}, pool: api}",
        &["path.regex: must be a regular expression: unclosed group, got \"a(\""],
    ),
    (
        "{path: {regex: \"^user\"}, pool: api}",
        &["path.regex: can never match: every path begins with `/`, got \"^user\"; did you mean `^/user`?"],
    ),
    (
        "{path: {regex: \"a(?!b)\"}, pool: api}",
        &[
            "path.regex: must be a regular expression: look-around, including look-ahead and look-behind, is not supported, got \"a(?!b)\"; it cannot look ahead or back",
        ],
    ),
    (
        "{method: get, pool: api}",
        &[
            "method: must be a method as clients write it: upper and lower case differ, got \"get\"; did you mean `GET`?",
        ],
    ),
    (
        "{method: \"A B\", pool: api}",
        &["method: must be a method such as GET, got \"A B\""],
    ),
    (
        "{header: {Host: a}, pool: api}",
        &[
            "header.Host: must not be the host, which an absolute target may override, got \"Host\"; write `host: …` as a condition of its own",
        ],
    ),
    (
        "{header: {\"a b\": c}, pool: api}",
        &["header.a b: must be named as a header is: letters, digits and !#$%&'*+-.^_`|~, got \"a b\""],
    ),
    (
        "{header: {a: \" b\"}, pool: api}",
        &["header.a: must be a value without control characters, and without spaces around it, got \" b\""],
    ),
    (
        "{header: {a: {}}, pool: api}",
        &["header.a: must have one of exact, regex, present"],
    ),
    (
        "{header: [a], pool: api}",
        &[
            "header: must be a mapping of headers to values, not a list; write for example `header: {X-Beta: \"1\"}`",
        ],
    ),
    (
        "{query: {a: b c}, pool: api}",
        &[
            "query.a: must be a value as it stands in a raw query: visible ASCII without `&` and `#`, got \"b c\"; write others in their percent-encoded form, a space as %20 or +",
        ],
    ),
    (
        "{query: {\"a=\": b}, pool: api}",
        &[
            "query.a=: must be named as it stands in a raw query: visible ASCII without `=`, `&` and `#`, got \"a=\"; write others in their percent-encoded form",
        ],
    ),
    (
        "{client: 10.0.0.1/8, pool: api}",
        &[
            "client: must be a network whose address has no bits beyond its prefix, got \"10.0.0.1/8\"; did you mean `10.0.0.0/8`?",
        ],
    ),
    (
        "{split: {default: 0, api: 0}}",
        &["split: must give at least one pool a weight above 0"],
    ),
    (
        "{split: {default: -1, ap: 1}}",
        &[
            "split.default: must be a whole number from 0 to 10000, got \"-1\"",
            "split.ap: must be the name of a pool, got \"ap\"; did you mean `api`?",
        ],
    ),
    (
        "{split: api}",
        &[
            "split: must be a mapping of pools to weights, not text, got \"api\"; write for example `split: {default: 95, canary: 5}`",
        ],
    ),
    (
        "{pool: api, split_by: random}",
        &["split_by: has no effect without `split`; remove it"],
    ),
    (
        "{split: {api: 1}, split_by: cookies}",
        &[
            "split_by: must be client, uri, header NAME, cookie NAME or query NAME, or random, got \"cookies\"; did you mean `cookie`?",
        ],
    ),
    (
        "{respond: 200, timeouts: 5s, rewrite: /a}",
        &[
            "timeouts: has no effect on a route that sends nothing to a backend; remove it",
            "rewrite: has no effect on a route that sends nothing to a backend; remove it",
        ],
    ),
    (
        "{pool: api, timeouts: {upstream_idle: 5s}}",
        &[
            "timeouts.upstream_idle: is not a known key; known here: connect, response_idle, body_stall, tunnel_idle, request",
        ],
    ),
    (
        "{pool: api, retries: {budget: 5%}}",
        &["retries.budget: is not a known key; known here: attempts, statuses"],
    ),
    (
        "{pool: api, request_headers: {set: {Content-Length: 1, transfer_encoding: x, Host: b}}}",
        &[
            "request_headers.set.Content-Length: must not be changed by a route, got \"Content-Length\"; it is written from the body that is sent",
            "request_headers.set.transfer_encoding: must not be changed by a route, got \"transfer_encoding\"; it is written from the body that is sent",
            "request_headers.set.Host: must not be changed by a route, got \"Host\"; use `send_host`",
        ],
    ),
    (
        "{pool: api, response_headers: {remove: Connection}}",
        &[
            "response_headers.remove: must not be changed by a route, got \"Connection\"; it belongs to each connection",
        ],
    ),
    (
        "{pool: api, request_headers: {set: {X-A: \"a\\r\\nX-Evil: 1\"}}}",
        &["request_headers.set.X-A: must be a value without control characters, got \"a\\r\\nX-Evil: 1\""],
    ),
    (
        "{pool: api, request_headers: {set: {X-A: \"{client}\"}}}",
        &[
            "request_headers.set.X-A: must not use the variable {client}, got \"{client}\"; did you mean `{client_ip}`?",
        ],
    ),
    (
        "{pool: api, request_headers: {add: {X-A: \"{cookie}\"}}}",
        &[
            "request_headers.add.X-A: must not use the variable {cookie}, got \"{cookie}\"; there are: authority, client_ip, host, method, path, query, request_id, scheme, target",
        ],
    ),
    (
        "{pool: api, request_headers: {set: {X-A: \"{1}\"}}}",
        &[
            "request_headers.set.X-A: must not use the group {1}, which the regular expression has not, got \"{1}\"; groups are there where the route's path is a regular expression, and in its rewrite",
        ],
    ),
    (
        "{pool: api, request_headers: {set: {X-A: \"{\"}}}",
        &["request_headers.set.X-A: must close each { with }, got \"{\"; write {{ and }} for braces"],
    ),
    (
        "{redirect: \"ftp://a\"}",
        &[
            "redirect: must begin with `https://`, `http://`, `{scheme}://` or one `/`, got \"ftp://a\"; for another scheme write for example `https://{host}{target}`",
        ],
    ),
    (
        "{redirect: \"{path}/\"}",
        &[
            "redirect: must begin with `https://`, `http://`, `{scheme}://` or one `/`, got \"{path}/\"; for another scheme write for example `https://{host}{target}`",
        ],
    ),
    (
        "{redirect: \"//a.example\"}",
        &[
            "redirect: must begin with `https://`, `http://`, `{scheme}://` or one `/`, got \"//a.example\"; for another scheme write for example `https://{host}{target}`",
        ],
    ),
    (
        "{redirect: \"https://a.example{query}\"}",
        &[
            "redirect: must name its host by letters, {host} or {authority}, and then go on with `/`, {path} or {target}, got \"https://a.example{query}\"; else a client could make it another host",
        ],
    ),
    (
        "{redirect: \"https://-\"}",
        &[
            "redirect: must name a host whose parts between dots have 1 to 63 characters and no `-` at their ends, got \"https://-\"",
        ],
    ),
    (
        "{redirect: \"https://a:99999/\"}",
        &["redirect: must have a port from 1 to 65535, got \"https://a:99999/\""],
    ),
    (
        "{redirect: \"https://{host}:0{path}\"}",
        &["redirect: must have a port from 1 to 65535, got \"https://{host}:0{path}\""],
    ),
    (
        "{redirect: \"https://[::1/\"}",
        &["redirect: has a `[` without its `]`, got \"https://[::1/\""],
    ),
    (
        "{redirect: \"{scheme}://:80/\"}",
        &[
            "redirect: must name a host, such as https://example.com{target} or https://www.{host}{target}, got \"{scheme}://:80/\"",
        ],
    ),
    (
        "{redirect: \"https://{path}\"}",
        &[
            "redirect: must name a host, such as https://example.com{target} or https://www.{host}{target}, got \"https://{path}\"",
        ],
    ),
    (
        "{redirect: \"https://a.b{host}.c{path}\"}",
        &[
            "redirect: must have a dot before {host} or {authority} within a host, and a dot or a port at most behind {host}, got \"https://a.b{host}.c{path}\"; write for example https://example.com{target} or https://www.{host}{target}",
        ],
    ),
    (
        "{redirect: \"https://{authority}:8443/\"}",
        &[
            "redirect: must have a dot before {host} or {authority} within a host, and a dot or a port at most behind {host}, got \"https://{authority}:8443/\"; write for example https://example.com{target} or https://www.{host}{target}",
        ],
    ),
    (
        "{path: {regex: \"^/old(?P<path>.*)$\"}, redirect: \"https://a.example{path}\"}",
        &[
            "redirect: must not use {path}, which is a variable and also a group of the regular expression, got \"https://a.example{path}\"; give the group another name",
        ],
    ),
    (
        "{redirect: {to: /a, status: 305}}",
        &["redirect.status: must be 301, 302, 303, 307 or 308, got \"305\""],
    ),
    (
        "{redirect: {status: 301}}",
        &["redirect.to: is required; write for example `to: \"https://{host}{target}\"`"],
    ),
    (
        "{respond: 101}",
        &["respond: must be a status code from 200 to 599, got \"101\""],
    ),
    (
        "{respond: {status: 204, body: a}}",
        &["respond.body: must be empty: an answer with 204 has no body, got \"a\""],
    ),
    (
        "{respond: {body: a, content_type: html}}",
        &["respond.content_type: must be a media type such as text/html; charset=utf-8, got \"html\""],
    ),
    (
        "{pool: api, send_host: \"a/b\"}",
        &["send_host: must be preserve, backend, or a host such as api.internal:8080, got \"a/b\""],
    ),
    (
        "{pool: api, strip_prefix: true}",
        &[
            "strip_prefix: must be a path, as the route's own is no prefix, got \"true\"; write for example `path: /v1`, or `strip_prefix: /v1`",
        ],
    ),
    (
        "{path: /a, pool: api, strip_prefix: true, rewrite: /b}",
        &["rewrite: must not stand beside `strip_prefix`; write one of them"],
    ),
    (
        "{pool: api, rewrite: {to: /b}}",
        &["rewrite: must have `regex`, as the route's path has none"],
    ),
    (
        "{pool: api, rewrite: {regex: a}}",
        &["rewrite: must be a path, or have `to` and mostly `regex`"],
    ),
    (
        "{pool: api, rewrite: {regex: a, to: \"b?c\"}}",
        &[
            "rewrite.to: must be a path of visible ASCII characters without `?` and `#`, got \"b?c\"; the query stays as it came",
        ],
    ),
    (
        "{path: /b, pool: api, rewrite: /a/../b}",
        &[
            "rewrite: must not hold dot segments: requests with them are refused, got \"/a/../b\"; write `allow_dot_segments: true` beside it",
        ],
    ),
    (
        "{pool: api, rewrite: {regex: a, to: \"/%2e./{0}\"}}",
        &[
            "rewrite.to: must not hold dot segments: requests with them are refused, got \"/%2e./{0}\"; write `allow_dot_segments: true` beside it",
        ],
    ),
    (
        "{path: {regex: \"^/a(.*)$\"}, pool: api, rewrite: {to: \"/{1}/..\"}}",
        &[
            "rewrite.to: must not hold dot segments: requests with them are refused, got \"/{1}/..\"; write `allow_dot_segments: true` beside it",
        ],
    ),
    (
        "{pool: api, rewrite: {regex: \"^\", to: \"..{path}\"}}",
        &[
            "rewrite.to: must not hold dot segments: requests with them are refused, got \"..{path}\"; write `allow_dot_segments: true` beside it",
        ],
    ),
    (
        "{pool: api, rewrite: {regex: a, to: \"b%2f\"}, allow_dot_segments: true}",
        &[
            "rewrite.to: must not hold encoded slashes: requests with them are refused, got \"b%2f\"; write `allow_encoded_slashes: true` beside it",
        ],
    ),
    (
        "{pool: api, strip_prefix: /a/./b}",
        &[
            "strip_prefix: must not hold dot segments: requests with them are refused, got \"/a/./b\"; write `allow_dot_segments: true` beside it",
        ],
    ),
    (
        "{pool: api, allow_dot_segments: \"yes\"}",
        &["allow_dot_segments: must be on or off, got \"yes\"; did you mean `on`?"],
    ),
];

#[test]
fn bad_routes_are_refused_with_all_that_is_wrong_with_them() {
    for (route, expected) in BAD_ROUTES {
        let said = problems(&with_routes(route));
        let said: Vec<_> = said
            .iter()
            .map(|problem| {
                let (_, rest) = problem
                    .split_once("routes[0]")
                    .unwrap_or_else(|| panic!("{problem}"));
                rest.trim_start_matches(['.', ':', ' '])
            })
            .collect();
        assert_eq!(said, *expected, "{route}");
    }
}

#[test]
fn a_problem_says_where_it_stands() {
    assert_eq!(
        problems(&with_routes("pool: api\n{path: {exact: a}, pool: api}")),
        ["6:20: routes[1].path.exact: must be a path that begins with `/`, got \"a\"; did you mean `/a`?"]
    );
    assert_eq!(
        problems("port: 1\nbackends: [http://a]\nroutes: []\n"),
        [
            "3:9: routes: must hold at least one route; write for example `routes: [{host: api.example.com, pool: api}]`"
        ]
    );
    assert_eq!(
        problems("port: 1\npools: {api: [http://a]}\nroutes: [{pool: default}]\n"),
        [
            "3:17: routes[0].pool: must be the name of a pool, got \"default\"; `default` is there where the file has `backends` at its top"
        ]
    );
}

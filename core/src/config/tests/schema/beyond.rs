//! What the schema cannot know: the problems of bad files that it does not see, by their test's file, each with the reason.

/// A file of these tests, why the schema does not see something in its files, and what.
pub(super) const BEYOND_THE_SCHEMA: &[(&str, &str, &[&str])] = &[
    (
        "refuses.rs",
        "They are text as any other folder is.",
        &[
            "3:12: state_dir: must be a folder, got \"off\"",
            "3:12: state_dir: must not begin with ~, which only shells replace, got \"~/foo\"",
        ],
    ),
    (
        "refuses.rs",
        "Only a parser of patterns sees it.",
        &["3:22: access_log.format: must not use the variable {staus}, got \"{staus} {\""],
    ),
    (
        "refuses.rs",
        "It is a rule across settings.",
        &["3:43: access_log.rotate: must not be written for stdout, which is no file, got \"on\""],
    ),
    (
        "bad_routes.rs",
        "It is a rule across settings.",
        &[
            "5:12: routes[0].path: can never match: requests with dot segments in their path are refused, got \"/a/%2e%2e/b\"",
            "5:13: routes[0].split: must give at least one pool a weight above 0",
            "5:20: routes[0].path.exact: can never match: requests with encoded slashes in their path are refused, got \"/a%2Fb\"",
            "5:26: routes[0].rewrite: must have `regex`, as the route's path has none",
            "5:27: routes[0].split_by: has no effect without `split`",
            "5:30: routes[0].timeouts: has no effect on a route that sends nothing to a backend",
            "5:31: routes[0].strip_prefix: must be a path, as the route's own is no prefix, got \"true\"",
            "5:31: routes[0].strip_prefix: must not hold dot segments: requests with them are refused, got \"/a/./b\"",
            "5:35: routes[0].respond.body: must be empty: an answer with 204 has no body, got \"a\"",
            "5:36: routes[0].rewrite: must not hold dot segments: requests with them are refused, got \"/a/../b\"",
            "5:41: routes[0].rewrite.to: must not hold dot segments: requests with them are refused, got \"/%2e./{0}\"",
            "5:41: routes[0].rewrite.to: must not hold encoded slashes: requests with them are refused, got \"b%2f\"",
            "5:43: routes[0].rewrite.to: must not hold dot segments: requests with them are refused, got \"..{path}\"",
            "5:43: routes[0].rewrite: has no effect on a route that sends nothing to a backend",
            "5:56: routes[0].rewrite: must not stand beside `strip_prefix`",
            "5:58: routes[0].rewrite.to: must not hold dot segments: requests with them are refused, got \"/{1}/..\"",
        ],
    ),
    (
        "bad_routes.rs",
        "Which pools there are, the file says elsewhere.",
        &[
            "3:17: routes[0].pool: must be the name of a pool, got \"default\"",
            "5:12: routes[0].pool: must be the name of a pool, got \"ap\"",
            "5:12: routes[0].pool: must be the name of a pool, got \"nowhere\"",
            "5:27: routes[0].split.ap: must be the name of a pool, got \"ap\"",
        ],
    ),
    (
        "bad_routes.rs",
        "Only a parser of regular expressions sees it.",
        &[
            "5:20: routes[0].path.regex: can never match: every path begins with `/`, got \"^user\"",
            "5:20: routes[0].path.regex: must be a regular expression: look-around, including look-ahead and look-behind, is not supported, got \"a(?!b)\"",
            "5:20: routes[0].path.regex: must be a regular expression: unclosed group, got \"a(\"",
        ],
    ),
    (
        "bad_routes.rs",
        "Only a parser of templates sees it.",
        &[
            "5:16: routes[0].redirect: has a `[` without its `]`, got \"https://[::1/\"",
            "5:16: routes[0].redirect: must have a dot before {host} or {authority} within a host, and a dot or a port at most behind {host}, got \"https://a.b{host}.c{path}\"",
            "5:16: routes[0].redirect: must have a dot before {host} or {authority} within a host, and a dot or a port at most behind {host}, got \"https://{authority}:8443/\"",
            "5:16: routes[0].redirect: must have a port from 1 to 65535, got \"https://a:99999/\"",
            "5:16: routes[0].redirect: must have a port from 1 to 65535, got \"https://{host}:0{path}\"",
            "5:16: routes[0].redirect: must name a host whose parts between dots have 1 to 63 characters and no `-` at their ends, got \"https://-\"",
            "5:16: routes[0].redirect: must name a host, such as https://example.com{target} or https://www.{host}{target}, got \"https://{path}\"",
            "5:16: routes[0].redirect: must name a host, such as https://example.com{target} or https://www.{host}{target}, got \"{scheme}://:80/\"",
            "5:16: routes[0].redirect: must name its host by letters, {host} or {authority}, and then go on with `/`, {path} or {target}, got \"https://a.example{query}\"",
            "5:46: routes[0].request_headers.add.X-A: must not use the variable {cookie}, got \"{cookie}\"",
            "5:46: routes[0].request_headers.set.X-A: must close each { with }, got \"{\"",
            "5:46: routes[0].request_headers.set.X-A: must not use the group {1}, which the regular expression has not, got \"{1}\"",
            "5:46: routes[0].request_headers.set.X-A: must not use the variable {client}, got \"{client}\"",
            "5:53: routes[0].redirect: must not use {path}, which is a variable and also a group of the regular expression, got \"https://a.example{path}\"",
        ],
    ),
    (
        "bad_routes.rs",
        "Only arithmetic sees it.",
        &[
            "5:14: routes[0].client: must be a network whose address has no bits beyond its prefix, got \"10.0.0.1/8\"",
        ],
    ),
    (
        "choosing.rs",
        "It is a rule across settings.",
        &[
            "2:52: backends[0].priority: must not be there beside `backup: true`, got \"1\"",
            "3:31: strategy.key: is an option of the strategy hash only, got \"uri\"",
            "3:43: failover.overprovisioning: belongs to `mode: gradual` only, got \"1.4\"",
            "3:43: strategy.decay: is an option of the strategy least-time only, got \"1s\"",
            "3:55: strategy.bounded_load: is an option of the strategy hash only, got \"2\"",
        ],
    ),
    (
        "health.rs",
        "It is a rule across settings.",
        &[
            "2:58: pools.api.health_check.path: has no meaning with `type: tcp`, which only connects, got \"/x\"",
            "3:138: backends[2].maintenance: must not be there beside `drain: true`, got \"true\"",
            "3:24: health_check.method: must not go together: an answer to HEAD has no body, got \"HEAD\"",
            "3:27: ejection.max: must not be shorter than `base`, 1h, got \"1m\"",
            "3:33: health_check.path: has no meaning with `type: tcp`, which only connects, got \"/a\"",
            "3:36: health_check.body: must not go together: an answer to HEAD has no body, got \"ok\"",
            "3:51: backends[0].health_check.method: must not go together: an answer to HEAD has no body, got \"HEAD\"",
        ],
    ),
    (
        "health.rs",
        "Only a parser of regular expressions sees it.",
        &[
            "3:30: health_check.body.regex: must be a regular expression: unclosed group, got \"(\"",
            "3:30: health_check.body.regex: must be an expression that needs less memory, got \"(a{1000}){1000}\"",
        ],
    ),
    (
        "pools.rs",
        "It is a rule across settings.",
        &[
            "1:1: routes: is required: there are several pools, and none is called `default`",
            "4:17: pools.b[1]: must not be there twice: pools.b[0] in line 4 is http://b:80 as well, got \"http://b/\"",
            "4:3: pools.default: must not be there twice: `backends` at the top of the file is this pool, got \"default\"",
        ],
    ),
    (
        "refuses.rs",
        "It is a rule across settings.",
        &[
            "1:14: port[1]: must not overlap with port[0] in line 1 (:8000), got \"127.0.0.1:8000\"",
            "2:42: backends[0].health_check: must not be true while `health_check: false` turns probes off for all, got \"true\"",
            "3:9: sticky: must not begin with __Host- without `secure: true`: browsers refuse such a cookie, got \"__Host-srv\"",
            "4:10: backends[1].url: must not be there twice: backends[0] in line 3 is http://localhost:80 as well, got \"HTTP://LOCALHOST:80/\"",
            "4:36: sticky.same_site: must be strict or lax without `secure: true`: browsers refuse such a cookie, got \"none\"",
            "4:51: routes[0].timeouts: has no effect on a route that sends nothing to a backend",
            "4:52: pools.b.sticky.cookie: must not begin with __Secure- without `secure: true`: browsers refuse such a cookie, got \"__secure-b\"",
            "6:18: health_check.fast_interval: must not be longer than `interval`, 5s, got \"6s\"",
        ],
    ),
    (
        "refuses.rs",
        "Only a parser of regular expressions sees it.",
        &[
            "6:20: routes[2].path.regex: must be a regular expression: unclosed group, got \"(\"",
            "7:20: routes[3].path.regex: must be a regular expression: unclosed group, got \"(\"",
        ],
    ),
    (
        "refuses.rs",
        "Only arithmetic sees it.",
        &[
            "7:19: trusted_proxies[0]: must be a network whose address has no bits beyond its prefix, got \"10.0.0.1/8\"",
        ],
    ),
    (
        "refuses.rs",
        "It is gone once YAML is read: JSON has no keys that are written twice, are no text or merge.",
        &[
            "11:3: error_pages.502: is written twice, first in line 10",
            "12:3: error_pages: has a key that is not text but a number, got \"502.0\"",
            "2:17: backends[0].<<: must be a mapping to merge, not a whole number",
            "2:39: backends[0].weight: is written twice, first in line 2",
            "3:1: port: is written twice, first in line 1",
            "4:36: backends[0].<<: is written twice",
            "4:1: : has a key that is not text but null",
            "5:1: : has a key that is not text but a list",
        ],
    ),
    (
        "refuses.rs",
        "It depends on the environment: a value with a variable may be anything.",
        &[
            "1:7: port: must be a port such as 8000, or an address with port such as 127.0.0.1:8000 or [::1]:8000, got \"${SNEAKY}\"",
            "1:7: port: needs the environment variable NONE, which is not set, got \"${NONE}\"",
            "2:12: backends[0]: must name an environment variable as `${NAME}` or `${NAME:-default}`, got \"http://${NONE}:${1}\"",
            "2:12: backends[0]: needs the environment variable NONE, which is not set, got \"http://${NONE}:${1}\"",
            "3:6: log: must be one of off, error, warn, info, debug, trace, got \"${EMPTY}\"",
            "4:16: routes[0].redirect: needs the environment variable NONE, which is not set, got \"https://${NONE}{path}\"",
            "5:12: routes[1].path: needs the environment variable NONE, which is not set, got \"${NONE}\"",
            "8:45: routes[4].rewrite.to: needs the environment variable NONE, which is not set, got \"${NONE}\"",
        ],
    ),
];

//! Bad files, and exactly what is said of them.

use super::*;

/// Each file with its problems, in order.
const BAD_FILES: &[(&str, &[&str])] = &[
    // The whole file.
    (
        "",
        &[
            " is empty; three keys are enough: `port: 8000`, `strategy: round-robin`, `backends: [\"http://localhost:9001\"]`",
        ],
    ),
    (
        "# nothing\n",
        &[
            " is empty; three keys are enough: `port: 8000`, `strategy: round-robin`, `backends: [\"http://localhost:9001\"]`",
        ],
    ),
    (
        "8000",
        &[
            "1:1: must be a mapping of settings, not a whole number; three keys are enough: `port: 8000`, `strategy: round-robin`, `backends: [\"http://localhost:9001\"]`",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\n---\nport: 2\n",
        &["3:1: holds more than one YAML document; remove the line `---` and what follows it"],
    ),
    (
        "port: 1\nbackends: [http://a]\n...\nlog: info\n",
        &[
            "4:1: holds more than one YAML document; remove the line `...`, which ends the document, or what follows it",
        ],
    ),
    (
        "x-a: &a {weight: 2}\nx-b: &b {priority: 1}\nport: 1\nbackends: [{url: http://a, <<: *a, <<: *b}]\n",
        &["4:36: backends[0].<<: is written twice; write one, such as `<<: [*a, *b]`"],
    ),
    (
        "port: 1\nbackends: [http://a]\nhealth_check: {body: {}}\n",
        &[
            "3:22: health_check.body: must have `contains` or `regex`; write for example `body: {contains: ok}`, or leave `body` out",
        ],
    ),
    (
        "port: 1\n\tlog: info\n",
        &[
            "2:1: is not valid YAML: found a tab character that violates indentation while scanning a plain scalar at line 1 column 7; indent with spaces, not with tabs",
        ],
    ),
    (
        "port: 1\nlog: \"info\n",
        &[
            "3:1: is not valid YAML: found unexpected end of stream while scanning a quoted scalar at line 2 column 6",
        ],
    ),
    (
        "port: 1\n log: a: b\n",
        &[
            "2:5: is not valid YAML: mapping values are not allowed in this context; check the indentation, and put quotes around a value that contains `: `",
        ],
    ),
    (
        "port: 1\nbackends:\n  - http://a\n    weight: 3\n",
        &[
            "4:11: is not valid YAML: mapping values are not allowed in this context; a backend with settings begins with `- url: `, and its settings stand below `url`",
        ],
    ),
    (
        "port: 1\nbackends:\n  - http://a\n    - http://b\n",
        &[
            "3:5: backends[0]: must name a host of letters, digits, `-`, `_` and `.`, got \"http://a - http://b\"; check the indentation: each item begins below the `-` of the one before",
        ],
    ),
    (
        "# all\nport 8000\n\nbackends:\n  - http://a\n",
        &["2:1: is not valid YAML: a colon is missing; did you mean `port: 8000`?"],
    ),
    (
        "port 8000\n# all\nstrategy: random\nbackends:\n  - http://a\n",
        &["1:1: is not valid YAML: a colon is missing; did you mean `port: 8000`?"],
    ),
    (
        "backends:\n  - http://a\nport 8000\n# all\nstrategy: random\n",
        &["3:1: is not valid YAML: a colon is missing; did you mean `port: 8000`?"],
    ),
    (
        "port: [${PORT}]\n",
        &[
            "1:9: is not valid YAML: did not find expected ',' or ']' while parsing a flow sequence at line 1 column 7; within [ ] and { }, put quotes around \"${NAME}\"",
        ],
    ),
    (
        "port: 1\nlog: *level\n",
        &["2:6: is not valid YAML: unknown anchor"],
    ),
    (
        "port: &x 1\nworkers: &x 2\nbackends: [http://a]\n",
        &["2:10: uses the anchor `&x` a second time; give each anchor its own name"],
    ),
    (
        "port: 1\npools:\n  a: !!map\n    &live\n    backends: [http://b]\n  b: !!map\n    # text\n\n    &live\n    backends: [http://c]\n",
        &["6:6: uses the anchor `&live` a second time; give each anchor its own name"],
    ),
    (
        "port: 1\nbackends: [http://a]\nlimits: {body_size: &t, connections: &t 9}\n",
        &["3:38: uses the anchor `&t` a second time; give each anchor its own name"],
    ),
    (
        "port: &t 1\nshutdown_timeout: !!str\n  &t 9s\nbackends: [http://a]\n",
        &["2:19: uses the anchor `&t` a second time; give each anchor its own name"],
    ),
    (
        "port: 1 # \u{2028}\n",
        &["1:11: holds the invisible character U+2028, which is not allowed in YAML; delete it"],
    ),
    (
        "port: 1\r\nlog: 가\u{7f}\r\n",
        &["2:7: holds the invisible character U+007F, which is not allowed in YAML; delete it"],
    ),
    // Keys.
    (
        "prot: 1\nbackends: [{url: http://a, wieght: 2}]\nretries: {statsues: []}\n",
        &[
            "1:1: prot: is not a known key; did you mean `port`?",
            "2:28: backends[0].wieght: is not a known key; did you mean `weight`?",
            "3:11: retries.statsues: is not a known key; did you mean `statuses`?",
        ],
    ),
    (
        "port: 1\nbackends: [{url: http://a, cost: 1}]\n",
        &[
            "2:28: backends[0].cost: is not a known key; known here: url, weight, priority, backup, max_connections, health_check, drain, maintenance",
        ],
    ),
    (
        "port: 1\nbackends: [{url: http://a, resolve: all}]\ntls: {}\n",
        &[
            "2:28: backends[0].resolve: is not available in this version",
            "3:1: tls: is not available in this version",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nmetrics: on\n",
        &[
            "3:1: metrics: is not a known key; the admin listener, `admin`, has the state of all backends at /v1/status",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\n\"port\": 2\n",
        &["3:1: port: is written twice, first in line 1; remove one of them"],
    ),
    (
        "port: 1\nbackends: [{url: http://a, weight: 1, weight: 1}]\n",
        &["2:39: backends[0].weight: is written twice, first in line 2; remove one of them"],
    ),
    (
        "port: 1\nbackends: [http://a]\n8000: 1\n~: 2\n[a]: 3\n",
        &[
            "3:1: 8000: is not a known key; known here: port, strategy, failover, slow_start, queue, sticky, backends, health_check, ejection, all_down, timeouts, retries, pools, routes, trusted_proxies, secret_names, workers, shutdown_timeout, state_dir, log, access_log, lane, via, trace, limits, resolver, admin, error_pages",
            "4:1: has a key that is not text but null",
            "5:1: has a key that is not text but a list",
        ],
    ),
    (
        "port: 1\nbackends: [{<<: 3, url: http://a}]\n",
        &["2:17: backends[0].<<: must be a mapping to merge, not a whole number"],
    ),
    (
        "port: !fast 1\nbackends: [http://a]\n",
        &["1:13: port: must not carry a tag, got \"!fast\"; put quotes around a text that begins with `!`"],
    ),
    (
        "port: 1\nbackends: [http://a]\nqueue: {size: many, timeout: 0}\nsticky: {cookie: \"a b\", same_site: none, ttl: 900d, key: short}\n",
        &[
            "3:15: queue.size: must be a whole number from 0 to 1000000, got \"many\"",
            "3:30: queue.timeout: must be longer than 0s, got \"0\"",
            "4:18: sticky.cookie: must be the name of a cookie: at most 64 letters, digits, `-`, `_` and `.`, got \"a b\"; write for example `simple_lb`",
            "4:36: sticky.same_site: must be strict or lax without `secure: true`: browsers refuse such a cookie, got \"none\"; add `secure: true`, or write lax",
            "4:47: sticky.ttl: must be at most 365d, or none, got \"900d\"",
            "4:58: sticky.key: must have at least 16 characters, without white space around them, got \"***\"; make one with `openssl rand -hex 32` and give it as ${STICKY_KEY}",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nsticky: {key: \"                \"}\npools: {b: {backends: [http://b], sticky: {key: \"short            \\n\"}}}\nroutes: [{split: {default: 1, b: 1}}]\n",
        &[
            "3:15: sticky.key: must have at least 16 characters, without white space around them, got \"***\"; make one with `openssl rand -hex 32` and give it as ${STICKY_KEY}",
            "4:49: pools.b.sticky.key: must have at least 16 characters, without white space around them, got \"***\"; make one with `openssl rand -hex 32` and give it as ${STICKY_KEY}",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nsticky: __Host-srv\npools: {b: {backends: [http://b], sticky: {cookie: __secure-b, secure: false}}}\nroutes: [{split: {default: 1, b: 1}}]\n",
        &[
            "3:9: sticky: must not begin with __Host- without `secure: true`: browsers refuse such a cookie, got \"__Host-srv\"; write `{cookie: __Host-srv, secure: true}`, or another name",
            "4:52: pools.b.sticky.cookie: must not begin with __Secure- without `secure: true`: browsers refuse such a cookie, got \"__secure-b\"; write `{cookie: __secure-b, secure: true}`, or another name",
        ],
    ),
    // What is missing.
    (
        "log: info\n",
        &[
            "1:1: port: is required; add for example `port: 8000`",
            "1:1: backends: is required; add at least one, for example `backends: [\"http://localhost:9001\"]`",
        ],
    ),
    (
        "port: 1\nbackends:\n",
        &[
            "2:1: backends: is required; add at least one, for example `backends: [\"http://localhost:9001\"]`",
        ],
    ),
    (
        "port: 1\nbackends: []\n",
        &["2:11: backends: must hold at least one backend"],
    ),
    (
        "port: []\nbackends:\n  - weight: 1\n",
        &[
            "1:7: port: must not be an empty list",
            "3:5: backends[0].url: is required; add for example `url: http://localhost:9001`",
        ],
    ),
    // Listeners.
    (
        "port: [8000, \"127.0.0.1:8000\"]\nbackends: [http://a]\n",
        &[
            "1:14: port[1]: must not overlap with port[0] in line 1 (:8000), got \"127.0.0.1:8000\"; remove one of them",
        ],
    ),
    (
        "port: 65536\nbackends: [http://a]\n",
        &["1:7: port: must have a port from 0 to 65535, got \"65536\""],
    ),
    (
        "port: -1\nbackends: [http://a]\n",
        &[
            "1:7: port: must be a port such as 8000, or an address with port such as 127.0.0.1:8000 or [::1]:8000, got \"-1\"",
        ],
    ),
    (
        "port: 80.5\nbackends: [http://a]\n",
        &[
            "1:7: port: must be a port such as 8000, or an address with port such as 127.0.0.1:8000 or [::1]:8000, got \"80.5\"",
        ],
    ),
    (
        "port: {a: 1}\nbackends: [http://a]\n",
        &["1:7: port: must be a port such as 8000, or a list of ports, not a mapping"],
    ),
    // Backends.
    (
        "port: 1\nbackends: http://a\n",
        &[
            "2:11: backends: must be a list of backends, not text, got \"http://a\"; begin each backend's line with `- `",
        ],
    ),
    (
        "port: 1\nbackends:\n  - http://a\n  - [b]\n  -\n",
        &[
            "4:5: backends[1]: must be a URL or a mapping with `url`, not a list",
            "5:4: backends[2]: must be a URL or a mapping with `url`, not null",
        ],
    ),
    (
        "port: 1\nbackends:\n  - http://localhost\n  - url: HTTP://LOCALHOST:80/\n",
        &[
            "4:10: backends[1].url: must not be there twice: backends[0] in line 3 is http://localhost:80 as well, got \"HTTP://LOCALHOST:80/\"; to send it more requests, give it a `weight`",
        ],
    ),
    (
        "port: 1\nbackends: [localhost:9001, https://a, http://me:secret@b]\n",
        &[
            "2:12: backends[0]: must be a URL such as http://localhost:9001, got \"localhost:9001\"; did you mean `http://localhost:9001`?",
            "2:28: backends[1]: must begin with http://: TLS to backends is not there yet, got \"https://a\"; use http://",
            "2:39: backends[2]: must not hold a user name or password, got \"http://***@b\"; they would not be sent",
        ],
    ),
    (
        "port: 1\nbackends:\n  - {url: http://a, weight: 0}\n  - {url: http://b, weight: 257}\n  - {url: http://c, weight: 1.5}\n  - {url: http://d, weight: heavy}\n  - {url: http://e, weight: 08}\n",
        &[
            "3:29: backends[0].weight: must be a whole number from 1 to 256, got \"0\"; to send it nothing, write `drain: true`, or leave it out",
            "4:29: backends[1].weight: must be a whole number from 1 to 256, got \"257\"",
            "5:29: backends[2].weight: must be a whole number from 1 to 256, got \"1.5\"",
            "6:29: backends[3].weight: must be a whole number from 1 to 256, got \"heavy\"",
            "7:29: backends[4].weight: must be a whole number from 1 to 256, got \"08\"",
        ],
    ),
    (
        "port: 1\nbackends: [{url: http://a, health_check: \"false\"}, {url: http://b, health_check: [/x]}]\n",
        &[
            "2:42: backends[0].health_check: must be a path that begins with `/`, got \"false\"; did you mean false without quotes?",
            "2:82: backends[1].health_check: must be a path, a mapping or false, not a list",
        ],
    ),
    (
        "port: 1\nbackends: [{url: http://a, health_check: true}]\nhealth_check: false\n",
        &[
            "2:42: backends[0].health_check: must not be true while `health_check: false` turns probes off for all, got \"true\"; write `health_check: false` at single backends instead",
        ],
    ),
    // The rest, all at once.
    (
        "port: 1\nstrategy: rond-robin\nbackends: [http://a]\nlog: inof\nworkers: 0\nshutdown_timeout: 30\ntrusted_proxies: [10.0.0.1/8]\n",
        &[
            "2:11: strategy: must be one of round-robin, weighted, random, least-connections, power-of-two, least-time, intelligent, hash, first, got \"rond-robin\"; did you mean `round-robin`?",
            "4:6: log: must be one of off, error, warn, info, debug, trace, got \"inof\"; did you mean `info`?",
            "5:10: workers: must be a whole number from 1 to 1024, or auto, got \"0\"",
            "6:19: shutdown_timeout: must be a duration with its unit, such as 250ms, 5s, 10m, 1h or 1d, got \"30\"; did you mean `30s`?",
            "7:19: trusted_proxies[0]: must be a network whose address has no bits beyond its prefix, got \"10.0.0.1/8\"; did you mean `10.0.0.0/8`?",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nhealth_check:\n  path: healthz\n  interval: 0s\n  fast_interval: 6s\n  timeout: 0\n  rise: 0\n  fall: 101\n  status: [200, 2xx, {}]\n  jitter: 51%\n",
        &[
            "4:9: health_check.path: must be a path that begins with `/`, got \"healthz\"; did you mean `/healthz`?",
            "5:13: health_check.interval: must be longer than 0s, got \"0s\"",
            "6:18: health_check.fast_interval: must not be longer than `interval`, 5s, got \"6s\"",
            "7:12: health_check.timeout: must be longer than 0s, got \"0\"",
            "8:9: health_check.rise: must be a whole number from 1 to 100, got \"0\"",
            "9:9: health_check.fall: must be a whole number from 1 to 100, got \"101\"",
            "10:17: health_check.status[1]: must be status codes from 100 to 599, such as 200 or 200-399, got \"2xx\"; did you mean `200-299`?",
            "10:22: health_check.status[2]: must be a single value, not a mapping",
            "11:11: health_check.jitter: must be a percentage from 0% to 50%, got \"51%\"",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nhealth_check: [/a]\ntimeouts: {connect: 400d, request: 0s, body_stall: soon}\nretries: {attempts: 11, budget: 20, min_per_second: -1, statuses: [200]}\n",
        &[
            "3:15: health_check: must be a path, a mapping or false, not a list",
            "4:21: timeouts.connect: must be at most 365d, got \"400d\"",
            "4:36: timeouts.request: must be longer than 0s, or none, got \"0s\"; did you mean `none`?",
            "4:52: timeouts.body_stall: must be a duration with its unit, such as 250ms, 5s, 10m, 1h or 1d, got \"soon\"",
            "5:21: retries.attempts: must be a whole number from 0 to 10, got \"11\"",
            "5:33: retries.budget: must be a percentage from 0% to 100%, got \"20\"; did you mean `20%`?",
            "5:53: retries.min_per_second: must be a whole number from 0 to 1000000, got \"-1\"",
            "5:68: retries.statuses[0]: must be status codes from 400 to 599, such as 503 or 502-504, got \"200\"",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nhealth_check: /a b\n",
        &[
            "3:15: health_check: must be a path of visible ASCII characters without `#`, got \"/a b\"; write others in their percent-encoded form, a space as %20",
        ],
    ),
    // What is demanded of clients.
    (
        "port: 1\nbackends: [http://a]\nlane: wired\nvia: \"true\"\ntrace: yes\ntimeouts: {tunnel_idle: 0s}\n",
        &[
            "3:7: lane: must be one of handler, wire, got \"wired\"; did you mean `wire`?",
            "4:6: via: must be on, off, or a name of at most 64 letters, digits and !#$%&'*+-.^_`|~, got \"true\"; did you mean `on`?",
            "5:8: trace: must be on or off, got \"yes\"; did you mean `on`?",
            "6:25: timeouts.tunnel_idle: must be longer than 0s, got \"0s\"",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nlane: [wire]\nvia: None\ntrace: maybe\nlimit: {}\n",
        &[
            "3:7: lane: must be the name of a lane, not a list",
            "4:6: via: must be on, off, or a name of at most 64 letters, digits and !#$%&'*+-.^_`|~, got \"None\"; did you mean `off`?",
            "5:8: trace: must be on or off, got \"maybe\"",
            "6:1: limit: is not a known key; did you mean `limits`?",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nvia: proxy.example:80\nlimits: 64KiB\nerror_pages: [502.html]\n",
        &[
            "3:6: via: must be on, off, or a name of at most 64 letters, digits and !#$%&'*+-.^_`|~, got \"proxy.example:80\"",
            "4:9: limits: must be a mapping of limits, not text, got \"64KiB\"; write for example `limits: {body_size: 10MiB}`",
            "5:14: error_pages: must be a mapping of status codes to files, not a list; write for example `error_pages: {502: 502.html}`",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nlimits:\n  header_size: 65536\n  header_count: 1001\n  body_size: 0\n  connections: 0\n  connections_per_client: many\n  heder_size: 1\n",
        &[
            "4:16: limits.header_size: must be a size with its unit, such as 512B, 64KiB, 1MiB, 10MB or 1GiB, got \"65536\"; did you mean `64KiB`?",
            "5:17: limits.header_count: must be a whole number from 1 to 1000, got \"1001\"",
            "6:14: limits.body_size: must be more than 0B, or none, got \"0\"; did you mean `none`?",
            "7:16: limits.connections: must be a whole number from 1 to 100000000, or none, got \"0\"; did you mean `none`?",
            "8:27: limits.connections_per_client: must be a whole number from 1 to 100000000, or none, got \"many\"",
            "9:3: limits.heder_size: is not a known key; did you mean `header_size`?",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nlimits: {header_size: 1023B, header_count: 0, body_size: 10, connections: -1, connections_per_client: 1.5}\n",
        &[
            "3:23: limits.header_size: must be a size from 1KiB to 1MiB, got \"1023B\"",
            "3:44: limits.header_count: must be a whole number from 1 to 1000, got \"0\"",
            "3:58: limits.body_size: must be a size with its unit, such as 512B, 64KiB, 1MiB, 10MB or 1GiB, or none, got \"10\"; write 10B, 10KiB or 10MiB",
            "3:75: limits.connections: must be a whole number from 1 to 100000000, or none, got \"-1\"; did you mean `none`?",
            "3:103: limits.connections_per_client: must be a whole number from 1 to 100000000, or none, got \"1.5\"",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nlimits: {header_size: 1025KiB, header_size: 1MiB, header_count: [1], body_size: 2TiB, connections: off}\n",
        &[
            "3:23: limits.header_size: must be a size from 1KiB to 1MiB, got \"1025KiB\"",
            "3:32: limits.header_size: is written twice, first in line 3; remove one of them",
            "3:65: limits.header_count: must be a whole number, not a list",
            "3:81: limits.body_size: must be at most 1TiB, or none, got \"2TiB\"",
            "3:100: limits.connections: must be a whole number from 1 to 100000000, or none, got \"off\"; did you mean `none`?",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nerror_pages:\n  399: a\n  600: a\n  5xx: a\n  502-504: a\n  \"0502\": a\n  0x1F6: a\n  502: b\n  \"502\": c\n  502.0: d\n",
        &[
            "4:3: error_pages.399: must be named by a status code from 400 to 599, got \"399\"",
            "5:3: error_pages.600: must be named by a status code from 400 to 599, got \"600\"",
            "6:3: error_pages.5xx: must be named by a status code from 400 to 599, got \"5xx\"; write one line for each code",
            "7:3: error_pages.502-504: must be named by a status code from 400 to 599, got \"502-504\"; write one line for each code",
            "8:3: error_pages.0502: must be named by a status code from 400 to 599, got \"0502\"",
            "9:3: error_pages.0x1F6: must be named by a status code from 400 to 599, got \"0x1F6\"",
            "11:3: error_pages.502: is written twice, first in line 10; remove one of them",
            "12:3: error_pages: has a key that is not text but a number, got \"502.0\"",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nerror_pages:\n  501: \"\"\n  502: false\n  503: [a]\n  504: pages/\n  505: \"a\\nb\"\n  506: http://x/a.html\n  507: 7\n",
        &[
            "4:8: error_pages.501: must be the path of a file, got \"\"",
            "5:8: error_pages.502: must be the path of a file, got \"false\"",
            "6:8: error_pages.503: must be the path of a file, not a list",
            "7:8: error_pages.504: must be the path of a file, not of a folder, got \"pages/\"",
            "8:8: error_pages.505: must be a path without control characters, got \"a\\nb\"",
            "9:8: error_pages.506: must be the path of a file on this machine, not a URL, got \"http://x/a.html\"",
            "10:8: error_pages.507: must be the path of a file, got \"7\"",
        ],
    ),
    // Variables.
    (
        "port: ${NONE}\nbackends: [\"http://${NONE}:${1}\", \"http://${HOST\"]\n",
        &[
            "1:7: port: needs the environment variable NONE, which is not set, got \"${NONE}\"; set it, or write a default: `${NONE:-default}`",
            "2:12: backends[0]: needs the environment variable NONE, which is not set, got \"http://${NONE}:${1}\"; set it, or write a default: `${NONE:-default}`",
            "2:12: backends[0]: must name an environment variable as `${NAME}` or `${NAME:-default}`, got \"http://${NONE}:${1}\"; a name has letters, digits and _; write `$${` for a literal `${`",
            "2:35: backends[1]: has a `${` without its `}`, got \"http://${HOST\"; write `$${` for a literal `${`",
        ],
    ),
    (
        "port: ${SNEAKY}\nbackends: [http://a]\nlog: ${EMPTY}\nstrategy: $${PORT}\n",
        &[
            "1:7: port: must be a port such as 8000, or an address with port such as 127.0.0.1:8000 or [::1]:8000, got \"${SNEAKY}\"; with its variables it is ***, 21 characters",
            "3:6: log: must be one of off, error, warn, info, debug, trace, got \"${EMPTY}\"; with its variables it is ***, 0 characters",
            "4:11: strategy: must be one of round-robin, weighted, random, least-connections, power-of-two, least-time, intelligent, hash, first, got \"$${PORT}\"",
        ],
    ),
    (
        "port: 1\npools: ${NONE}\n",
        &[
            "2:8: pools: needs the environment variable NONE, which is not set, got \"${NONE}\"; set it, or write a default: `${NONE:-default}`",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\nroutes:\n  - {redirect: \"https://${NONE}{path}\", timeouts: 5s}\n  - {path: \"${NONE}\", pool: default, strip_prefix: true}\n  - {path: {regex: \"(\"}, pool: default, rewrite: {to: \"/{1}\"}}\n  - {path: {regex: \"(\"}, redirect: \"/{1}\"}\n  - {pool: default, rewrite: {regex: a, to: \"${NONE}\"}}\n  - {split: \"${NONE}\", split_by: random}\n",
        &[
            "4:16: routes[0].redirect: needs the environment variable NONE, which is not set, got \"https://${NONE}{path}\"; set it, or write a default: `${NONE:-default}`",
            "4:51: routes[0].timeouts: has no effect on a route that sends nothing to a backend; remove it",
            "5:12: routes[1].path: needs the environment variable NONE, which is not set, got \"${NONE}\"; set it, or write a default: `${NONE:-default}`",
            "6:20: routes[2].path.regex: must be a regular expression: unclosed group, got \"(\"",
            "7:20: routes[3].path.regex: must be a regular expression: unclosed group, got \"(\"",
            "8:45: routes[4].rewrite.to: needs the environment variable NONE, which is not set, got \"${NONE}\"; set it, or write a default: `${NONE:-default}`",
            "9:13: routes[5].split: needs the environment variable NONE, which is not set, got \"${NONE}\"; set it, or write a default: `${NONE:-default}`",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\naccess_log: {path: ~/a, format: commbined, sample: 0.5, slow: 0, rotate: 1KiB, file: a}\n",
        &[
            "3:20: access_log.path: must not begin with ~, which only shells replace, got \"~/a\"; write the whole path, or one that begins in the configuration's folder",
            "3:33: access_log.format: must be json, combined, text, or a pattern with variables in braces, got \"commbined\"; did you mean `combined`?",
            "3:52: access_log.sample: must be a percentage from 0% to 100%, got \"0.5\"",
            "3:63: access_log.slow: must be longer than 0s, or none, got \"0\"; did you mean `none`?",
            "3:74: access_log.rotate: must be a size from 64KiB to 1TiB, got \"1KiB\"",
            "3:80: access_log.file: is not a known key; the file's name is `path`",
        ],
    ),
    (
        "port: 1\nbackends: [http://a]\naccess_log: {format: \"{staus} {\", rotate: on}\n",
        &[
            "3:22: access_log.format: must not use the variable {staus}, got \"{staus} {\"; did you mean `{status}`?",
            "3:43: access_log.rotate: must not be written for stdout, which is no file, got \"on\"; remove it, or write a `path`",
        ],
    ),
    // Messages stay short and harmless.
    (
        "port: 1\nbackends: [http://a]\nlog: \"\\e[31m\\u202e\"\n\"\\a\": 1\n",
        &[
            "3:6: log: must be one of off, error, warn, info, debug, trace, got \"\\u{1b}[31m\\u{202e}\"",
            "4:1: \\u{7}: is not a known key; known here: port, strategy, failover, slow_start, queue, sticky, backends, health_check, ejection, all_down, timeouts, retries, pools, routes, trusted_proxies, secret_names, workers, shutdown_timeout, state_dir, log, access_log, lane, via, trace, limits, resolver, admin, error_pages",
        ],
    ),
];

#[test]
fn bad_files_are_refused_with_all_their_problems() {
    let differs = |(text, expected): &&(&str, &[&str])| problems(text) != *expected;
    let wrong = BAD_FILES
        .iter()
        .filter(differs)
        .map(|(text, _)| format!("{text}\n{}", problems(text).join("\n")));
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn long_values_are_cut() {
    let text = with(&format!("log: {}", "x".repeat(100_000)));
    let expected = format!(
        "3:6: log: must be one of off, error, warn, info, debug, trace, got \"{}…\"",
        "x".repeat(80)
    );
    assert_eq!(problems(&text), [expected]);
}

#[test]
fn what_an_alias_repeats_is_reported_where_the_alias_stands() {
    let text = "port: 1\nbackends:\n  - &a {url: http://a, weight: 0}\n  - <<: *a\n    url: http://b\n";
    let rule = "must be a whole number from 1 to 256, got \"0\"; to send it nothing, write `drain: true`, or leave it out";
    assert_eq!(
        problems(text),
        [
            format!("3:32: backends[0].weight: {rule}"),
            format!("4:9: backends[1].weight: {rule}")
        ]
    );
}

#[test]
fn a_problem_is_readable_by_machines() {
    let error = load("port: 1\nbackends: [{url: http://a, weight: 0}]", "a.yaml", &env).unwrap_err();
    let expected = serde_json::json!({ "problems": [{
        "file": "a.yaml",
        "position": { "line": 2, "column": 36 },
        "field": "backends[0].weight",
        "rule": "must be a whole number from 1 to 256",
        "value": "0",
        "hint": "to send it nothing, write `drain: true`, or leave it out",
    }] });
    assert_eq!(serde_json::to_value(&error).unwrap(), expected);
    let problem = "a.yaml:2:36: backends[0].weight: must be a whole number from 1 to 256, got \"0\"; \
                   to send it nothing, write `drain: true`, or leave it out";
    assert_eq!(error.to_string(), problem);
}

#[test]
fn an_error_shows_one_problem_a_line() {
    let error = load("log: x\nworkers: 0", "a.yaml", &env).unwrap_err();
    let lines = error.to_string();
    assert_eq!((error.problems.len(), lines.lines().count()), (4, 4), "{lines}");
}

#[test]
fn a_state_dir_that_only_a_shell_or_a_switch_would_understand() {
    let hint =
        "leave `state_dir` out for the usual one; a folder of that name is written ./off, ./on or ./none";
    assert_eq!(
        problems(&with("state_dir: off")),
        [format!("3:12: state_dir: must be a folder, got \"off\"; {hint}")]
    );
    assert_eq!(
        problems(&with("state_dir: ~/foo")),
        [
            "3:12: state_dir: must not begin with ~, which only shells replace, got \"~/foo\"; \
          write the whole path, or one that begins in the configuration's folder"
        ]
    );
    assert_eq!(
        config(&with("state_dir: ./off")).state_dir.as_deref(),
        Some("./off")
    );
}

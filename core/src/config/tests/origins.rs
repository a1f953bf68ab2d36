//! Where values come from.

use super::*;

#[test]
fn a_value_comes_from_a_line_the_environment_or_its_default() {
    let text = "port: ${PORT}\nbackends:\n  - http://a\n  - {url: \"http://${HOST}\", weight: 2}\ntimeouts: 9s\nretries:\n  \
                budget: 5%\nlog:\nhealth_check: on\npools:\n  api:\n    backends: [http://b]\n    retries: 1\n  web: [http://c]\n\
                routes:\n  - {path: /api, pool: api}\n  - {pool: web}\n  - {host: a, pool: default}\n";
    let loaded = read(text).unwrap();
    schema::validates(text);
    let settings = loaded.config.settings();
    let of = |key: &str| {
        assert!(settings.iter().any(|(other, _)| other == key), "{key}");
        loaded.origins.of(key).to_string()
    };
    for (key, origin) in [
        ("port", "line 1, environment"),
        ("backends[0]", "line 3"),
        ("backends[1]", "line 4, environment"),
        ("timeouts.response_idle", "line 5"),
        ("timeouts.connect", "default"),
        ("retries.attempts", "default"),
        ("retries.budget", "line 7"),
        ("log.level", "default"),
        ("health_check.path", "default"),
        ("pools.api.retries.attempts", "line 13"),
        ("pools.api.retries.budget", "line 7"),
        ("pools.api.timeouts.response_idle", "line 5"),
        ("pools.api.backends[0]", "line 12"),
        ("pools.web.backends[0]", "line 14"),
        ("pools.web.strategy", "default"),
        ("routes[0].pool", "line 16"),
        ("limits.header_size", "default"),
    ] {
        assert_eq!(of(key), origin, "{key}");
    }
}

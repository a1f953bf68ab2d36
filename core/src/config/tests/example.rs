//! The documented example at the repository's root.

use super::*;

const EXAMPLE: &str = include_str!("../../../../config.yaml");

/// `#key:` and `#  key:` are settings, everything else after a `#` is text.
fn is_setting(line: &str) -> bool {
    let Some(rest) = line.strip_prefix('#') else {
        return false;
    };
    let key = rest
        .strip_prefix("  ")
        .unwrap_or(rest)
        .split(':')
        .next()
        .unwrap_or_default();
    rest.contains(':') && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn the_example_is_the_three_key_file() {
    let three_keys = "port: 8000\nstrategy: \"round-robin\"\nbackends:\n  - \"http://localhost:9001\"\n  \
                      - \"http://localhost:9002\"\n  - \"http://localhost:9003\"\n";
    assert_eq!(config(EXAMPLE), config(three_keys));
}

#[test]
fn its_commented_settings_are_the_defaults() {
    let uncommented: Vec<_> = EXAMPLE
        .lines()
        .map(|line| if is_setting(line) { &line[1..] } else { line })
        .collect();
    assert_eq!(config(&uncommented.join("\n")), config(EXAMPLE));
}

#[test]
fn it_shows_every_key() {
    let settings: Vec<_> = EXAMPLE
        .lines()
        .filter(|line| is_setting(line))
        .map(|line| line[1..].split(':').next().unwrap().trim())
        .collect();
    let expected = [
        "failover",
        "slow_start",
        "queue",
        "size",
        "timeout",
        "sticky",
        "health_check",
        "type",
        "port",
        "method",
        "path",
        "host",
        "headers",
        "interval",
        "fast_interval",
        "timeout",
        "rise",
        "fall",
        "status",
        "body",
        "max_body",
        "jitter",
        "ejection",
        "consecutive",
        "statuses",
        "base",
        "max",
        "max_share",
        "interval",
        "success_rate",
        "latency",
        "all_down",
        "timeouts",
        "connect",
        "response_idle",
        "request_header",
        "body_stall",
        "client_idle",
        "upstream_idle",
        "upstream_age",
        "tunnel_idle",
        "request",
        "retries",
        "attempts",
        "budget",
        "min_per_second",
        "statuses",
        "limits",
        "header_size",
        "header_count",
        "body_size",
        "connections",
        "connections_per_client",
        "trusted_proxies",
        "via",
        "trace",
        "error_pages",
        "lane",
        "workers",
        "shutdown_timeout",
        "log",
    ];
    assert_eq!(settings, expected);
}

//! The settings that say how a pool chooses: what they mean, and what is said of bad ones.

use std::time::Duration;

use super::{config, pool, problems, with};
use crate::config::{Failover, HashConfig, HashKey, LeastTimeConfig, LoadFactor, Priority, StrategyConfig};

fn hash(key: HashKey, bounded_load: Option<f64>) -> StrategyConfig {
    StrategyConfig::Hash(HashConfig {
        key,
        bounded_load: bounded_load.and_then(LoadFactor::new),
    })
}

fn least_time(seconds: u64, intelligent: bool) -> StrategyConfig {
    StrategyConfig::LeastTime(LeastTimeConfig {
        decay: Duration::from_secs(seconds),
        intelligent,
    })
}

#[test]
fn a_strategy_is_a_name_or_a_mapping() {
    for (written, strategy) in [
        ("round-robin", StrategyConfig::RoundRobin),
        ("weighted", StrategyConfig::RoundRobin),
        ("{name: weighted}", StrategyConfig::RoundRobin),
        ("random", StrategyConfig::Random),
        ("least-connections", StrategyConfig::LeastConnections),
        ("power-of-two", StrategyConfig::PowerOfTwo),
        ("first", StrategyConfig::First),
        ("least-time", least_time(10, false)),
        ("intelligent", least_time(10, true)),
        ("{name: intelligent, decay: 5s}", least_time(5, true)),
        ("hash", hash(HashKey::Client, None)),
        ("{name: hash, key: uri}", hash(HashKey::Uri, None)),
        (
            "{name: hash, key: header X-User, bounded_load: 1.25}",
            hash(HashKey::Header("x-user".into()), Some(1.25)),
        ),
        (
            "{name: hash, key: 'cookie  Session', bounded_load: 150%}",
            hash(HashKey::Cookie("Session".into()), Some(1.5)),
        ),
        (
            "{name: hash, key: query user%5Bid%5D, bounded_load: none}",
            hash(HashKey::Query("user%5Bid%5D".into()), None),
        ),
    ] {
        assert_eq!(
            pool(&format!("strategy: {written}")).strategy,
            strategy,
            "{written}"
        );
    }
}

#[test]
fn what_is_shown_of_a_strategy_can_be_written() {
    for strategy in [
        StrategyConfig::RoundRobin,
        StrategyConfig::First,
        least_time(5, true),
        least_time(10, false),
        hash(HashKey::Client, None),
        hash(HashKey::Header("x-user".into()), Some(1.25)),
        hash(HashKey::Query("a".into()), Some(2.0)),
    ] {
        assert_eq!(pool(&format!("strategy: {strategy}")).strategy, strategy);
    }
    for failover in [
        Failover::Whole,
        Failover::Gradual {
            overprovisioning: LoadFactor::new(1.4).unwrap(),
        },
    ] {
        assert_eq!(pool(&format!("failover: {failover}")).failover, failover);
    }
}

#[test]
fn failover_is_whole_unless_it_is_said_to_be_gradual() {
    let gradual = |factor| Failover::Gradual {
        overprovisioning: LoadFactor::new(factor).unwrap(),
    };
    assert_eq!(pool("").failover, Failover::Whole);
    assert_eq!(pool("failover: whole").failover, Failover::Whole);
    assert_eq!(pool("failover: gradual").failover, gradual(1.4));
    assert_eq!(pool("failover: {overprovisioning: 120%}").failover, gradual(1.2));
    assert_eq!(
        pool("failover: {mode: gradual, overprovisioning: 2}").failover,
        gradual(2.0)
    );
}

#[test]
fn slow_start_is_ten_seconds_unless_it_is_turned_off() {
    assert_eq!(pool("").slow_start, Duration::from_secs(10));
    assert_eq!(pool("slow_start: 1m").slow_start, Duration::from_secs(60));
    for off in ["0", "0s", "none"] {
        assert_eq!(pool(&format!("slow_start: {off}")).slow_start, Duration::ZERO);
    }
}

#[test]
fn backends_have_priorities_and_limits() {
    let config = config(
        "port: 1\nbackends: [http://a, {url: http://b, priority: 2, max_connections: 7}, {url: http://c, backup: true}, \
         {url: http://d, backup: false, max_connections: none, priority: 0}]",
    );
    let backends = &config.pools["default"].backends;
    let priorities: Vec<_> = backends
        .iter()
        .map(|backend| backend.priority.to_string())
        .collect();
    assert_eq!(priorities, ["0", "2", "backup", "0"]);
    assert!(backends[2].priority == Priority::BACKUP && Priority::new(100) < Some(Priority::BACKUP));
    let limits: Vec<_> = backends.iter().map(|backend| backend.max_connections).collect();
    assert_eq!(limits, [None, Some(7), None, None]);
}

/// Settings with what is said of them; they begin in line 3.
const BAD: &[(&str, &[&str])] = &[
    (
        "strategy: least_conn",
        &[
            "3:11: strategy: must be one of round-robin, weighted, random, least-connections, power-of-two, least-time, intelligent, hash, first, got \"least_conn\"; did you mean `least-connections`?",
        ],
    ),
    (
        "strategy: {nmae: hash}",
        &["3:12: strategy.nmae: is not a known key; did you mean `name`?"],
    ),
    (
        "strategy: {key: uri}",
        &["3:11: strategy.name: is required; add for example `name: hash`"],
    ),
    (
        "strategy: [hash]",
        &["3:11: strategy: must be the name of a strategy or a mapping, not a list"],
    ),
    (
        "strategy: {name: random, key: uri, decay: 1s}",
        &[
            "3:31: strategy.key: is an option of the strategy hash only, got \"uri\"; remove it, or name that strategy",
            "3:43: strategy.decay: is an option of the strategy least-time only, got \"1s\"; remove it, or name that strategy",
        ],
    ),
    (
        "strategy: {name: least-time, decay: 0s, bounded_load: 2}",
        &[
            "3:37: strategy.decay: must be longer than 0s, got \"0s\"",
            "3:55: strategy.bounded_load: is an option of the strategy hash only, got \"2\"; remove it, or name that strategy",
        ],
    ),
    (
        "strategy: {name: hash, key: source, bounded_load: 125}",
        &[
            "3:29: strategy.key: must be client, uri, header NAME, cookie NAME or query NAME, got \"source\"; did you mean `client`?",
            "3:51: strategy.bounded_load: must be a factor from 1.01 to 10, such as 1.25 or 125%, or none, got \"125\"; did you mean `125%`?",
        ],
    ),
    (
        "strategy: {name: hash, key: header, bounded_load: 1}",
        &[
            "3:29: strategy.key: must be `header NAME` with the name of a header, got \"header\"; write for example `header user`",
            "3:51: strategy.bounded_load: must be a factor from 1.01 to 10, such as 1.25 or 125%, or none, got \"1\"",
        ],
    ),
    (
        "strategy: {name: hash, key: 'cookie a b'}",
        &[
            "3:29: strategy.key: must be `cookie NAME` with the name of a cookie, got \"cookie a b\"; write for example `cookie user`",
        ],
    ),
    (
        "failover: partial",
        &["3:11: failover: must be one of whole, gradual, got \"partial\""],
    ),
    (
        "failover: {mode: whole, overprovisioning: 1.4}",
        &[
            "3:43: failover.overprovisioning: belongs to `mode: gradual` only, got \"1.4\"; remove it, or write that mode",
        ],
    ),
    (
        "slow_start: 10",
        &[
            "3:13: slow_start: must be a duration with its unit, such as 250ms, 5s, 10m, 1h or 1d, got \"10\"; did you mean `10s`?",
        ],
    ),
];

#[test]
fn bad_settings_are_refused_with_what_to_do() {
    for (text, expected) in BAD {
        assert_eq!(problems(&with(text)), *expected, "{text}");
    }
}

#[test]
fn bad_backends_are_refused_with_what_to_do() {
    let of = |settings: &str| problems(&format!("port: 1\nbackends: [{{url: http://a, {settings}}}]"));
    assert_eq!(
        of("backup: yes, priority: 101, max_connections: 0"),
        [
            "2:36: backends[0].backup: must be on or off, got \"yes\"; did you mean `on`?",
            "2:51: backends[0].priority: must be a whole number from 0 to 100, got \"101\"",
            "2:73: backends[0].max_connections: must be a whole number from 1 to 100000000, got \"0\"; to send it nothing, write `drain: true`, or leave it out",
        ]
    );
    assert_eq!(
        of("backup: true, priority: 1, max_connections: many"),
        [
            "2:52: backends[0].priority: must not be there beside `backup: true`, got \"1\"; a backup serves after all priorities; remove one of them",
            "2:72: backends[0].max_connections: must be a whole number from 1 to 100000000, or none, got \"many\"",
        ]
    );
}

//! `health_check`, `ejection`, `all_down`, `drain` and `maintenance`: what they mean, and what is refused.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::config::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_check_has_all_its_settings() {
    let check = pool(
        "health_check: {type: http, port: 81, method: POST, path: /up, host: \"api.example:8\", \
         headers: {X-A: b, Accept: \"*/*\", X-Empty: null}, status: 200, body: ok, max_body: 1KiB}",
    )
    .health_check;
    assert_eq!(
        (check.kind, check.port, check.method),
        (CheckKind::Http, Some(81), CheckMethod::Post)
    );
    assert_eq!(
        (check.path.as_ref(), check.host.as_deref()),
        ("/up", Some("api.example:8"))
    );
    let headers: Vec<_> = check
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={}", value.shown()))
        .collect();
    assert_eq!(headers, ["X-A=b", "Accept=*/*"]);
    assert_eq!(check.body, BodyMatch::contains("ok").ok());
    assert_eq!(check.max_body.bytes(), 1024);
    let body = |text: &str| pool(&format!("health_check: {{body: {text}}}")).health_check.body;
    assert_eq!(body("{contains: ok}"), BodyMatch::contains("ok").ok());
    assert_eq!(body("{regex: ok}"), BodyMatch::regex("ok").ok());
    assert_ne!(BodyMatch::contains("ok").ok(), BodyMatch::regex("ok").ok());
    assert_eq!(
        pool("health_check: {type: tcp}").health_check.kind,
        CheckKind::Tcp
    );
}

/// The checks of the backends of a file, with the pool's where they have none of their own.
fn checks(text: &str) -> Vec<Option<HealthCheck>> {
    let config = config(text);
    let pool = &config.pools[DEFAULT_POOL];
    let check = |backend: &BackendConfig| backend.check(&pool.health_check).cloned();
    pool.backends.iter().map(check).collect()
}

#[test]
fn a_backends_own_check_is_merged_over_the_pools() {
    let text = "port: 1\nhealth_check: {path: /a, interval: 3s, status: \"100-499\", headers: {A: b}}\nbackends:\n\
                - http://a\n- {url: http://b, health_check: {port: 81, interval: 500ms}}\n\
                - {url: http://c, health_check: /c}\n- {url: http://d, health_check: false}\n\
                - {url: http://e, health_check: true}\n- {url: http://f, health_check: {type: tcp}}\n";
    let checks = checks(text);
    let pool = checks[0].clone().unwrap();
    let own = HealthCheck {
        port: Some(81),
        interval: Duration::from_millis(500),
        fast_interval: Duration::from_millis(500),
        ..pool.clone()
    };
    assert_eq!(checks[1].as_ref(), Some(&own));
    let path = "/c".into();
    assert_eq!(checks[2], Some(HealthCheck { path, ..pool.clone() }));
    assert_eq!((checks[3].as_ref(), checks[4].as_ref()), (None, Some(&pool)));
    let asks_nothing = HealthCheck {
        kind: CheckKind::Tcp,
        path: "/".into(),
        headers: Arc::new([]),
        ..pool
    };
    assert_eq!(checks[5], Some(asks_nothing));
}

#[test]
fn a_backends_own_check_is_strict_unless_the_pool_has_one() {
    let own = |pool: &str| {
        let text = format!("port: 1\nbackends: [{{url: http://a, health_check: {{rise: 1}}}}]\n{pool}");
        checks(&text)[0].clone().unwrap().status
    };
    assert_eq!(own(""), StatusRanges::default());
    assert_eq!(
        own("health_check: false"),
        StatusRanges::default(),
        "probed, though the others are not"
    );
    let lenient = StatusRanges::new(vec![(100, 499)]).unwrap();
    assert_eq!(own("health_check: {status: \"100-499\"}"), lenient);
}

#[test]
fn a_persons_word_is_a_setting_of_a_backend() {
    let text =
        "port: 1\nbackends: [{url: http://a, drain: true}, {url: http://b, maintenance: true}, http://c]";
    let pool = &config(text).pools[DEFAULT_POOL];
    let orders: Vec<_> = pool.backends.iter().map(|b| (b.drain, b.maintenance)).collect();
    assert_eq!(orders, [(true, false), (false, true), (false, false)]);
    assert!(pool.backends[0].check(&pool.health_check).is_some());
    assert!(
        pool.backends[1].check(&pool.health_check).is_none(),
        "no probes in maintenance"
    );
}

#[test]
fn ejection_is_on_by_default_and_can_be_single_or_a_mapping() {
    let default = EjectionRules::default();
    assert_eq!(pool("").ejection.as_ref(), Some(&default));
    assert_eq!(pool("ejection: on").ejection.as_ref(), Some(&default));
    assert_eq!(pool("ejection: {}").ejection.as_ref(), Some(&default));
    assert_eq!(pool("ejection: off").ejection, None);
    assert_eq!(pool("ejection: false").ejection, None);
    let consecutive = Some(3);
    let three = EjectionRules {
        consecutive,
        ..default.clone()
    };
    assert_eq!(pool("ejection: 3").ejection, Some(three));
    let all = "ejection: {consecutive: none, statuses: [500, \"502-504\"], base: 1s, max: 2s, max_share: 10%, \
               interval: 5s, success_rate: {factor: 0.9, min_hosts: 2, min_volume: 10, min_gap: 1%}, \
               latency: {factor: 2.5, min_hosts: 4, min_volume: 20, floor: 1ms}}";
    let expected = EjectionRules {
        consecutive: None,
        statuses: StatusRanges::new(vec![(500, 500), (502, 504)]).unwrap(),
        base: seconds(1),
        max: seconds(2),
        max_share: Share::percent(10).unwrap(),
        interval: seconds(5),
        success_rate: Some(SuccessRateRule {
            factor: Factor::new(0.9).unwrap(),
            min_hosts: 2,
            min_volume: 10,
            min_gap: Share::percent(1).unwrap(),
        }),
        latency: Some(LatencyRule {
            factor: Factor::new(2.5).unwrap(),
            min_hosts: 4,
            min_volume: 20,
            floor: Duration::from_millis(1),
        }),
    };
    assert_eq!(pool(all).ejection, Some(expected));
    let rules = |text: &str| pool(&format!("ejection: {{{text}}}")).ejection.unwrap();
    assert_eq!(rules("success_rate: off, latency: on").success_rate, None);
    assert_eq!(
        rules("success_rate: off, latency: on").latency,
        Some(LatencyRule::default())
    );
    assert_eq!(rules("latency: 3").latency.unwrap().factor.get(), 3.0);
    assert_eq!(
        (rules("base: 10m").base, rules("base: 10m").max),
        (seconds(600), seconds(600))
    );
    assert_eq!(
        (rules("max: 2s").base, rules("max: 2s").max),
        (seconds(2), seconds(2))
    );
}

#[test]
fn all_down_is_try_or_fail() {
    assert_eq!(pool("").all_down, AllDown::Try);
    assert_eq!(pool("all_down: fail").all_down, AllDown::Fail);
}

/// The pool `api` with these settings, below a file with those.
fn api(own: &str, top: &str) -> PoolConfig {
    let text = format!("port: 1\npools: {{api: {{backends: [http://a], {own}}}}}\n{top}\n");
    config(&text).pools["api"].clone()
}

#[test]
fn a_pools_check_is_merged_over_that_of_the_top() {
    let top = "health_check: {path: /a, body: ok, headers: {A: b}, interval: 500ms, fast_interval: 100ms}";
    let tcp = api("health_check: {type: tcp, rise: 7}", top).health_check;
    assert_eq!(
        (tcp.kind, tcp.rise, tcp.interval),
        (CheckKind::Tcp, 7, Duration::from_millis(500))
    );
    assert_eq!((tcp.body, tcp.headers.len()), (None, 0), "which asks nothing");
    let own = api("health_check: {port: 81, interval: 3s}", top).health_check;
    assert_eq!(
        (own.port, own.path.as_ref(), own.headers.len()),
        (Some(81), "/a", 1)
    );
    assert_eq!((own.interval, own.fast_interval), (seconds(3), seconds(1)));
    assert_eq!(
        api("health_check: true", top).health_check,
        api("", top).health_check
    );
    assert!(!api("", "health_check: false").backends[0].probed);
    assert!(api("health_check: true", "health_check: false").backends[0].probed);
    let text =
        "port: 1\npools: {api: {backends: [http://a], health_check: {path: /x}}}\nhealth_check: {type: tcp}";
    assert_eq!(
        problems(text).len(),
        1,
        "a path where the top says that probes only connect"
    );
}

#[test]
fn a_pools_ejection_is_merged_over_that_of_the_top() {
    let rules = |own: &str, top: &str| api(own, top).ejection;
    let top = "ejection: {consecutive: 9, base: 1s, max: 2s, success_rate: {factor: 2.4, min_hosts: 7}, latency: on}";
    assert_eq!(rules("", top), rules("ejection: on", top));
    assert_eq!(rules("ejection: off", top), None);
    assert_eq!(rules("", "ejection: off"), None);
    assert_eq!(
        rules("ejection: on", "ejection: off"),
        Some(EjectionRules::default())
    );
    assert_eq!(
        rules("ejection: 3", top).unwrap().base,
        seconds(10),
        "a single value stands for all"
    );
    let own = rules(
        "ejection: {base: 1m, success_rate: {min_hosts: 8}, latency: 4}",
        top,
    )
    .unwrap();
    assert_eq!(
        (own.consecutive, own.base, own.max),
        (Some(9), seconds(60), seconds(300))
    );
    let rate = own.success_rate.unwrap();
    assert_eq!((rate.factor.get(), rate.min_hosts), (2.4, 8));
    assert_eq!(own.latency.unwrap().factor.get(), 4.0);
    assert_eq!(
        rules("ejection: {base: 1s}", "ejection: 9").unwrap().consecutive,
        Some(9)
    );
    assert_eq!(
        rules("ejection: {success_rate: off}", top).unwrap().success_rate,
        None
    );
    assert_eq!(api("", "all_down: fail").all_down, AllDown::Fail);
    assert_eq!(api("all_down: try", "all_down: fail").all_down, AllDown::Try);
    let text =
        "port: 1\npools: {api: [http://a], web: [http://b]}\nroutes: [{pool: api}]\nejection: {base: 0s}";
    assert_eq!(
        problems(text),
        ["4:18: ejection.base: must be longer than 0s, got \"0s\""]
    );
}

#[test]
fn what_a_check_cannot_be_is_refused() {
    let file = |check: &str| with(&format!("health_check: {check}"));
    for (check, said) in [
        (
            "{type: grpc}",
            "3:22: health_check.type: must be http or tcp: gRPC needs HTTP/2, which is not there yet, got \"grpc\"; use `type: tcp`, or an HTTP page of the backend",
        ),
        (
            "{port: 0}",
            "3:22: health_check.port: must be a port from 1 to 65535, got \"0\"",
        ),
        (
            "{method: get}",
            "3:24: health_check.method: must be one of GET, HEAD, OPTIONS, POST, got \"get\"; did you mean `GET`?",
        ),
        (
            "{host: \"http://a\"}",
            "3:22: health_check.host: must be a host, with a port if need be, such as api.example.com:8080, got \"http://a\"",
        ),
        (
            "{headers: {Host: a}}",
            "3:26: health_check.headers.Host: must not be set: the probe writes it itself, got \"Host\"; use `host` of the check",
        ),
        (
            "{headers: {A b: a}}",
            "3:26: health_check.headers.A b: must be the name of a header: letters, digits and !#$%&'*+-.^_`|~, got \"A b\"",
        ),
        (
            "{headers: {A: \"b\\nC: d\"}}",
            "3:29: health_check.headers.A: must be visible ASCII characters, with spaces only between them, at most 4096 of them, got \"b\\nC: d\"",
        ),
        (
            "{body: {contains: a, regex: b}}",
            "3:43: health_check.body.regex: must not stand beside `contains`: write one of them, got \"b\"",
        ),
        (
            "{body: \"\"}",
            "3:22: health_check.body: must be a text that the body has to hold, got \"\"",
        ),
        (
            "{body: {regex: \"(\"}}",
            "3:30: health_check.body.regex: must be a regular expression: unclosed group, got \"(\"",
        ),
        (
            "{interval: 1ms}",
            "3:26: health_check.interval: must be at least 100ms, got \"1ms\"",
        ),
        (
            "{fast_interval: 9ms}",
            "3:31: health_check.fast_interval: must be at least 10ms, got \"9ms\"",
        ),
        (
            "{max_body: 2MiB}",
            "3:26: health_check.max_body: must be a size from 1B to 1MiB, got \"2MiB\"",
        ),
        (
            "{type: tcp, path: /a}",
            "3:33: health_check.path: has no meaning with `type: tcp`, which only connects, got \"/a\"; remove it, or write `type: http`",
        ),
    ] {
        assert_eq!(problems(&file(check)), [said], "{check}");
    }
    assert_eq!(problems(&file("{method: HEAD, body: ok}")).len(), 2);
    let said = problems(&file("{body: {regex: \"(a{1000}){1000}\"}}"));
    assert!(
        said.len() == 1 && said[0].contains("must be an expression that needs less memory"),
        "{said:?}"
    );
}

#[test]
fn what_a_backends_check_makes_impossible_is_refused_there() {
    let text = "port: 1\nhealth_check: {body: ok}\nbackends: [{url: http://a, health_check: {method: HEAD}}, \
                {url: http://b, maintenance: \"yes\"}, {url: http://c, drain: true, maintenance: true}]";
    assert_eq!(
        problems(text),
        [
            "3:51: backends[0].health_check.method: must not go together: an answer to HEAD has no body, got \"HEAD\"; use GET, or leave `body` out",
            "3:88: backends[1].maintenance: must be on or off, got \"yes\"; did you mean `on`?",
            "3:138: backends[2].maintenance: must not be there beside `drain: true`, got \"true\"; in maintenance a backend gets nothing and is not probed; remove one of them",
        ]
    );
}

#[test]
fn what_an_ejection_cannot_be_is_refused() {
    let file = |rules: &str| with(&format!("ejection: {rules}"));
    for (rules, said) in [
        (
            "0",
            "3:11: ejection: must be a whole number from 1 to 1000, or none, got \"0\"; did you mean `none`?",
        ),
        (
            "[1]",
            "3:11: ejection: must be a whole number, a mapping or off, not a list",
        ),
        (
            "{statuses: 404}",
            "3:22: ejection.statuses: must be status codes from 500 to 599, such as 503 or 502-504, got \"404\"",
        ),
        (
            "{base: 1h, max: 1m}",
            "3:27: ejection.max: must not be shorter than `base`, 1h, got \"1m\"",
        ),
        (
            "{max_share: 101%}",
            "3:23: ejection.max_share: must be a percentage from 0% to 100%, got \"101%\"",
        ),
        (
            "{interval: 10ms}",
            "3:22: ejection.interval: must be at least 1s, got \"10ms\"",
        ),
        (
            "{latency: {factor: 0}}",
            "3:30: ejection.latency.factor: must be a number above 0, at most 1000, such as 1.9, got \"0\"",
        ),
        (
            "{success_rate: {min_hosts: 1}}",
            "3:38: ejection.success_rate.min_hosts: must be a whole number from 2 to 1000000, got \"1\"",
        ),
        (
            "{success_rate: {factor: none, min_hosts: 2}}",
            "3:35: ejection.success_rate.factor: must be a number above 0, at most 1000, such as 1.9, got \"none\"",
        ),
        (
            "{success_rate: {floor: 1s}}",
            "3:27: ejection.success_rate.floor: is not a known key; known here: factor, min_hosts, min_volume, min_gap",
        ),
    ] {
        assert_eq!(problems(&file(rules)), [said], "{rules}");
    }
    assert_eq!(
        problems(&with("all_down: try_all")),
        ["3:11: all_down: must be one of try, fail, got \"try_all\""]
    );
}

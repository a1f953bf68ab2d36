//! What a file means.

use std::time::Duration;

use super::*;
use crate::config::*;

const THREE_KEYS: &str = r#"port: 8000                    # 로드밸런서 포트
strategy: "round-robin"       # 분산 방식
backends:
  - "http://localhost:9001"   # 서버 1
  - "http://localhost:9002"
  - "http://localhost:9003"
"#;

fn urls(config: &Config) -> Vec<String> {
    config.pools[DEFAULT_POOL]
        .backends
        .iter()
        .map(|backend| backend.url.to_string())
        .collect()
}

fn listeners(port: &str) -> Vec<String> {
    let config = config(&format!("port: {port}\nbackends: [http://a]"));
    config.listeners.iter().map(ToString::to_string).collect()
}

#[test]
fn three_keys_are_enough() {
    let config = config(THREE_KEYS);
    assert_eq!(
        config.listeners,
        [Listener {
            host: None,
            port: 8000
        }]
    );
    assert_eq!(
        urls(&config),
        [
            "http://localhost:9001",
            "http://localhost:9002",
            "http://localhost:9003"
        ]
    );
    assert_eq!(
        config.routes,
        [RouteConfig::everything_to(DEFAULT_POOL.into()).into()]
    );
    assert_eq!((config.workers, config.log.level), (None, LogLevel::Info));
    assert_eq!(config.shutdown_timeout, Duration::from_secs(30));
    assert_eq!(config.trusted_proxies, []);
    assert_eq!(config.client_timeouts, ClientTimeouts::default());
    assert_eq!(
        (config.lane, config.via, config.allow_trace),
        (Lane::Wire, None, false)
    );
    assert_eq!(config.limits, Limits::default());
    assert!(config.error_pages.is_empty());
    let pool = &config.pools[DEFAULT_POOL];
    assert_eq!(pool.strategy, StrategyConfig::RoundRobin);
    assert_eq!(pool.health_check, HealthCheck::default());
    assert_eq!(pool.timeouts, UpstreamTimeouts::default());
    assert_eq!(pool.retries, Retries::default());
    assert!(
        pool.backends
            .iter()
            .all(|backend| backend.probed && backend.weight == Weight::default())
    );
}

#[test]
fn line_ends_byte_order_mark_and_document_start_make_no_difference() {
    let expected = config(THREE_KEYS);
    assert_eq!(config(&THREE_KEYS.replace('\n', "\r\n")), expected);
    assert_eq!(config(&format!("\u{feff}{THREE_KEYS}")), expected);
    assert_eq!(config(&format!("---\n{THREE_KEYS}...\n")), expected);
    let flow = r#"{port: 8000, backends: [http://localhost:9001, "http://localhost:9002", 'http://localhost:9003']}"#;
    assert_eq!(config(flow), expected);
}

#[test]
fn port_has_many_forms() {
    for (port, expected) in [
        ("8000", vec![":8000"]),
        ("\"8000\"", vec![":8000"]),
        ("\":8000\"", vec![":8000"]),
        (":8000", vec![":8000"]),
        ("127.0.0.1:8000", vec!["127.0.0.1:8000"]),
        ("\"[::1]:8000\"", vec!["[::1]:8000"]),
        ("0", vec![":0"]),
        (
            "[8000, \"127.0.0.1:8001\", 0, 0]",
            vec![":8000", "127.0.0.1:8001", ":0", ":0"],
        ),
        ("${PORT}", vec![":8000"]),
    ] {
        assert_eq!(listeners(port), expected, "{port}");
    }
}

#[test]
fn a_backend_is_a_url_or_a_mapping() {
    let config = config(
        "port: 1\nbackends: [http://A/, {url: http://b, weight: 256, health_check: false}, {url: http://c, weight: \"2\"}]",
    );
    let backends = &config.pools[DEFAULT_POOL].backends;
    assert_eq!(urls(&config), ["http://a:80", "http://b:80", "http://c:80"]);
    assert_eq!(
        backends
            .iter()
            .map(|backend| backend.weight.get())
            .collect::<Vec<_>>(),
        [1, 256, 2]
    );
    assert_eq!(
        backends.iter().map(|backend| backend.probed).collect::<Vec<_>>(),
        [true, false, true]
    );
}

#[test]
fn a_written_health_check_is_stricter_than_none() {
    let default = HealthCheck::default();
    let strict = HealthCheck {
        status: StatusRanges::default(),
        ..default.clone()
    };
    assert_eq!(pool("").health_check, default);
    assert_eq!(pool("health_check: true").health_check, default);
    assert_eq!(pool("health_check:").health_check, default);
    assert_eq!(pool("health_check: {}").health_check, strict);
    assert_eq!(pool("health_check: {rise: 2}").health_check, strict);
    assert_eq!(
        pool("health_check: /healthz?a=b").health_check,
        HealthCheck {
            path: "/healthz?a=b".into(),
            ..strict
        }
    );
    let all = "health_check: {path: /a, interval: 2s, fast_interval: 2s, timeout: 3s, rise: 1, fall: 100, \
               status: [200, \"204,300-399\"], jitter: 50%}";
    let expected = HealthCheck {
        path: "/a".into(),
        interval: Duration::from_secs(2),
        fast_interval: Duration::from_secs(2),
        timeout: Duration::from_secs(3),
        rise: 1,
        fall: 100,
        status: StatusRanges::new(vec![(200, 200), (204, 204), (300, 399)]).unwrap(),
        jitter: Share::percent(50).unwrap(),
        ..HealthCheck::default()
    };
    assert_eq!(pool(all).health_check, expected);
}

#[test]
fn the_fast_interval_follows_a_shorter_interval() {
    let fast = |interval: &str| {
        pool(&format!("health_check: {{interval: {interval}}}"))
            .health_check
            .fast_interval
    };
    assert_eq!(
        (fast("500ms"), fast("1m")),
        (Duration::from_millis(500), Duration::from_secs(1))
    );
}

#[test]
fn health_check_false_turns_all_probes_off() {
    for no in ["false", "${NO}"] {
        let pool = pool(&format!("health_check: {no}"));
        assert!(pool.backends.iter().all(|backend| !backend.probed), "{no}");
        assert_eq!(pool.health_check, HealthCheck::default());
    }
}

#[test]
fn timeouts_are_single_or_a_mapping() {
    let default = UpstreamTimeouts::default();
    let second = Duration::from_secs(1);
    assert_eq!(
        pool("timeouts: 1s").timeouts,
        UpstreamTimeouts {
            response_idle: second,
            ..default
        }
    );
    assert_eq!(pool("timeouts: {request: none}").timeouts, default);
    let text = with(
        "timeouts: {connect: 1s, response_idle: 2s, request_header: 3s, body_stall: 4s, client_idle: 5s, \
                     upstream_idle: 6s, upstream_age: 7s, request: 8s, tunnel_idle: 9s}",
    );
    let config = config(&text);
    let expected = UpstreamTimeouts {
        connect: second,
        response_idle: second * 2,
        body_stall: second * 4,
        upstream_idle: second * 6,
        upstream_age: second * 7,
        tunnel_idle: second * 9,
        request: Some(second * 8),
    };
    assert_eq!(config.pools[DEFAULT_POOL].timeouts, expected);
    let expected = ClientTimeouts {
        request_header: second * 3,
        client_idle: second * 5,
    };
    assert_eq!(config.client_timeouts, expected);
}

#[test]
fn retries_are_a_number_or_a_mapping() {
    let default = Retries::default();
    assert_eq!(
        pool("retries: 0").retries,
        Retries {
            attempts: 0,
            ..default
        }
    );
    let all = "retries: {attempts: 10, budget: 100%, min_per_second: 0, statuses: [503, \"500-501,503\"]}";
    let expected = Retries {
        attempts: 10,
        budget: Share::percent(100).unwrap(),
        min_per_second: 0,
        statuses: vec![500, 501, 503],
    };
    assert_eq!(pool(all).retries, expected);
    assert_eq!(pool("retries: {statuses: 503}").retries.statuses, [503]);
}

#[test]
fn the_other_settings() {
    let text = with("trusted_proxies: [10.0.0.0/8, \"::1\"]\nworkers: 1024\nshutdown_timeout: 0s\nlog: off");
    let config = config(&text);
    let networks: Vec<_> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
    assert_eq!((config.workers, config.log.level), (Some(1024), LogLevel::Off));
    assert_eq!(config.shutdown_timeout, Duration::ZERO);
    assert_eq!(
        super::config(&with("trusted_proxies: 10.0.0.1"))
            .trusted_proxies
            .len(),
        1
    );
    assert_eq!(super::config(&with("workers: auto")).workers, None);
}

#[test]
fn a_lane_has_a_name() {
    assert_eq!(config(&with("lane: wire")).lane, Lane::Wire);
    assert_eq!(config(&with("lane: handler")).lane, Lane::Handler);
}

#[test]
fn via_is_a_switch_or_a_name() {
    let longest = "x".repeat(64);
    for (written, meant) in [
        ("off", None),
        ("false", None),
        ("${NO}", None),
        ("on", Some("simple-lb")),
        ("\"on\"", Some("simple-lb")),
        ("true", Some("simple-lb")),
        ("edge-1.example", Some("edge-1.example")),
        ("${HOST}", Some("localhost")),
        ("\"one\"", Some("one")),
        ("\"!#$%&'*+-.^_`|~\"", Some("!#$%&'*+-.^_`|~")),
        (&longest, Some(longest.as_str())),
    ] {
        assert_eq!(
            config(&with(&format!("via: {written}"))).via.as_deref(),
            meant,
            "{written}"
        );
    }
    for written in [
        "é",
        "a b",
        "a/b",
        "\"\"",
        &"x".repeat(65),
        "1",
        "yes",
        "no",
        "None",
    ] {
        assert_eq!(problems(&with(&format!("via: {written}"))).len(), 1, "{written}");
    }
}

#[test]
fn names_are_looked_up_by_dns_or_as_the_system_says() {
    let resolver = |text: &str| config(&with(text)).resolver;
    assert_eq!(resolver(""), ResolverConfig::default());
    let all = "resolver: {source: system, nameservers: [10.0.0.53, \"127.0.0.1:5353\", \"::1\", \"[::1]:54\"], timeout: 100ms}";
    let servers = ["10.0.0.53:53", "127.0.0.1:5353", "[::1]:53", "[::1]:54"];
    let expected = ResolverConfig {
        source: NameSource::System,
        nameservers: servers.map(|server| server.parse().unwrap()).to_vec(),
        timeout: Duration::from_millis(100),
    };
    assert_eq!(resolver(all), expected);
    for bad in [
        "resolver: {source: files}",
        "resolver: {timeout: 99ms}",
        "resolver: {nameservers: [ns.example]}",
        "resolver: {nameservers: [\"10.0.0.53:0\"]}",
        "resolver: dns",
    ] {
        assert_eq!(problems(&with(bad)).len(), 1, "{bad}");
    }
}

#[test]
fn trace_is_a_switch() {
    for (written, meant) in [("on", true), ("true", true), ("off", false), ("${NO}", false)] {
        assert_eq!(
            config(&with(&format!("trace: {written}"))).allow_trace,
            meant,
            "{written}"
        );
    }
}

#[test]
fn limits_are_sizes_and_numbers() {
    let all = "limits: {header_size: 64KiB, header_count: 1000, body_size: 10MB, connections: 1, \
               connections_per_client: \"${WEIGHT}\", client_prefix: 48}";
    let expected = Limits {
        header_size: ByteSize::new(65_536),
        header_count: 1000,
        body_size: Some(ByteSize::new(10_000_000)),
        connections: Some(1),
        connections_per_client: Some(3),
        client_prefix: 48,
    };
    assert_eq!(config(&with(all)).limits, expected);
    let none = "limits: {body_size: none, connections: none, connections_per_client: none}";
    assert_eq!(config(&with(none)).limits, Limits::default());
    let size = |size: &str| {
        config(&with(&format!("limits: {{header_size: {size}}}")))
            .limits
            .header_size
    };
    assert_eq!(
        (size("1KiB"), size("1MiB")),
        (ByteSize::new(1024), ByteSize::new(1_048_576))
    );
}

#[test]
fn error_pages_are_files_by_status_code() {
    let text = with(
        "error_pages:\n  502: errors/502.html\n  \"503\": '${HOST}.html'\n  400: /a b.html\n  599: ~/x\n  504:\n",
    );
    let pages: Vec<_> = config(&text)
        .error_pages
        .into_iter()
        .map(|(status, page)| format!("{status} {}", &*page.path))
        .collect();
    assert_eq!(
        pages,
        [
            "400 /a b.html",
            "502 errors/502.html",
            "503 localhost.html",
            "599 ~/x"
        ]
    );
    assert!(config(&with("error_pages: {}")).error_pages.is_empty());
}

#[test]
fn null_means_not_written() {
    let text = with(
        "strategy:\nfailover:\nslow_start:\nhealth_check: ~\ntimeouts: null\nretries:\ntrusted_proxies:\nworkers:\nshutdown_timeout:\nlog:\n\
         lane:\nvia:\ntrace: ~\nlimits:\nerror_pages:\n",
    );
    assert_eq!(config(&text), config(&with("")));
}

#[test]
fn keys_for_shared_anchors_are_ignored() {
    let text = "x-shared: &s {connect: 1s}\nport: 1\nbackends: [http://a]\ntimeouts: {<<: *s, request: 9s}\n";
    let timeouts = &config(text).pools[DEFAULT_POOL].timeouts;
    assert_eq!(
        (timeouts.connect, timeouts.request),
        (Duration::from_secs(1), Some(Duration::from_secs(9)))
    );
    assert_eq!(problems("port: 1\nbackends: [{x-a: 1, url: http://a}]").len(), 1);
}

#[test]
fn variables_are_typed_by_their_setting() {
    let text = "port: ${PORT}\nbackends: [{url: 'http://${HOST}:${NONE:-9001}', weight: \"${WEIGHT}\", health_check: '${NO}'}]";
    let config = config(text);
    let backend = &config.pools[DEFAULT_POOL].backends[0];
    assert_eq!(config.listeners[0].port, 8000);
    assert_eq!(
        (backend.url.to_string().as_str(), backend.weight.get()),
        ("http://localhost:9001", 3)
    );
    assert!(!backend.probed);
}

#[test]
fn anchors_and_merge_keys_work() {
    let config = config(
        "port: 1\nbackends:\n  - &a {url: http://a, weight: 7, health_check: false}\n  - {<<: *a, url: http://b}\n  \
         - {url: http://c, <<: [{weight: 2}, *a]}\n",
    );
    let backends = &config.pools[DEFAULT_POOL].backends;
    let seen: Vec<_> = backends
        .iter()
        .map(|backend| (backend.url.host(), backend.weight.get(), backend.probed))
        .collect();
    assert_eq!(seen, [("a", 7, false), ("b", 7, false), ("c", 2, false)]);
}

#[test]
fn a_queue_is_a_size_off_or_a_mapping() {
    let queue = |text: &str| {
        let text = format!("port: 1\nbackends: [{{url: http://a, max_connections: 1}}]\n{text}\n");
        config(&text).pools[DEFAULT_POOL].queue
    };
    let seconds = |size, seconds| QueueConfig {
        size,
        timeout: Duration::from_secs(seconds),
    };
    assert_eq!(queue(""), seconds(1024, 5));
    assert_eq!(queue("queue: 10"), seconds(10, 5));
    for off in ["queue: off", "queue: 0", "queue: {size: none}"] {
        assert_eq!(queue(off), seconds(0, 5), "{off}");
    }
    assert_eq!(queue("queue: {size: 3, timeout: 1m}"), seconds(3, 60));
}

#[test]
fn stickiness_is_a_name_a_switch_or_a_mapping_and_pools_have_their_own() {
    let sticky = |text: &str| {
        let text = format!("port: 1\nbackends: [http://a]\n{text}\n");
        let config = config(&text);
        let of = |pool: &str| Some(config.pools.get(pool)?.sticky.as_ref()?.to_string());
        (of(DEFAULT_POOL), of("api"))
    };
    let plain =
        |name| format!("{{cookie: {name}, secure: false, http_only: true, same_site: lax, ttl: none}}");
    assert_eq!(sticky(""), (None, None));
    assert_eq!(sticky("sticky: true"), (Some(plain("simple_lb")), None));
    assert_eq!(sticky("sticky: srv"), (Some(plain("srv")), None));
    let full = "{cookie: c, secure: true, http_only: false, same_site: none, ttl: 8h}";
    assert_eq!(sticky(&format!("sticky: {full}")).0.as_deref(), Some(full));
    let prefixed = sticky("sticky: {cookie: __Host-srv, secure: true}").0.unwrap();
    assert!(
        prefixed.starts_with("{cookie: __Host-srv, secure: true"),
        "{prefixed}"
    );
    let api = |sticky: &str| format!("pools: {{api: {{backends: [http://b]{sticky}}}}}\n");
    let both = sticky(&format!("sticky: srv\n{}", api("")));
    assert_eq!(
        both,
        (Some(plain("srv")), Some(plain("srv-api"))),
        "or they would overwrite each other's cookies"
    );
    for own in ["true", "{ttl: none}", "{cookie: true}"] {
        let both = sticky(&format!("sticky: true\n{}", api(&format!(", sticky: {own}"))));
        assert_eq!(
            both,
            (Some(plain("simple_lb")), Some(plain("simple_lb-api"))),
            "{own}"
        );
    }
    let off = sticky(&format!("sticky: srv\n{}", api(", sticky: false")));
    assert_eq!(off, (Some(plain("srv")), None));
}

#[test]
fn an_access_log_is_a_path_a_switch_or_a_mapping() {
    let read = |text: &str| config(&with(&format!("access_log: {text}"))).access_log;
    let file = |path: &str| AccessLogConfig {
        path: LogTarget::File(path.into()),
        ..AccessLogConfig::default()
    };
    assert_eq!(config(&with("")).access_log, None);
    assert_eq!(read("off"), None);
    for stdout in ["on", "\"-\"", "/dev/stdout", "{}", "{path: \"-\"}"] {
        assert_eq!(read(stdout), Some(AccessLogConfig::default()), "{stdout}");
    }
    assert_eq!(read("logs/access.log"), Some(file("logs/access.log")));
    assert_eq!(read("{path: ./on}"), Some(file("./on")));
    let all = "{path: a, format: combined, sample: 1%, slow: none, rotate: {size: 1MiB, keep: 3}}";
    let expected = AccessLogConfig {
        format: AccessLogFormat::Combined,
        sample: Share::percent(1).unwrap(),
        slow: None,
        rotate: Some(LogRotation {
            size: ByteSize::new(1 << 20),
            keep: 3,
        }),
        ..file("a")
    };
    assert_eq!(read(all), Some(expected));
    let rotate = |text: &str| read(&format!("{{path: a, rotate: {text}}}")).unwrap().rotate;
    assert_eq!(rotate("on"), Some(LogRotation::default()));
    assert_eq!(
        rotate("64KiB").map(|rotate| rotate.size),
        Some(ByteSize::new(64 * 1024))
    );
    let pattern = read("{format: \"{id} {header User-Agent}\"}").unwrap().format;
    assert!(
        matches!(pattern, AccessLogFormat::Pattern(pattern) if pattern.as_str() == "{id} {header User-Agent}")
    );
    let log = config(&with("log: {level: warn, format: json}")).log;
    assert_eq!((log.level, log.format), (LogLevel::Warn, LogFormat::Json));
    assert_eq!(config(&with("log: warn")).log.format, LogFormat::Text);
}

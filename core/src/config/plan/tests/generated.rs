//! Configurations of all kinds: the plan from one to another, carried out, gives the other.

use std::{collections::BTreeMap, time::Duration};

use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
};

use super::*;
use crate::{config::size::ByteSize, sticky::StickyKey, token::TokenDigest};

fn seconds() -> impl Strategy<Value = Duration> {
    (1..4_u64).prop_map(Duration::from_secs)
}

fn backends() -> impl Strategy<Value = Vec<BackendConfig>> {
    let priority = prop_oneof![
        (0..2_u8).prop_map(|n| Priority::new(n).unwrap()),
        Just(Priority::BACKUP)
    ];
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    let own_check = option::of(health_checks().prop_map(Arc::new));
    let fields = (
        0..6_u16,
        1..3_u16,
        priority,
        option::of(1..3_u32),
        switches,
        own_check,
    );
    let backend = fields.prop_map(
        |(port, weight, priority, max_connections, (probed, drain, maintenance), own_check)| BackendConfig {
            url: BackendUrl::from_parts(Scheme::Http, "a", 9000 + port),
            weight: Weight::new(weight).unwrap(),
            priority,
            max_connections,
            probed,
            own_check,
            drain,
            maintenance,
        },
    );
    vec(backend, 1..6).prop_map(|mut backends| {
        let mut seen = Vec::new();
        backends.retain(|backend| {
            let new = !seen.contains(&backend.url);
            seen.push(backend.url.clone());
            new
        });
        backends
    })
}

fn share() -> impl Strategy<Value = Share> {
    (0..3_u8).prop_map(|percent| Share::percent(percent).unwrap())
}

prop_compose! {
    fn health_checks()(
        path in "/[ab]",
        (interval, fast_interval, timeout) in (seconds(), seconds(), seconds()),
        (rise, fall) in (1..3_u32, 1..3_u32),
        last in 300..303_u16,
        jitter in share(),
        (kind, port, method) in (
            prop_oneof![Just(CheckKind::Http), Just(CheckKind::Tcp)],
            option::of(1..3_u16),
            prop_oneof![Just(CheckMethod::Get), Just(CheckMethod::Head)],
        ),
        (host, header) in (option::of("[ab]"), option::of("[ab]")),
        (body, max_body) in (option::of("[ab]"), 1..3_u32),
    ) -> HealthCheck {
        let status = StatusRanges::new(std::vec![(200, last)]).unwrap();
        HealthCheck {
            kind, port, method, path: (&*path).into(), interval, fast_interval, timeout, rise, fall, status, jitter,
            host: host.map(Into::into),
            headers: header.iter().map(|value| ("x".into(), value.as_str().into())).collect(),
            body: body.map(|text| BodyMatch::contains(&text).unwrap()),
            max_body: ByteSize::kib(max_body),
        }
    }
}

prop_compose! {
    fn ejections()(
        (consecutive, last, share) in (option::of(1..3_u32), 502..504_u16, share()),
        (base, max, interval) in (seconds(), seconds(), seconds()),
        (rate, latency) in (option::of(1..3_u32), option::of(1..3_u32)),
    ) -> EjectionRules {
        EjectionRules {
            consecutive, base, max, interval, max_share: share,
            statuses: StatusRanges::new(std::vec![(502, last)]).unwrap(),
            success_rate: rate.map(|min_hosts| SuccessRateRule { min_hosts, ..SuccessRateRule::default() }),
            latency: latency.map(|min_hosts| LatencyRule { min_hosts, ..LatencyRule::default() }),
        }
    }
}

fn strategies() -> impl Strategy<Value = StrategyConfig> {
    let key = prop_oneof![
        Just(HashKey::Client),
        "[ab]".prop_map(|name| HashKey::Header(name.into()))
    ];
    let factor = option::of((2..4_u8).prop_map(|factor| LoadFactor::new(f64::from(factor)).unwrap()));
    prop_oneof![
        Just(StrategyConfig::RoundRobin),
        Just(StrategyConfig::First),
        (seconds(), any::<bool>()).prop_map(|(decay, intelligent)| {
            StrategyConfig::LeastTime(LeastTimeConfig { decay, intelligent })
        }),
        (key, factor).prop_map(|(key, bounded_load)| StrategyConfig::Hash(HashConfig { key, bounded_load })),
    ]
}

fn failovers() -> impl Strategy<Value = Failover> {
    let factor = |factor: u8| LoadFactor::new(f64::from(factor)).unwrap();
    prop_oneof![
        Just(Failover::Whole),
        (2..4_u8).prop_map(move |number| Failover::Gradual {
            overprovisioning: factor(number)
        }),
    ]
}

fn queues() -> impl Strategy<Value = QueueConfig> {
    (0..2_u32, seconds()).prop_map(|(size, timeout)| QueueConfig { size, timeout })
}

fn stickies() -> impl Strategy<Value = StickyConfig> {
    let same_site = prop_oneof![Just(SameSite::Lax), Just(SameSite::Strict)];
    let key = option::of("[ab]".prop_map(|secret| StickyKey::from_secret(secret.as_bytes())));
    let switches = (any::<bool>(), any::<bool>());
    ("[ab]", switches, same_site, option::of(seconds()), key).prop_map(
        |(cookie, (secure, http_only), same_site, ttl, key)| StickyConfig {
            cookie: cookie.into(),
            secure,
            http_only,
            same_site,
            ttl,
            key,
        },
    )
}

prop_compose! {
    fn pools()(
        (queue, sticky) in (queues(), option::of(stickies())),
        (strategy, failover, slow_start) in (strategies(), failovers(), seconds()),
        backends in backends(),
        health_check in health_checks(),
        (ejection, all_down) in (option::of(ejections()), prop_oneof![Just(AllDown::Try), Just(AllDown::Fail)]),
        (connect, response_idle, body_stall, upstream_idle) in (seconds(), seconds(), seconds(), seconds()),
        (upstream_age, tunnel_idle, request) in (seconds(), seconds(), option::of(seconds())),
        (attempts, budget, min_per_second, statuses) in (0..3_u32, share(), 0..3_u32, vec(500..503_u16, 0..3)),
    ) -> PoolConfig {
        PoolConfig {
            strategy,
            failover,
            slow_start,
            queue,
            sticky,
            backends,
            health_check,
            ejection,
            all_down,
            timeouts: UpstreamTimeouts { connect, response_idle, body_stall, upstream_idle, upstream_age, tunnel_idle, request },
            retries: Retries { attempts, budget, min_per_second, statuses },
        }
    }
}

fn error_pages() -> impl Strategy<Value = BTreeMap<u16, ErrorPage>> {
    let page = "[ab]\\.html".prop_map(|path| ErrorPage {
        path: (&*path).into(),
        content: Arc::default(),
    });
    btree_map(502..505_u16, page, 0..3)
}

prop_compose! {
    fn limits()(
        header_size in 1..4_u32,
        header_count in 1..4_u16,
        body_size in option::of(0..4_u64),
        (connections, connections_per_client) in (option::of(1..4_u32), option::of(1..4_u32)),
        client_prefix in 60..66_u8,
    ) -> Limits {
        let (header_size, body_size) = (ByteSize::kib(header_size), body_size.map(ByteSize::new));
        Limits { header_size, header_count, body_size, connections, connections_per_client, client_prefix }
    }
}

prop_compose! {
    fn resolver()(
        source in prop_oneof![Just(NameSource::Dns), Just(NameSource::System)],
        nameservers in proptest::collection::vec((1..3_u8).prop_map(|last| ([127, 0, 0, last], 53).into()), 0..3),
        timeout in seconds(),
    ) -> ResolverConfig {
        ResolverConfig { source, nameservers, timeout }
    }
}

prop_compose! {
    fn admin()(
        port in 9000..9002_u16,
        tokens in vec(("[ab]", option::of("[ab]"), any::<bool>(), option::of("[ab]")), 0..3),
        hosts in vec("[ab]", 0..2),
        is_open in any::<bool>(),
    ) -> AdminConfig {
        let token = |(name, file, admin, secret): (String, Option<String>, bool, Option<String>)| AdminToken {
            name: name.into(),
            role: if admin { AdminRole::Admin } else { AdminRole::Read },
            file: file.map(|file| (&*file).into()),
            digest: secret.map(|secret| TokenDigest::of(secret.as_bytes())),
            is_short: false,
        };
        AdminConfig {
            listen: Listener { port, ..AdminConfig::default().listen },
            tokens: tokens.into_iter().map(token).collect(),
            hosts: hosts.into_iter().map(Into::into).collect(),
            metrics: if is_open { MetricsAccess::Open } else { MetricsAccess::Token },
        }
    }
}

prop_compose! {
    fn access_log()(
        path in prop_oneof![Just(LogTarget::Stdout), "[ab]".prop_map(|path| LogTarget::File((&*path).into()))],
        format in prop_oneof![Just(AccessLogFormat::Json), Just(AccessLogFormat::Text)],
        sample in (0..3_u8).prop_map(|percent| Share::percent(percent).unwrap()),
        slow in option::of(seconds()),
        rotate in option::of((1..3_u32).prop_map(|keep| LogRotation { keep, ..LogRotation::default() })),
    ) -> AccessLogConfig {
        AccessLogConfig { path, format, sample, slow, rotate }
    }
}

prop_compose! {
    fn configs()(
        ports in btree_set(8000..8003_u16, 1..3),
        default in pools().boxed(),
        others in btree_map("[ab]", pools().boxed(), 0..3),
        (networks, secret_names) in (vec("10\\.0\\.0\\.[0-2]/32", 0..3), vec("[ab]{2}", 0..3)),
        workers in option::of(1..3_usize),
        (shutdown_timeout, request_header, client_idle) in (seconds(), seconds(), seconds()),
        log in prop_oneof![Just(LogLevel::Off), Just(LogLevel::Info)],
        access_log in option::of(access_log()).boxed(),
        lane in prop_oneof![Just(Lane::Handler), Just(Lane::Wire)],
        via in option::of(prop_oneof![Just(Via::Own("simple-lb".into())), "[ab]".prop_map(|name| Via::Named(name.into()))]),
        (allow_trace, state_dir) in (any::<bool>(), option::of("[ab]".prop_map(|folder| (&*folder).into()))),
        limits in limits().boxed(),
        resolver in resolver().boxed(),
        admin in option::of(admin()).boxed(),
        error_pages in error_pages(),
    ) -> Config {
        let named = others.into_iter().map(|(name, pool)| (name.into(), pool));
        let pools: std::collections::BTreeMap<Arc<str>, _> = named.chain([(DEFAULT_POOL.into(), default)]).collect();
        Config {
            listeners: ports.into_iter().map(|port| Listener { host: None, port }).collect(),
            routes: pools.keys().map(|pool| RouteConfig::everything_to(pool.clone()).into()).collect(),
            pools,
            secret_names: secret_names.into_iter().map(Into::into).collect(),
            trusted_proxies: networks.iter().map(|network| network.parse().unwrap()).collect(),
            workers,
            shutdown_timeout,
            state_dir,
            log: LogConfig { level: log, format: LogFormat::Text },
            access_log,
            client_timeouts: ClientTimeouts { request_header, client_idle },
            lane,
            via,
            allow_trace,
            limits,
            resolver,
            admin,
            error_pages,
        }
    }
}

proptest! {
    #[test]
    fn the_plan_of_two_configurations_applied_to_the_first_gives_the_second(running in configs(), next in configs()) {
        let plan = ReloadPlan::between(&running, &next);
        prop_assert_eq!(plan.apply(&running), next.clone());
        prop_assert_eq!(plan.is_empty(), running == next);
        prop_assert_eq!(plan.apply(&next), next);
    }

    #[test]
    fn a_plan_is_empty_and_silent_only_for_equal_configurations(running in configs(), next in configs()) {
        prop_assert!(ReloadPlan::between(&running, &running).is_empty());
        let plan = ReloadPlan::between(&running, &next);
        prop_assert!(!plan.is_empty() && !plan.lines().is_empty() || running == next);
    }
}

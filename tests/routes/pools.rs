use dummy_servers::Behaviour;
use lb_core::status::HealthStatus::Up;

use super::{assert_taken, config, in_front_of, name_or_status};
use crate::harness::{Balancer, FAST_CHECKS, Load, backends, hits, wait_until};

#[test]
fn the_only_pool_needs_neither_routes_nor_a_name() {
    let [a] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nhealth_check: false\npools: {{api: [\"{}\"]}}\n",
        a.url()
    ));
    assert_eq!(balancer.order(2), "a a");
    assert_eq!(balancer.status().pools[0].name, "api");
    assert_eq!(balancer.status().routes, []);
}

#[test]
fn a_route_has_timeouts_and_retries_of_its_own() {
    let [a, b] = backends();
    let config = format!(
        "port: 0\nhealth_check: false\nbackends: [\"{}\", \"{}\"]\nretries: {{attempts: 1, statuses: 500}}\nroutes:\n  \
         - {{path: /quick, pool: default, timeouts: {{response_idle: 2s}}, retries: 0}}\n  \
         - {{path: /pass, pool: default, retries: {{statuses: []}}}}\n  - {{pool: default}}\n",
        a.url(),
        b.url()
    );
    let balancer = Balancer::start(&config);
    let mut client = balancer.connect();
    a.set_behaviour(Behaviour::Fail);
    b.set_behaviour(Behaviour::Fail);
    client.get("/x");
    assert_eq!(hits(&[&a, &b]), "a: 1, b: 1", "a 500 is retried");
    client.get("/quick");
    assert_eq!(a.hits() + b.hits(), 3, "but not on this route");
    client.get("/pass");
    assert_eq!(a.hits() + b.hits(), 4, "nor on this one");
    a.set_behaviour(Behaviour::Hang);
    b.set_behaviour(Behaviour::Hang);
    let slow = client.get("/quick");
    assert_eq!(slow.status, 504);
}

#[test]
fn a_route_with_a_strategy_of_its_own_takes_turns_of_its_own() {
    let [a, b] = backends();
    let config = format!(
        "port: 0\nhealth_check: false\nstrategy: round-robin\nbackends: [\"{}\", \"{}\"]\nroutes:\n  \
         - {{path: /first, pool: default, strategy: first}}\n  - {{pool: default}}\n",
        a.url(),
        b.url()
    );
    let balancer = Balancer::start(&config);
    let mut client = balancer.connect();
    let mut order = String::new();
    for path in ["/", "/first", "/first", "/", "/first", "/"] {
        order.push_str(&name_or_status(&client.get(path)));
    }
    assert_eq!(order, "aaabaa");
    let pools = balancer.status().pools;
    assert_eq!(
        (pools.len(), pools[0].backends[0].counts.requests),
        (1, 5),
        "one pool, one count"
    );
}

#[test]
fn a_split_keeps_each_client_where_it_is() {
    let [a, b] = backends();
    let routes = "{path: /by-address, split: {a: 50, b: 50}}
        {path: /by-cookie, split: {a: 50, b: 50}, split_by: cookie uid}
        {path: /by-header, split: {a: 90, b: 10}, split_by: header X-User}
        {path: /random, split: {a: 1, b: 1}, split_by: random}
        {path: /none, split: {a: 0, b: 1}}";
    let balancer = in_front_of(&[&a, &b], routes);
    let mut client = balancer.connect();
    let first = name_or_status(&client.get("/by-address"));
    assert!((0..20).all(|_| name_or_status(&client.get("/by-address")) == first));
    let mut at_b = 0;
    for user in 0..200 {
        let cookie = format!("Cookie: x=1; uid={user}");
        let mut get = || name_or_status(&client.request("GET", "/by-cookie", &[&cookie], b""));
        assert_eq!(get(), get(), "{user}");
        let header = format!("X-User: {user}");
        let taken = name_or_status(&client.request("GET", "/by-header", &[&header], b""));
        at_b += usize::from(taken == "b");
    }
    assert!((5..45).contains(&at_b), "{at_b} of 200 are about a tenth");
    let random: String = (0..100).map(|_| name_or_status(&client.get("/random"))).collect();
    assert!(random.contains('a') && random.contains('b'), "{random}");
    assert_taken(&balancer, &[("GET /none", "b")]);
}

#[test]
fn a_pool_that_is_removed_under_load_fails_no_request() {
    let [a, b] = backends();
    let both = |routes: &str, pools: &str| {
        format!("port: 0\n{FAST_CHECKS}\npools: {{{pools}}}\nroutes: [{routes}]\n")
    };
    let (a_url, b_url) = (a.url(), b.url());
    let two = both(
        "{pool: one}, {path: /two, pool: two}",
        &format!("one: [\"{a_url}\"], two: [\"{b_url}\"]"),
    );
    let one = both("{pool: one}", &format!("one: [\"{a_url}\"]"));
    let other = both("{pool: two}", &format!("two: [\"{b_url}\"]"));
    let balancer = Balancer::start(&two);
    let load = Load::start(balancer.address(), 20);
    for config in [&one, &other, &two, &other, &one] {
        load.wait_for_more(200);
        balancer.reload_with(config);
    }
    load.wait_for_more(200);
    load.finish_without_failure();
}

#[test]
fn a_reload_says_what_becomes_of_pools_and_routes_and_keeps_what_is_known() {
    let [a, b, c] = backends();
    let routes = "{path: /a, pool: a}\n{path: /b, pool: b}";
    let balancer = in_front_of(&[&a, &b], routes);
    let mut client = balancer.connect();
    client.get("/a");
    client.get("/a");
    let reload = balancer.reload_with(&config(
        &[&a, &c],
        "{path: /c, redirect: /a}\n{path: /a, split: {a: 1, c: 0}, timeouts: 5s}",
    ));
    let lines: Vec<_> = reload.stdout.lines().collect();
    assert_eq!(
        lines[..8],
        [
            "- pool b",
            "+ pool c",
            &format!("- b {}", b.url()),
            &format!("+ c {}", c.url()),
            "- route path /b -> b",
            "+ route path /c -> redirect 302 /a",
            "~ route path /a: pool a -> -",
            "~ route path /a: split - -> a 1, c 0",
        ]
    );
    client.get("/a");
    let status = balancer.status();
    let counts: Vec<_> = status
        .routes
        .iter()
        .map(|route| (route.when.as_str(), route.requests))
        .collect();
    assert_eq!(
        counts,
        [("path /c", 0), ("path /a", 3)],
        "a route with the same conditions stays itself"
    );
    assert_eq!(status.pools[0].backends[0].counts.requests, 3);
    assert_eq!(status.pools[0].backends[0].health, Up);
    assert_taken(
        &balancer,
        &[("GET /b", "404"), ("GET /c", "302"), ("GET /a", "a")],
    );
}

#[test]
fn a_route_that_can_never_match_is_named_at_check_start_and_reload() {
    let [a] = backends();
    let text = config(&[&a], "{path: /x, pool: a}\n{path: /x/, pool: a}");
    let warning = "config.yaml:7:5: routes[1]: can never match: routes[0] in line 6 takes all its requests";
    let balancer = Balancer::start(&text);
    balancer.wait_for_log(warning);
    let check = balancer.place.run("check --config config.yaml");
    assert!(
        check.stdout.contains(&format!("warning: {warning}")) && check.code == 0,
        "{check:?}"
    );
    assert!(check.stdout.contains("routes[1].pool"), "{check:?}");
    let reload = balancer.reload();
    assert!(reload.stdout.contains(warning), "{reload:?}");
}

#[test]
fn each_pool_is_probed_as_it_says() {
    let [a, b] = backends();
    let config = format!(
        "port: 0\n{FAST_CHECKS}\npools:\n  one: [\"{}\"]\n  two: {{backends: [\"{}\"], health_check: false}}\nroutes: [{{path: /1, pool: one}}, {{pool: two}}]\n",
        a.url(),
        b.url()
    );
    let balancer = Balancer::start(&config);
    wait_until("probes", || a.probes() > 3);
    assert_eq!(b.probes(), 0);
    a.kill();
    balancer.wait_for_health(&a.url(), lb_core::status::HealthStatus::Down);
    assert_eq!(balancer.get("/1").status, 502, "another pool does not help");
    assert_eq!(name_or_status(&balancer.get("/2")), "b");
    a.revive().unwrap();
    balancer.wait_for_health(&a.url(), Up);
}

//! The order of routes, and that the tables find what a walk through all of them would.
#![allow(clippy::unwrap_used)]

use std::{cmp::Reverse, net::IpAddr};

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{
    config::{Conditions, FieldTest, ValueTest},
    route::{NoHeaders, Pattern},
};

/// A route by its conditions: `host path [method]`, `*` for any; `=` before an exact path, `~` before a pattern.
fn route(text: &str) -> Arc<RouteConfig> {
    let mut words = text.split(' ');
    let hosts = words.next().unwrap().split(',').map(host).collect();
    let path = match words.next().unwrap() {
        "*" => PathPattern::Any,
        path if path.starts_with('=') => PathPattern::Exact(path[1..].into()),
        path if path.starts_with('~') => PathPattern::Regex(Pattern::new(&path[1..]).unwrap()),
        path => PathPattern::Prefix(path.into()),
    };
    let when = Conditions {
        hosts,
        path,
        methods: words.map(Into::into).collect(),
        ..Conditions::default()
    };
    Arc::new(RouteConfig {
        when,
        ..RouteConfig::everything_to("default".into())
    })
}

fn host(text: &str) -> HostPattern {
    match text {
        "*" => HostPattern::Any,
        wildcard if wildcard.starts_with("*.") => HostPattern::Wildcard(wildcard[1..].into()),
        host => HostPattern::Exact(host.into()),
    }
}

fn request<'a>(host: &'a str, path: &'a str, method: &'a str) -> Request<'a> {
    Request {
        host: host.as_bytes(),
        method: method.as_bytes(),
        path: path.as_bytes(),
        query: b"",
        headers: &NoHeaders,
        client: IpAddr::from([127, 0, 0, 1]),
    }
}

/// The routes, and for each request (`host path method`) the number of the route it takes.
#[track_caller]
fn assert_routes(routes: &[&str], requests: &[(&str, Option<usize>)]) {
    let matcher = Matcher::new(&routes.iter().map(|text| route(text)).collect::<Vec<_>>());
    for (text, expected) in requests {
        let words: Vec<_> = text.split(' ').collect();
        assert_eq!(
            matcher.find(&request(words[0], words[1], words[2])),
            *expected,
            "{text}"
        );
    }
}

#[test]
fn an_exact_host_comes_before_wildcards_and_the_longer_wildcard_before_the_shorter() {
    assert_routes(
        &["* *", "*.example *", "*.a.example *", "b.a.example *", "[::1] *"],
        &[
            ("b.a.example / GET", Some(3)),
            ("B.A.Example. / GET", Some(3)),
            ("c.a.example / GET", Some(2)),
            ("x.c.a.example / GET", Some(2)),
            ("a.example / GET", Some(1)),
            ("example / GET", Some(0)),
            (".a.example / GET", Some(1)),
            ("other / GET", Some(0)),
            (" / GET", Some(0)),
            ("[0:0::1] / GET", Some(4)),
            ("[::2] / GET", Some(0)),
            ("b.a.example.. / GET", Some(0)),
        ],
    );
}

#[test]
fn an_exact_path_comes_before_the_longest_prefix_then_patterns_then_any() {
    assert_routes(
        &["* *", "* ~^/a/[0-9]+", "* /a/b", "* /a", "* =/a/b", "* ~^/x"],
        &[
            ("h /a/b GET", Some(4)),
            ("h /a/b/ GET", Some(2)),
            ("h /a/b/c GET", Some(2)),
            ("h /a/bc GET", Some(3)),
            ("h /a/7 GET", Some(3)),
            ("h /ab GET", Some(0)),
            ("h /xy GET", Some(5)),
            ("h * GET", Some(0)),
        ],
    );
}

#[test]
fn more_conditions_come_before_fewer_and_the_first_written_before_the_second() {
    assert_routes(
        &["* /a", "* /a POST", "* /a POST PUT", "* /a"],
        &[
            ("h /a GET", Some(0)),
            ("h /a POST", Some(1)),
            ("h /a PUT", Some(2)),
            ("h /a post", Some(0)),
        ],
    );
}

#[test]
fn where_the_more_specific_does_not_hold_the_next_one_is_asked() {
    assert_routes(
        &[
            "h =/a/b POST",
            "h /a/b POST",
            "h /a PUT",
            "*.x /a",
            "* /a/b/c DELETE",
            "* /a HEAD",
        ],
        &[
            ("h /a/b POST", Some(0)),
            ("h /a/b/c POST", Some(1)),
            ("h /a/b/c PUT", Some(2)),
            ("h /a/b/c/d DELETE", Some(4)),
            ("h /a/b/c HEAD", Some(5)),
            ("h /a/b/c GET", None),
            ("g.x /a GET", Some(3)),
        ],
    );
}

#[test]
fn a_long_hostile_path_or_host_costs_one_walk() {
    let routes = ["*.example /a/a/a", "* /a"].map(route);
    let matcher = Matcher::new(&routes);
    let (path, dots) = ("/a".repeat(100_000), "a.".repeat(100_000));
    assert_eq!(matcher.find(&request("x", &path, "GET")), Some(1));
    assert_eq!(matcher.find(&request(&dots, "/", "GET")), None);
}

#[test]
fn one_route_for_everything_is_no_decision() {
    assert!(Matcher::new(&[RouteConfig::everything_to("a".into()).into()]).is_plain());
    assert!(!Matcher::new(&[route("* /a")]).is_plain());
    assert!(!Matcher::new(&[]).is_plain());
    assert_eq!(Matcher::new(&[]).find(&request("a", "/", "GET")), None);
}

/// The order of routes as the module's documentation has it, walked through.
fn naive(routes: &[Arc<RouteConfig>], request: &Request<'_>) -> Option<usize> {
    let host = String::from_utf8_lossy(request.host).to_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let mut found = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let when = &route.when;
        let everywhere = vec![HostPattern::Any];
        for pattern in if when.hosts.is_empty() {
            &everywhere
        } else {
            &when.hosts
        } {
            if pattern.matches(host.as_bytes())
                && when.path.matches(request.path)
                && when.others_hold(request, &Parameters::new(request.query))
            {
                let host = match pattern {
                    HostPattern::Exact(_) => (0, Reverse(0)),
                    HostPattern::Wildcard(suffix) => (1, Reverse(suffix.len())),
                    HostPattern::Any => (2, Reverse(0)),
                };
                let path = match &when.path {
                    PathPattern::Exact(_) => (0, Reverse(0)),
                    PathPattern::Prefix(prefix) => (1, Reverse(prefix.len())),
                    PathPattern::Regex(_) => (2, Reverse(0)),
                    PathPattern::Any => (3, Reverse(0)),
                };
                found.push((host, path, Reverse(when.others()), index));
            }
        }
    }
    found.into_iter().min().map(|(.., index)| index)
}

const HOSTS: [&str; 7] = ["*", "a", "b.a", "c.b.a", "*.a", "*.b.a", "[::1]"];
const PATHS: [&str; 12] = [
    "*", "/x", "/x/y", "/x/y/z", "/xy", "=/x", "=/x/y", "=/", "~^/x", "~y$", "~^/x/.*z", "~^/$",
];

fn routes() -> impl Strategy<Value = Vec<Arc<RouteConfig>>> {
    let one = (
        vec(select(&HOSTS[..]), 1..3),
        select(&PATHS[..]),
        vec(select(vec!["GET", "POST", "PUT"]), 0..2),
        any::<u8>(),
    );
    let one = one.prop_map(|(hosts, path, methods, more)| {
        let mut text = format!("{} {path}", hosts.join(","));
        methods
            .iter()
            .for_each(|method| text.push_str(&format!(" {method}")));
        let mut route = RouteConfig::clone(&route(&text));
        let test = |test: u8| match test % 3 {
            0 => ValueTest::Present,
            1 => ValueTest::Absent,
            _ => ValueTest::Exact("1".into()),
        };
        if more & 1 == 1 {
            route.when.headers.push(FieldTest {
                name: "x-a".into(),
                test: test(more >> 2),
            });
        }
        if more & 2 == 2 {
            route.when.query.push(FieldTest {
                name: "q".into(),
                test: test(more >> 4),
            });
        }
        if more & 192 == 192 {
            route.when.clients.push("10.0.0.0/8".parse().unwrap());
        }
        Arc::new(route)
    });
    vec(one, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_tables_find_what_a_walk_through_all_routes_finds(
        routes in routes(),
        host in select(vec!["a", "A.", "b.a", "d.b.a", "C.b.a", "x", "", "[::1]", "x.a", "a.x"]),
        path in select(vec!["/", "/x", "/x/", "/x/y", "/x/y/", "/x/y/z", "/x/y/z/w", "/xy", "/y", "//x", "*", "/x//y"]),
        method in select(vec!["GET", "POST", "get"]),
        query in select(vec!["", "q", "q=1", "q=2&q=1", "p=1"]),
        headers in vec((select(vec!["X-A", "x-b"]), select(vec!["1", "2"])), 0..3),
        inside: bool,
    ) {
        let client = if inside { [10, 1, 1, 1] } else { [192, 0, 2, 1] };
        let request = Request {
            query: query.as_bytes(), headers: &headers, client: client.into(), ..request(host, path, method)
        };
        prop_assert_eq!(Matcher::new(&routes).find(&request), naive(&routes, &request));
    }

    #[test]
    fn a_route_that_is_said_never_to_match_never_does(
        routes in routes(),
        requests in vec((select(vec!["a", "b.a", "c.b.a", "d.b.a", "x", "[::1]"]),
            select(vec!["/", "/x", "/x/y", "/x/y/z", "/xy", "/y"]), select(vec!["GET", "POST", "PUT"]), select(vec!["", "q", "q=1"]), any::<bool>()), 50),
    ) {
        let never = crate::route::shadow::never_matching(&routes);
        let matcher = Matcher::new(&routes);
        for (host, path, method, query, inside) in &requests {
            let headers: Vec<_> = if *inside { vec![("x-a", "1")] } else { vec![] };
            let client = if *inside { [10, 1, 1, 1] } else { [192, 0, 2, 1] };
            let request = Request {
                query: query.as_bytes(), headers: &headers, client: client.into(), ..request(host, path, method)
            };
            let found = matcher.find(&request);
            prop_assert!(!never.iter().any(|(index, _)| found == Some(*index)), "{found:?} {never:?}");
        }
    }
}

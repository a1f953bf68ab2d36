use super::{assert_taken, in_front_of, name_or_status};
use crate::harness::{Balancer, backends};

#[test]
fn hosts_are_matched_without_case_port_and_the_dot_at_the_end() {
    let [a, b, c] = backends();
    let balancer = in_front_of(
        &[&a, &b, &c],
        "{host: api.example, pool: a}\n{host: \"*.example\", pool: b}\n{host: [one.test, two.test], pool: c}",
    );
    assert_taken(
        &balancer,
        &[
            ("GET / | Host: api.example", "a"),
            ("GET / | Host: API.Example:8080", "a"),
            ("GET / | Host: api.example.", "a"),
            ("GET / | Host: www.example", "b"),
            ("GET / | Host: x.api.example", "b"),
            ("GET / | Host: example", "404"),
            ("GET / | Host: two.test", "c"),
            ("GET / | Host: three.test", "404"),
            ("GET http://api.example/ | Host: www.example", "a"),
            ("GET http://www.example:80/ | Host: api.example", "b"),
        ],
    );
}

#[test]
fn paths_are_matched_by_prefix_exactly_or_by_pattern() {
    let [a, b, c] = backends();
    let routes = "{path: /v1, pool: a}\n{path: {exact: /v1/x}, pool: b}\n{path: {regex: \"^/user/[0-9]+$\"}, pool: c}\n{path: /v1/deep/er, pool: c}";
    let balancer = in_front_of(&[&a, &b, &c], routes);
    assert_taken(
        &balancer,
        &[
            ("GET /v1", "a"),
            ("GET /v1?x=/user/1", "a"),
            ("GET /v1/", "a"),
            ("GET /v1/y", "a"),
            ("GET /v10", "404"),
            ("GET /V1", "404"),
            ("GET /v1/x", "b"),
            ("GET /v1/x/", "a"),
            ("GET /v1/x?q", "b"),
            ("GET /v1/deep/er/still", "c"),
            ("GET /v1/deep/eren", "a"),
            ("GET /user/42", "c"),
            ("GET /user/42/x", "404"),
            ("GET /%76%31", "404"),
            ("OPTIONS *", "404"),
        ],
    );
}

#[test]
fn methods_headers_parameters_and_clients_are_conditions() {
    let [a, b, c] = backends();
    let routes = "{method: [POST, PUT], pool: a}
        {header: {X-Beta: \"1\"}, pool: b}
        {header: {X-Beta: {regex: \"^[2-4]$\"}, X-Off: {present: false}}, pool: b}
        {query: {debug: {present: true}}, pool: c}
        {query: {v: \"2\"}, client: 127.0.0.0/8, pool: c}
        {query: {v: \"3\"}, client: 10.0.0.0/8, pool: c}";
    let balancer = in_front_of(&[&a, &b, &c], routes);
    assert_taken(
        &balancer,
        &[
            ("POST /", "a"),
            ("GET /", "404"),
            ("GET / | X-Beta: 1", "b"),
            ("GET / | x-beta: 0 | X-BETA: 1", "b"),
            ("GET / | X-Beta: 3", "b"),
            ("GET / | X-Beta: 3 | X-Off:", "404"),
            ("GET / | X-Beta: 5", "404"),
            ("GET /?debug", "c"),
            ("GET /?a=debug", "404"),
            ("GET /?a=1&v=2", "c"),
            ("GET /?v=3", "404"),
            ("GET /?v=3 | X-Forwarded-For: 10.1.1.1", "404"),
        ],
    );
}

#[test]
fn behind_a_trusted_proxy_the_client_is_who_it_names() {
    let [a] = backends();
    let routes = format!(
        "trusted_proxies: 127.0.0.0/8\nbackends: [\"{}\"]\nroutes: [{{client: 10.0.0.0/8, pool: default}}]",
        a.url()
    );
    let balancer = Balancer::start(&format!("port: 0\nhealth_check: false\n{routes}\n"));
    assert_taken(
        &balancer,
        &[
            ("GET / | X-Forwarded-For: 10.1.1.1", "a"),
            ("GET / | X-Forwarded-For: 10.1.1.1, 127.0.0.9", "a"),
            ("GET / | X-Forwarded-For: 10.1.1.1, 192.0.2.1", "404"),
            ("GET / | X-Forwarded-For: 192.0.2.1, 10.1.1.1", "a"),
            ("GET / | Forwarded: for=10.1.1.1", "404"),
            ("GET /", "404"),
        ],
    );
}

#[test]
fn the_most_specific_route_is_taken_and_of_equals_the_first() {
    let [a, b, c] = backends();
    let routes = "{pool: a}\n{path: /x, pool: b}\n{host: h.example, pool: c}\n{host: h.example, path: /x, method: POST, pool: a}\n{host: h.example, path: /x, pool: b}\n{host: h.example, path: /x, pool: c}";
    let balancer = in_front_of(&[&a, &b, &c], routes);
    assert_taken(
        &balancer,
        &[
            ("GET /", "a"),
            ("GET /x", "b"),
            ("GET /y | Host: h.example", "c"),
            ("POST /x | Host: h.example", "a"),
            ("GET /x | Host: h.example", "b"),
        ],
    );
    let status = balancer.status();
    let counts: Vec<_> = status
        .routes
        .iter()
        .map(|route| format!("{} -> {}: {}", route.when, route.then, route.requests))
        .collect();
    assert_eq!(
        counts,
        [
            "every request -> a: 1",
            "path /x -> b: 1",
            "host h.example -> c: 1",
            "host h.example, path /x, method POST -> a: 1",
            "host h.example, path /x -> b: 1",
            "host h.example, path /x -> c: 0",
        ]
    );
    let table = balancer.place.run("status");
    assert!(
        table.stdout.contains("ROUTE") && table.stdout.contains("host h.example, path /x, method POST"),
        "{table:?}"
    );
    assert!(table.stdout.contains(&format!("b     {}", b.url())), "{table:?}");
}

#[test]
fn no_route_is_a_404_of_ours_and_the_connection_goes_on() {
    let [a] = backends();
    let mut config = super::config(&[&a], "{path: /a, pool: a}");
    config.push_str("error_pages: {404: missing.html}\n");
    let place = crate::harness::Place::new();
    place.write("missing.html", "<h1>not here</h1>");
    let balancer = Balancer::start_in(&place, &config);
    let mut client = balancer.connect();
    let missing = client.get("/b");
    assert_eq!(
        (missing.status, missing.text()),
        (404, "<h1>not here</h1>".to_owned())
    );
    assert_eq!(
        client.get("/a").header("X-Server"),
        Some("a"),
        "on the same connection"
    );
    assert_eq!(a.hits(), 1);

    let balancer = in_front_of(&[&a], "{path: /a, pool: a}");
    let missing = balancer.connect().request(
        "GET",
        "/b",
        &["Accept: application/json", "X-Request-Id: r-1"],
        b"",
    );
    assert_eq!(
        missing.json(),
        serde_json::json!({ "status": 404, "error": "no route matches the request", "request_id": "r-1" })
    );
    let mut client = balancer.connect();
    let with_body = client.request("POST", "/b", &[], b"unread");
    assert_eq!(
        (
            with_body.status,
            with_body.header("Connection").map(str::to_lowercase)
        ),
        (404, Some("close".to_owned()))
    );
    assert_eq!(name_or_status(&balancer.get("/a")), "a");
}

#[test]
fn two_pools_may_hold_the_same_url() {
    let [a, b] = backends();
    let url = a.url();
    let config = format!(
        "port: 0\nhealth_check: false\npools:\n  one: {{backends: [\"{url}\"], timeouts: {{connect: 1s}}}}\n  two: {{backends: [\"{url}\", \"{}\"]}}\nroutes: [{{path: /1, pool: one}}, {{pool: two}}]\n",
        b.url()
    );
    let balancer = Balancer::start(&config);
    let mut client = balancer.connect();
    for _ in 0..4 {
        assert_eq!(client.get("/1").header("X-Server"), Some("a"));
        client.get("/2");
    }
    let status = balancer.status();
    let requests = |pool: usize, backend: usize| status.pools[pool].backends[backend].counts.requests;
    assert_eq!((requests(0, 0), requests(1, 0), requests(1, 1)), (4, 2, 2));
}

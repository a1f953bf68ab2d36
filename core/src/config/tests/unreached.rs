//! What is said of routes and pools that no request reaches.

use super::{routes::with_routes, *};

fn warnings(routes: &str) -> Vec<String> {
    warnings_of(&with_routes(routes))
}

#[test]
fn routes_that_can_never_match_are_named() {
    let all = "{path: /v1, pool: api}\n{split: {default: 1, canary: 1}}\n";
    assert_eq!(warnings(all), Vec::<String>::new());
    for (routes, never) in [
        ("{path: /v1, pool: default}", vec![(2, 0)]),
        ("{path: /v1/, method: POST, pool: default}", vec![]),
        (
            "{method: [GET, POST], pool: api}\n{method: GET, pool: api}\n{method: DELETE, pool: api}",
            vec![(3, 2)],
        ),
        (
            "{method: GET, pool: api}\n{method: [GET, POST], pool: api}",
            vec![],
        ),
        (
            "{host: [a, b], pool: api}\n{host: a, pool: api}\n{host: [b, c], pool: api}",
            vec![(3, 2)],
        ),
        (
            "{header: {a: {present: true}}, pool: api}\n{header: {a: b}, pool: api}\n{header: {a: {regex: b}}, pool: api}",
            vec![(3, 2), (4, 2)],
        ),
        (
            "{header: {a: {regex: b}}, pool: api}\n{header: {a: abc}, pool: api}\n{header: {a: x}, pool: api}",
            vec![(3, 2)],
        ),
        (
            "{client: 10.0.0.0/8, pool: api}\n{client: [10.1.0.0/16, 10.2.0.1], pool: api}",
            vec![(3, 2)],
        ),
        (
            "{path: {regex: \"^/v1/user\"}, pool: api}\n{path: {regex: \"^/v1user\"}, pool: api}\n{path: {regex: \"/v1/\"}, pool: api}",
            vec![(2, 0)],
        ),
    ] {
        let expected: Vec<_> = never
            .iter()
            .map(|(never, by)| {
                format!(
                    "{}:5: routes[{never}]: can never match: routes[{by}] in line {} takes all its requests; remove one of them, or give this one another host, path or condition",
                    never + 5, by + 5
                )
            })
            .collect();
        assert_eq!(warnings(&format!("{all}{routes}")), expected, "{routes}");
    }
}

#[test]
fn a_pool_without_requests_is_named() {
    let hint = "lead a route to it, or remove it";
    let unnamed = format!("gets no requests: no route names it; {hint}");
    let weightless = format!("gets no requests: each route that names it gives it the weight 0; {hint}");
    assert_eq!(
        warnings("{split: {default: 1, canary: 0}}"),
        [
            format!("3:9: pools.api: {unnamed}"),
            format!("3:26: pools.canary: {weightless}")
        ]
    );
    assert_eq!(
        warnings("{path: /a, split: {api: 1, canary: 0}}\n{split: {api: 0, canary: 1}}"),
        [format!("2:12: backends: are the pool `default`, which {unnamed}")]
    );
    assert_eq!(
        warnings_of("port: 1\nbackends: [http://a]\npools: {api: [http://b]}\n"),
        [format!(
            "3:9: pools.api: gets no requests: without `routes` all of them go to `default`; {hint}"
        )]
    );
}

#[test]
fn a_backend_that_is_the_balancer_itself_is_warned_of() {
    let text =
        "is this balancer's own listener: its requests would come back for ever, and are refused with 508";
    let hint = "name the server behind it, or another port";
    for (port, backend) in [
        ("8000", "http://localhost:8000"),
        ("8000", "http://127.0.0.2:8000"),
        ("8000", "http://[::1]:8000"),
        ("\"127.0.0.1:8000\"", "http://localhost:8000"),
        ("\"10.0.0.1:8000\"", "http://10.0.0.1:8000"),
    ] {
        let file = format!("port: {port}\nbackends:\n  - http://a\n  - \"{backend}\"\n");
        let expected = format!("4:5: backends[1]: {text}, got \"{backend}\"; {hint}");
        assert_eq!(warnings_of(&file), [expected], "{port}");
        let file = format!(
            "port: {port}\npools:\n  api:\n    backends: [{{url: \"{backend}\"}}]\nroutes: [{{pool: api}}]\n"
        );
        let warned = warnings_of(&file);
        assert!(
            warned[0].starts_with("4:16: pools.api.backends[0]: is this"),
            "{warned:?}"
        );
    }
    for (port, backend) in [
        ("8000", "http://localhost:8001"),
        ("0", "http://localhost:80"),
        ("\"127.0.0.1:8000\"", "http://127.0.0.2:8000"),
        ("\"[::1]:8000\"", "http://127.0.0.1:8000"),
        ("8000", "http://10.0.0.1:8000"),
    ] {
        let file = format!("port: {port}\nbackends: [\"{backend}\"]\n");
        assert_eq!(warnings_of(&file), Vec::<String>::new(), "{port} {backend}");
    }
}

#[test]
fn pools_without_a_backend_in_service_are_named() {
    let rule = "has no backend in service: each has `drain` or `maintenance`; leave one in service, or its requests get 503";
    let routes = "routes: [{path: /api, pool: api}, {pool: default}]";
    assert_eq!(
        warnings_of(&format!(
            "port: 1\nbackends: [{{url: \"http://a\", drain: on}}]\npools:\n  api: [{{url: \"http://b\", maintenance: on}}, {{url: \"http://c\", drain: on}}]\n{routes}\n"
        )),
        [
            format!("2:18: backends: are the pool `default`, which {rule}"),
            format!("4:3: pools.api: {rule}"),
        ]
    );
    assert_eq!(
        warnings_of(&format!(
            "port: 1\nbackends: [http://a]\npools:\n  api: [{{url: \"http://b\", drain: on}}, http://c]\n{routes}\n"
        )),
        Vec::<String>::new()
    );
}

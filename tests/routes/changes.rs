use super::{in_front_of, seen};
use crate::harness::{Balancer, backends};

#[test]
fn request_headers_are_removed_set_and_added() {
    let [a] = backends();
    let routes = "{pool: a, request_headers: {remove: [Cookie, X-Gone], set: {X-Set: \"{method} {scheme} {authority}\", X-Forwarded-Proto: https, X-Client: \"{client_ip}\"}, add: {X-More: [\"1\", \"2\"]}}}";
    let balancer = in_front_of(&[&a], routes);
    let lines = [
        "Host: h.example:81",
        "Cookie: a=1",
        "cookie: b=2",
        "x-gone: 1",
        "X-Set: old",
        "X-SET: older",
        "X-More: 0",
        "X-Kept: k",
    ];
    let answer = balancer.connect().request("POST", "/echo", &lines, b"body");
    assert_eq!(seen(&answer, "Cookie"), Vec::<String>::new());
    assert_eq!(seen(&answer, "X-Gone"), Vec::<String>::new());
    assert_eq!(seen(&answer, "X-Set"), ["POST http h.example:81"]);
    assert_eq!(seen(&answer, "X-Forwarded-Proto"), ["https"]);
    assert_eq!(seen(&answer, "X-Client"), ["127.0.0.1"]);
    assert_eq!(seen(&answer, "X-More"), ["0", "1", "2"]);
    assert_eq!(seen(&answer, "X-Kept"), ["k"]);
    assert_eq!(answer.json()["body"].as_str(), Some("body"));
}

/// CGI and WSGI programs get both as `HTTP_X_USER` (RFC 3875 section 4.1.18).
#[test]
fn lookalikes_of_changed_headers_are_dropped() {
    let [a] = backends();
    let routes = "{pool: a, request_headers: {remove: [X-Gone, x_late], set: {X-User-Id: anon}, add: {X-More: \"1\"}}}";
    let balancer = in_front_of(&[&a], routes);
    let lines = [
        "X_User_Id: root",
        "x-user_id: root",
        "X_GONE: 1",
        "X-Late: 1",
        "X_Kept: k",
    ];
    let response = balancer.connect().request("GET", "/echo", &lines, b"");
    assert_eq!(seen(&response, "X-User-Id"), ["anon"]);
    for name in ["X_User_Id", "x-user_id", "X_GONE", "X-Late"] {
        assert_eq!(seen(&response, name), Vec::<String>::new(), "{name}");
    }
    assert_eq!(seen(&response, "X_Kept"), ["k"]);
}

#[test]
fn headers_that_this_proxy_writes_can_be_left_out() {
    let [a] = backends();
    let routes =
        "{pool: a, request_headers: {remove: [X-Forwarded-For, X-Forwarded-Host, X-Request-Id, Forwarded]}}";
    let answer =
        in_front_of(&[&a], routes)
            .connect()
            .request("GET", "/echo", &["Forwarded: for=1.1.1.1"], b"");
    for name in ["X-Forwarded-For", "X-Forwarded-Host", "X-Request-Id", "Forwarded"] {
        assert_eq!(seen(&answer, name), Vec::<String>::new(), "{name}");
    }
    assert_eq!(seen(&answer, "X-Forwarded-Proto"), ["http"]);
}

#[test]
fn answers_of_a_route_are_changed_wherever_they_come_from() {
    let [a] = backends();
    let changes = "response_headers: {remove: [X-Server, X-Request-Id], set: {Content-Type: \"text/x\"}, add: {X-Path: \"{path}\"}}";
    let routes = format!(
        "{{path: /a, pool: a, {changes}}}\n{{path: /b, respond: {{status: 201, body: hi}}, {changes}}}\n{{path: /c, redirect: /x, {changes}}}\n{{pool: a}}"
    );
    let balancer = in_front_of(&[&a], &routes);
    let mut client = balancer.connect();
    for path in ["/a", "/b", "/c"] {
        let answer = client.get(path);
        assert_eq!(
            (answer.header("X-Path"), answer.header("X-Server")),
            (Some(path), None)
        );
        assert_eq!(
            (answer.header("Content-Type"), answer.header("X-Request-Id")),
            (Some("text/x"), None),
            "{path}"
        );
    }
    let cookies = client.get("/headers").all("Set-Cookie").len();
    assert_eq!(cookies, 2, "other routes are not touched");
    a.kill();
    let failed = client.get("/a");
    assert_eq!(
        (failed.status, failed.header("X-Path")),
        (502, None),
        "error messages are not changed"
    );
}

#[test]
fn the_host_can_be_the_backends_own_or_another() {
    let [a] = backends();
    let routes = "{pool: a}\n{query: {h: own}, pool: a, send_host: backend}\n{query: {h: other}, pool: a, send_host: \"api.internal:8080\"}";
    let balancer = in_front_of(&[&a], routes);
    let mut client = balancer.connect();
    for (path, host) in [
        ("kept", "h.example"),
        ("own", a.url().trim_start_matches("http://")),
        ("other", "api.internal:8080"),
    ] {
        let answer = client.request("GET", &format!("/echo?h={path}"), &["Host: h.example"], b"");
        assert_eq!(seen(&answer, "Host"), [host]);
        assert_eq!(seen(&answer, "X-Forwarded-Host"), ["h.example"]);
    }
}

#[test]
fn a_retry_tells_each_backend_its_own_host() {
    let [a, b] = backends();
    a.kill();
    let config = format!(
        "port: 0\nhealth_check: false\nbackends: [\"{}\", \"{}\"]\nroutes: [{{pool: default, send_host: backend}}]\n",
        a.url(),
        b.url()
    );
    let balancer = Balancer::start(&config);
    let mut client = balancer.connect();
    for _ in 0..4 {
        let answer = client.request("PUT", "/echo", &["Host: h"], b"some body");
        assert_eq!(seen(&answer, "Host"), [b.url().trim_start_matches("http://")]);
        assert_eq!(answer.json()["body"].as_str(), Some("some body"));
    }
    assert!(
        balancer.backend(&a.url()).counts.failures > 0,
        "the dead one was tried"
    );
}

#[test]
fn paths_are_rewritten_and_queries_stay() {
    let [a] = backends();
    let routes = "{path: /strip, pool: a, strip_prefix: true}
        {path: /swap, pool: a, rewrite: /new/base}
        {path: {exact: /one}, pool: a, rewrite: /two}
        {path: {regex: \"^/user/([0-9]+)/(.*)$\"}, pool: a, rewrite: {to: \"/u/{2}/{1}\"}}
        {host: pre.example, pool: a, rewrite: /app}
        {host: re.example, pool: a, rewrite: {regex: \"-+\", to: \"_{method}_\"}}";
    let balancer = in_front_of(&[&a], routes);
    let mut client = balancer.connect();
    for (host, target, arrived) in [
        ("h", "/strip/echo?a=/strip", "/echo?a=/strip"),
        ("h", "/strip", "/"),
        ("h", "/strip?", "/?"),
        ("h", "/swap/x//y?q", "/new/base/x//y?q"),
        ("h", "/one?x", "/two?x"),
        ("h", "/user/7/a/b?c", "/u/a/b/7?c"),
        ("pre.example", "/x", "/app/x"),
        ("re.example", "/a--b-c", "/a_GET_b-c"),
        ("re.example", "/plain?--", "/plain?--"),
        ("h", "http://h/strip/abs?x", "/abs?x"),
    ] {
        let answer = client.request("GET", target, &[&format!("Host: {host}")], b"");
        assert_eq!(answer.status, 200, "{target}");
        assert_eq!(a.last_request().unwrap().path, arrived, "{target}");
    }
}

#[test]
fn a_rewrite_makes_no_ambiguous_path() {
    let [a] = backends();
    let routes = "{path: {regex: \"^/x(.*)y(.*)$\"}, pool: a, rewrite: {to: \"/{1}{2}\"}}";
    let balancer = in_front_of(&[&a], routes);
    assert_eq!(balancer.get("/x.y./admin").status, 400);
    assert_eq!(a.hits(), 0);
}

#[test]
fn redirects_keep_what_their_place_says() {
    let [a] = backends();
    let routes = "{host: old.example, redirect: {to: \"https://new.example{target}\", status: 308}}
        {path: /secure, redirect: \"https://{host}{target}\"}
        {path: {regex: \"^/item/([0-9]+)$\"}, redirect: {to: \"{scheme}://{authority}/i/{1}?{query}\", status: 301}}
        {path: {regex: \"^/go/(.*)$\"}, redirect: \"/{1}\"}";
    let balancer = in_front_of(&[&a], routes);
    let mut client = balancer.connect();
    for (host, target, status, to) in [
        ("old.example:8000", "/a/b?c=d", 308, "https://new.example/a/b?c=d"),
        (
            "h.example:8000",
            "/secure/x?y",
            302,
            "https://h.example/secure/x?y",
        ),
        (
            "h.example:8000",
            "/item/7?q=1",
            301,
            "http://h.example:8000/i/7?q=1",
        ),
        ("h.example", "/item/8", 301, "http://h.example/i/8"),
        (
            "h.example",
            "/secure/\"|?a=[1]%3c",
            302,
            "https://h.example/secure/%22%7C?a=[1]%3c",
        ),
        ("h.example", "/go//evil.example", 302, "/evil.example"),
    ] {
        let answer = client.request("GET", target, &[&format!("Host: {host}")], b"");
        assert_eq!(
            (answer.status, answer.header("Location")),
            (status, Some(to)),
            "{target}"
        );
        assert_eq!(
            (answer.header("Content-Length"), answer.body.len()),
            (Some("0"), 0)
        );
    }
    let head = client.request("HEAD", "/secure", &["Host: h"], b"");
    assert_eq!(
        (head.status, head.header("Location")),
        (302, Some("https://h/secure"))
    );
    client.send(b"GET /secure HTTP/1.0\r\n\r\n").unwrap();
    let refused = client.read_to_end().unwrap();
    assert!(
        refused.contains(" 400 Bad Request\r\n"),
        "there is no host to go to: {refused}"
    );
    assert_eq!(a.hits(), 0);
}

#[test]
fn a_trusted_proxy_says_what_the_client_speaks() {
    let config = "port: 0\nhealth_check: false\ntrusted_proxies: 127.0.0.0/8\nbackends: [\"http://127.0.0.1:1\"]\nroutes: [{redirect: \"{scheme}://{host}/\"}]\n";
    let balancer = Balancer::start(config);
    let to = |headers: &[&str]| {
        let answer = balancer.connect().request("GET", "/", headers, b"");
        answer.header("Location").unwrap().to_owned()
    };
    assert_eq!(to(&["Host: h", "X-Forwarded-Proto: https"]), "https://h/");
    assert_eq!(to(&["Host: h", "X-Forwarded-Proto: gopher"]), "http://h/");
    assert_eq!(to(&["Host: h"]), "http://h/");
}

#[test]
fn fixed_answers_are_given_without_a_backend() {
    let [a] = backends();
    let routes = "{path: /robots.txt, respond: {body: \"User-agent: *\\nDisallow: /\\n\"}}
        {path: /gone, respond: 410}
        {path: /empty, respond: 204}
        {path: /json, respond: {status: 503, body: \"{}\", content_type: application/json}}";
    let balancer = in_front_of(&[&a], routes);
    let mut client = balancer.connect();
    let robots = client.get("/robots.txt");
    assert_eq!(
        (robots.status, robots.text().as_str()),
        (200, "User-agent: *\nDisallow: /\n")
    );
    assert_eq!(robots.header("Content-Type"), Some("text/plain; charset=utf-8"));
    assert!(robots.header("Date").is_some() && robots.header("X-Request-Id").is_some());
    assert_eq!(robots.header("Allow"), None);
    let gone = client.get("/gone");
    assert_eq!((gone.status, gone.header("Content-Length")), (410, Some("0")));
    let empty = client.get("/empty");
    assert_eq!((empty.status, empty.header("Content-Length")), (204, None));
    let json = client.get("/json");
    assert_eq!(
        (json.status, json.text().as_str(), json.header("Content-Type")),
        (503, "{}", Some("application/json"))
    );
    let head = client.request("HEAD", "/robots.txt", &[], b"");
    assert_eq!(
        (head.status, head.header("Content-Length"), head.body.len()),
        (200, Some("26"), 0)
    );
    assert_eq!(a.hits(), 0);
}

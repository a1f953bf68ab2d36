//! Method, target, version and line endings of requests (RFC 9112 sections 2 and 3, RFC 9110 sections 4, 7 and 9).

use super::ambiguous::Scene;

#[test]
fn a_method_that_is_no_token_is_refused() {
    let scene = Scene::new();
    for method in [
        "", "G ET", "GE\tT", "GET,", "G(T", "G\u{0}T", "G\"T", "G/T", "G\u{e9}T", "{GET}", "GET:",
    ] {
        scene.refuses(400, &format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    let endless = "X".repeat(5000);
    scene.refuses(501, &format!("{endless} / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

#[test]
fn any_token_is_a_method_and_case_matters() {
    let scene = Scene::new();
    for method in ["get", "Get", "PROPFIND", "M-SEARCH", "X!#$%&'*+-.^_`|~9"] {
        assert_eq!(
            scene
                .passes(&format!("{method} /x HTTP/1.1\r\nHost: a\r\n\r\n"))
                .method,
            method
        );
    }
}

#[test]
fn a_target_with_bytes_that_none_may_have_is_refused() {
    let scene = Scene::new();
    for target in [
        "", "/a b", "/a\tb", "/a\u{0}", "/a\u{1}b", "/a\u{7f}", "/a\u{b}b", "/a\u{c}b", "/\u{e9}", "/a#b",
        "#",
    ] {
        // Each character is one byte.
        let bytes: Vec<u8> = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
            .chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect();
        scene.refuses_bytes(400, &bytes);
    }
    scene.refuses_bytes(400, "GET /안 HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes());
    scene.refuses_bytes(400, b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn spaces_of_the_request_line_are_one_each() {
    let scene = Scene::new();
    for line in [
        " GET / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET / HTTP/1.1\t",
        "GET / HTTP/1.1 x",
        "GET / x HTTP/1.1",
        "GET\u{b}/ HTTP/1.1",
        "\tGET / HTTP/1.1",
    ] {
        scene.refuses(400, &format!("{line}\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn a_version_that_is_none_is_refused() {
    let scene = Scene::new();
    for version in [
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/1.10",
        "HTTP/01.1",
        "HTTP/1.01",
        "HTTP/1,1",
        "http/1.1",
        "Http/1.1",
        "HTTP 1.1",
        "HTTP/1.1.1",
        "HTTP/+1.1",
        "HTTP/1.x",
        "HTTPS/1.1",
        "XTTP/1.1",
        "HTTP/ 1.1",
        "HTTP/1 .1",
        "1.1",
        "HTTP",
    ] {
        scene.refuses(400, &format!("GET / {version}\r\nHost: a\r\n\r\n"));
    }
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"] {
        scene.refuses(505, &format!("GET / {version}\r\nHost: a\r\n\r\n"));
    }
    // The preface of HTTP/2 (RFC 9113 section 3.4) is no request to us either.
    scene.refuses(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}

#[test]
fn http_0_9_is_refused() {
    let scene = Scene::new();
    for line in ["GET /\r\n", "GET /\n", "GET / \r\n", "GET\r\n"] {
        scene.refuses(400, line);
    }
}

#[test]
fn a_minor_version_above_1_is_1_1() {
    // RFC 9110 section 6.2: a higher minor version is the highest that we know.
    let scene = Scene::new();
    for minor in 1..=9 {
        // The recorder takes nothing but HTTP/1.1: our own version.
        scene.passes(&format!("GET / HTTP/1.{minor}\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn lines_end_in_crlf_and_in_nothing_else() {
    let scene = Scene::new();
    for request in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\n\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\n z\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\r\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        scene.refuses(400, request);
    }
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    // RFC 9112 section 2.2 asks for one at least; without end they are refused.
    let scene = Scene::new();
    scene.passes("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    scene.refuses(
        400,
        &format!("{}GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n".repeat(100)),
    );
}

#[test]
fn an_absolute_target_becomes_host_and_path() {
    let scene = Scene::new();
    for (target, path, host) in [
        ("http://target.example/a?b", "/a?b", "target.example"),
        ("http://target.example:8080/", "/", "target.example:8080"),
        ("HTTP://Target.Example/A", "/A", "Target.Example"),
        ("http://target.example/a//b/../c", "/a//b/../c", "target.example"),
        ("http://target.example", "/", "target.example"),
        ("http://target.example?q", "/?q", "target.example"),
        ("http://[::1]:80/x", "/x", "[::1]:80"),
    ] {
        let request = scene.passes(&format!("GET {target} HTTP/1.1\r\nHost: header.example\r\n\r\n"));
        assert_eq!(
            (request.target.as_str(), request.all("Host")),
            (path, vec![host]),
            "{target}"
        );
        assert_eq!(request.all("X-Forwarded-Host"), [host], "{target}");
    }
    let request = scene.passes("OPTIONS http://target.example HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(request.target, "*", "RFC 9112 section 3.2.4");
}

#[test]
fn an_https_target_over_plain_tcp_is_421() {
    let scene = Scene::new();
    for target in ["https://a/x", "HTTPS://a", "https://other:443/"] {
        scene.refuses(421, &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    // Who ended TLS may say so.
    let scene = Scene::with("trusted_proxies: [\"127.0.0.0/8\", \"::1\"]");
    let request = scene.passes("GET https://a/x HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_eq!((request.target.as_str(), request.all("Host")), ("/x", vec!["a"]));
}

#[test]
fn a_refused_head_request_has_an_answer_without_a_body() {
    let balancer = Scene::new().balancer;
    for (bytes, status) in [
        ("HEAD / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
        ("\r\nHEAD / HTTP/1.1\r\n\r\n", 400),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n", 400),
        ("HEAD  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHEAD : a\r\n\r\n", 400),
    ] {
        let mut client = balancer.peer();
        client.send(bytes);
        let head = client.read_head();
        assert_eq!(
            (head.status(), head.list("Connection")),
            (status, vec!["close".to_owned()])
        );
        let length: usize = head.one("Content-Length").unwrap().parse().unwrap();
        let (body, ending) = client.read_to_end();
        let expected = if bytes.contains("HEAD ") && !bytes.starts_with("GET") {
            0
        } else {
            length
        };
        assert_eq!(
            (body.len(), ending),
            (expected, crate::harness::Ending::Closed),
            "{bytes:?}"
        );
        assert!(length > 0, "{head:?}");
    }
    // 408 as well.
    let balancer = Scene::with("timeouts: {request_header: 300ms}").balancer;
    let mut client = balancer.peer();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n");
    assert_eq!(client.read_head().status(), 408);
    client.expect_end();
}

#[test]
fn a_refusal_is_json_for_those_who_ask_for_that() {
    let balancer = Scene::new().balancer;
    for (lines, status) in [
        ("Expect: x\r\n", 417),
        ("X y: z\r\n", 400),
        ("Content-Length: x\r\n", 400),
    ] {
        let mut client = balancer.peer();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n{lines}\r\n"
        ));
        let head = client.read_head();
        assert_eq!(
            (head.status(), head.one("Content-Type")),
            (status, Some("application/json"))
        );
    }
}

#[test]
fn an_absolute_target_that_names_no_host_is_refused() {
    let scene = Scene::new();
    for target in [
        "http:///a",
        "http://",
        "http://user@target.example/",
        "http://user:secret@target.example/",
        "http://target example/",
        "http://target.example:x/",
        "http://target.example:99999/",
        "http://[::1/",
        "http:/a",
        "http:a",
        "ftp://target.example/",
        "gopher://x/",
        "target.example/a",
        "a",
        "?a",
        "*",
        "target.example:80",
    ] {
        scene.refuses(400, &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn the_asterisk_is_for_options_only() {
    let scene = Scene::new();
    assert_eq!(scene.passes("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").target, "*");
    for method in ["GET", "POST", "HEAD", "DELETE"] {
        scene.refuses(400, &format!("{method} * HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    scene.refuses(400, "OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn connect_is_refused_whatever_it_names() {
    let scene = Scene::new();
    for request in [
        "CONNECT backend.example:443 HTTP/1.1\r\nHost: backend.example:443\r\n\r\n",
        "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
        "CONNECT a:80 HTTP/1.0\r\n\r\n",
    ] {
        let outcome = scene.send(request.as_bytes());
        assert!(
            matches!(outcome.statuses[..], [405] | [501]),
            "{request:?}: {outcome:?}"
        );
        assert_eq!(outcome.arrivals, []);
    }
    let mut client = scene.balancer.peer();
    client.send("CONNECT backend.example:443 HTTP/1.1\r\nHost: backend.example:443\r\n\r\n");
    let head = client.read_head();
    assert!(
        head.status() == 501 || head.one("Allow").is_some(),
        "RFC 9110 section 15.5.6: {head:?}"
    );
    for target in [
        "/",
        "*",
        "backend.example",
        "http://backend.example/",
        "backend.example:",
        ":80",
    ] {
        scene.refuses(400, &format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn trace_is_refused_unless_allowed() {
    let trace = "TRACE / HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n";
    Scene::new().refuses(405, trace);
    let scene = Scene::with("trace: on");
    assert_eq!(scene.passes(trace).method, "TRACE");
    scene.refuses(
        400,
        "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    );
}

#[test]
fn targets_pass_as_they_are() {
    let scene = Scene::new();
    for target in [
        "/%2e%2E/%2f%5C%00?%25&%zz",
        "/a/./b/../c//d/",
        "/../../etc/passwd",
        "/?",
        "/a?",
        "/a??b?",
        "/;x=1;y",
        "//a",
        "//a.example/b",
        "/a@b:c/d",
        "/{}|^`\"<>\\",
        "/a?http://x/y?z",
        "/%EC%95%88",
    ] {
        assert_eq!(
            scene
                .passes(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
                .target,
            target
        );
    }
}

#[test]
fn a_target_that_is_too_long_is_414() {
    let scene = Scene::new();
    // RFC 9112 section 3 asks for 8000 at least.
    let long = format!("/{}", "x".repeat(7999));
    assert_eq!(
        scene
            .passes(&format!("GET {long} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .target,
        long
    );
    scene.refuses(
        414,
        &format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(20_000)),
    );
}

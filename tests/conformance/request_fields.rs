//! Names and values of request headers, `Host`, and how much of them is taken (RFC 9110 section 5, RFC 9112 sections 3.2
//! and 5).

use super::ambiguous::Scene;
use crate::harness::latin1;

fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn a_name_that_is_no_token_is_refused() {
    let scene = Scene::new();
    for line in [
        "X : y",
        "X\t: y",
        "Content-Length : 5",
        "Transfer-Encoding : chunked",
        ": y",
        " X: y",
        "\tX: y",
        "X Y: z",
        "X",
        "X\u{0}: y",
        "X(a): y",
        "X/Y: z",
        "X\"Y\": z",
        "X=Y: z",
        "X@Y: z",
        "X[Y]: z",
        "\u{e9}: y",
        "X,Y: z",
        "X;Y: z",
        "=",
    ] {
        scene.refuses(400, &get(&format!("{line}\r\n")));
    }
}

#[test]
fn a_space_before_the_first_header_line_is_refused() {
    // RFC 9112 section 2.2.
    Scene::new().refuses(400, "GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n");
}

#[test]
fn folded_lines_are_refused() {
    let scene = Scene::new();
    for lines in [
        "X: y\r\n z\r\n",
        "X: y\r\n\tz\r\n",
        "X:\r\n y\r\n",
        "X: y\r\n \r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Content-Length: 5\r\n\t0\r\n",
    ] {
        scene.refuses(400, &get(lines));
    }
}

#[test]
fn control_characters_in_a_value_are_refused() {
    let scene = Scene::new();
    for byte in (0..=8).chain(11..=12).chain(14..=31).chain([127]) {
        let request = [b"GET / HTTP/1.1\r\nHost: a\r\nX: a", &[byte][..], b"b\r\n\r\n"].concat();
        scene.refuses_bytes(400, &request);
    }
}

#[test]
fn every_other_byte_of_a_value_passes() {
    let scene = Scene::new();
    let value: Vec<u8> = (b' '..=b'~').chain(128..=255).chain([b'\t', b'.']).collect();
    let request = [b"GET / HTTP/1.1\r\nHost: a\r\nX:", &value[..], b"\r\n\r\n"].concat();
    let seen = scene.passes_bytes(&request);
    assert_eq!(seen.all("X"), [latin1(&value[1..])]);
}

#[test]
fn a_request_without_host_or_with_two_is_refused() {
    let scene = Scene::new();
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: y\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ] {
        scene.refuses(400, request);
    }
}

#[test]
fn a_host_that_is_none_is_refused() {
    let scene = Scene::new();
    for host in [
        "",
        " ",
        "a b",
        "a/b",
        "a,b",
        "a, b",
        "a@b",
        "user:secret@a",
        "a:b",
        "a:80:80",
        "a:-1",
        "a:+80",
        "a:65536",
        "http://a",
        "a?b",
        "a#b",
        "[::1",
        "::1",
        "[::1]a",
        "[1.2.3.4]",
        "\"a\"",
        "a\\b",
        "<a>",
        ":80",
        "a%zz",
        "\u{e9}",
        "a\tb",
        "a\u{1}b",
    ] {
        scene.refuses(400, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
}

#[test]
fn hosts_pass_as_they_are() {
    let scene = Scene::new();
    for host in [
        "A.Example",
        "a.example:8080",
        "127.0.0.1",
        "[::1]:80",
        "my_service",
        "xn--e1afmkfd.example",
        "a.",
    ] {
        let seen = scene.passes(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(seen.all("Host"), [host]);
    }
}

#[test]
fn names_with_underscores_never_pass_for_ours() {
    let scene = Scene::new();
    let seen = scene.passes(&get(
        "X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: https\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n\
         x_real_ip: 6.6.6.6\r\nMy_Own: kept\r\n",
    ));
    let names: Vec<_> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    let with_underscore: Vec<_> = names.iter().filter(|name| name.contains('_')).collect();
    assert_eq!(with_underscore.len(), 1, "{names:?}");
    assert!(with_underscore[0].eq_ignore_ascii_case("My_Own"), "{names:?}");
    assert_eq!((seen.body, seen.trailers), (vec![], vec![]));
}

#[test]
fn case_order_and_repetition_survive() {
    let scene = Scene::new();
    let lines = [
        ("cOOkie", "a=1"),
        ("X-b", "2"),
        ("x-B", "1"),
        ("COOKIE", "b=2"),
        ("Accept", "a, b;q=\"c,d\""),
        ("X-Empty", ""),
        ("X-b", "3"),
    ];
    let text: String = lines.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    let seen = scene.passes(&get(&text));
    let ours: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| lines.iter().any(|(ours, _)| ours == name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(ours, lines);
}

#[test]
fn a_head_that_is_too_large_is_431() {
    let scene = Scene::new();
    scene.refuses(431, &get(&format!("X: {}\r\n", "x".repeat(40 * 1024))));
    scene.refuses(431, &get(&format!("{}: y\r\n", "X".repeat(40 * 1024))));
    scene.refuses(431, &get(&"X: y\r\n".repeat(101)));
    scene.refuses(431, &get(&format!("{}\r\n", "x".repeat(40 * 1024))));
    let seen = scene.passes(&get(&format!("X: {}\r\n", "x".repeat(30 * 1024))));
    assert_eq!(seen.all("X")[0].len(), 30 * 1024);
    let scene = Scene::with("limits: {header_size: 1KiB, header_count: 3}");
    scene.refuses(431, &get(&format!("X: {}\r\n", "x".repeat(1024))));
    scene.refuses(431, &get("A: 1\r\nB: 2\r\nC: 3\r\n"));
    scene.passes("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nConnection: keep-alive\r\n\r\n");
}

#[test]
fn an_expectation_that_is_unknown_is_417() {
    let scene = Scene::new();
    for value in ["a", "100-continue, a", "200-ok", "100-continue;a", ""] {
        scene.refuses(417, &get(&format!("Expect: {value}\r\n")));
    }
}

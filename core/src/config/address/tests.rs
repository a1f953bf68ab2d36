//! Which addresses are read, into what, and which are refused.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

#[test]
fn reads_backend_urls_into_one_form() {
    for (text, shown) in [
        ("http://localhost:9001", "http://localhost:9001"),
        ("http://localhost:9001/", "http://localhost:9001"),
        ("HTTP://LocalHost", "http://localhost:80"),
        ("http://127.0.0.1:65535", "http://127.0.0.1:65535"),
        ("http://[::1]:9001", "http://[::1]:9001"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]:80"),
        (
            "http://my_app.default.svc.cluster.local.:1",
            "http://my_app.default.svc.cluster.local.:1",
        ),
        ("http://3com.example", "http://3com.example:80"),
    ] {
        assert_eq!(text.parse::<BackendUrl>().unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn refuses_urls_that_could_not_be_meant() {
    for (text, refusal) in [
        ("", "must be a URL such as http://localhost:9001"),
        ("9001", "must be a URL such as http://localhost:9001"),
        (
            "localhost:9001",
            "must be a URL such as http://localhost:9001; did you mean `http://localhost:9001`?",
        ),
        (
            "https://a",
            "must begin with http://: TLS to backends is not there yet; use http://",
        ),
        ("ftp://a", "must begin with http://, the only scheme there is"),
        (
            "http://user:secret@a",
            "must not hold a user name or password; they would not be sent",
        ),
        (
            "http://a/api",
            "must not hold a path: the request's own is sent; did you mean `http://a:80`?",
        ),
        (
            "http://a?b=1",
            "must not hold a query or fragment; did you mean `http://a:80`?",
        ),
        (
            "http://a/#b",
            "must not hold a query or fragment; did you mean `http://a:80`?",
        ),
        ("http://", "must name a host, such as http://localhost:9001"),
        ("http://:9001", "must name a host, such as http://localhost:9001"),
        (
            "http://a b",
            "must name a host of letters, digits, `-`, `_` and `.`",
        ),
        (
            "http://a\\b",
            "must name a host of letters, digits, `-`, `_` and `.`",
        ),
        (
            "http://서버",
            "must name a host in ASCII letters; write its xn--… form",
        ),
        ("http://a:0", "must have a port from 1 to 65535"),
        ("http://a:", "must have a port from 1 to 65535"),
        ("http://a:65536", "must have a port from 1 to 65535"),
        ("http://a:+80", "must have a port from 1 to 65535"),
        ("http://a:080", "must have a port from 1 to 65535"),
        (
            "http://300.1.1.1",
            "must hold a valid IPv4 address, or a name that does not end in a number",
        ),
        (
            "http://1.2.3",
            "must hold a valid IPv4 address, or a name that does not end in a number",
        ),
        (
            "http://::1:80",
            "must hold an IPv6 address in brackets; did you mean `http://[::1]:80`?",
        ),
        (
            "http://::1",
            "must hold an IPv6 address in brackets; did you mean `http://[::1]`?",
        ),
        ("http://[::1", "has a `[` without its `]`"),
        ("http://[::g]", "must hold an IPv6 address between [ and ]"),
        (
            "http://[::1]9001",
            "must have a port from 1 to 65535; after the `]`, write `:` and the port",
        ),
    ] {
        assert_eq!(
            text.parse::<BackendUrl>().unwrap_err().to_string(),
            refusal,
            "{text}"
        );
    }
    let long = format!("http://{}a", "abcdefg.".repeat(32));
    assert!(
        long.parse::<BackendUrl>()
            .unwrap_err()
            .rule
            .contains("at most 253")
    );
    for host in ["a..b", ".a", "-a", "a-.b", &"a".repeat(64)] {
        let rule = format!("http://{host}").parse::<BackendUrl>().unwrap_err().rule;
        assert!(rule.contains("parts between dots"), "{host}: {rule}");
    }
}

#[test]
fn reads_listeners() {
    for (text, shown) in [
        ("8000", ":8000"),
        (":8000", ":8000"),
        ("0", ":0"),
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("[::1]:8000", "[::1]:8000"),
        ("[::]:0", "[::]:0"),
    ] {
        assert_eq!(parse_listener(text).unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn refuses_listeners_and_says_what_was_meant() {
    for (text, hint) in [
        ("", None),
        (":", None),
        ("65536", None),
        ("08000", None),
        ("-1", None),
        ("example.com:80", None),
        ("[::1]", None),
        ("[fe80::1%eth0]:80", None),
        ("http://localhost:8000", None),
        ("127.0.0.1", Some("did you mean `127.0.0.1:8000`?")),
        ("localhost:80", Some("did you mean `127.0.0.1:80`?")),
        ("*:80", Some("did you mean `:80`?")),
        ("::1:80", Some("did you mean `[::1]:80`?")),
    ] {
        assert_eq!(parse_listener(text).unwrap_err().hint.as_deref(), hint, "{text}");
    }
}

#[test]
fn reads_networks() {
    for (text, shown) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:a00:1/128", "10.0.0.1/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ] {
        assert_eq!(parse_network(text).unwrap().to_string(), shown, "{text}");
    }
    for (text, meant) in [
        ("::ffff:10.0.0.1/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.0/8", "10.0.0.0/8"),
    ] {
        let hint = format!("did you mean `{meant}`?");
        assert_eq!(parse_network(text).unwrap_err().hint, Some(hint), "{text}");
    }
    assert_eq!(
        parse_network("10.0.0.1/8").unwrap_err().hint.as_deref(),
        Some("did you mean `10.0.0.0/8`?")
    );
    for text in [
        "",
        "10",
        "10.0.0.0/33",
        "localhost",
        "10.0.0.0/8 ",
        "::ffff:10.0.0.0/80",
    ] {
        assert!(parse_network(text).is_err(), "{text}");
    }
}

#[test]
fn listeners_clash_where_their_addresses_overlap() {
    for (a, b, expected) in [
        ("8000", "8000", true),
        ("8000", "8001", false),
        ("0", "0", false),
        ("8000", "127.0.0.1:8000", true),
        ("8000", "[::1]:8000", true),
        ("0.0.0.0:8000", "127.0.0.1:8000", true),
        ("0.0.0.0:8000", "[::]:8000", true),
        ("[::]:8000", "127.0.0.1:8000", true),
        ("0.0.0.0:8000", "[::1]:8000", false),
        ("127.0.0.1:8000", "[::1]:8000", false),
        ("127.0.0.1:8000", "127.0.0.2:8000", false),
    ] {
        let (first, second) = (parse_listener(a).unwrap(), parse_listener(b).unwrap());
        assert_eq!(
            (clash(first, second), clash(second, first)),
            (expected, expected),
            "{a} {b}"
        );
    }
}

proptest! {
    #[test]
    fn a_backend_url_survives_being_shown(text in "http://([a-zA-Z0-9_.-]{1,12}|\\[[0-9a-f:]{2,9}\\])(:[0-9]{1,5})?/?") {
        if let Ok(url) = text.parse::<BackendUrl>() {
            prop_assert_eq!(url.to_string().parse::<BackendUrl>(), Ok(url));
        }
    }

    #[test]
    fn no_text_makes_an_address_panic(text in "\\PC{0,30}|(http://)?[]\\[:/@.a0-9%-]{0,20}") {
        let _ = (text.parse::<BackendUrl>(), parse_listener(&text), parse_network(&text));
    }
}

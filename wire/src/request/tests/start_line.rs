//! The request line, its target and its host.

use super::*;

#[test]
fn rfc_9112_2_2_a_few_empty_lines_before_a_request_are_skipped() {
    let bytes = b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(head(bytes).len, bytes.len());
    assert_eq!(parse(b"\r\n\r"), Ok(Parsed::Partial));
    refused(
        RequestError::EmptyLines,
        &[b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    );
}

#[test]
fn rfc_9112_2_2_empty_lines_are_no_request_yet() {
    for bytes in ["", "\r", "\r\n", "\r\n\r\n\r"] {
        assert!(only_empty_lines(bytes.as_bytes()), "{bytes:?}");
    }
    for bytes in ["G", "\r\nG", " ", "\r\n\0"] {
        assert!(!only_empty_lines(bytes.as_bytes()), "{bytes:?}");
    }
}

#[test]
fn rfc_9110_4_2_2_an_https_target_is_known_as_such() {
    for (target, https) in [
        ("https://a/", true),
        ("HTTPS://a", true),
        ("http://a/", false),
        ("/https://a", false),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(head(bytes.as_bytes()).https, https, "{target}");
    }
}

#[test]
fn rfc_9112_3_the_request_line_has_two_single_spaces() {
    refused(
        RequestError::Method,
        &[
            b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET\r\nHost: a\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ],
    );
    refused(
        RequestError::Target,
        &[b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET \r\nHost: a\r\n\r\n"],
    );
    refused(
        RequestError::Version,
        &[
            b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
}

#[test]
fn rfc_9112_3_1_methods_are_case_sensitive_tokens_of_any_name() {
    assert_eq!(head(b"get / HTTP/1.1\r\nHost: a\r\n\r\n").method, Method::Other);
    assert_eq!(
        head(b"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n").method,
        Method::Other
    );
    refused(RequestError::MethodTooLong, &[&[b'A'; 33]]);
}

#[test]
fn rfc_9112_3_2_targets_are_visible_ascii_without_a_fragment() {
    for byte in (0..=b' ').chain(0x7f..=0xff).chain([b'#']) {
        let bytes = [b"GET /a", &[byte][..], b"b HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let expected = if b" \r\n".contains(&byte) {
            RequestError::Version
        } else {
            RequestError::Target
        };
        assert_eq!(parse(&bytes), Err(expected), "{byte:#x}");
    }
    head(b"GET /%00%0d%0a/..;/|^{}\"<>`\\?? HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn rfc_9112_3_2_each_form_has_its_methods() {
    assert_eq!(
        head(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").form,
        TargetForm::Asterisk
    );
    assert_eq!(
        head(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n").form,
        TargetForm::Authority
    );
    refused(
        RequestError::TargetForm,
        &[
            b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            b"OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET index.html HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http:/a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
    refused(
        RequestError::TargetAuthority,
        &[
            b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
            b"CONNECT http://a:1/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http://a:x/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
}

#[test]
fn rfc_9112_3_2_2_the_authority_of_an_absolute_target_wins() {
    for (target, path, query) in [
        ("http://real:8080/p?q", "/p", Some("q")),
        ("HTTPS://real:8080/p", "/p", None),
        ("http://real:8080", "/", None),
        ("http://real:8080?q=/", "/", Some("q=/")),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: other\r\n\r\n");
        let mut lines = Lines::new();
        let parsed = parse_request(bytes.as_bytes(), &mut lines, &Limits::default());
        let Ok(Parsed::Complete(head)) = parsed else {
            panic!("{parsed:?}")
        };
        let view = head.view(bytes.as_bytes(), &lines);
        assert_eq!(view.host(), Some(&b"real:8080"[..]));
        assert_eq!(
            (view.path(), view.query()),
            (path.as_bytes(), query.map(str::as_bytes))
        );
    }
    head(b"GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n");
}

#[test]
fn rfc_9112_3_2_host_is_there_once_and_valid() {
    refused(
        RequestError::HostMissing,
        &[
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET http://a/ HTTP/1.1\r\nX: y\r\n\r\n",
        ],
    );
    refused(
        RequestError::HostRepeated,
        &[
            b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
            b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        ],
    );
    for host in [
        "", "a b", "a,b", "a@b", "http://a", "a/", "a:b", "a:70000", "[::1", "a\tb", "\u{e9}",
    ] {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(parse(bytes.as_bytes()), Err(RequestError::Host), "{host}");
    }
    let old = b"GET / HTTP/1.0\r\n\r\n";
    assert_eq!(head(old).view(old, &Lines::new()).host(), None);
}

#[test]
fn rfc_9112_2_3_versions() {
    refused(
        RequestError::Version,
        &[
            b"GET /\r\n\r\n",
            b"GET / http/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/11\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.11\r\nHost: a\r\n\r\n",
            b"GET / HTTP/01.1\r\nHost: a\r\n\r\n",
            b"GET / HTTPS/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1,1\r\nHost: a\r\n\r\n",
        ],
    );
    refused(
        RequestError::VersionUnsupported,
        &[
            b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/0.9\r\n\r\n",
        ],
    );
    assert_eq!(head(b"GET / HTTP/1.0\r\n\r\n").version, Version::Http10);
    assert_eq!(
        head(b"GET / HTTP/1.7\r\nHost: a\r\n\r\n").version,
        Version::Http11
    );
}

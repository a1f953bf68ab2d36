//! What can be told of a head that is refused or has failed, for the response to it and for the log. Nothing of it is believed beyond
//! how to say no.

use crate::bytes::trim;

/// A look at bytes that are no request, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse<'a> {
    /// The method is HEAD: an answer with a body would be taken for another one's (RFC 9110 section 9.3.2).
    pub head: bool,
    /// The value of the first `Accept` line that has come.
    pub accept: Option<&'a [u8]>,
    /// The method, or what stands in its place.
    pub method: &'a [u8],
    /// The target up to its query, or what stands in its place.
    pub path: &'a [u8],
    /// The value of the first `Host` line that has come; empty without.
    pub host: &'a [u8],
}

impl<'a> Glimpse<'a> {
    /// Looks at what a client has sent.
    pub fn of(bytes: &'a [u8]) -> Self {
        let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
        let bytes = &bytes[start.unwrap_or(bytes.len())..];
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let start = lines.next().unwrap_or_default();
        let lines = lines.map_while(|line| line.strip_suffix(b"\r\n").filter(|line| !line.is_empty()));
        let value_of = |wanted: &[u8]| {
            lines.clone().find_map(|line| {
                let (name, value) = line.split_at_checked(wanted.len())?;
                name.eq_ignore_ascii_case(wanted).then(|| trim(value))
            })
        };
        let mut words = trim(start).split(|byte| *byte == b' ');
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        let query = target.iter().position(|byte| *byte == b'?');
        Self {
            head: start.starts_with(b"HEAD "),
            accept: value_of(b"accept:"),
            method,
            path: &target[..query.unwrap_or(target.len())],
            host: value_of(b"host:").unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_9_3_2_head_is_recognised_before_its_request_is() {
        for bytes in [
            "HEAD ",
            "HEAD / HTTP/9.9\r\n",
            "\r\n\r\nHEAD  /\r\n",
            "HEAD / HTTP/1.1\nX: y",
        ] {
            assert!(Glimpse::of(bytes.as_bytes()).head, "{bytes:?}");
        }
        for bytes in [
            "",
            "\r\n",
            "HEAD",
            "head / HTTP/1.1\r\n",
            "GET /HEAD HTTP/1.1\r\nHEAD x\r\n",
            " HEAD / ",
        ] {
            assert!(!Glimpse::of(bytes.as_bytes()).head, "{bytes:?}");
        }
    }

    #[test]
    fn a_line_of_the_log_finds_what_was_asked_for() {
        let of = |bytes: &'static str| {
            let glimpse = Glimpse::of(bytes.as_bytes());
            [glimpse.method, glimpse.host, glimpse.path].map(|part| std::str::from_utf8(part).unwrap_or("?"))
        };
        assert_eq!(
            of("GET /a/b?c HTTP/1.1\r\nX: y\r\nhost: h:1\r\n\r\n"),
            ["GET", "h:1", "/a/b"]
        );
        assert_eq!(of("\r\nPOST * HTTP/1.1\r\n"), ["POST", "", "*"]);
        assert_eq!(of("GET"), ["GET", "", ""]);
        assert_eq!(of(""), ["", "", ""]);
    }

    #[test]
    fn accept_is_found_in_the_head_only() {
        let accept = |bytes: &'static str| Glimpse::of(bytes.as_bytes()).accept;
        assert_eq!(
            accept("GET / HTTP/9\r\nX: y\r\naccept:  a/b \r\nAccept: c\r\n"),
            Some(&b"a/b"[..])
        );
        for bytes in [
            "GET / HTTP/1.1\r\nX: y\r\n\r\nAccept: a\r\n",
            "Accept: a\r\n",
            "GET / HTTP/1.1\r\nAccept: a",
            "GET / HTTP/1.1\r\nX-Accept: a\r\n",
            "",
        ] {
            assert_eq!(accept(bytes), None, "{bytes:?}");
        }
    }
}

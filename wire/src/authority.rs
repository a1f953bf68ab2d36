//! Authorities: `host[:port]` of a Host header or of a request target (RFC 3986 section 3.2, RFC 9110 section 4.2).

use crate::bytes::{HOST, is};
use std::net::Ipv6Addr;

/// An authority in its two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name or an address, an IPv6 address with its brackets; as written, so compare without case.
    pub host: &'a [u8],
    /// The port, where one is written.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host[:port]`. `None` where it is empty, has user information (RFC 9110 section 4.2.4), a byte that no host
    /// has, an address in brackets that is not IPv6, or a port above 65535. A colon without a port is allowed.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (host, rest) = if bytes.first() == Some(&b'[') {
            let end = memchr::memchr(b']', bytes)?;
            let address = std::str::from_utf8(&bytes[1..end]).ok()?;
            address.parse::<Ipv6Addr>().ok()?;
            bytes.split_at(end + 1)
        } else {
            let end = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
            let (host, rest) = bytes.split_at(end);
            if !is_name(host) {
                return None;
            }
            (host, rest)
        };
        let port = match rest {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(port(digits)?),
            _ => return None,
        };
        Some(Self { host, port })
    }
}

/// A registered name or an IPv4 address; percent signs have their two digits (RFC 3986 section 3.2.2).
fn is_name(host: &[u8]) -> bool {
    let mut escapes = true;
    let all = host.iter().enumerate().all(|(at, byte)| {
        if *byte == b'%' {
            escapes &= host
                .get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        }
        is(*byte, HOST)
    });
    all && escapes && !host.is_empty()
}

fn port(digits: &[u8]) -> Option<u16> {
    let mut port: u16 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        port = port.checked_mul(10)?.checked_add(u16::from(byte - b'0'))?;
    }
    Some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_taken_apart() {
        let cases: &[(&str, &str, Option<u16>)] = &[
            ("example.com", "example.com", None),
            ("example.com:8080", "example.com", Some(8080)),
            ("example.com:", "example.com", None),
            ("127.0.0.1:1", "127.0.0.1", Some(1)),
            ("[::1]:65535", "[::1]", Some(65535)),
            ("[2001:db8::1]", "[2001:db8::1]", None),
            ("my_service.internal", "my_service.internal", None),
            ("a%20b", "a%20b", None),
        ];
        for (text, host, port) in cases {
            let expected = Authority {
                host: host.as_bytes(),
                port: *port,
            };
            assert_eq!(Authority::parse(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ":80",
            "a b",
            "a@b",
            "user:pw@host",
            "a/b",
            "a?b",
            "a#b",
            "a,b",
            "a:b",
            "a:+1",
            "a:65536",
            "a:1:2",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:x",
            "[1.2.3.4]",
            "[fe80::1%25eth0]",
            "[]",
            "a%2",
            "a%zz",
            "a\\b",
            "a\tb",
            "a\"b",
            "\u{e9}.com",
            "<a>",
        ] {
            assert_eq!(Authority::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}

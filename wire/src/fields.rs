//! Header values: lists, lengths, codings, connection options.
//!
//! Strict where the value decides where a message ends: one spelling is accepted, since two peers that read another
//! spelling differently are what request smuggling lives on (RFC 9112 section 11.2). Lenient where it does not: odd
//! elements of `Connection` name nothing and are never passed on.

use crate::bytes::{TOKEN, run, trim};

/// Largest length accepted, of a body or a chunk: many peers count in signed 64 bits.
pub(crate) const LARGEST_LENGTH: u64 = i64::MAX as u64;

/// Connection options of a request at most. Each unknown header is compared with each of them, so without a bound a head
/// of commas would cost milliseconds; real heads have one to three.
pub(crate) const MOST_OPTIONS: usize = 32;

/// Connection options of an answer at most. Backends are no strangers: this is only to be a bound. A hundred headers that are
/// compared with each of these take a tenth of a millisecond.
pub(crate) const MOST_ANSWER_OPTIONS: usize = 256;

/// Protocols in `Upgrade` at most, in a request or a response. Each that a backend switches to is compared with each that was
/// offered, so without a bound one 101 would cost seconds; clients offer one or two.
pub(crate) const MOST_PROTOCOLS: usize = 16;

/// Names in a `Trailer` line at most that are compared with the options of `Connection`: as many as there may be trailers. The
/// line only announces them (RFC 9110 section 6.6.2), so a longer one is left out.
pub(crate) const MOST_ANNOUNCED: usize = 64;

/// The elements of a comma-separated list, without spaces around them and without empty ones (RFC 9110 section 5.6.1).
/// For lists of tokens: a quoted comma separates too.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// A `Content-Length` value: digits only (RFC 9112 section 6.2), at most `i64::MAX`. Lists are refused even where all
/// elements agree.
pub(crate) fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    let mut length: u64 = 0;
    for byte in value {
        if !byte.is_ascii_digit() {
            return None;
        }
        length = length.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    (length <= LARGEST_LENGTH).then_some(length)
}

/// A `Max-Forwards` value: digits only; a number that is larger than ours is the largest (RFC 9110 section 7.6.2).
pub(crate) fn hops(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| {
        value.iter().fold(0, |hops: u64, digit| {
            hops.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        })
    })
}

/// What a `Transfer-Encoding` value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Exactly `chunked`, in any case.
    Chunked,
    /// Other codings first, then `chunked`: well framed, but not understood here.
    Unknown,
    /// Anything whose end is in doubt: empty, `chunked` not last or twice, parameters, no token.
    Faulty,
}

/// Reads a `Transfer-Encoding` value (RFC 9112 section 6.1).
pub(crate) fn coding(value: &[u8]) -> Coding {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Coding::Chunked;
    }
    let mut elements = value.split(|byte| *byte == b',').map(trim).rev();
    let last_is_chunked = elements
        .next()
        .is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let others_are_codings = elements.all(|other| {
        !other.is_empty() && run(other, TOKEN) == other.len() && !other.eq_ignore_ascii_case(b"chunked")
    });
    if last_is_chunked && others_are_codings {
        Coding::Unknown
    } else {
        Coding::Faulty
    }
}

/// What the `Connection` lines of a head say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// Some option is none of the usual ones, so it may name a header.
    pub(crate) names_headers: bool,
    pub(crate) count: usize,
}

impl Options {
    /// Adds the options of one line.
    pub(crate) fn add(&mut self, value: &[u8]) {
        for option in list(value) {
            self.count += 1;
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if !option.eq_ignore_ascii_case(b"te") {
                self.names_headers = true;
            }
        }
    }
}

/// Whether an `Upgrade` value asks for HTTP/2 on this connection. Passed on, it would hand the client a raw connection to
/// the backend on which every request escapes the routes; RFC 9113 section 3.1 made it obsolete. RFC 9110 section 7.8
/// lets a server ignore any upgrade.
pub(crate) fn upgrades_to_http2(value: &[u8]) -> bool {
    list(value).any(|protocol| {
        protocol
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"h2"))
            || protocol
                .get(..5)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"http/"))
    })
}

/// Whether each protocol of a response's `Upgrade` value is one that the request offered, and the value names 1 to
/// [`MOST_PROTOCOLS`] (RFC 9110 section 7.8). Names are compared without case, versions where both sides give one.
pub(crate) fn was_offered(value: &[u8], offered: &[u8]) -> bool {
    let parts = |protocol: &'_ [u8]| {
        let end = memchr::memchr(b'/', protocol).unwrap_or(protocol.len());
        (end, (end < protocol.len()).then_some(end + 1))
    };
    let same = |one: &[u8], other: &[u8]| {
        let ((name, version), (other_name, other_version)) = (parts(one), parts(other));
        let versions = version.zip(other_version);
        one[..name].eq_ignore_ascii_case(&other[..other_name])
            && versions.is_none_or(|(version, other_version)| one[version..] == other[other_version..])
    };
    (1..=MOST_PROTOCOLS).contains(&list(value).take(MOST_PROTOCOLS + 1).count())
        && list(value).all(|protocol| list(offered).any(|offer| same(protocol, offer)))
        && !upgrades_to_http2(value)
}

/// Whether a `TE` value holds `trailers` (RFC 9110 section 10.1.4).
pub(crate) fn takes_trailers(value: &[u8]) -> bool {
    list(value).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_only() {
        assert_eq!(content_length(b"0"), Some(0));
        assert_eq!(content_length(b"0042"), Some(42));
        assert_eq!(content_length(b"9223372036854775807"), Some(LARGEST_LENGTH));
        for value in [
            "", "+5", "-5", "0x5", "5 5", "5,5", "5, 5", "5.", "1e3", "5\t", "\u{665}",
        ] {
            assert_eq!(content_length(value.as_bytes()), None, "{value:?}");
        }
        for value in [
            "9223372036854775808",
            "18446744073709551616",
            "99999999999999999999999999",
        ] {
            assert_eq!(content_length(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn hops_are_digits_and_bounded() {
        assert_eq!((hops(b"0"), hops(b"007")), (Some(0), Some(7)));
        assert_eq!(hops(b"99999999999999999999999999"), Some(u64::MAX));
        for value in ["", "x", "-1", "+1", "1 1", "1,1"] {
            assert_eq!(hops(value.as_bytes()), None, "{value:?}");
        }
    }

    #[test]
    fn only_one_spelling_is_chunked() {
        let cases: &[(&str, Coding)] = &[
            ("chunked", Coding::Chunked),
            ("Chunked", Coding::Chunked),
            ("gzip, chunked", Coding::Unknown),
            ("identity, chunked", Coding::Unknown),
            ("gzip,deflate , chunked", Coding::Unknown),
            ("", Coding::Faulty),
            (",", Coding::Faulty),
            ("chunked,", Coding::Faulty),
            (", chunked", Coding::Faulty),
            ("chunked, chunked", Coding::Faulty),
            ("chunked, identity", Coding::Faulty),
            ("chunked, gzip, chunked", Coding::Faulty),
            ("identity", Coding::Faulty),
            ("xchunked", Coding::Faulty),
            ("chunked;q=1", Coding::Faulty),
            ("chun\tked", Coding::Faulty),
            ("\"chunked\"", Coding::Faulty),
            ("gzip;x, chunked", Coding::Faulty),
        ];
        for (value, expected) in cases {
            assert_eq!(coding(value.as_bytes()), *expected, "{value:?}");
        }
    }

    #[test]
    fn options_are_collected_over_lines() {
        let mut options = Options::default();
        options.add(b"Keep-Alive,, upgrade");
        options.add(b" TE ");
        assert_eq!(
            (options.keep_alive, options.upgrade, options.close),
            (true, true, false)
        );
        assert!(!options.names_headers);
        options.add(b"close, X-Mine");
        assert!(options.close && options.names_headers);
        assert_eq!(options.count, 5);
    }

    #[test]
    fn an_upgrade_to_http2_is_recognised() {
        for value in ["h2c", "websocket, H2C", "h2", "HTTP/2.0", "h2c-16"] {
            assert!(upgrades_to_http2(value.as_bytes()), "{value}");
        }
        assert!(!upgrades_to_http2(b"websocket, TLS/1.2, irc"));
    }

    #[test]
    fn a_switch_is_to_what_was_offered() {
        for (value, offered) in [
            ("websocket", "websocket"),
            ("WebSocket", "websocket"),
            ("foo/2", "irc, FOO/2"),
            ("foo", "foo/2"),
            ("foo/2", "foo"),
            ("a, b/1", "b/1,a"),
        ] {
            assert!(
                was_offered(value.as_bytes(), offered.as_bytes()),
                "{value} {offered}"
            );
        }
        let many = "websocket,".repeat(MOST_PROTOCOLS + 1);
        for (value, offered) in [
            (&*many, "websocket"),
            ("", "websocket"),
            (",", "websocket"),
            ("h2c", "websocket"),
            ("foo", "websocket"),
            ("foo", ""),
            ("foo/1", "foo/2"),
            ("websocket, foo", "websocket"),
            ("web", "websocket"),
            ("websocket", "web"),
            ("HTTP/2.0", "HTTP"),
        ] {
            assert!(
                !was_offered(value.as_bytes(), offered.as_bytes()),
                "{value} {offered}"
            );
        }
    }
}

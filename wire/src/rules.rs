//! Header rules as data: what becomes of a header on its way through, each with its section.
//!
//! A name outside the table is end-to-end: copied as it came, unless `Connection` names it. A name inside it is one the
//! balancer acts on or must protect, so for each of them holds as well:
//!
//! - `Connection` cannot name it away (RFC 9110 section 7.6.1 forbids such options; obeying them would let a client strip
//!   `Authorization` or `X-Forwarded-For` between us and the backend). The option is ignored.
//! - It cannot be a trailer (RFC 9110 section 6.5.1): a receiver that merges trailers into headers would have framing,
//!   routing or credentials changed behind our back. Such a line is left out. In a request, whose sender may mean harm, those
//!   that are about framing, routing, credentials or its origin are refused.
//! - A request header that differs only by `_` for `-` is dropped where the balancer writes or believes that name: CGI
//!   and WSGI read both spellings as one variable. Other names with underscores are legal tokens and pass.
//!
//! `rewrite` is the code that carries the table out; its tests go through the table row by row.

use crate::bytes::Span;

/// What becomes of a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Copied byte for byte.
    Keep,
    /// Left out.
    Drop,
    /// Left out, kept or written anew by what the head means; the row's note says how.
    Rewrite,
    /// From a trusted peer: all lines joined into one, ours appended. From others: replaced by ours.
    Combine,
}

/// A header that the balancer knows. Its rows in [`RULES`] say what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Name {
    /// Any name outside the table.
    Other,
    /// End-to-end and meant for all recipients: copied, but protected as the module says.
    Protected,
    /// The same, and says who somebody is.
    Credentials,
    /// A name of the table with `_` for `-`.
    Lookalike,
    /// `Host`.
    Host,
    /// `Content-Length`.
    ContentLength,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Connection`.
    Connection,
    /// `Upgrade`.
    Upgrade,
    /// `TE`.
    Te,
    /// `Trailer`.
    Trailer,
    /// `Expect`.
    Expect,
    /// `Max-Forwards`.
    MaxForwards,
    /// Only for the next hop and of no use to it: left out.
    HopByHop,
    /// `Proxy-Authenticate`.
    ProxyAuthenticate,
    /// `Via`.
    Via,
    /// `Date`.
    Date,
    /// `Forwarded`.
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `X-Forwarded-Proto`.
    XForwardedProto,
    /// `X-Forwarded-Host`.
    XForwardedHost,
    /// Any other `X-Forwarded-…`, and `X-Real-IP`.
    XForwardedOther,
    /// `X-Request-Id`.
    XRequestId,
}

/// How many variants [`Name`] has.
const NAMES: usize = Name::XRequestId as usize + 1;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The name in lower case.
    pub name: &'static str,
    /// What it is to us.
    pub kind: Name,
    /// Towards a backend.
    pub request: Action,
    /// Towards a client.
    pub response: Action,
    /// Where the rule comes from.
    pub section: &'static str,
    /// What `Rewrite` and `Combine` do, or why.
    pub note: &'static str,
}

const fn row(
    name: &'static str,
    kind: Name,
    actions: (Action, Action),
    texts: (&'static str, &'static str),
) -> Rule {
    Rule {
        name,
        kind,
        request: actions.0,
        response: actions.1,
        section: texts.0,
        note: texts.1,
    }
}

const fn protected(name: &'static str, section: &'static str) -> Rule {
    copied(name, Name::Protected, section)
}

const fn credentials(name: &'static str, section: &'static str) -> Rule {
    copied(name, Name::Credentials, section)
}

const fn copied(name: &'static str, kind: Name, section: &'static str) -> Rule {
    row(
        name,
        kind,
        (Action::Keep, Action::Keep),
        (section, "copied; not to be named away, not a trailer"),
    )
}

use Action::{Combine, Drop, Keep, Rewrite};

/// The table, by what the names are for.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    // Routing and framing.
    row("host", Name::Host, (Rewrite, Keep), ("RFC 9112 3.2", "the effective host; replaced by an absolute target's authority")),
    row("content-length", Name::ContentLength, (Rewrite, Rewrite), ("RFC 9112 6.2", "canonical decimal of the framing that was found")),
    row("transfer-encoding", Name::TransferEncoding, (Rewrite, Rewrite), ("RFC 9112 6.1", "`chunked` where the body will be sent so")),
    row("trailer", Name::Trailer, (Rewrite, Rewrite), ("RFC 9110 6.6.2", "kept where the body stays chunked")),
    // This connection only.
    row("connection", Name::Connection, (Rewrite, Rewrite), ("RFC 9110 7.6.1", "our own options for the next connection")),
    row("upgrade", Name::Upgrade, (Rewrite, Rewrite), ("RFC 9110 7.8", "kept with its option for tunnels, in 101 and 426")),
    row("te", Name::Te, (Rewrite, Drop), ("RFC 9110 10.1.4", "`trailers` is kept, with its connection option")),
    row("keep-alive", Name::HopByHop, (Drop, Drop), ("RFC 9110 7.6.1", "speaks of the connection it came on")),
    row("proxy-connection", Name::HopByHop, (Drop, Drop), ("RFC 9112 C.2.2", "never a standard; named away by nobody")),
    row("proxy-authenticate", Name::ProxyAuthenticate, (Drop, Rewrite), ("RFC 9110 11.7.1", "kept in 407, which must have it; else of no use")),
    row("proxy-authorization", Name::HopByHop, (Drop, Drop), ("RFC 9110 11.7.2", "meant for us, and credentials go no further than meant")),
    row("proxy-authentication-info", Name::HopByHop, (Drop, Drop), ("RFC 9110 11.7.3", "as proxy-authenticate")),
    row("http2-settings", Name::HopByHop, (Drop, Drop), ("RFC 9113 3.1", "the upgrade to h2c is obsolete and would be a tunnel past the routes")),
    row("proxy", Name::HopByHop, (Drop, Drop), ("RFC 3875 4.1.18", "becomes HTTP_PROXY in CGI programs (httpoxy); no standard field")),
    // Steering.
    row("expect", Name::Expect, (Rewrite, Keep), ("RFC 9110 10.1.1", "100-continue is kept where a body follows in HTTP/1.1")),
    row("max-forwards", Name::MaxForwards, (Rewrite, Keep), ("RFC 9110 7.6.2", "one less for OPTIONS and TRACE; else copied")),
    row("via", Name::Via, (Keep, Keep), ("RFC 9110 7.6.3", "a line of ours behind it where `via` is on")),
    row("date", Name::Date, (Keep, Keep), ("RFC 9110 6.6.1", "added to final answers without one")),
    // Where it came from.
    row("forwarded", Name::Forwarded, (Combine, Keep), ("RFC 7239 4", "for, host and proto of this hop; what is malformed is replaced")),
    row("x-forwarded-for", Name::XForwardedFor, (Combine, Keep), ("RFC 7239 7.4", "the client's address")),
    row("x-forwarded-proto", Name::XForwardedProto, (Rewrite, Keep), ("RFC 7239 5.4", "kept from a trusted peer, of several lines the last; else ours")),
    row("x-forwarded-host", Name::XForwardedHost, (Rewrite, Keep), ("RFC 7239 5.3", "kept from a trusted peer, of several lines the last; else ours")),
    row("x-real-ip", Name::XForwardedOther, (Rewrite, Keep), ("RFC 7239 8.1", "kept from a trusted peer, else dropped")),
    row("x-request-id", Name::XRequestId, (Rewrite, Keep), ("RFC 7239 8.1", "the client's if it is fit to be logged, of several lines the first; else ours")),
    // For all recipients.
    credentials("authorization", "RFC 9110 11.6.2"),
    credentials("cookie", "RFC 6265 4.2"),
    protected("set-cookie", "RFC 6265 4.1"),
    protected("www-authenticate", "RFC 9110 11.6.1"),
    protected("cache-control", "RFC 9111 5.2"),
    protected("pragma", "RFC 9111 5.4"),
    protected("age", "RFC 9111 5.1"),
    protected("expires", "RFC 9111 5.3"),
    protected("warning", "RFC 9111 5.5"),
    protected("content-type", "RFC 9110 8.3"),
    protected("content-encoding", "RFC 9110 8.4"),
    protected("content-range", "RFC 9110 14.4"),
    protected("range", "RFC 9110 14.2"),
    protected("if-match", "RFC 9110 13.1.1"),
    protected("if-none-match", "RFC 9110 13.1.2"),
    protected("if-modified-since", "RFC 9110 13.1.3"),
    protected("if-unmodified-since", "RFC 9110 13.1.4"),
    protected("if-range", "RFC 9110 13.1.5"),
    protected("location", "RFC 9110 10.2.2"),
    protected("retry-after", "RFC 9110 10.2.3"),
    protected("vary", "RFC 9110 12.5.5"),
    protected("origin", "RFC 6454 7"),
];

const PREFIX: &[u8] = b"x-forwarded-";
/// Longest name of the table in bytes (`proxy-authentication-info`).
pub(crate) const LONGEST: usize = 25;
const LETTERS: usize = 32;

/// Rows by length and first letter, counted from 1: a look-up instead of a search. Two a bucket are enough; a third
/// would not compile.
static BUCKETS: [[u8; 2]; (LONGEST + 1) * LETTERS] = buckets();

const fn buckets() -> [[u8; 2]; (LONGEST + 1) * LETTERS] {
    let mut table = [[0; 2]; (LONGEST + 1) * LETTERS];
    let mut at = 0;
    while at < RULES.len() {
        let name = RULES[at].name.as_bytes();
        let bucket = &mut table[name.len() * LETTERS + (name[0] & 31) as usize];
        let slot = if bucket[0] == 0 { 0 } else { 1 };
        assert!(bucket[slot] == 0, "a third name in one bucket");
        let mut letter = 0;
        while letter < name.len() {
            let known =
                name[letter].is_ascii_lowercase() || name[letter].is_ascii_digit() || name[letter] == b'-';
            assert!(known, "`is_named` takes no other bytes");
            letter += 1;
        }
        bucket[slot] = at as u8 + 1;
        at += 1;
    }
    table
}

/// Request and response actions by [`Name`].
static ACTIONS: [(Action, Action); NAMES] = actions();

const fn actions() -> [(Action, Action); NAMES] {
    let mut table = [(Keep, Keep); NAMES];
    let mut at = 0;
    while at < RULES.len() {
        table[RULES[at].kind as usize] = (RULES[at].request, RULES[at].response);
        at += 1;
    }
    table[Name::Lookalike as usize] = (Drop, Keep);
    table
}

impl Name {
    /// Which of the known names `name` is, whatever its case.
    #[inline]
    pub fn classify(name: &[u8]) -> Self {
        let Some(first) = name.first() else {
            return Self::Other;
        };
        if name.len() <= LONGEST {
            for row in BUCKETS[name.len() * LETTERS + usize::from(first & 31)] {
                if row == 0 {
                    break;
                }
                let rule = &RULES[usize::from(row) - 1];
                if is_named(name, rule.name.as_bytes()) {
                    return rule.kind;
                }
                if rule.kind != Self::Protected && folded_eq(name, rule.name.as_bytes()) {
                    return Self::Lookalike;
                }
            }
        }
        if first | 0x20 == b'x' && name.len() > PREFIX.len() {
            Self::classify_prefix(name)
        } else {
            Self::Other
        }
    }

    #[cold]
    fn classify_prefix(name: &[u8]) -> Self {
        let start = &name[..PREFIX.len()];
        if start.eq_ignore_ascii_case(PREFIX) {
            Self::XForwardedOther
        } else if folded_eq(start, PREFIX) {
            Self::Lookalike
        } else {
            Self::Other
        }
    }

    /// What becomes of a request's line of this name.
    #[inline]
    pub fn on_request(self) -> Action {
        ACTIONS[self as usize].0
    }

    /// What becomes of an answer's line of this name.
    #[inline]
    pub fn on_response(self) -> Action {
        ACTIONS[self as usize].1
    }

    /// Whether `Connection` may name it away, and whether it may be a trailer.
    #[inline]
    pub fn is_free(self) -> bool {
        self == Self::Other
    }

    /// Whether a request is refused that has such a trailer; other known names are left out of its trailers.
    pub(crate) fn is_refused_as_trailer(self) -> bool {
        !matches!(self, Self::Other | Self::Protected | Self::Date | Self::Via)
    }
}

/// Whether `name`, whatever its case, is this name of the table, which has the same length. Eight bytes are compared at once: of
/// the bytes that names of the table have, letters alone have the bit 0x40, and case is their bit 0x20.
#[inline]
fn is_named(name: &[u8], lower: &[u8]) -> bool {
    const LETTERS: u64 = 0x4040_4040_4040_4040;
    let same = |one: u64, lower: u64| (one ^ lower) & !((lower & LETTERS) >> 1) == 0;
    let eight = |one: &[u8; 8], lower: &[u8; 8]| same(u64::from_le_bytes(*one), u64::from_le_bytes(*lower));
    let four = |one: &[u8; 4], lower: &[u8; 4]| {
        same(u32::from_le_bytes(*one).into(), u32::from_le_bytes(*lower).into())
    };
    // The last bytes are compared with those before them once more, so that no rest is left.
    if let (Some(end), Some(lower_end)) = (name.last_chunk(), lower.last_chunk()) {
        let (start, lower_start) = (name.as_chunks().0, lower.as_chunks().0);
        return eight(end, lower_end)
            && start
                .iter()
                .zip(lower_start)
                .all(|(one, lower)| eight(one, lower));
    }
    if let (Some(end), Some(lower_end)) = (name.last_chunk(), lower.last_chunk())
        && let (Some(start), Some(lower_start)) = (name.first_chunk(), lower.first_chunk())
    {
        return four(start, lower_start) && four(end, lower_end);
    }
    name.eq_ignore_ascii_case(lower)
}

/// Whether a program may take two field names for one: CGI and its heirs write `_` for `-` and know no case (RFC 3875
/// section 4.1.18).
pub fn is_lookalike(name: &[u8], other: &[u8]) -> bool {
    name.len() == other.len()
        && name
            .iter()
            .zip(other)
            .all(|(one, other)| fold(*one) == fold(*other))
}

fn fold(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

/// The same, for a name of the table.
fn folded_eq(name: &[u8], lower: &[u8]) -> bool {
    name.len() == lower.len() && name.iter().map(|byte| fold(*byte)).eq(lower.iter().copied())
}

/// One header line of a head, as offsets into its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The name as written.
    pub name: Span,
    /// The value without the spaces around it.
    pub value: Span,
    /// One past the line's CRLF.
    pub end: u32,
    /// Which of the known names it is.
    pub kind: Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_in_any_case() {
        for rule in RULES {
            assert_eq!(Name::classify(rule.name.as_bytes()), rule.kind, "{}", rule.name);
            assert_eq!(
                Name::classify(rule.name.to_uppercase().as_bytes()),
                rule.kind,
                "{}",
                rule.name
            );
            assert!(rule.name.len() <= LONGEST);
            assert!(rule.section.starts_with("RFC "), "{}", rule.name);
            assert!(!rule.note.is_empty());
        }
    }

    #[test]
    fn one_other_byte_makes_another_name() {
        for rule in RULES {
            for at in 0..rule.name.len() {
                for byte in (0..=u8::MAX).filter(|byte| !byte.eq_ignore_ascii_case(&rule.name.as_bytes()[at]))
                {
                    let mut name = rule.name.as_bytes().to_vec();
                    name[at] = byte;
                    assert!(!is_named(&name, rule.name.as_bytes()), "{name:?}");
                }
            }
        }
    }

    #[test]
    fn rows_of_one_kind_agree() {
        for rule in RULES {
            assert_eq!(
                (rule.request, rule.response),
                (rule.kind.on_request(), rule.kind.on_response()),
                "{}",
                rule.name
            );
        }
    }

    #[test]
    fn names_outside_the_table_are_other() {
        for name in [
            "",
            "a",
            "accept",
            "user-agent",
            "hos",
            "hosts",
            "x-forwarded",
            "xx-forwarded-for",
            "sec-websocket-key",
        ] {
            assert_eq!(Name::classify(name.as_bytes()), Name::Other, "{name}");
        }
        assert_eq!(Name::classify(&[b'x'; 5000]), Name::Other);
    }

    #[test]
    fn underscores_do_not_make_a_known_name() {
        for name in [
            "X_Forwarded_For",
            "x-forwarded_proto",
            "content_length",
            "Transfer_Encoding",
            "x_real_ip",
            "X_Forwarded_Foo",
        ] {
            assert_eq!(Name::classify(name.as_bytes()), Name::Lookalike, "{name}");
        }
        for name in ["my_header", "user_agent", "content_type", "x_forwarded"] {
            assert_eq!(Name::classify(name.as_bytes()), Name::Other, "{name}");
        }
    }

    #[test]
    fn every_x_forwarded_name_is_known() {
        assert_eq!(Name::classify(b"X-Forwarded-Port"), Name::XForwardedOther);
        assert_eq!(
            Name::classify(b"X-Forwarded-A-Very-Long-Name-Indeed"),
            Name::XForwardedOther
        );
    }
}

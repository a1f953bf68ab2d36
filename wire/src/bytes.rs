//! Which bytes may stand where, as one table, and `Span`, a range of a buffer without a lifetime.
//!
//! One table with a bit for each class: a head is checked a byte at a time, and a look-up costs the same however odd the
//! class is.

/// A byte of a token: method, header name, connection option (RFC 9110 section 5.6.2).
pub(crate) const TOKEN: u8 = 1;
/// A byte of a request target: visible ASCII but `#`. RFC 3986 allows fewer (no `"<>\^{|}` or backtick), but browsers send
/// those raw in queries, and none of them can end the target. A fragment is never sent (RFC 9112 section 3.2).
pub(crate) const TARGET: u8 = 2;
/// A byte of a header value: visible, obs-text, space and tab (RFC 9110 section 5.5).
pub(crate) const VALUE: u8 = 4;
/// A byte of a registered name (RFC 3986 section 3.2.2) but the comma, which would read as two Host lines joined.
/// `%` is checked further, for its two digits.
pub(crate) const HOST: u8 = 8;
/// A byte of a quoted string that needs no escape (RFC 9110 section 5.6.4).
pub(crate) const QUOTED: u8 = 16;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let alphanumeric = byte.is_ascii_alphanumeric();
        let visible = byte > b' ' && byte < 0x7f;
        if alphanumeric || among(byte, b"!#$%&'*+-.^_`|~") {
            table[at] |= TOKEN;
        }
        if visible && byte != b'#' {
            table[at] |= TARGET;
        }
        if visible || byte >= 0x80 || byte == b' ' || byte == b'\t' {
            table[at] |= VALUE;
            if byte != b'"' && byte != b'\\' {
                table[at] |= QUOTED;
            }
        }
        if alphanumeric || among(byte, b"-._~!$&'()*+;=%") {
            table[at] |= HOST;
        }
        at += 1;
    }
    table
}

const fn among(byte: u8, set: &[u8]) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether `byte` belongs to `class`.
#[inline]
pub(crate) fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Length of the longest start of `bytes` that is all of `class`.
#[inline]
pub(crate) fn run(bytes: &[u8], class: u8) -> usize {
    bytes
        .iter()
        .position(|byte| !is(*byte, class))
        .unwrap_or(bytes.len())
}

/// `bytes` without the spaces and tabs around it (OWS, RFC 9110 section 5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// A range of the buffer that a head was parsed in: offsets, so that it outlives moves of the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte, counted from the start of the buffer.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Offsets fit: the parsers look at no more than `Limits::head_bytes` bytes, which is a `u32`.
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// The bytes of this range; empty where `buf` is not the buffer that was parsed and is too short.
    #[inline]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Length in bytes.
    #[inline]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it spans nothing.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_rfc_9110_section_5_6_2() {
        let delimiters = b"\"(),/:;<=>?@[\\]{} \t\r\n\0\x7f\x80\xff";
        assert!(delimiters.iter().all(|byte| !is(*byte, TOKEN)));
        assert_eq!((0..=255).filter(|byte| is(*byte, TOKEN)).count(), 62 + 15);
    }

    #[test]
    fn no_class_holds_a_line_ending_or_nul() {
        for byte in [b'\r', b'\n', 0] {
            assert!(!is(byte, TOKEN | TARGET | VALUE | HOST | QUOTED));
        }
    }
}

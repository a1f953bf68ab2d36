//! Copies a head in runs: lines that stay are gathered until one does not.

use crate::{fields::MOST_ANNOUNCED, rules::Line};

pub(super) struct Copier<'a> {
    buf: &'a [u8],
    pub(super) out: &'a mut Vec<u8>,
    /// First byte not copied yet.
    from: usize,
}

impl<'a> Copier<'a> {
    pub(super) fn new(buf: &'a [u8], out: &'a mut Vec<u8>, from: u32) -> Self {
        Self {
            buf,
            out,
            from: from as usize,
        }
    }

    /// Copies what stays before `to`, and goes on at `next`.
    #[inline]
    pub(super) fn jump(&mut self, to: u32, next: u32) {
        self.out
            .extend_from_slice(self.buf.get(self.from..to as usize).unwrap_or_default());
        self.from = next as usize;
    }

    /// Leaves a line out.
    #[inline]
    pub(super) fn skip(&mut self, line: &Line) {
        self.jump(line.name.start, line.end);
    }

    /// Writes a line's name as it was, and a value instead of its own; unless it is just so already.
    pub(super) fn replace(&mut self, line: &Line, value: &[u8]) {
        if line.value.of(self.buf) == value && self.is_plain(line) {
            return;
        }
        self.open(line);
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Takes out white space before the colon.
    #[cold]
    pub(super) fn tighten(&mut self, line: &Line) {
        if self.buf.get(line.name.end as usize) != Some(&b':') {
            self.open(line);
            self.out.extend_from_slice(line.value.of(self.buf));
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes a line's name and colon, for a value and CRLF to follow in `out`.
    pub(super) fn open(&mut self, line: &Line) {
        self.skip(line);
        self.out.extend_from_slice(line.name.of(self.buf));
        self.out.extend_from_slice(b": ");
    }

    /// `Name: value` and CRLF, with no other space.
    fn is_plain(&self, line: &Line) -> bool {
        self.buf.get(line.name.end as usize..line.value.start as usize) == Some(b": ")
            && line.value.end + 2 == line.end
    }
}

/// A line of ours.
pub(super) fn write_line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// One `Connection` line of the options that are wanted; none without options.
pub(super) fn write_connection(options: &[(bool, &str)], out: &mut Vec<u8>) {
    let mut before = "Connection: ";
    for (wanted, option) in options {
        if *wanted {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(option.as_bytes());
            before = ", ";
        }
    }
    if before == ", " {
        out.extend_from_slice(b"\r\n");
    }
}

/// `Via` of this hop: the version it was received in, and our pseudonym (RFC 9110 section 7.6.3).
pub(super) fn write_via(version: crate::Version, pseudonym: &str, out: &mut Vec<u8>) {
    for part in ["Via: ", version.number(), " ", pseudonym, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Digits without the zeros in front of them.
pub(super) fn canonical(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros.min(digits.len().saturating_sub(1))..]
}

/// `Trailer` without the names that will not be among the trailers; `named`: `Connection` names headers. A list too long to be
/// compared with these is left out as a whole.
pub(super) fn announce(copier: &mut Copier<'_>, line: &Line, lines: &crate::Lines, named: bool) {
    let buf = copier.buf;
    let passes =
        |name: &&[u8]| crate::Name::classify(name).is_free() && !(named && is_named_away(lines, buf, name));
    let value = line.value.of(buf);
    if named && crate::fields::list(value).nth(MOST_ANNOUNCED).is_some() {
        return copier.skip(line);
    }
    if crate::fields::list(value).all(|name| passes(&name)) {
        return copier.tighten(line);
    }
    let mut names = crate::fields::list(value).filter(passes).peekable();
    if names.peek().is_none() {
        return copier.skip(line);
    }
    copier.open(line);
    for (at, name) in names.enumerate() {
        let comma: &[u8] = if at == 0 { b"" } else { b", " };
        copier.out.extend_from_slice(comma);
        copier.out.extend_from_slice(name);
    }
    copier.out.extend_from_slice(b"\r\n");
}

/// Whether an option in the `Connection` lines is this name (RFC 9110 section 7.6.1).
#[cold]
pub(super) fn is_named_away(lines: &crate::Lines, buf: &[u8], name: &[u8]) -> bool {
    let mut options = lines
        .of(buf, crate::Name::Connection)
        .flat_map(crate::fields::list);
    options.any(|option| option.eq_ignore_ascii_case(name))
}

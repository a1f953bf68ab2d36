//! As much HTTP as load and backends need: where a message ends. They talk to balancers of known good manners and
//! must cost less than any of them, so nothing else is looked at.

use std::fmt;

use memchr::{memchr, memmem};

/// A head longer than this is no head.
const LONGEST_HEAD: usize = 64 * 1024;
/// What ends a chunked body. Bodies here are made of one letter, so that it cannot occur inside.
const LAST_CHUNK: [u8; 5] = *b"0\r\n\r\n";

/// Bytes that are no message, or more than one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// How a message's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Length(usize),
    Chunked,
}

/// What of a head matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    start: [u8; 16],
    pub(crate) body: Body,
    pub(crate) close: bool,
    pub(crate) upgrade: bool,
}

impl Head {
    fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let mut head = Self {
            start: [0; 16],
            body: Body::Length(0),
            close: false,
            upgrade: false,
        };
        let known = text.len().min(head.start.len());
        head.start[..known].copy_from_slice(&text[..known]);
        let mut rest = text;
        while let Some(end) = memchr(b'\n', rest) {
            head.line(rest[..end].trim_ascii_end())?;
            rest = &rest[end + 1..];
        }
        Ok(head)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Malformed> {
        // Most lines end here, by their first letter.
        if !matches!(line.first(), Some(b'C' | b'c' | b'T' | b't' | b'U' | b'u')) {
            return Ok(());
        }
        let Some(colon) = memchr(b':', line) else {
            return Ok(());
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.body = Body::Length(length.ok_or(Malformed("a length that is no number"))?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.body = Body::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.close = value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        }
        Ok(())
    }

    /// An answer's status, 0 if there is none.
    pub(crate) fn status(&self) -> u16 {
        let digits = std::str::from_utf8(&self.start[9..12]).ok();
        digits.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The beginning of a request's target.
    pub(crate) fn target(&self) -> &[u8] {
        let after = |text: &'_ [u8]| memchr(b' ', text).map(|space| space + 1);
        let Some(begin) = after(&self.start) else {
            return b"";
        };
        let rest = &self.start[begin..];
        &rest[..memchr(b' ', rest).unwrap_or(rest.len())]
    }
}

enum State {
    Head,
    Length(usize),
    Chunked([u8; 5]),
}

/// Finds the ends of messages that come one at a time.
pub(crate) struct Reader {
    partial: Vec<u8>,
    state: State,
    head: Option<Head>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            partial: Vec::new(),
            state: State::Head,
            head: None,
        }
    }

    /// Takes the next bytes; returns the head when its message has ended with them.
    ///
    /// # Errors
    /// [`Malformed`] for what is no message, and for bytes after its end.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Head>, Malformed> {
        let done = match self.state {
            State::Head if self.partial.is_empty() => self.begin(bytes)?,
            State::Head => {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(bytes);
                self.begin(&whole)?
            }
            _ => self.body(bytes)?,
        };
        if !done {
            return Ok(None);
        }
        self.state = State::Head;
        Ok(self.head.take())
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<bool, Malformed> {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
            if bytes.len() > LONGEST_HEAD {
                return Err(Malformed("a head without an end"));
            }
            self.partial.extend_from_slice(bytes);
            return Ok(false);
        };
        let head = Head::parse(&bytes[..end + 2])?;
        self.head = Some(head);
        self.state = match head.body {
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::Chunked([0; 5]),
        };
        self.body(&bytes[end + 4..])
    }

    fn body(&mut self, bytes: &[u8]) -> Result<bool, Malformed> {
        match &mut self.state {
            State::Head => Ok(false),
            State::Length(left) => {
                *left = left
                    .checked_sub(bytes.len())
                    .ok_or(Malformed("bytes after the message"))?;
                Ok(*left == 0)
            }
            State::Chunked(tail) => {
                let mut last = [0; 10];
                last[..5].copy_from_slice(tail);
                let new = &bytes[bytes.len().saturating_sub(5)..];
                last[5..5 + new.len()].copy_from_slice(new);
                tail.copy_from_slice(&last[new.len()..new.len() + 5]);
                Ok(*tail == LAST_CHUNK)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Feeds `text` in pieces of every size; the head must come with the last piece and not before.
    fn ends_at_its_end(text: &[u8]) -> Head {
        let mut found = None;
        for size in 1..=text.len() {
            let mut reader = Reader::new();
            let mut pieces = text.chunks(size).peekable();
            while let Some(piece) = pieces.next() {
                let head = reader.feed(piece).unwrap();
                assert_eq!(head.is_some(), pieces.peek().is_none(), "pieces of {size}");
                found = head.or(found);
            }
        }
        found.unwrap()
    }

    #[test]
    fn an_answer_ends_with_its_length() {
        let head = ends_at_its_end(b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nabcde");
        assert_eq!(
            (head.status(), head.body, head.close),
            (200, Body::Length(5), false)
        );
    }

    #[test]
    fn a_chunked_answer_ends_with_its_last_chunk() {
        let head = ends_at_its_end(b"HTTP/1.1 502 No\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nxxx\r\n0\r\n\r\n");
        assert_eq!((head.status(), head.body, head.close), (502, Body::Chunked, true));
    }

    #[test]
    fn a_request_has_a_target() {
        assert_eq!(
            ends_at_its_end(b"GET /64k HTTP/1.1\r\nHost: a\r\n\r\n").target(),
            b"/64k"
        );
        assert_eq!(
            ends_at_its_end(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx").target(),
            b"/"
        );
        assert!(ends_at_its_end(b"GET /echo HTTP/1.1\r\nUpgrade: websocket\r\n\r\n").upgrade);
    }

    #[test]
    fn what_is_no_single_message_is_refused() {
        let refused = |text: &[u8]| Reader::new().feed(text).is_err();
        assert!(refused(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"));
        assert!(refused(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"));
    }
}

//! Header lines: from the start line to the empty line, for requests and answers alike.
//!
//! httparse finds names and values, fast and much tried. It is lenient about line endings: it takes a bare LF for CRLF, which
//! RFC 9112 section 2.2 allows and which peers disagree about. So each line is measured again: it must begin where the last
//! one ended, and end in spaces, CR, LF. That also proves that the offsets stored are those of the bytes sent.

use crate::{
    bytes::Span,
    limits::Limits,
    rules::{Line, Name},
};

/// Headers parsed without allocating. Browsers send 12 to 20; filling a longer table costs time.
const FEW: usize = 24;

/// The header lines of one head. Keep one a connection or worker and pass it again and again: it keeps its capacity.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    lines: Vec<Line>,
}

impl Lines {
    /// No lines, with room for the usual number.
    pub fn new() -> Self {
        Self {
            lines: Vec::with_capacity(FEW),
        }
    }

    /// The lines in their order.
    #[inline]
    pub fn as_slice(&self) -> &[Line] {
        &self.lines
    }

    /// Names and values in their order; `buf` is the buffer that was parsed.
    pub fn iter<'a>(&'a self, buf: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.lines
            .iter()
            .map(|line| (line.name.of(buf), line.value.of(buf)))
    }

    /// The values of a header, whatever its case, in their order.
    pub fn values<'a>(&'a self, buf: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter(buf)
            .filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The values of the lines of one kind.
    pub(crate) fn of<'a>(&'a self, buf: &'a [u8], kind: Name) -> impl Iterator<Item = &'a [u8]> {
        self.lines
            .iter()
            .filter(move |line| line.kind == kind)
            .map(|line| line.value.of(buf))
    }

    /// The values of the lines of one kind as one list.
    pub(crate) fn joined(&self, buf: &[u8], kind: Name) -> Vec<u8> {
        self.of(buf, kind).collect::<Vec<_>>().join(&b","[..])
    }

    /// Parses the lines that begin at `from` and returns where the head ends, or `None` where the empty line is yet to come.
    pub(crate) fn parse(
        &mut self,
        buf: &[u8],
        from: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, LineFault> {
        self.lines.clear();
        let most = usize::from(limits.header_count);
        let mut few = [httparse::EMPTY_HEADER; FEW];
        let parsed = httparse::parse_headers(&buf[from..], &mut few[..most.min(FEW)]);
        if most > FEW && matches!(parsed, Err(httparse::Error::TooManyHeaders)) {
            let mut many = vec![httparse::EMPTY_HEADER; most];
            return self.store(buf, from, httparse::parse_headers(&buf[from..], &mut many));
        }
        self.store(buf, from, parsed)
    }

    /// As [`parse`](Self::parse), for answers, with white space between names and colons (RFC 9112 section 5.1). Each such name
    /// ends before the space, so that its line cannot be copied as it is. Only for heads that `parse` has refused.
    #[cold]
    pub(crate) fn parse_spaced(
        &mut self,
        buf: &[u8],
        from: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, LineFault> {
        self.lines.clear();
        let mut many = vec![httparse::EMPTY_HEADER; usize::from(limits.header_count)];
        let mut response = httparse::Response::new(&mut many);
        let parsed = httparse::ParserConfig::default()
            .allow_spaces_after_header_name_in_responses(true)
            .parse_response(&mut response, buf);
        let found = match parsed {
            Ok(httparse::Status::Complete(end)) => Ok(httparse::Status::Complete((
                end.saturating_sub(from),
                &*response.headers,
            ))),
            Ok(httparse::Status::Partial) => Ok(httparse::Status::Partial),
            // A version that this parser does not know, and we do.
            Err(httparse::Error::Version) => Err(httparse::Error::HeaderName),
            Err(error) => Err(error),
        };
        self.store(buf, from, found)
    }

    fn store<'b>(
        &mut self,
        buf: &'b [u8],
        from: usize,
        parsed: Found<'b, '_>,
    ) -> Result<Option<usize>, LineFault> {
        let (length, headers) = match parsed {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::HeaderName) => return Err(LineFault::Name),
            Err(httparse::Error::TooManyHeaders) => return Err(LineFault::TooMany),
            Err(httparse::Error::NewLine) => return Err(LineFault::Ending),
            Err(_) => return Err(LineFault::Value),
        };
        let base = buf.as_ptr() as usize;
        let mut at = from;
        for header in headers {
            let name = header.name.as_ptr() as usize - base;
            let value = header.value.as_ptr() as usize - base;
            let value_end = value + header.value.len();
            let mut end = value_end;
            while let Some(b' ' | b'\t') = buf.get(end) {
                end += 1;
            }
            if name != at || buf.get(end..end + 2) != Some(b"\r\n") {
                return Err(LineFault::Ending);
            }
            at = end + 2;
            self.lines.push(Line {
                name: Span::new(name, name + header.name.len()),
                value: Span::new(value, value_end),
                end: at as u32,
                kind: Name::classify(header.name.as_bytes()),
            });
        }
        if buf.get(at..at + 2) != Some(b"\r\n") || at + 2 != from + length {
            return Err(LineFault::Ending);
        }
        Ok(Some(at + 2))
    }
}

type Found<'b, 'h> = Result<httparse::Status<(usize, &'h [httparse::Header<'b>])>, httparse::Error>;

/// What is wrong with a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineFault {
    /// The name is no token followed by a colon; a folded line and a space before the colon are seen as this.
    Name,
    /// The value has a control character or a bare CR.
    Value,
    /// A line does not end in CRLF.
    Ending,
    /// More lines than allowed.
    TooMany,
}

/// Whether a head that was incomplete is worth parsing again after `new` arrived: parsing starts from the front each time,
/// so asking first bounds the work on a head that comes byte by byte to one pass a line.
#[inline]
pub fn worth_parsing(new: &[u8]) -> bool {
    memchr::memchr(b'\n', new).is_some()
}

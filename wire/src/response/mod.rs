//! Heads of answers: parsed in place, and refused where a client could read them differently (RFC 9112 sections 4 and 6.3).

#[cfg(test)]
mod tests;

use crate::{
    Framing, Limits, Lines, Method, Name, Parsed, ResponseError, Version,
    bytes::{Span, VALUE, run},
    fields::{self, Coding, MOST_ANSWER_OPTIONS, Options},
    lines::LineFault,
    message::version,
};

/// What the answer answers: without it, its end cannot be known (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The request's method.
    pub method: Method,
    /// The protocols that the request offered to switch to, as [`RequestView::offers`](crate::RequestView::offers) has them.
    /// 101 is an answer to those only; empty where there are none.
    pub offers: &'a [u8],
}

/// What the head of an answer says. Offsets are into the buffer that was parsed; [`ResponseHead::view`] reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// Bytes of the head: the body begins here.
    pub len: usize,
    /// The status code, 100 to 999. Codes from 600 are no HTTP but in use, and pass.
    pub status: u16,
    /// The backend's version.
    pub version: Version,
    /// Where the body ends.
    pub framing: Framing,
    /// Content-Length as written, which an answer to HEAD and a 304 have without a body.
    pub content_length: Option<u64>,
    /// The backend takes another request on this connection, once this message has ended (RFC 9112 section 9.3). Never set where
    /// the head announces a body that such an answer must not have: nobody knows whether it follows.
    pub keep_alive: bool,
    /// From here on the connection is a tunnel: 101, or 2xx to CONNECT.
    pub tunnel: bool,
    pub(crate) line: Span,
    pub(crate) line_copyable: bool,
    pub(crate) reason: Span,
    pub(crate) has_date: bool,
    pub(crate) names_headers: bool,
    /// White space stands between a name and its colon.
    pub(crate) spaced_names: bool,
}

impl ResponseHead {
    /// Whether it is 1xx and not the end: another head follows for the same request (RFC 9110 section 15.2).
    pub fn is_interim(&self) -> bool {
        self.status < 200 && !self.tunnel
    }

    /// The head with the bytes it speaks of.
    #[inline]
    pub fn view<'a>(&'a self, buf: &'a [u8], lines: &'a Lines) -> ResponseView<'a> {
        ResponseView {
            head: self,
            buf,
            lines,
        }
    }
}

/// The head of an answer, its header lines and the buffer they are in.
#[derive(Clone, Copy, Debug)]
pub struct ResponseView<'a> {
    /// What the head says.
    pub head: &'a ResponseHead,
    /// The buffer that was parsed, or a copy of it.
    pub buf: &'a [u8],
    /// The lines that were filled.
    pub lines: &'a Lines,
}

impl<'a> ResponseView<'a> {
    /// The reason phrase, often empty.
    pub fn reason(&self) -> &'a [u8] {
        self.head.reason.of(self.buf)
    }

    /// The values of a header in their order, whatever its case.
    pub fn header(&self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines.values(self.buf, name)
    }

    /// What `Connection` names, as a list, where the body may have trailers that it speaks of; empty without.
    pub fn named_away(&self) -> Vec<u8> {
        if self.head.names_headers && self.head.framing == Framing::Chunked {
            self.lines.joined(self.buf, Name::Connection)
        } else {
            Vec::new()
        }
    }
}

/// Parses the head of an answer at the start of `buf`; bytes behind it are left alone. On `Complete`, `lines` holds its
/// header lines. No empty line is skipped before it: bytes between messages are a fault of the backend.
///
/// # Errors
/// [`ResponseError`], as soon as it is sure; nothing of it may be passed on, and its connection must be closed.
pub fn parse_response(
    buf: &[u8],
    lines: &mut Lines,
    limits: &Limits,
    asked: Asked<'_>,
) -> Result<Parsed<ResponseHead>, ResponseError> {
    let window = &buf[..buf.len().min(limits.head_bytes as usize)];
    let full = window.len() == limits.head_bytes as usize;
    let partial = || {
        if full {
            Err(ResponseError::HeadTooLarge)
        } else {
            Ok(Parsed::Partial)
        }
    };
    let Some(line) = status_line(window)? else {
        return partial();
    };
    let from = line.span.end as usize + 2;
    let mut spaced_names = false;
    let parsed = match lines.parse(window, from, limits) {
        Err(LineFault::Name) => {
            spaced_names = true;
            lines.parse_spaced(window, from, limits)
        }
        parsed => parsed,
    };
    let Some(len) = parsed? else {
        return partial();
    };
    if line.status == 101 {
        let all = lines.joined(window, Name::Upgrade);
        if !fields::was_offered(&all, asked.offers) {
            return Err(ResponseError::UnaskedSwitch);
        }
    }
    let mut found = Found::collect(window, lines, &line)?;
    found.spaced_names = spaced_names;
    Ok(Parsed::Complete(found.head(&line, len, asked)?))
}

struct StatusLine {
    span: Span,
    status: u16,
    version: Version,
    copyable: bool,
    reason: Span,
}

/// RFC 9112 section 4: `HTTP/1.x`, space, three digits, space, reason. The second space may be missing where no reason
/// follows, as many servers leave it out; it is written then.
fn status_line(buf: &[u8]) -> Result<Option<StatusLine>, ResponseError> {
    const FIXED: usize = b"HTTP/1.1 200".len();
    if buf.len() < FIXED {
        let expected = buf
            .iter()
            .zip(b"HTTP/1.")
            .all(|(byte, expected)| byte == expected);
        let broken = memchr::memchr2(b'\n', b'\r', buf).is_some();
        return if expected && !broken {
            Ok(None)
        } else {
            Err(ResponseError::StatusLine)
        };
    }
    let (Some(Ok((version, minor))), b' ') = (version(buf), buf[8]) else {
        return Err(ResponseError::StatusLine);
    };
    let [hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = buf[9..FIXED] else {
        return Err(ResponseError::StatusLine);
    };
    let status = [hundreds, tens, ones]
        .iter()
        .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let start = match buf.get(FIXED) {
        Some(b' ') => FIXED + 1,
        Some(b'\r') | None => FIXED,
        Some(b'\n') => return Err(ResponseError::LineEnding),
        Some(_) => return Err(ResponseError::StatusLine),
    };
    let end = start + run(&buf[start..], VALUE);
    match &buf[end..] {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(StatusLine {
            span: Span::new(0, end),
            status,
            version,
            copyable: minor == b'1' && start > FIXED,
            reason: Span::new(start, end),
        })),
        [b'\r' | b'\n', ..] => Err(ResponseError::LineEnding),
        _ => Err(ResponseError::StatusLine),
    }
}

impl From<LineFault> for ResponseError {
    fn from(fault: LineFault) -> Self {
        match fault {
            LineFault::Name => Self::HeaderName,
            LineFault::Value => Self::HeaderValue,
            LineFault::Ending => Self::LineEnding,
            LineFault::TooMany => Self::TooManyHeaders,
        }
    }
}

/// What the header lines say, each for itself.
#[derive(Default)]
struct Found {
    content_length: Option<u64>,
    chunked: bool,
    options: Options,
    has_date: bool,
    spaced_names: bool,
}

impl Found {
    fn collect(buf: &[u8], lines: &Lines, line: &StatusLine) -> Result<Self, ResponseError> {
        let mut found = Self::default();
        for header in lines.as_slice() {
            if header.kind <= Name::Lookalike {
                continue;
            }
            let value = header.value.of(buf);
            match header.kind {
                Name::ContentLength if found.content_length.is_some() => {
                    return Err(ResponseError::ContentLengthRepeated);
                }
                Name::ContentLength => {
                    let length = fields::content_length(value).ok_or(ResponseError::ContentLength)?;
                    found.content_length = Some(length);
                }
                Name::TransferEncoding if line.version == Version::Http10 => {
                    return Err(ResponseError::TransferEncodingInHttp10);
                }
                Name::TransferEncoding if found.chunked || fields::coding(value) != Coding::Chunked => {
                    return Err(ResponseError::TransferEncoding);
                }
                Name::TransferEncoding => found.chunked = true,
                Name::Connection => found.options.add(value),
                Name::Date => found.has_date = true,
                _ => {}
            }
        }
        Ok(found)
    }

    fn head(self, line: &StatusLine, len: usize, asked: Asked<'_>) -> Result<ResponseHead, ResponseError> {
        if self.chunked && self.content_length.is_some() {
            return Err(ResponseError::LengthAndEncoding);
        }
        if self.options.count > MOST_ANSWER_OPTIONS {
            return Err(ResponseError::ConnectionOptions);
        }
        let switch = line.status == 101;
        let tunnel = switch || (asked.method == Method::Connect && (200..300).contains(&line.status));
        let framing = match (self.content_length, self.chunked) {
            _ if tunnel || asked.method == Method::Head || has_no_body(line.status) => Framing::None,
            (_, true) => Framing::Chunked,
            (Some(length), false) => Framing::Length(length),
            (None, false) => Framing::UntilClose,
        };
        // RFC 9110 section 8.6, RFC 9112 section 6.1. A length of 0 does no harm, and is usual.
        let announced = self.chunked || self.content_length.is_some_and(|length| length > 0);
        let defective = announced && (line.status < 200 || line.status == 204);
        let wants_more = !self.options.close && (line.version == Version::Http11 || self.options.keep_alive);
        Ok(ResponseHead {
            len,
            status: line.status,
            version: line.version,
            framing,
            content_length: self.content_length,
            keep_alive: wants_more && !defective && framing != Framing::UntilClose && !tunnel,
            tunnel,
            line: line.span,
            line_copyable: line.copyable,
            reason: line.reason,
            has_date: self.has_date,
            names_headers: self.options.names_headers,
            spaced_names: self.spaced_names,
        })
    }
}

/// Statuses that never have a body, whatever the head says (RFC 9112 section 6.3).
fn has_no_body(status: u16) -> bool {
    status < 200 || status == 204 || status == 304
}

//! Request heads: parsed in place, and refused where two readers could differ (RFC 9112 sections 2, 3, 5, 6, 11).
//!
//! Whatever is accepted has one meaning: one method, one target, one host, one framing. What RFC 9112 lets a server repair is
//! refused instead, as a repair here is a difference of opinion there. Two kindnesses are left, both harmless: a few empty lines
//! before a request, and HTTP/1.2 to 1.9 taken for 1.1.

mod glimpse;
mod line;
mod target;
#[cfg(test)]
mod tests;

pub use glimpse::Glimpse;
pub use line::only_empty_lines;
pub use target::TargetForm;

use crate::{
    Authority, Framing, Limits, Lines, Method, Name, Parsed, RequestError, Version,
    bytes::Span,
    fields::{self, Coding, MOST_OPTIONS, MOST_PROTOCOLS, Options},
    lines::LineFault,
};
use line::RequestLine;

/// What a request head says. Offsets are into the buffer that was parsed; [`RequestHead::view`] reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// Bytes of the head, with the empty lines before it: the body begins here.
    pub len: usize,
    /// The method.
    pub method: Method,
    /// The form of its target.
    pub form: TargetForm,
    /// The target is absolute, and its scheme https: it is meant to come over TLS (RFC 9110 section 4.2.2).
    pub https: bool,
    /// The client's version.
    pub version: Version,
    /// Where the body ends; never `UntilClose`.
    pub framing: Framing,
    /// The client waits for 100 before it sends its body (RFC 9110 section 10.1.1). Never set without a body or in HTTP/1.0.
    pub expect_continue: bool,
    /// The client asks for another protocol (RFC 9110 section 7.8). Never set in HTTP/1.0, for HTTP/2, or where more than 16 are
    /// named: a server may ignore any upgrade.
    pub upgrade: bool,
    /// The client takes another answer on this connection (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// The client takes trailers (RFC 9110 section 10.1.4).
    pub takes_trailers: bool,
    /// How often OPTIONS or TRACE may be sent on (RFC 9110 section 7.6.2); at 0 the balancer answers itself.
    pub max_forwards: Option<u64>,
    /// The start line without its CRLF.
    pub(crate) line: Span,
    pub(crate) line_copyable: bool,
    pub(crate) method_span: Span,
    pub(crate) target: Span,
    pub(crate) path: Span,
    /// The effective host: an absolute target's authority, else Host; empty where HTTP/1.0 names none.
    pub(crate) host: Span,
    pub(crate) has_host_line: bool,
    /// `Connection` names a header that is none of the usual options.
    pub(crate) names_headers: bool,
}

impl RequestHead {
    /// Whether it names the host that it is meant for, in `Host` or in an absolute target. HTTP/1.0 need not.
    pub fn names_host(&self) -> bool {
        !self.host.is_empty()
    }

    /// The head with the bytes it speaks of.
    #[inline]
    pub fn view<'a>(&'a self, buf: &'a [u8], lines: &'a Lines) -> RequestView<'a> {
        RequestView {
            head: self,
            buf,
            lines,
        }
    }
}

/// A request head, its header lines and the buffer they are in.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// What the head says.
    pub head: &'a RequestHead,
    /// The buffer that was parsed, or a copy of it.
    pub buf: &'a [u8],
    /// The lines that were filled.
    pub lines: &'a Lines,
}

impl<'a> RequestView<'a> {
    /// The method as written.
    pub fn method(&self) -> &'a [u8] {
        self.head.method_span.of(self.buf)
    }

    /// The target as written.
    pub fn target(&self) -> &'a [u8] {
        self.head.target.of(self.buf)
    }

    /// The target as it is sent on, in two parts: in origin or asterisk form (RFC 9112 section 3.2), but for CONNECT.
    pub fn forwarded_target(&self) -> [&'a [u8]; 2] {
        match (self.head.form, self.head.path.of(self.buf)) {
            // RFC 9112 section 3.2.4: OPTIONS of a URI without path and query is OPTIONS of the server.
            (TargetForm::Absolute, []) if self.head.method == Method::Options => [b"*", b""],
            (TargetForm::Absolute, path) if path.first() != Some(&b'/') => [b"/", path],
            (TargetForm::Authority, _) => [self.target(), b""],
            (_, path) => [path, b""],
        }
    }

    /// The path, for routing: `/` where an absolute target has none, `*` of OPTIONS, empty of CONNECT. Never decoded.
    pub fn path(&self) -> &'a [u8] {
        let path = self.head.path.of(self.buf);
        let end = memchr::memchr(b'?', path).unwrap_or(path.len());
        if end == 0 && self.head.form == TargetForm::Absolute {
            b"/"
        } else {
            &path[..end]
        }
    }

    /// The query behind `?`; `None` without one, empty where nothing follows it.
    pub fn query(&self) -> Option<&'a [u8]> {
        let path = self.head.path.of(self.buf);
        memchr::memchr(b'?', path).map(|at| &path[at + 1..])
    }

    /// The effective host as written: an absolute target's authority, else Host. `None` where HTTP/1.0 names none.
    pub fn host(&self) -> Option<&'a [u8]> {
        let host = self.head.host.of(self.buf);
        (!host.is_empty()).then_some(host)
    }

    /// The effective host taken apart.
    pub fn authority(&self) -> Option<Authority<'a>> {
        Authority::parse(self.host()?)
    }

    /// The values of a header in their order, whatever its case.
    pub fn header(&self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines.values(self.buf, name)
    }

    /// The request as it was received, for the answer to a TRACE that goes no further (RFC 9110 section 9.3.8): without the lines
    /// that may hold credentials, and without the empty lines before it. A request with a body has another answer.
    pub fn write_trace(&self, out: &mut Vec<u8>) {
        let mut from = self.head.line.start as usize;
        for line in self.lines.as_slice() {
            let name = line.name.of(self.buf);
            if line.kind == Name::Credentials || name.eq_ignore_ascii_case(b"proxy-authorization") {
                let kept = self.buf.get(from..line.name.start as usize);
                out.extend_from_slice(kept.unwrap_or_default());
                from = line.end as usize;
            }
        }
        out.extend_from_slice(self.buf.get(from..self.head.len).unwrap_or_default());
    }

    /// The protocols that it asks to switch to, as a list; empty where [`RequestHead::upgrade`] is not set.
    pub fn offers(&self) -> Vec<u8> {
        if self.head.upgrade {
            self.lines.joined(self.buf, Name::Upgrade)
        } else {
            Vec::new()
        }
    }

    /// What `Connection` names, as a list, where the body may have trailers that it speaks of; empty without.
    pub fn named_away(&self) -> Vec<u8> {
        if self.head.names_headers && self.head.framing == Framing::Chunked {
            self.lines.joined(self.buf, Name::Connection)
        } else {
            Vec::new()
        }
    }

    /// Whether a `Via` of this pseudonym is there: the request went through us already (RFC 9110 section 7.6.3).
    pub fn went_through(&self, pseudonym: &str) -> bool {
        let by = |hop: &[u8]| {
            hop.split(|byte| *byte == b' ')
                .nth(1)
                .is_some_and(|by| by == pseudonym.as_bytes())
        };
        self.lines.of(self.buf, Name::Via).flat_map(fields::list).any(by)
    }
}

/// Parses the request head at the start of `buf`; bytes behind it are left alone. On `Complete`, `lines` holds its header
/// lines. On `Partial`, call again with more bytes, best after [`worth_parsing`](crate::worth_parsing).
///
/// # Errors
/// [`RequestError`], as soon as it is sure; answer with its status and close.
pub fn parse_request(
    buf: &[u8],
    lines: &mut Lines,
    limits: &Limits,
) -> Result<Parsed<RequestHead>, RequestError> {
    // Nothing beyond the limit is looked at, so a head is refused alike in one piece and in many.
    let window = &buf[..buf.len().min(limits.head_bytes as usize)];
    let full = window.len() == limits.head_bytes as usize;
    let Some(line) = line::parse(window, limits)? else {
        return if full {
            Err(RequestError::HeadTooLarge)
        } else {
            Ok(Parsed::Partial)
        };
    };
    match lines.parse(window, line.span.end as usize + 2, limits)? {
        Some(len) => Ok(Parsed::Complete(
            Found::collect(window, lines, &line)?.head(&line, len)?,
        )),
        None if full => Err(RequestError::HeadTooLarge),
        None => Ok(Parsed::Partial),
    }
}

impl From<LineFault> for RequestError {
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
    host: Option<Span>,
    host_is_empty: bool,
    content_length: Option<u64>,
    chunked: bool,
    options: Options,
    /// Protocols that `Upgrade` names.
    protocols: usize,
    upgrade_to_http2: bool,
    expect_continue: bool,
    takes_trailers: bool,
    max_forwards: Option<u64>,
}

impl Found {
    fn collect(buf: &[u8], lines: &Lines, line: &RequestLine) -> Result<Self, RequestError> {
        let mut found = Self::default();
        for header in lines.as_slice() {
            if header.kind <= Name::Lookalike {
                continue;
            }
            let value = header.value.of(buf);
            match header.kind {
                Name::Host => found.add_host(header.value, value)?,
                Name::ContentLength if found.content_length.is_some() => {
                    return Err(RequestError::ContentLengthRepeated);
                }
                Name::ContentLength => {
                    let length = fields::content_length(value).ok_or(RequestError::ContentLength)?;
                    found.content_length = Some(length);
                }
                Name::TransferEncoding => found.add_coding(value, line.version)?,
                Name::Connection => found.options.add(value),
                Name::Upgrade => {
                    found.protocols += fields::list(value).count();
                    found.upgrade_to_http2 |= fields::upgrades_to_http2(value);
                }
                Name::Te => found.takes_trailers |= fields::takes_trailers(value),
                Name::Expect if value.eq_ignore_ascii_case(b"100-continue") => found.expect_continue = true,
                Name::Expect => return Err(RequestError::Expectation),
                Name::MaxForwards if matches!(line.method, Method::Options | Method::Trace) => {
                    let number = fields::hops(value).ok_or(RequestError::MaxForwards)?;
                    if found.max_forwards.replace(number).is_some() {
                        return Err(RequestError::MaxForwards);
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    fn add_host(&mut self, span: Span, value: &[u8]) -> Result<(), RequestError> {
        if self.host.replace(span).is_some() {
            return Err(RequestError::HostRepeated);
        }
        self.host_is_empty = value.is_empty();
        if !value.is_empty() && Authority::parse(value).is_none() {
            return Err(RequestError::Host);
        }
        Ok(())
    }

    fn add_coding(&mut self, value: &[u8], version: Version) -> Result<(), RequestError> {
        if version == Version::Http10 {
            return Err(RequestError::TransferEncodingInHttp10);
        }
        match fields::coding(value) {
            _ if self.chunked => Err(RequestError::TransferEncoding),
            Coding::Chunked => {
                self.chunked = true;
                Ok(())
            }
            Coding::Unknown => Err(RequestError::TransferEncodingUnknown),
            Coding::Faulty => Err(RequestError::TransferEncoding),
        }
    }

    fn head(self, line: &RequestLine, len: usize) -> Result<RequestHead, RequestError> {
        let framing = match (self.content_length, self.chunked) {
            (Some(_), true) => return Err(RequestError::LengthAndEncoding),
            (Some(length), false) => Framing::Length(length),
            (None, true) => Framing::Chunked,
            (None, false) => Framing::None,
        };
        if line.method == Method::Trace && !framing.is_empty() {
            return Err(RequestError::TraceContent);
        }
        if self.options.count > MOST_OPTIONS {
            return Err(RequestError::ConnectionOptions);
        }
        let modern = line.version == Version::Http11;
        Ok(RequestHead {
            len,
            method: line.method,
            form: line.form,
            https: line.https,
            version: line.version,
            framing,
            expect_continue: self.expect_continue && modern && !framing.is_empty(),
            upgrade: (1..=MOST_PROTOCOLS).contains(&self.protocols)
                && self.options.upgrade
                && modern
                && !self.upgrade_to_http2,
            keep_alive: !self.options.close && (modern || self.options.keep_alive),
            takes_trailers: self.takes_trailers && modern,
            max_forwards: self.max_forwards,
            line: line.span,
            line_copyable: line.copyable,
            method_span: line.method_span,
            target: line.target,
            path: line.path,
            host: self.effective_host(line)?,
            has_host_line: self.host.is_some(),
            names_headers: self.options.names_headers,
        })
    }

    /// RFC 9112 section 3.2: HTTP/1.1 must have Host, even where an absolute target makes it void. An empty one is only right
    /// where it is void, as no http URI has an empty host (RFC 9110 section 4.2.1).
    fn effective_host(&self, line: &RequestLine) -> Result<Span, RequestError> {
        match self.host {
            None if line.version == Version::Http11 => Err(RequestError::HostMissing),
            _ if !line.authority.is_empty() => Ok(line.authority),
            Some(_) if self.host_is_empty => Err(RequestError::Host),
            Some(host) => Ok(host),
            None => Ok(line.authority),
        }
    }
}

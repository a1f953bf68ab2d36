//! The request line (RFC 9112 section 3): method, one space, target, one space, version, CRLF, and nothing else.
//!
//! RFC 9112 would let us split on any white space; peers that do so disagree with those that do not.

use super::target::{self, TargetForm};
use crate::{
    Limits, Method, RequestError, Version,
    bytes::{Span, TARGET, TOKEN, run},
    message::version,
};

/// Longest method in bytes. The longest registered one, UPDATEREDIRECTREF, has 17.
const LONGEST_METHOD: usize = 32;

/// Empty lines skipped before a request: RFC 9112 section 2.2 asks for one at least, as old clients send one after a POST.
const MOST_EMPTY_LINES: usize = 4;

/// `HTTP/1.1` and CRLF.
const VERSION_LENGTH: usize = 10;

/// A request line that is well formed.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine {
    /// The start line itself, empty lines before it and its CRLF left out.
    pub(super) span: Span,
    pub(super) method: Method,
    pub(super) method_span: Span,
    pub(super) target: Span,
    pub(super) form: TargetForm,
    pub(super) authority: Span,
    pub(super) https: bool,
    pub(super) path: Span,
    pub(super) version: Version,
    /// Whether the line may be copied as it stands: origin or asterisk form, HTTP/1.1.
    pub(super) copyable: bool,
}

/// Parses the request line at the start of `buf`; `None` where it is not all there.
pub(super) fn parse(buf: &[u8], limits: &Limits) -> Result<Option<RequestLine>, RequestError> {
    let Some(start) = skip_empty_lines(buf)? else {
        return Ok(None);
    };
    let Some(method_length) = method(&buf[start..])? else {
        return Ok(None);
    };
    let method_span = Span::new(start, start + method_length);
    let target_start = start + method_length + 1;
    let Some(target_length) = target(&buf[target_start..], limits)? else {
        return Ok(None);
    };
    let target_span = Span::new(target_start, target_start + target_length);
    let version_start = target_start + target_length + 1;
    let Some((version, minor)) = line_end(&buf[version_start..])? else {
        return Ok(None);
    };

    let method = Method::from_bytes(method_span.of(buf));
    let parts = target::parse(target_span, buf, method)?;
    Ok(Some(RequestLine {
        span: Span::new(start, version_start + VERSION_LENGTH - 2),
        method,
        method_span,
        target: target_span,
        form: parts.form,
        authority: parts.authority,
        https: parts.https,
        path: parts.path,
        version,
        copyable: minor == b'1' && matches!(parts.form, TargetForm::Origin | TargetForm::Asterisk),
    }))
}

/// Whether there is nothing but empty lines, perhaps half of one: no request has begun (RFC 9112 section 2.2).
pub fn only_empty_lines(buf: &[u8]) -> bool {
    buf.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

fn skip_empty_lines(buf: &[u8]) -> Result<Option<usize>, RequestError> {
    let mut at = 0;
    loop {
        match &buf[at..] {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', ..] if at == 2 * MOST_EMPTY_LINES => return Err(RequestError::EmptyLines),
            [b'\r', b'\n', ..] => at += 2,
            [b'\r' | b'\n', ..] => return Err(RequestError::LineEnding),
            _ => return Ok(Some(at)),
        }
    }
}

fn method(rest: &[u8]) -> Result<Option<usize>, RequestError> {
    let length = run(rest, TOKEN);
    match rest.get(length) {
        _ if length > LONGEST_METHOD => Err(RequestError::MethodTooLong),
        Some(b' ') if length > 0 => Ok(Some(length)),
        Some(_) => Err(RequestError::Method),
        None => Ok(None),
    }
}

fn target(rest: &[u8], limits: &Limits) -> Result<Option<usize>, RequestError> {
    let length = run(rest, TARGET);
    match rest.get(length) {
        _ if length > limits.target_bytes as usize => Err(RequestError::TargetTooLong),
        Some(b' ') if length > 0 => Ok(Some(length)),
        // HTTP/0.9: a line that ends behind its target.
        Some(b'\r' | b'\n') if length > 0 => Err(RequestError::Version),
        Some(_) => Err(RequestError::Target),
        None => Ok(None),
    }
}

fn line_end(rest: &[u8]) -> Result<Option<(Version, u8)>, RequestError> {
    if rest.len() < VERSION_LENGTH {
        return match memchr::memchr(b'\n', rest) {
            Some(8) if version(rest).is_some() => Err(RequestError::LineEnding),
            Some(_) => Err(RequestError::Version),
            None => Ok(None),
        };
    }
    match (version(rest), rest[8], rest[9]) {
        (Some(Ok(known)), b'\r', b'\n') => Ok(Some(known)),
        (Some(Err(_)), b'\r', b'\n') => Err(RequestError::VersionUnsupported),
        (Some(_), b'\n', _) | (Some(_), b'\r', _) => Err(RequestError::LineEnding),
        _ => Err(RequestError::Version),
    }
}

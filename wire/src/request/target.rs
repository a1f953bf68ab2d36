//! Request targets (RFC 9112 section 3.2): which form, whose authority, and the path that goes on.
//!
//! Path and query are never decoded, normalised or re-encoded: the backend sees what the client sent.

use crate::{Authority, Method, RequestError, bytes::Span};

/// The form of a request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`.
    Origin,
    /// `http://authority/path?query`. Sent on in origin form, its authority in Host.
    Absolute,
    /// `host:port`, of CONNECT.
    Authority,
    /// `*`, of OPTIONS.
    Asterisk,
}

/// A target taken apart.
pub(super) struct Parts {
    pub(super) form: TargetForm,
    /// Empty but in absolute and authority form.
    pub(super) authority: Span,
    /// The scheme is https.
    pub(super) https: bool,
    /// Path and query. Where an absolute target has no path, it is empty or begins with `?`.
    pub(super) path: Span,
}

pub(super) fn parse(span: Span, buf: &[u8], method: Method) -> Result<Parts, RequestError> {
    let target = span.of(buf);
    let none = Span {
        start: span.end,
        end: span.end,
    };
    if method == Method::Connect {
        let authority = Authority::parse(target).ok_or(RequestError::TargetAuthority)?;
        if authority.port.is_none() {
            return Err(RequestError::TargetAuthority);
        }
        return Ok(Parts {
            form: TargetForm::Authority,
            authority: span,
            https: false,
            path: none,
        });
    }
    if target[0] == b'/' {
        return Ok(Parts {
            form: TargetForm::Origin,
            authority: none,
            https: false,
            path: span,
        });
    }
    if target == b"*" && method == Method::Options {
        return Ok(Parts {
            form: TargetForm::Asterisk,
            authority: none,
            https: false,
            path: span,
        });
    }
    absolute(span, target)
}

fn absolute(span: Span, target: &[u8]) -> Result<Parts, RequestError> {
    let is_scheme = |scheme: &[u8]| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let from = match () {
        () if is_scheme(b"http://") => b"http://".len(),
        () if is_scheme(b"https://") => b"https://".len(),
        () => return Err(RequestError::TargetForm),
    };
    let length = target[from..].iter().position(|byte| matches!(byte, b'/' | b'?'));
    let to = length.map_or(target.len(), |length| from + length);
    Authority::parse(&target[from..to]).ok_or(RequestError::TargetAuthority)?;
    let start = span.start as usize;
    Ok(Parts {
        form: TargetForm::Absolute,
        authority: Span::new(start + from, start + to),
        https: from == b"https://".len(),
        path: Span {
            start: (start + to) as u32,
            end: span.end,
        },
    })
}

//! What requests and answers have in common: version, method, framing.

/// The result of parsing a buffer that may hold only a part of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// No fault so far; more bytes are needed.
    Partial,
    /// The whole head.
    Complete(T),
}

/// The version a peer speaks, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: no chunks, no interim answers, closes unless asked not to.
    Http10,
    /// HTTP/1.1. Minor versions above 1 count as this one (RFC 9110 section 6.2).
    Http11,
}

impl Version {
    /// `1.0` or `1.1`, as Via has it.
    pub fn number(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
        }
    }
}

/// `HTTP/1.` digit at the start of `bytes`, which must hold 8; `None` if it is anything else (RFC 9112 section 2.3).
/// The digit comes along, since only `1` can be copied as our own version.
pub(crate) fn version(bytes: &[u8]) -> Option<Result<(Version, u8), WrongMajor>> {
    match bytes {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0', ..] => Some(Ok((Version::Http10, b'0'))),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'1'..=b'9', ..] => {
            Some(Ok((Version::Http11, *minor)))
        }
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', ..] => Some(Err(WrongMajor)),
        _ => None,
    }
}

/// A well-formed version whose major number is not 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongMajor;

/// A request method. Methods are case-sensitive (RFC 9110 section 9.1): `get` is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD: its answer has no body.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
    /// PATCH.
    Patch,
    /// OPTIONS.
    Options,
    /// TRACE.
    Trace,
    /// CONNECT.
    Connect,
    /// Any other token.
    Other,
}

impl Method {
    /// The method that these bytes spell.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match bytes {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"PATCH" => Self::Patch,
            b"OPTIONS" => Self::Options,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }

    /// Whether it asks for no change (RFC 9110 section 9.2.1).
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options | Self::Trace)
    }

    /// Whether sending it twice means the same as once (RFC 9110 section 9.2.2).
    pub fn is_idempotent(self) -> bool {
        self.is_safe() || matches!(self, Self::Put | Self::Delete)
    }
}

/// Where a message's body ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes; 0 where a Content-Length said so.
    Length(u64),
    /// Chunks, up to the last one and its trailers.
    Chunked,
    /// All until the connection ends: answers only.
    UntilClose,
}

impl Framing {
    /// Whether not one byte follows the head.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

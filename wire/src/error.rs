//! Why a head or a body is refused.
//!
//! Every one of these ends the connection it came on: where a head is in doubt, so is where the message ends (RFC 9112 section
//! 11.2), and the bytes behind it are never looked at.

use thiserror::Error;

/// Why a request head is refused. The client's fault, always; which status code it gets is the proxy's to say.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RequestError {
    /// A line ends in a bare LF or holds a bare CR (RFC 9112 section 2.2).
    #[error("line does not end in CRLF")]
    LineEnding,
    /// More empty lines before the request than are skipped (RFC 9112 section 2.2).
    #[error("too many empty lines before the request")]
    EmptyLines,
    /// The method is no token followed by one space (RFC 9112 section 3.1).
    #[error("malformed method")]
    Method,
    /// The method is longer than any that exists (RFC 9112 section 3).
    #[error("method too long")]
    MethodTooLong,
    /// The target is empty, or has a space, a control character, a non-ASCII byte or a fragment (RFC 9112 section 3.2).
    #[error("malformed request target")]
    Target,
    /// The target is not of a form that the method allows: origin, absolute with http or https, authority for CONNECT only,
    /// asterisk for OPTIONS only (RFC 9112 section 3.2).
    #[error("request target of a form that the method does not allow")]
    TargetForm,
    /// The target's authority is invalid or has user information (RFC 9110 sections 4.2.1 and 4.2.4).
    #[error("invalid authority in the request target")]
    TargetAuthority,
    /// The target is longer than `Limits::target_bytes` (RFC 9110 section 15.5.15).
    #[error("request target too long")]
    TargetTooLong,
    /// The request line does not end in `HTTP/` digit `.` digit; HTTP/0.9 has none (RFC 9112 section 2.3).
    #[error("malformed http version")]
    Version,
    /// A major version other than 1 (RFC 9110 section 15.6.6).
    #[error("unsupported http version")]
    VersionUnsupported,
    /// A header line does not begin with a token and a colon: folded, a space before the colon, no colon (RFC 9112 section 5).
    #[error("malformed header name")]
    HeaderName,
    /// A header value has a control character (RFC 9110 section 5.5).
    #[error("malformed header value")]
    HeaderValue,
    /// More header lines than `Limits::header_count` (RFC 6585 section 5).
    #[error("too many header lines")]
    TooManyHeaders,
    /// The head is longer than `Limits::head_bytes` (RFC 6585 section 5).
    #[error("head too large")]
    HeadTooLarge,
    /// HTTP/1.1 without Host (RFC 9112 section 3.2).
    #[error("no host header")]
    HostMissing,
    /// More than one Host (RFC 9112 section 3.2).
    #[error("more than one host header")]
    HostRepeated,
    /// Host is no `host[:port]` (RFC 9112 section 3.2).
    #[error("invalid host header")]
    Host,
    /// Content-Length is not one decimal number up to `i64::MAX` (RFC 9112 section 6.3).
    #[error("invalid content-length")]
    ContentLength,
    /// More than one Content-Length, even if they agree (RFC 9112 section 6.3).
    #[error("more than one content-length")]
    ContentLengthRepeated,
    /// Transfer-Encoding that leaves the end of the body in doubt: `chunked` not last or twice, two lines, no token
    /// (RFC 9112 section 6.3).
    #[error("invalid transfer-encoding")]
    TransferEncoding,
    /// Transfer-Encoding with a coding before `chunked` (RFC 9112 section 6.1).
    #[error("transfer coding not implemented")]
    TransferEncodingUnknown,
    /// Transfer-Encoding in HTTP/1.0 (RFC 9112 section 6.1).
    #[error("transfer-encoding in http/1.0")]
    TransferEncodingInHttp10,
    /// Both Content-Length and Transfer-Encoding (RFC 9112 section 6.3).
    #[error("both content-length and transfer-encoding")]
    LengthAndEncoding,
    /// Content in a TRACE request (RFC 9110 section 9.3.8).
    #[error("content in a trace request")]
    TraceContent,
    /// An expectation other than `100-continue` (RFC 9110 section 10.1.1).
    #[error("unknown expectation")]
    Expectation,
    /// Max-Forwards of OPTIONS or TRACE is no number, or there are two (RFC 9110 section 7.6.2).
    #[error("invalid max-forwards")]
    MaxForwards,
    /// More connection options than any head needs (RFC 9110 section 7.6.1).
    #[error("too many connection options")]
    ConnectionOptions,
}

/// Why an answer's head is refused. The backend's fault: a client gets 502, and the connection is never used again.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ResponseError {
    /// A line ends in a bare LF or holds a bare CR (RFC 9112 section 2.2).
    #[error("line does not end in CRLF")]
    LineEnding,
    /// The first line is no status line: version, space, three digits from 100, space, reason (RFC 9112 section 4).
    #[error("malformed status line")]
    StatusLine,
    /// A header line does not begin with a token, perhaps white space, and a colon: folded, for example (RFC 9112 section 5).
    #[error("malformed header name")]
    HeaderName,
    /// A header value has a control character (RFC 9110 section 5.5).
    #[error("malformed header value")]
    HeaderValue,
    /// More header lines than `Limits::header_count`.
    #[error("too many header lines")]
    TooManyHeaders,
    /// The head is longer than `Limits::head_bytes`.
    #[error("head too large")]
    HeadTooLarge,
    /// Content-Length is not one decimal number up to `i64::MAX` (RFC 9112 section 6.3).
    #[error("invalid content-length")]
    ContentLength,
    /// More than one Content-Length, even if they agree (RFC 9112 section 6.3).
    #[error("more than one content-length")]
    ContentLengthRepeated,
    /// Transfer-Encoding other than one `chunked`: we asked for no other (RFC 9112 section 6.1).
    #[error("invalid transfer-encoding")]
    TransferEncoding,
    /// Transfer-Encoding in HTTP/1.0 (RFC 9112 section 6.1).
    #[error("transfer-encoding in http/1.0")]
    TransferEncodingInHttp10,
    /// Both Content-Length and Transfer-Encoding (RFC 9112 section 6.3).
    #[error("both content-length and transfer-encoding")]
    LengthAndEncoding,
    /// 101 that nobody asked for, or that names no protocol or one that was not offered (RFC 9110 sections 7.8 and 15.2.2).
    #[error("switch of protocols that was not asked for")]
    UnaskedSwitch,
    /// More connection options than any head needs (RFC 9110 section 7.6.1).
    #[error("too many connection options")]
    ConnectionOptions,
}

/// Why a body is refused. 400 if it is a request's and nothing was answered yet; in an answer the client must see a broken
/// message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    /// A chunk size is no run of 1 to 16 hexadecimal digits up to `i64::MAX` (RFC 9112 section 7.1).
    #[error("invalid chunk size")]
    ChunkSize,
    /// Extensions are not `;name[=token or quoted string]`, in requests without white space (RFC 9112 section 7.1.1).
    #[error("invalid chunk extension")]
    ChunkExtension,
    /// A chunk-size line is longer than 4 KiB (RFC 9112 section 7.1.1 asks for a limit).
    #[error("chunk-size line too long")]
    ChunkLineTooLong,
    /// A chunk, its size line or a trailer does not end in CRLF (RFC 9112 sections 2.2 and 7.1).
    #[error("chunk does not end in CRLF")]
    LineEnding,
    /// A trailer line is no token, colon and clean value (RFC 9112 section 7.1.2).
    #[error("malformed trailer")]
    Trailer,
    /// A trailer that may only be a header (RFC 9110 section 6.5.1).
    #[error("trailer of a name that may only be a header")]
    TrailerForbidden,
    /// More than 64 trailers, or more than 8 KiB of them.
    #[error("too many trailers")]
    TrailersTooLarge,
}

/// The connection ended before the message did (RFC 9112 section 8).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("message cut short")]
pub struct Truncated;

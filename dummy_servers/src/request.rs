//! The head of a request, read strictly: a backend that forgives hides the faults of the proxy before it.
//!
//! RFC 9112. What the answer depends on is decided while the bytes are at hand, so that an ordinary request costs no
//! allocation; the head is kept as text only where somebody wants to see it.

use std::sync::Arc;

use crate::{hits::RecordedRequest, route::Route};

/// Bytes that a head may take: four times what common servers allow, so that the proxy's limit is met first.
pub(crate) const LARGEST_HEAD: usize = 64 * 1024;

/// Header lines that a head may have; common servers allow 100.
const MOST_HEADERS: usize = 128;

/// How the User-Agent of the balancer's health checks begins; they ask for `/`, not only for `/health`.
const PROBE_AGENT: &[u8] = b"simple-lb-health";

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) route: Route,
    pub(crate) is_probe: bool,
    pub(crate) is_head: bool,
    pub(crate) is_http_10: bool,
    pub(crate) keep_alive: bool,
    pub(crate) framing: Framing,
    pub(crate) expects_continue: bool,
    /// The head as text, if it was wanted or the route shows it.
    pub(crate) text: Option<Arc<RecordedRequest>>,
}

/// Why a head is refused: status and reason of the answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadRequest(pub(crate) u16, pub(crate) &'static str);

/// Reads one head from the front of `input`: the request and the length of its head, or `None` until it is whole.
pub(crate) fn parse(input: &[u8], wants_text: bool) -> Result<Option<(Request, usize)>, BadRequest> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(input) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if input.len() < LARGEST_HEAD => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(BadRequest(431, "the head is larger than 64 KiB")),
        Err(httparse::Error::TooManyHeaders) => return Err(BadRequest(431, "more than 128 header lines")),
        Err(_) => return Err(BadRequest(400, "the head is not HTTP/1.1")),
    };
    let (Some(method), Some(path), Some(version)) = (head.method, head.path, head.version) else {
        return Err(BadRequest(400, "the request line is incomplete"));
    };
    let is_http_10 = version == 0;
    let fields = Fields::read(head.headers, is_http_10)?;
    let route = Route::of(method, path);
    let text = (wants_text || route.shows_request()).then(|| Arc::new(as_text(&head)));
    let request = Request {
        is_probe: route.is_health() || fields.is_probe,
        route,
        is_head: method == "HEAD",
        is_http_10,
        keep_alive: fields.keep_alive,
        framing: fields.framing,
        expects_continue: fields.expects_continue && !is_http_10,
        text,
    };
    Ok(Some((request, length)))
}

fn as_text(head: &httparse::Request<'_, '_>) -> RecordedRequest {
    let line = |header: &httparse::Header<'_>| {
        (
            header.name.to_owned(),
            String::from_utf8_lossy(header.value).into_owned(),
        )
    };
    RecordedRequest {
        method: head.method.unwrap_or_default().to_owned(),
        path: head.path.unwrap_or_default().to_owned(),
        version: if head.version == Some(0) {
            "HTTP/1.0"
        } else {
            "HTTP/1.1"
        },
        headers: head.headers.iter().map(line).collect(),
    }
}

/// What the header lines say about the connection and the body.
struct Fields {
    keep_alive: bool,
    framing: Framing,
    expects_continue: bool,
    is_probe: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>], is_http_10: bool) -> Result<Self, BadRequest> {
        let (mut length, mut chunked, mut hosts) = (None, false, 0);
        let (mut close, mut keep, mut expects_continue, mut is_probe) = (false, false, false, false);
        for httparse::Header { name, value } in headers {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            // The length of a name rules out nearly every comparison.
            match name.len() {
                4 if is("host") => hosts += 1,
                6 if is("expect") => expects_continue = value.eq_ignore_ascii_case(b"100-continue"),
                10 if is("connection") => {
                    close |= has_token(value, b"close");
                    keep |= has_token(value, b"keep-alive");
                }
                10 if is("user-agent") => is_probe = value.starts_with(PROBE_AGENT),
                14 if is("content-length") => {
                    let number = digits(value).ok_or(BadRequest(400, "Content-Length is not a number"))?;
                    if length.replace(number).is_some() {
                        return Err(BadRequest(400, "Content-Length is repeated"));
                    }
                }
                17 if is("transfer-encoding") => {
                    if chunked || is_http_10 || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(BadRequest(400, "Transfer-Encoding is not chunked alone"));
                    }
                    chunked = true;
                }
                _ => {}
            }
        }
        if hosts > 1 || (hosts == 0 && !is_http_10) {
            return Err(BadRequest(400, "Host is missing or repeated"));
        }
        let framing = match (length, chunked) {
            (Some(_), true) => return Err(BadRequest(400, "Content-Length beside Transfer-Encoding")),
            (length, false) => Framing::Length(length.unwrap_or(0)),
            (None, true) => Framing::Chunked,
        };
        let keep_alive = !close && (keep || !is_http_10);
        Ok(Self {
            keep_alive,
            framing,
            expects_continue,
            is_probe,
        })
    }
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// `parse` alone would take a sign.
fn digits(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(head: &str) -> Request {
        parse(head.as_bytes(), true).unwrap().unwrap().0
    }

    #[test]
    fn reads_what_the_connection_and_the_body_need() {
        let post = request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
        assert_eq!(post.framing, Framing::Length(5));
        assert!(post.keep_alive && post.expects_continue && !post.is_head && !post.is_probe);
        let chunked = request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n");
        assert_eq!(chunked.framing, Framing::Chunked);
        assert!(!request("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").keep_alive);
        assert!(!request("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    }

    #[test]
    fn tells_probes_by_path_and_by_agent() {
        assert!(request("GET /health?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").is_probe);
        assert!(request("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: simple-lb-health/1.0\r\n\r\n").is_probe);
        assert!(!request("GET /healthy HTTP/1.1\r\nHost: a\r\nUser-Agent: curl\r\n\r\n").is_probe);
    }

    #[test]
    fn keeps_order_case_and_repetition_of_header_lines() {
        let text = request("GET /a?b HTTP/1.1\r\nz: 1\r\nHoSt: a\r\nz: 2\r\n\r\n")
            .text
            .unwrap();
        let names: Vec<_> = text
            .headers
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(names, ["z=1", "HoSt=a", "z=2"]);
        assert_eq!(
            (text.method.as_str(), text.path.as_str(), text.version),
            ("GET", "/a?b", "HTTP/1.1")
        );
    }

    #[test]
    fn refuses_heads_that_two_parties_could_read_differently() {
        for lines in [
            "Host: a\r\nContent-Length: 1\r\nContent-Length: 1",
            "Host: a\r\nContent-Length: +1",
            "Host: a\r\nContent-Length: ",
            "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
            "Host: a\r\nTransfer-Encoding: gzip, chunked",
            "Host: a\r\nHost: b",
            "Host : a",
            "X: y",
        ] {
            let head = format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n");
            assert_eq!(parse(head.as_bytes(), false).unwrap_err().0, 400, "{lines}");
        }
        let endless = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(LARGEST_HEAD));
        assert_eq!(parse(endless.as_bytes(), false).unwrap_err().0, 431);
        assert!(parse(b"GET / HTTP/1.1\r\nHost: a\r\n", false).unwrap().is_none());
    }
}

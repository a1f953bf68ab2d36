//! The head of an answer, as bytes.

use std::fmt::Write as _;

use bytes::{BufMut as _, BytesMut};

use crate::request::Request;

/// How the client finds the end of the body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Length {
    Exact(u64),
    Chunked,
    UntilClose,
    /// The status allows no body (204, 304).
    NoBody,
}

/// The header line of every answer in plain text.
pub(crate) const TEXT: (&str, &str) = ("Content-Type", "text/plain; charset=utf-8");

/// Names and values of header lines.
pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

/// What a route decides about the head of its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) status: u16,
    pub(crate) fields: Fields<'a>,
    pub(crate) length: Length,
}

/// Appends a head: status line, name of the server, its fields, framing, connection. Without a request, that is to
/// one that could not be read, the connection closes.
pub(crate) fn write_head(output: &mut BytesMut, server: &str, request: Option<&Request>, head: &Head<'_>) {
    let Head {
        status,
        fields,
        length,
    } = *head;
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    // Writing to memory cannot fail.
    let _ = write!(
        output,
        "HTTP/1.1 {status} {}\r\nX-Server: {server}\r\n",
        reason.unwrap_or_default()
    );
    for (name, value) in fields {
        for part in [name, ": ", value, "\r\n"] {
            output.put_slice(part.as_bytes());
        }
    }
    match length {
        Length::Exact(length) => {
            let _ = write!(output, "Content-Length: {length}\r\n");
        }
        Length::Chunked => output.put_slice(b"Transfer-Encoding: chunked\r\n"),
        Length::UntilClose | Length::NoBody => {}
    }
    match request {
        Some(request) if request.keep_alive && request.is_http_10 => {
            output.put_slice(b"Connection: keep-alive\r\n");
        }
        Some(request) if request.keep_alive => {}
        _ => output.put_slice(b"Connection: close\r\n"),
    }
    output.put_slice(b"\r\n");
}

/// The name as it may stand in a header line: a control character would end the line.
pub(crate) fn header_safe(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_head_has_the_promised_lines() {
        let (request, _) = crate::request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false)
            .unwrap()
            .unwrap();
        let mut output = BytesMut::new();
        let fields = &[("A", "b"), ("A", "c")];
        let head = Head {
            status: 200,
            fields,
            length: Length::Exact(3),
        };
        write_head(&mut output, "Server 2", Some(&request), &head);
        let expected = "HTTP/1.1 200 OK\r\nX-Server: Server 2\r\nA: b\r\nA: c\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(std::str::from_utf8(&output).unwrap(), expected);
        output.clear();
        let head = Head {
            status: 299,
            fields: &[],
            length: Length::UntilClose,
        };
        write_head(&mut output, "Server 2", None, &head);
        let expected = "HTTP/1.1 299 \r\nX-Server: Server 2\r\nConnection: close\r\n\r\n";
        assert_eq!(std::str::from_utf8(&output).unwrap(), expected);
        assert_eq!(header_safe("서버\r\n2"), "서버??2");
    }
}

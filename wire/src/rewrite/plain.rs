//! Request heads for a server within this process whose own reader is less strict: written so plainly that there is one way to
//! read them. What only concerns us and the client (RFC 9110 section 7.6.1), or is a name in disguise, does not reach it.

use super::copier::{canonical, is_named_away, write_line};
use crate::{
    Framing, Method, Name, RequestView, TargetForm, Version,
    rules::{Action, Line},
};

impl RequestView<'_> {
    /// Whether the head says the same to such a server as [`write_plain_request_head`] would, so that it can be given as it came.
    pub fn is_plain(&self) -> bool {
        let head = self.head;
        let line = |line: &Line| {
            let value = line.value.of(self.buf);
            match line.kind {
                Name::Lookalike | Name::HopByHop | Name::Upgrade => false,
                Name::TransferEncoding => value.eq_ignore_ascii_case(b"chunked"),
                Name::Connection => {
                    value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close")
                }
                Name::Expect => head.expect_continue,
                Name::MaxForwards => head.max_forwards.is_none(),
                _ => true,
            }
        };
        head.line_copyable && head.line.start == 0 && self.lines.as_slice().iter().all(line)
    }
}

/// Writes the head of the same request, to the empty line: its target in origin or asterisk form (RFC 9112 section 3.2), the
/// effective host, one framing, `Connection` with `close` or, for HTTP/1.0, `keep-alive`, and `Max-Forwards` one less (RFC
/// 9110 section 7.6.2). `out` is appended to. At most three lines are more than before.
pub fn write_plain_request_head(view: &RequestView<'_>, out: &mut Vec<u8>) {
    let head = view.head;
    let path = head.path.of(view.buf);
    let target: [&[u8]; 2] = match (head.form, path) {
        // RFC 9112 section 3.2.4: OPTIONS of a URI without path and query is OPTIONS of the server.
        (TargetForm::Absolute, []) if head.method == Method::Options => [b"*", b""],
        (TargetForm::Absolute, path) if path.first() != Some(&b'/') => [b"/", path],
        (TargetForm::Authority, _) => [view.target(), b""],
        (_, path) => [path, b""],
    };
    let version = match head.version {
        Version::Http10 => &b" HTTP/1.0\r\n"[..],
        Version::Http11 => b" HTTP/1.1\r\n",
    };
    out.reserve(head.len + 64);
    for part in [view.method(), b" ", target[0], target[1], version] {
        out.extend_from_slice(part);
    }
    if let Some(host) = view.host() {
        write_line("Host", host, out);
    }
    for line in view.lines.as_slice() {
        let (name, value) = (line.name.of(view.buf), line.value.of(view.buf));
        let fewer;
        let value = match line.kind {
            Name::Host | Name::Upgrade | Name::Te | Name::Connection => continue,
            Name::Trailer if head.framing != Framing::Chunked => continue,
            Name::Expect if !head.expect_continue => continue,
            Name::ContentLength => canonical(value),
            Name::TransferEncoding => b"chunked",
            Name::MaxForwards => match head.max_forwards {
                Some(hops) => {
                    fewer = hops.saturating_sub(1).to_string();
                    fewer.as_bytes()
                }
                None => value,
            },
            kind if kind.on_request() == Action::Drop => continue,
            kind if head.names_headers && kind.is_free() && is_named_away(view.lines, view.buf, name) => {
                continue;
            }
            _ => value,
        };
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    // RFC 1945 section 7.2.2 wants a length in each POST; none means that nothing follows (RFC 9112 section 6.3).
    if head.version == Version::Http10 && head.method == Method::Post && head.framing == Framing::None {
        write_line("Content-Length", b"0", out);
    }
    match (head.keep_alive, head.version) {
        (false, _) => write_line("Connection", b"close", out),
        (true, Version::Http10) => write_line("Connection", b"keep-alive", out),
        (true, Version::Http11) => {}
    }
    out.extend_from_slice(b"\r\n");
}

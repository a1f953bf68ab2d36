//! Request heads towards a backend.

use super::{
    ClientAddress, RequestEdits,
    copier::{Copier, announce, canonical, is_named_away, write_connection, write_line, write_via},
    forwarded,
};
use crate::{
    Framing, Name, RequestView,
    bytes::{TOKEN, run},
    rules::{Action, Line},
};

/// Room for what we add to a head, in bytes: one growth of the outgoing buffer at most.
const ADDED: usize = 256;

/// What the balancer knows about a request beyond its head.
#[derive(Clone, Copy, Debug)]
pub struct ForwardContext<'a> {
    /// Who sent it: the peer of the connection.
    pub client: &'a ClientAddress,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Whether that peer is a trusted proxy: its `X-Forwarded-*`, `Forwarded` and `X-Real-IP` are kept and appended to. From
    /// others they are dropped and replaced.
    pub trusted: bool,
    /// Write `Forwarded` (RFC 7239) even where none came. One that came is replaced or appended to in any case.
    pub forwarded: bool,
    /// Pseudonym for `Via`; `None` writes none.
    pub via: Option<&'a str>,
    /// Value for `X-Request-Id` instead of the client's; `None` keeps the first one of these, and no other.
    pub request_id: Option<&'a [u8]>,
    /// Host for HTTP/1.0 requests that name none: the backend's own `host[:port]`.
    pub default_host: &'a str,
    /// Ask the backend to close after its answer.
    pub close: bool,
    /// What is changed beyond the table; `None`: nothing.
    pub edits: Option<&'a RequestEdits<'a>>,
}

/// Writes the head for the backend, to the empty line; the body follows raw. `out` is appended to.
pub fn write_request_head(view: &RequestView<'_>, context: &ForwardContext<'_>, out: &mut Vec<u8>) {
    out.reserve(view.head.len + ADDED);
    let mut writer = Writer::new(view, context, out);
    writer.start_line();
    for line in view.lines.as_slice() {
        if context
            .edits
            .is_some_and(|edits| edits.lines.drops_line(line, view.buf))
        {
            writer.copier.skip(line);
            continue;
        }
        match line.kind.on_request() {
            Action::Keep if writer.is_named_away(line) => writer.copier.skip(line),
            Action::Keep => {}
            Action::Drop => writer.copier.skip(line),
            Action::Rewrite | Action::Combine => writer.rewrite(line),
        }
    }
    writer.finish();
}

/// Whether a `Forwarded` of ours is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ours {
    Unwanted,
    Wanted,
    Written,
}

struct Writer<'a> {
    view: &'a RequestView<'a>,
    context: &'a ForwardContext<'a>,
    copier: Copier<'a>,
    /// Which of the headers about the request's origin need no line of ours any more.
    for_written: bool,
    proto_written: bool,
    host_written: bool,
    id_written: bool,
    id_kept: bool,
    forwarded: Ours,
    /// Whether the `Forwarded` lines that came can be appended to; judged once for all of them.
    forwarded_well_formed: Option<bool>,
}

impl<'a> Writer<'a> {
    fn new(view: &'a RequestView<'a>, context: &'a ForwardContext<'a>, out: &'a mut Vec<u8>) -> Self {
        let drops = |name| context.edits.is_some_and(|edits| edits.lines.drops(name));
        Self {
            view,
            context,
            copier: Copier::new(view.buf, out, view.head.line.start),
            for_written: drops("x-forwarded-for"),
            proto_written: drops("x-forwarded-proto"),
            host_written: view.head.host.is_empty() || drops("x-forwarded-host"),
            id_written: context.request_id.is_none() || drops("x-request-id"),
            id_kept: false,
            forwarded: match context.forwarded {
                _ if drops("forwarded") => Ours::Written,
                true => Ours::Wanted,
                false => Ours::Unwanted,
            },
            forwarded_well_formed: None,
        }
    }

    /// Origin form and our version (RFC 9112 sections 3.2.1 and 2.3), and Host where the client sent none.
    fn start_line(&mut self) {
        let head = self.view.head;
        let next = head.line.end + 2;
        let edited = self.context.edits.and_then(|edits| edits.target());
        if !head.line_copyable || edited.is_some() {
            self.copier.jump(head.line.start, next);
            let target: [&[u8]; 2] = match edited {
                Some(edited) => [edited, b""],
                None => self.view.forwarded_target(),
            };
            for part in [self.view.method(), b" ", target[0], target[1], b" HTTP/1.1\r\n"] {
                self.copier.out.extend_from_slice(part);
            }
        }
        if !head.has_host_line {
            self.copier.jump(next, next);
            let host = self.view.host().unwrap_or(self.context.default_host.as_bytes());
            write_line("Host", self.edited_host().unwrap_or(host), self.copier.out);
        }
    }

    fn edited_host(&self) -> Option<&'a [u8]> {
        self.context.edits?.host()
    }

    #[inline]
    fn is_named_away(&self, line: &Line) -> bool {
        self.view.head.names_headers
            && line.kind.is_free()
            && is_named_away(self.view.lines, self.view.buf, line.name.of(self.view.buf))
    }

    fn rewrite(&mut self, line: &Line) {
        let head = self.view.head;
        let value = line.value.of(self.view.buf);
        let trusted = self.context.trusted;
        let keep = match line.kind {
            Name::Host => {
                let host = self.edited_host().unwrap_or(head.host.of(self.view.buf));
                return self.copier.replace(line, host);
            }
            Name::ContentLength => return self.copier.replace(line, canonical(value)),
            Name::TransferEncoding => return self.copier.replace(line, b"chunked"),
            Name::MaxForwards => return self.max_forwards(line),
            Name::Trailer if head.framing == Framing::Chunked => {
                return announce(&mut self.copier, line, self.view.lines, head.names_headers);
            }
            Name::Expect => head.expect_continue,
            Name::Upgrade => head.upgrade,
            Name::XForwardedFor if trusted && !self.for_written => return self.append_for(line),
            Name::XForwardedProto => trusted && self.is_last(line) && mark(&mut self.proto_written),
            Name::XForwardedHost => trusted && self.is_last(line) && mark(&mut self.host_written),
            Name::XForwardedOther => trusted,
            Name::XRequestId => {
                self.context.request_id.is_none() && !std::mem::replace(&mut self.id_kept, true)
            }
            Name::Forwarded if self.forwarded == Ours::Written => false,
            Name::Forwarded if trusted && self.is_forwarded_well_formed() => {
                return self.append_forwarded(line);
            }
            Name::Forwarded => {
                self.forwarded = Ours::Wanted;
                false
            }
            _ => false,
        };
        if !keep {
            self.copier.skip(line);
        }
    }

    /// Whether it is the last line of its kind: what the nearest of several proxies wrote, the one that is trusted. Two lines
    /// could be read in two ways.
    fn is_last(&self, line: &Line) -> bool {
        let mut lines = self.view.lines.as_slice().iter().rev();
        lines.find(|other| other.kind == line.kind) == Some(line)
    }

    /// Whether what came can be appended to: each line for itself, since others may read them so.
    fn is_forwarded_well_formed(&mut self) -> bool {
        let view = self.view;
        *self.forwarded_well_formed.get_or_insert_with(|| {
            let mut values = view.lines.of(view.buf, Name::Forwarded);
            values.all(forwarded::is_well_formed)
        })
    }

    /// One line of all addresses so far and the peer's, where the first such line was.
    fn append_for(&mut self, line: &Line) {
        self.for_written = true;
        self.join(line);
        self.copier.out.extend_from_slice(self.context.client.as_bytes());
        self.copier.out.extend_from_slice(b"\r\n");
    }

    fn append_forwarded(&mut self, line: &Line) {
        self.forwarded = Ours::Written;
        self.join(line);
        write_element(self.view, self.context, self.copier.out);
        self.copier.out.extend_from_slice(b"\r\n");
    }

    /// The values of all lines of this kind as one list, open for another element (RFC 9110 section 5.3).
    fn join(&mut self, line: &Line) {
        self.copier.open(line);
        for value in self
            .view
            .lines
            .of(self.view.buf, line.kind)
            .filter(|value| !value.is_empty())
        {
            self.copier.out.extend_from_slice(value);
            self.copier.out.extend_from_slice(b", ");
        }
    }

    /// RFC 9110 section 7.6.2. A request that may go no further is for the caller to answer; here it stays at 0.
    fn max_forwards(&mut self, line: &Line) {
        let Some(hops) = self.view.head.max_forwards else {
            return;
        };
        let digits = hops.saturating_sub(1).to_string();
        self.copier.replace(line, digits.as_bytes());
    }

    fn finish(mut self) {
        let head = self.view.head;
        // The empty line is ours to write, behind our own lines.
        let end = head.len as u32;
        self.copier.jump(end.saturating_sub(2), end);
        let out = self.copier.out;
        if head.takes_trailers {
            write_line("TE", b"trailers", out);
        }
        write_connection(
            &[
                (head.upgrade, "Upgrade"),
                (head.takes_trailers, "TE"),
                (self.context.close, "close"),
            ],
            out,
        );
        if !self.for_written {
            write_line("X-Forwarded-For", self.context.client.as_bytes(), out);
        }
        if !self.proto_written {
            write_line("X-Forwarded-Proto", scheme(self.context), out);
        }
        if !self.host_written {
            write_line("X-Forwarded-Host", head.host.of(self.view.buf), out);
        }
        if self.forwarded == Ours::Wanted {
            out.extend_from_slice(b"Forwarded: ");
            write_element(self.view, self.context, out);
            out.extend_from_slice(b"\r\n");
        }
        if let (Some(id), false) = (self.context.request_id, self.id_written) {
            write_line("X-Request-Id", id, out);
        }
        if let Some(edits) = self.context.edits {
            out.extend_from_slice(edits.lines.added.as_bytes());
        }
        if let Some(pseudonym) = self.context.via {
            write_via(head.version, pseudonym, out);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Says yes, and remembers it.
fn mark(written: &mut bool) -> bool {
    *written = true;
    true
}

fn scheme(context: &ForwardContext<'_>) -> &'static [u8] {
    if context.secure { b"https" } else { b"http" }
}

/// One element of `Forwarded`: for, host, proto (RFC 7239 section 4). A host that is no token is quoted; it never holds what
/// a quoted string would have to escape.
fn write_element(view: &RequestView<'_>, context: &ForwardContext<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"for=");
    context.client.write_node(out);
    if let Some(host) = view.host() {
        let quote: &[u8] = if run(host, TOKEN) == host.len() {
            b""
        } else {
            b"\""
        };
        for part in [b";host=", quote, host, quote] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(scheme(context));
}

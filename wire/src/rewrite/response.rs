//! Heads of answers towards a client.

use super::{
    LineEdits,
    copier::{Copier, announce, canonical, is_named_away, write_connection, write_line, write_via},
};
use crate::{
    Framing, Name, ResponseView, Version,
    rules::{Action, Line},
};

/// Room for what we add to a head, in bytes.
const ADDED: usize = 160;

/// How the body of an answer goes on to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPlan {
    /// As it comes, in the framing it came in.
    Copy,
    /// A close-delimited body as chunks, so that the client sees its end and keeps its connection.
    Chunk,
    /// The data of chunks alone, ended by the connection: HTTP/1.0 knows no chunks (RFC 9112 section 7.1).
    Unchunk,
}

impl BodyPlan {
    /// The plan for a body of this framing and a client of this version.
    pub fn choose(framing: Framing, client: Version) -> Self {
        match (framing, client) {
            (Framing::Chunked, Version::Http10) => Self::Unchunk,
            (Framing::UntilClose, Version::Http11) => Self::Chunk,
            _ => Self::Copy,
        }
    }

    /// Whether the end of the client's connection is the end of the body.
    pub fn ends_connection(self, framing: Framing) -> bool {
        match self {
            Self::Copy => framing == Framing::UntilClose,
            Self::Chunk => false,
            Self::Unchunk => true,
        }
    }
}

/// What the balancer knows about an answer beyond its head.
#[derive(Clone, Copy, Debug)]
pub struct AnswerContext<'a> {
    /// The client's version.
    pub client: Version,
    /// Whether the client's connection may go on, as far as the balancer is concerned.
    pub keep_alive: bool,
    /// How the body goes on.
    pub body: BodyPlan,
    /// Whether Content-Length stays where no body follows it: answers to HEAD, and 304. Right for clients; wrong for parsers
    /// that would wait for that body.
    pub length_without_body: bool,
    /// `Date` for final answers without one, as RFC 9110 section 5.6.7 has it; `None` adds none.
    pub date: Option<&'a [u8]>,
    /// Pseudonym for `Via`; `None` writes none.
    pub via: Option<&'a str>,
    /// What is changed of final answers beyond the table; `None`: nothing.
    pub edits: Option<LineEdits<'a>>,
}

/// Writes the head for the client, to the empty line; `out` is appended to. Interim answers get neither framing, `Date` nor
/// connection options; to an HTTP/1.0 client send none at all (RFC 9110 section 15.2).
///
/// Returns whether the client's connection goes on behind this message.
pub fn write_response_head(view: &ResponseView<'_>, context: &AnswerContext<'_>, out: &mut Vec<u8>) -> bool {
    let head = view.head;
    out.reserve(head.len + ADDED);
    let mut copier = Copier::new(view.buf, out, head.line.start);
    if !head.line_copyable {
        let status = view.buf.get(9..12).unwrap_or_default();
        for part in [b"HTTP/1.1 ", status, b" ", view.reason(), b"\r\n"] {
            copier.out.extend_from_slice(part);
        }
        copier.jump(0, head.line.end + 2);
    }
    let edits = context.edits.filter(|_| !head.is_interim());
    for line in view.lines.as_slice() {
        if edits.is_some_and(|edits| edits.drops_line(line, view.buf)) {
            copier.skip(line);
            continue;
        }
        match line.kind.on_response() {
            Action::Keep if head.names_headers && is_gone(view, line) => copier.skip(line),
            Action::Keep if head.spaced_names => copier.tighten(line),
            Action::Keep => {}
            Action::Rewrite | Action::Combine => rewrite(view, context, &mut copier, line),
            Action::Drop => copier.skip(line),
        }
    }
    let end = head.len as u32;
    copier.jump(end.saturating_sub(2), end);
    finish(view, context, copier.out)
}

fn is_gone(view: &ResponseView<'_>, line: &Line) -> bool {
    line.kind.is_free() && is_named_away(view.lines, view.buf, line.name.of(view.buf))
}

fn rewrite(view: &ResponseView<'_>, context: &AnswerContext<'_>, copier: &mut Copier<'_>, line: &Line) {
    let head = view.head;
    let chunks = head.framing == Framing::Chunked && context.body == BodyPlan::Copy;
    let keep = match line.kind {
        Name::ContentLength if has_length(view, context) => {
            return copier.replace(line, canonical(line.value.of(view.buf)));
        }
        Name::TransferEncoding if chunks => return copier.replace(line, b"chunked"),
        Name::Trailer if chunks => return announce(copier, line, view.lines, head.names_headers),
        Name::Upgrade => offers_upgrade(view),
        Name::ProxyAuthenticate => head.status == 407,
        _ => false,
    };
    if !keep {
        copier.skip(line);
    } else if head.spaced_names {
        copier.tighten(line);
    }
}

/// RFC 9110 section 8.6: no Content-Length in 1xx and 204. In answers to HEAD and in 304 it tells what GET would have had.
fn has_length(view: &ResponseView<'_>, context: &AnswerContext<'_>) -> bool {
    let head = view.head;
    match head.framing {
        Framing::Length(_) => true,
        _ => head.status >= 200 && head.status != 204 && !head.tunnel && context.length_without_body,
    }
}

/// `Upgrade` belongs to the switch itself and to the demand for one (RFC 9110 section 15.5.22); elsewhere it would offer a
/// protocol of the backend's connection.
fn offers_upgrade(view: &ResponseView<'_>) -> bool {
    view.head.status == 101
        || (view.head.status == 426 && view.lines.of(view.buf, Name::Upgrade).next().is_some())
}

fn finish(view: &ResponseView<'_>, context: &AnswerContext<'_>, out: &mut Vec<u8>) -> bool {
    let head = view.head;
    let mut goes_on = context.keep_alive;
    if !head.is_interim() {
        let framed = head.framing == Framing::UntilClose && context.body == BodyPlan::Chunk;
        if framed {
            write_line("Transfer-Encoding", b"chunked", out);
        }
        goes_on &= !head.tunnel && !context.body.ends_connection(head.framing);
        let close = !goes_on && !head.tunnel;
        let keep_alive = goes_on && context.client == Version::Http10;
        write_connection(
            &[
                (offers_upgrade(view), "Upgrade"),
                (close, "close"),
                (keep_alive, "keep-alive"),
            ],
            out,
        );
        if let (Some(date), false) = (context.date, head.has_date) {
            write_line("Date", date, out);
        }
        if let Some(edits) = context.edits {
            out.extend_from_slice(edits.added.as_bytes());
        }
    }
    if let Some(pseudonym) = context.via {
        write_via(head.version, pseudonym, out);
    }
    out.extend_from_slice(b"\r\n");
    goes_on
}

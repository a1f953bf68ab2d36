//! The line of one request. A format is text and fields in their order, JSON like a pattern; only how a value is written and
//! what stands for none differ. Nothing here allocates once the line has grown to its usual length.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use lb_core::{
    access_log::{COMBINED, FIELDS, LogField, LogPattern, Piece, TEXT},
    config::{AccessLogFormat, Lane, RouteConfig},
};
use lb_wire::Version;

use super::{clock, escape};
use crate::telemetry::{Needs, RequestFacts, Responder, Retried};

/// Routes whose labels a thread remembers.
const LABELS: usize = 64;

/// The field that names the page with the link.
const REFERER: &str = "referer";

/// How lines are written.
pub(super) struct LineFormat {
    style: Style,
    /// Fields, each with the text before it.
    fields: Vec<(Box<[u8]>, LogField)>,
    tail: Box<[u8]>,
    lane: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Json,
    Plain,
}

/// A line that is being written.
struct Line<'l> {
    style: Style,
    out: &'l mut Vec<u8>,
}

impl LineFormat {
    pub(super) fn new(format: &AccessLogFormat, lane: Lane) -> Self {
        let of_pattern = |pattern: &LogPattern| Self::of(Style::Plain, pattern.pieces(), lane);
        // Ours are patterns: a test says so.
        let of_text = |text| of_pattern(&LogPattern::parse(text).unwrap_or_default());
        match format {
            AccessLogFormat::Json => Self::of(Style::Json, &json_pieces(), lane),
            AccessLogFormat::Combined => of_text(COMBINED),
            AccessLogFormat::Text => of_text(TEXT),
            AccessLogFormat::Pattern(pattern) => of_pattern(pattern),
        }
    }

    fn of(style: Style, pieces: &[Piece<LogField>], lane: Lane) -> Self {
        let mut fields = Vec::new();
        let mut before = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => before.push_str(text),
                Piece::Variable(field) => {
                    let text = std::mem::take(&mut before).into_bytes();
                    fields.push((text.into(), field.clone()));
                }
            }
        }
        before.push('\n');
        Self {
            style,
            fields,
            tail: before.into_bytes().into(),
            lane: match lane {
                Lane::Wire => "wire",
                Lane::Handler => "handler",
            },
        }
    }

    /// What has to be noted of requests for it.
    pub(super) fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for (_, field) in &self.fields {
            match field {
                LogField::Method | LogField::Host | LogField::Path | LogField::Authority => {
                    needs.target = true
                }
                LogField::Query | LogField::Target => (needs.target, needs.query) = (true, true),
                LogField::Referer => needs.headers.push(REFERER.into()),
                LogField::Header(name) => needs.headers.push(Arc::clone(name)),
                LogField::ResponseHeader(name) => needs.response_headers.push(Arc::clone(name)),
                _ => {}
            }
        }
        needs
    }

    /// Writes the line of a request, with its end.
    pub(super) fn write(&self, facts: &RequestFacts, out: &mut Vec<u8>) {
        for (before, field) in &self.fields {
            out.extend_from_slice(before);
            let line = Line {
                style: self.style,
                out,
            };
            self.field(field, facts, line);
        }
        out.extend_from_slice(&self.tail);
    }

    fn field(&self, field: &LogField, facts: &RequestFacts, line: Line<'_>) {
        let target = facts.target.as_ref();
        let times = &facts.times;
        match field {
            LogField::Time => line.time(facts),
            LogField::CommonTime => line.common_time(facts),
            LogField::Id => line.safe(facts.id.as_ref().map(|id| id.as_str())),
            LogField::Client => line.address(facts.client),
            LogField::Peer => line.socket(facts.peer),
            LogField::Method => line.bytes(target.map(|target| target.method())),
            LogField::Host => line.bytes(target.map(|target| target.host()).filter(|host| !host.is_empty())),
            LogField::Authority => {
                line.bytes(
                    target
                        .map(|target| target.authority())
                        .filter(|host| !host.is_empty()),
                );
            }
            LogField::Path => line.bytes(target.map(|target| target.path())),
            LogField::Query => line.bytes(target.and_then(|target| target.query())),
            LogField::Target => line.target(facts),
            LogField::Scheme => line.safe(Some(facts.scheme)),
            LogField::Protocol => line.safe(facts.version.map(|version| match version {
                Version::Http10 => "HTTP/1.0",
                Version::Http11 => "HTTP/1.1",
            })),
            LogField::Status => line.number(facts.status.map(u64::from)),
            LogField::BytesReceived => line.number(Some(facts.received)),
            LogField::BytesSent => line.number(Some(facts.sent)),
            LogField::Route => line.route(facts.route.as_ref()),
            LogField::Pool => line.bytes(facts.pool.as_ref().map(|pool| pool.as_bytes())),
            LogField::Backend => line.backend(facts),
            LogField::Attempts => line.number(Some(facts.attempts.into())),
            LogField::Retried => line.safe(facts.retried.map(Retried::as_str)),
            LogField::QueueMs => line.millis(Some(times.queued)),
            LogField::ConnectMs => line.millis(times.connect),
            LogField::FirstByteMs => line.millis(times.first_byte),
            LogField::TotalMs => line.millis(Some(times.total)),
            LogField::Outcome => line.safe(Some(facts.end.as_str())),
            LogField::Responder => line.safe(match facts.responder {
                Responder::Nobody => None,
                Responder::Backend => Some("backend"),
                Responder::Balancer => Some("balancer"),
            }),
            LogField::Fault => line.safe(facts.fault.map(|fault| fault.as_str())),
            LogField::Reason => line.bytes(facts.reason.as_ref().map(|reason| reason.as_bytes())),
            LogField::Tunnel => line.raw(if facts.tunnel { b"true" } else { b"false" }),
            LogField::Lane => line.safe(Some(self.lane)),
            LogField::Tls | LogField::TraceId => line.none(),
            LogField::Referer => line.bytes(facts.header(REFERER).map(without_query)),
            LogField::Header(name) => line.bytes(facts.header(name)),
            LogField::ResponseHeader(name) => line.bytes(facts.response_header(name)),
        }
    }
}

impl Line<'_> {
    fn raw(self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn none(self) {
        match self.style {
            Style::Json => self.raw(b"null"),
            Style::Plain => self.raw(b"-"),
        }
    }

    /// Text of our own, in which nothing has to be escaped.
    fn safe(self, text: Option<&str>) {
        let Some(text) = text else { return self.none() };
        self.quoted(|line| line.extend_from_slice(text.as_bytes()));
    }

    fn quoted(self, write: impl FnOnce(&mut Vec<u8>)) {
        match self.style {
            Style::Json => {
                self.out.push(b'"');
                write(self.out);
                self.out.push(b'"');
            }
            Style::Plain => write(self.out),
        }
    }

    fn bytes(self, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else { return self.none() };
        match self.style {
            Style::Json => self.quoted(|out| escape::json(bytes, out)),
            Style::Plain if bytes.is_empty() => self.none(),
            Style::Plain => escape::plain(bytes, self.out),
        }
    }

    fn target(self, facts: &RequestFacts) {
        let Some(target) = &facts.target else {
            return self.none();
        };
        let escape = match self.style {
            Style::Json => escape::json,
            Style::Plain => escape::plain,
        };
        self.quoted(|out| {
            escape(target.path(), out);
            if let Some(query) = target.query() {
                out.push(b'?');
                escape(query, out);
            }
        });
    }

    fn number(self, number: Option<u64>) {
        match number {
            Some(number) => push(number, self.out),
            None => self.none(),
        }
    }

    /// Milliseconds with three digits behind the point.
    fn millis(self, duration: Option<Duration>) {
        let Some(duration) = duration else {
            return self.none();
        };
        let micros = duration.as_secs() * 1_000_000 + u64::from(duration.subsec_micros());
        push(micros / 1000, self.out);
        let rest = micros % 1000;
        let digit = |number: u64| b'0' + (number % 10) as u8;
        self.out
            .extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
    }

    fn time(self, facts: &RequestFacts) {
        let started = facts.times.started;
        clock::with_time(started, started + facts.times.total, |date, millis| {
            let digit = |number: u32| b'0' + (number % 10) as u8;
            self.quoted(|out| {
                out.extend_from_slice(date);
                out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis), b'Z']);
            });
        });
    }

    fn common_time(self, facts: &RequestFacts) {
        let started = facts.times.started;
        clock::with_time(started, started + facts.times.total, |date, _| {
            self.quoted(|out| out.extend_from_slice(&clock::common(date)));
        });
    }

    fn address(self, address: IpAddr) {
        self.quoted(|out| push_address(address, out));
    }

    fn socket(self, peer: SocketAddr) {
        self.quoted(|out| {
            match peer.ip() {
                IpAddr::V4(_) => push_address(peer.ip(), out),
                IpAddr::V6(_) => {
                    out.push(b'[');
                    push_address(peer.ip(), out);
                    out.push(b']');
                }
            }
            out.push(b':');
            push(peer.port().into(), out);
        });
    }

    fn backend(self, facts: &RequestFacts) {
        let Some(backend) = &facts.backend else {
            return self.none();
        };
        // Letters, digits and what addresses have.
        self.quoted(|out| {
            out.extend_from_slice(backend.url().scheme().as_str().as_bytes());
            out.extend_from_slice(b"://");
            out.extend_from_slice(backend.authority().as_bytes());
        });
    }

    fn route(self, route: Option<&Arc<RouteConfig>>) {
        let Some(route) = route else { return self.none() };
        match &route.name {
            Some(name) => self.bytes(Some(name.as_bytes())),
            None => with_label(route, |label| self.bytes(Some(label.as_bytes()))),
        }
    }
}

/// Calls `with` the text of a route's conditions, which take a while to be put into words.
fn with_label(route: &Arc<RouteConfig>, with: impl FnOnce(&str)) {
    thread_local! {
        static KNOWN: RefCell<Vec<(Arc<RouteConfig>, String)>> = const { RefCell::new(Vec::new()) };
    }
    KNOWN.with(|known| {
        let mut known = known.borrow_mut();
        let found = known.iter().position(|(other, _)| Arc::ptr_eq(other, route));
        let at = found.unwrap_or_else(|| {
            if known.len() == LABELS {
                known.clear();
            }
            known.push((Arc::clone(route), route.label()));
            known.len() - 1
        });
        with(&known[at].1);
    });
}

fn push(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn push_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            push(first.into(), out);
            for octet in rest {
                out.push(b'.');
                push(octet.into(), out);
            }
        }
        IpAddr::V6(address) => {
            use std::io::Write as _;
            // Writing to memory cannot fail.
            let _ = write!(out, "{address}");
        }
    }
}

fn without_query(url: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'?', b'#', url);
    &url[..end.unwrap_or(url.len())]
}

/// An object with all fields.
fn json_pieces() -> Vec<Piece<LogField>> {
    let mut pieces = Vec::new();
    for (index, (name, field, _)) in FIELDS.iter().enumerate() {
        let begin = if index == 0 { '{' } else { ',' };
        pieces.push(Piece::Text(format!("{begin}\"{name}\":")));
        pieces.push(Piece::Variable(field.clone()));
    }
    pieces.push(Piece::Text("}".to_owned()));
    pieces
}

#[cfg(test)]
mod tests;

/// Facts for tests: a request that went well.
#[cfg(test)]
pub(super) fn facts() -> RequestFacts {
    let mut facts = RequestFacts::of_test(([192, 0, 2, 7], 40_000).into());
    facts.status = Some(200);
    facts.responder = Responder::Backend;
    facts.end = crate::telemetry::RequestEnd::Complete;
    facts.times.total = Duration::from_micros(1_234);
    facts
}

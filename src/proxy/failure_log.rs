//! One line for each failed attempt and each error of the balancer's own, but never a flood: a backend that fails ten thousand
//! requests a second must not fill the disk. Lines beyond [`FailureLog::LINES_PER_SECOND`] are counted by reason, and the
//! counts are said in one line when the second is over.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    fmt::Write as _,
    net::IpAddr,
    time::{Duration, Instant},
};

use lb_core::{attempts::Verdict, config::BackendUrl, pool::Destination};
use lb_wire::Glimpse;
use log::{log, log_enabled, warn};

use super::{Phase, ProxyError, RequestId};

/// The failure lines of one worker.
#[derive(Debug)]
pub struct FailureLog {
    since: Cell<Instant>,
    written: Cell<u32>,
    /// By reason, in the order in which they came.
    left_out: RefCell<Vec<(Cow<'static, str>, u64)>>,
}

/// What a line says of its request.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// Its id.
    pub id: &'a RequestId,
    /// The peer of its connection.
    pub client: IpAddr,
    /// What was asked for.
    pub asked: Asked<'a>,
    /// Its route and pool, once they are known.
    pub destination: Option<&'a Destination>,
}

/// What was asked for, as a lane has it.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    /// The bytes of a head, or of what came of it.
    Head(&'a [u8]),
    /// A head that was taken apart.
    Parts {
        /// The method.
        method: &'a [u8],
        /// The host; empty without.
        host: &'a [u8],
        /// The path.
        path: &'a [u8],
    },
}

/// Where a request failed.
#[derive(Debug, Clone, Copy)]
pub enum FailedAt<'a> {
    /// FailedAt this backend, that far.
    Backend(&'a BackendUrl, Phase),
    /// Here.
    Balancer,
}

impl FailureLog {
    /// Lines a second: enough to see what is going on, little enough to be read.
    pub const LINES_PER_SECOND: u32 = 10;

    /// A log that has written nothing yet.
    pub fn new(now: Instant) -> Self {
        Self {
            since: Cell::new(now),
            written: Cell::new(0),
            left_out: RefCell::default(),
        }
    }

    /// Logs one failure.
    pub fn write(&self, about: &About<'_>, at: FailedAt<'_>, error: &ProxyError, verdict: Verdict) {
        let level = error.level();
        if !log_enabled!(level) || !self.admit(error, Instant::now()) {
            return;
        }
        let then = match verdict {
            Verdict::Retried => "trying another backend",
            Verdict::GaveUp => "giving up",
        };
        match at {
            FailedAt::Backend(url, phase) => {
                let phase = phase.as_str();
                log!(
                    level,
                    "{}, backend {url}: {phase}: {error}: {then}",
                    about.shown()
                );
            }
            FailedAt::Balancer => log!(level, "{}: {error}: {then}", about.shown()),
        }
    }

    /// Says how many lines were left out, if any were and the second is over.
    pub fn say_left_out(&self, now: Instant) {
        if let Some(text) = self.take_left_out(now) {
            warn!("{text}");
        }
    }

    /// Whether a line for this error may be written; else it is counted.
    fn admit(&self, error: &ProxyError, now: Instant) -> bool {
        if self.is_over(now) {
            self.say_left_out(now);
            self.since.set(now);
            self.written.set(0);
        }
        if self.written.get() < Self::LINES_PER_SECOND {
            self.written.set(self.written.get() + 1);
            return true;
        }
        let reason = error.reason();
        let mut left_out = self.left_out.borrow_mut();
        match left_out.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => left_out.push((reason, 1)),
        }
        false
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since.get()) >= Duration::from_secs(1)
    }

    fn take_left_out(&self, now: Instant) -> Option<String> {
        if self.left_out.borrow().is_empty() || !self.is_over(now) {
            return None;
        }
        let left_out = self.left_out.take();
        let all: u64 = left_out.iter().map(|(_, count)| count).sum();
        let reasons = left_out.iter().map(|(reason, count)| format!("{count} {reason}"));
        let reasons: Vec<String> = reasons.collect();
        Some(format!("{all} more failures not logged: {}", reasons.join("; ")))
    }
}

impl About<'_> {
    /// Characters of a method, a host, a path or a route's conditions: longer ones say no more of what was asked for.
    const LONGEST: usize = 100;

    /// `request ID: client 192.0.2.1, GET a.example/path, route api, pool default`
    fn shown(&self) -> String {
        let mut text = format!("request {}: client {}", self.id, self.client);
        let (method, host, path) = match self.asked {
            Asked::Head(bytes) => {
                let glimpse = Glimpse::of(bytes);
                (glimpse.method, glimpse.host, glimpse.path)
            }
            Asked::Parts { method, host, path } => (method, host, path),
        };
        // Writing to memory cannot fail.
        if !method.is_empty() {
            let host = if path.starts_with(b"/") { host } else { b"" };
            let [method, host, path] = [method, host, path].map(|part| printable(part, Self::LONGEST));
            let _ = write!(text, ", {method} {host}{path}");
        }
        if let Some(destination) = self.destination {
            let (route, pool) = (destination.route().label(), destination.pool().name());
            let _ = write!(
                text,
                ", route {}, pool {pool}",
                printable(route.as_bytes(), Self::LONGEST)
            );
        }
        text
    }
}

/// A client's bytes as a line of the log may hold them: printable ASCII, all else escaped, and not too long.
fn printable(bytes: &[u8], longest: usize) -> String {
    let shown = &bytes[..bytes.len().min(longest)];
    let mut text = shown.escape_ascii().to_string();
    if shown.len() < bytes.len() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use lb_core::pool::NoBackend;

    use super::*;

    #[test]
    fn writes_ten_lines_a_second_and_says_how_many_of_which_reason_it_left_out() {
        let start = Instant::now();
        let log = FailureLog::new(start);
        let (closed, full) = (ProxyError::Closed, NoBackend::QueueFull.into());
        let errors = (0..1000).map(|number| if number % 4 == 0 { &full } else { &closed });
        assert_eq!(errors.filter(|error| log.admit(error, start)).count(), 10);
        assert_eq!(log.take_left_out(start), None, "the second is not over");
        let later = start + Duration::from_secs(1);
        let said = log.take_left_out(later).unwrap_or_default();
        assert_eq!(
            said,
            "990 more failures not logged: 743 the backend closed the connection without an answer; \
             247 all backends are busy, and the queue is full"
        );
        assert_eq!(log.take_left_out(later), None, "said once");
        assert!(log.admit(&closed, later));
    }

    #[test]
    fn a_line_names_what_was_asked_for_and_holds_no_control_characters() {
        let id = RequestId::new(Some(b"r1"), 0);
        let shown = |head: &str| {
            let about = About {
                id: &id,
                client: Ipv4Addr::LOCALHOST.into(),
                asked: Asked::Head(head.as_bytes()),
                destination: None,
            };
            about.shown()
        };
        assert_eq!(
            shown("GET /a?secret HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            "request r1: client 127.0.0.1, GET a.example/a"
        );
        assert_eq!(shown(""), "request r1: client 127.0.0.1");
        assert_eq!(
            shown("GET /\u{1b}[2J\u{e9} HTTP/1.1\r\n"),
            "request r1: client 127.0.0.1, GET /\\x1b[2J\\xc3\\xa9"
        );
        let long = shown(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(9000)));
        assert!(long.len() < 200 && long.ends_with("x..."), "{long}");
    }
}

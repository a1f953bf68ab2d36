//! What is known of a request, filled on its way and told once, when it ends.
//!
//! The front makes a [`RequestRecord`] for each request that it reads, and for what it refuses before one could be read. The
//! record is dropped exactly once, whatever ends the request, and its drop is the one place where a request ends: it is
//! counted out there, and each [`RecordSink`] gets its facts. Fronts and lanes note facts by [`Notes`] as they learn them.
//!
//! Without a sink nothing is noted, copied or allocated. With one, a request costs at most three more readings of the clock:
//! two around the opening of a connection, one at its end. What has to be copied is copied only if the sink [needs](Needs) it.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_core::{
    attempts::{AttemptEnd, Cause, Fault},
    config::RouteConfig,
    pool::{Backend, Destination},
};
use lb_wire::{RequestView, Version};

use super::{
    sinks::{SinkSet, Sinks},
    target::{Target, kept},
    traffic::Shard,
};
use crate::proxy::RequestId;

/// What ends with each request.
pub trait RecordSink: Send + Sync {
    /// What it wants to know beside what costs nothing. Asked once a worker and change of the sinks.
    fn needs(&self) -> Needs;

    /// Takes the facts of a request that has ended. Runs on the worker's thread: it must not wait, and not fail.
    fn ended(&self, worker: usize, facts: &RequestFacts);
}

/// What has to be copied for a sink.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Method, host and path. The bytes of a head are given back long before its request ends.
    pub target: bool,
    /// The query behind the path.
    pub query: bool,
    /// Header fields of the request, by their names in lower case.
    pub headers: Vec<Arc<str>>,
    /// Header fields of the response that a backend sent, by their names in lower case.
    pub response_headers: Vec<Arc<str>>,
}

impl Needs {
    /// All that any of these asks for.
    pub fn of_all(all: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        let add = |to: &mut Vec<Arc<str>>, names: Vec<Arc<str>>| {
            to.extend(names);
            to.sort_unstable();
            to.dedup();
        };
        for needs in all {
            sum.target |= needs.target;
            sum.query |= needs.query;
            add(&mut sum.headers, needs.headers);
            add(&mut sum.response_headers, needs.response_headers);
        }
        sum
    }
}

/// What is known of a request when it ends.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Its id; `None` where its head could not be read.
    pub id: Option<RequestId>,
    /// The peer of the client's connection; an IPv4 address as such, also on a dual-stack socket.
    pub peer: SocketAddr,
    /// The client: the peer, or who trusted proxies say it is.
    pub client: IpAddr,
    /// What the client speaks: `http` or `https`.
    pub scheme: &'static str,
    /// The client's version of HTTP; `None` where its head could not be read.
    pub version: Option<Version>,
    /// Whether it became a tunnel.
    pub tunnel: bool,
    /// What was asked for, if a sink needs it.
    pub target: Option<Target>,
    /// Header fields of the request that a sink needs: names in lower case, and values.
    pub headers: Vec<(Arc<str>, Box<[u8]>)>,
    /// Those of a backend's response.
    pub response_headers: Vec<(Arc<str>, Box<[u8]>)>,
    /// Its route, once that was found.
    pub route: Option<Arc<RouteConfig>>,
    /// Its pool, if it was to be forwarded.
    pub pool: Option<Arc<str>>,
    /// The backend of its last attempt.
    pub backend: Option<Arc<Backend>>,
    /// Backends that it was sent to.
    pub attempts: u32,
    /// Why it was retried last.
    pub retried: Option<Retried>,
    /// Whose response the client got, or a part of it.
    pub responder: Responder,
    /// The status code of that response.
    pub status: Option<u16>,
    /// Bytes of content that came of the client's body; of a tunnel, all that came from the client.
    pub received: u64,
    /// Bytes of content of the response that were passed on or written; of a tunnel, all that came from the backend.
    pub sent: u64,
    /// Its times.
    pub times: Times,
    /// How it ended.
    pub end: RequestEnd,
    /// Whose fault it is that it did not go well; `None` where all did.
    pub fault: Option<Fault>,
    /// What did not go well, in words, as clients are told it.
    pub reason: Option<Cow<'static, str>>,
}

/// When what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When its head was read.
    pub started: Instant,
    /// How long it has waited in queues.
    pub queued: Duration,
    /// How long the opening of the last attempt's connection took; `None` over a kept one.
    pub connect: Option<Duration>,
    /// From its start to the head of the response that was passed on.
    pub first_byte: Option<Duration>,
    /// From its start to its end.
    pub total: Duration,
}

/// Why a request was sent to another backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// An attempt failed.
    Failure(Cause),
    /// A response came whose status is to be retried.
    Status,
}

/// Whose response the client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Responder {
    /// None came.
    Nobody,
    /// A backend's.
    Backend,
    /// The balancer's own: an error, a redirect, a response that a route gives.
    Balancer,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestEnd {
    /// The client was sent a whole response; of a tunnel, both sides have closed it.
    Complete,
    /// The response broke off; of a tunnel, one side did, or neither said anything for too long.
    BrokenOff,
    /// The client left before it had all.
    ClientGone,
    /// It was given up when the process ended, or by a defect.
    Cut,
}

impl Retried {
    /// As logs and metrics have it: the cause, or `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failure(cause) => cause.as_str(),
            Self::Status => "status",
        }
    }
}

impl RequestEnd {
    /// As logs and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::BrokenOff => "broken_off",
            Self::ClientGone => "client_gone",
            Self::Cut => "cut",
        }
    }
}

/// The records of one worker.
pub struct Records {
    worker: usize,
    shard: Arc<Shard>,
    sinks: Arc<Sinks>,
    /// The version of the set that is kept.
    seen: Cell<u64>,
    kept: RefCell<Option<SinkSet>>,
}

/// One request. Counts as in flight until it is dropped.
pub struct RequestRecord {
    records: Rc<Records>,
    notes: Notes,
}

/// Where the facts of a request are noted, by whoever learns them.
#[derive(Clone, Default)]
pub struct Notes(Option<Rc<RefCell<RequestFacts>>>);

impl Records {
    pub(super) fn new(worker: usize, shard: Arc<Shard>, sinks: Arc<Sinks>) -> Rc<Self> {
        let (version, set) = sinks.current();
        Rc::new(Self {
            worker,
            shard,
            sinks,
            seen: Cell::new(version),
            kept: RefCell::new(set),
        })
    }

    /// Takes over a change of the sinks, if there was one: what an old sink holds is given back. Requests do so themselves; a worker
    /// that has none does it now and then.
    #[inline]
    pub fn refresh(&self) {
        if self.sinks.version() != self.seen.get() {
            self.take_over();
        }
    }

    #[inline(never)]
    fn take_over(&self) {
        let (version, set) = self.sinks.current();
        // Held only while sinks are told, which change nothing.
        if let Ok(mut kept) = self.kept.try_borrow_mut() {
            *kept = set;
            self.seen.set(version);
        }
    }

    /// Begins the record of a request from this client.
    #[inline]
    pub fn begin(self: &Rc<Self>, peer: &SocketAddr) -> RequestRecord {
        self.shard.start();
        self.refresh();
        let is_wanted = self.kept.borrow().is_some();
        RequestRecord {
            notes: Notes(is_wanted.then(|| RequestFacts::begin(peer))),
            records: Rc::clone(self),
        }
    }

    /// Counts a response whose head goes to a client.
    #[inline]
    pub fn count_response(&self, status: u16) {
        self.shard.count_response(status);
    }

    /// Counts an error of the balancer's own.
    pub fn count_error(&self, status: u16, reason: Cow<'static, str>) {
        self.shard.count_error(status, reason);
    }

    /// What has to be copied for sinks.
    pub fn needs<T>(&self, with: impl FnOnce(&Needs) -> T) -> Option<T> {
        let kept = self.kept.try_borrow().ok()?;
        kept.as_ref().map(|set| with(&set.needs))
    }
}

impl RequestRecord {
    /// Where its facts are noted.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }
}

impl Drop for RequestRecord {
    #[inline]
    fn drop(&mut self) {
        self.records.shard.finish();
        if let Some(facts) = &self.notes.0 {
            self.tell(facts);
        }
    }
}

impl RequestRecord {
    #[inline(never)]
    fn tell(&self, facts: &RefCell<RequestFacts>) {
        self.records.refresh();
        // Nobody notes anything in the middle of noting, and no sink has requests of its own.
        if let (Ok(mut facts), Ok(sinks)) = (facts.try_borrow_mut(), self.records.kept.try_borrow())
            && let Some(sinks) = &*sinks
        {
            facts.times.total = facts.times.started.elapsed();
            sinks.ended(self.records.worker, &facts);
        }
    }
}

impl Notes {
    /// Whether anybody wants to know.
    #[inline]
    pub fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Notes what `note` writes down; it does not run where nobody wants to know.
    #[inline]
    pub fn note(&self, note: impl FnOnce(&mut RequestFacts)) {
        if let Some(facts) = &self.0
            && let Ok(mut facts) = facts.try_borrow_mut()
        {
            note(&mut facts);
        }
    }

    /// When the request began, if that is known.
    #[inline]
    pub fn started(&self) -> Option<Instant> {
        let facts = self.0.as_ref()?.try_borrow().ok()?;
        Some(facts.times.started)
    }

    /// An attempt begins at this backend.
    pub fn attempt(&self, backend: &Arc<Backend>, attempts: u32) {
        self.note(|facts| {
            facts.backend = Some(Arc::clone(backend));
            facts.attempts = attempts;
            facts.times.connect = None;
        });
    }

    /// Another attempt follows one that ended so.
    pub fn retried(&self, end: &AttemptEnd) {
        self.note(|facts| {
            facts.retried = match end {
                AttemptEnd::Failed(failure) => Some(Retried::Failure(failure.cause)),
                AttemptEnd::Rejected => Some(Retried::Status),
                AttemptEnd::Complete | AttemptEnd::ClientGone => facts.retried,
            };
            (facts.responder, facts.status, facts.times.first_byte) = (Responder::Nobody, None, None);
            facts.response_headers.clear();
        });
    }

    /// The head of a response goes to the client.
    pub fn response(&self, responder: Responder, status: u16, now: impl FnOnce() -> Instant) {
        self.note(|facts| {
            (facts.responder, facts.status) = (responder, Some(status));
            facts.times.first_byte = Some(now().saturating_duration_since(facts.times.started));
        });
    }

    /// Something did not go well, by this side's fault; `reason` says it in words.
    pub fn fault(&self, fault: Fault, reason: impl FnOnce() -> Cow<'static, str>) {
        self.note(|facts| (facts.fault, facts.reason) = (Some(fault), Some(reason())));
    }

    /// Header fields of a backend's response that sinks need; `value` finds one.
    pub fn response_headers<'v>(&self, records: &Records, value: impl Fn(&str) -> Option<&'v [u8]>) {
        records.needs(|needs| {
            for name in &needs.response_headers {
                if let Some(value) = value(name) {
                    let field = (Arc::clone(name), kept(value).into());
                    self.note(|facts| facts.response_headers.push(field));
                }
            }
        });
    }

    /// How the request ends.
    pub fn end(&self, end: RequestEnd) {
        self.note(|facts| {
            facts.end = end;
            if end == RequestEnd::ClientGone {
                facts.fault = Some(Fault::Client);
            }
        });
    }
}

impl RequestFacts {
    /// It is to be forwarded there.
    pub fn destined(&mut self, destination: &Destination) {
        self.route = Some(Arc::clone(destination.route()));
        self.pool = Some(Arc::clone(destination.pool().name()));
    }

    /// What the head says, as far as sinks need it.
    pub fn asked(&mut self, view: &RequestView<'_>, needs: &Needs) {
        self.target = needs.target.then(|| Target::new(view, needs));
        for name in &needs.headers {
            if let Some(value) = view.header(name).next() {
                self.headers.push((Arc::clone(name), kept(value).into()));
            }
        }
    }

    /// A header field of the request that a sink needs.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        value_of(&self.headers, name)
    }

    /// One of the response.
    pub fn response_header(&self, name: &str) -> Option<&[u8]> {
        value_of(&self.response_headers, name)
    }

    /// Apart, so that a request without a sink has no room for it.
    #[inline(never)]
    fn begin(peer: &SocketAddr) -> Rc<RefCell<Self>> {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Rc::new(RefCell::new(Self::new(peer, Instant::now())))
    }

    /// Of a request that has just begun, for tests.
    #[cfg(test)]
    pub(super) fn of_test(peer: SocketAddr) -> Self {
        Self::new(peer, Instant::now())
    }

    fn new(peer: SocketAddr, started: Instant) -> Self {
        Self {
            id: None,
            peer,
            client: peer.ip(),
            scheme: "http",
            version: None,
            tunnel: false,
            target: None,
            headers: Vec::new(),
            response_headers: Vec::new(),
            route: None,
            pool: None,
            backend: None,
            attempts: 0,
            retried: None,
            responder: Responder::Nobody,
            status: None,
            received: 0,
            sent: 0,
            times: Times {
                started,
                queued: Duration::ZERO,
                connect: None,
                first_byte: None,
                total: Duration::ZERO,
            },
            end: RequestEnd::Cut,
            fault: None,
            reason: None,
        }
    }
}

fn value_of<'f>(fields: &'f [(Arc<str>, Box<[u8]>)], name: &str) -> Option<&'f [u8]> {
    let found = fields.iter().find(|(known, _)| **known == *name);
    found.map(|(_, value)| &**value)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Mutex};

    use super::*;
    use crate::telemetry::{Slot, Traffic};

    fn told(sink: Arc<dyn RecordSink>) -> Arc<Traffic> {
        let traffic = Traffic::new(1);
        traffic.sinks().set(Slot::Test, Some(sink));
        traffic
    }

    #[derive(Default)]
    struct Ends(Mutex<Vec<(RequestEnd, Option<u16>)>>);

    impl RecordSink for Ends {
        fn needs(&self) -> Needs {
            Needs::default()
        }

        fn ended(&self, _worker: usize, facts: &RequestFacts) {
            if let Ok(mut ends) = self.0.lock() {
                ends.push((facts.end, facts.status));
            }
        }
    }

    fn peer() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 1).into()
    }

    #[test]
    fn a_record_ends_once_with_what_was_noted() {
        let sink = Arc::new(Ends::default());
        let traffic = told(Arc::clone(&sink) as Arc<dyn RecordSink>);
        let records = traffic.records(0);
        let (noted, cut) = (records.begin(&peer()), records.begin(&peer()));
        assert_eq!((traffic.started(), traffic.in_flight()), (2, 2));
        let notes = noted.notes().clone();
        notes.response(Responder::Backend, 200, Instant::now);
        notes.end(RequestEnd::Complete);
        drop(noted);
        notes.end(RequestEnd::BrokenOff);
        drop((notes, cut));
        assert_eq!(traffic.in_flight(), 0);
        let ends = sink.0.lock().map(|ends| ends.clone()).unwrap_or_default();
        assert_eq!(ends, [(RequestEnd::Complete, Some(200)), (RequestEnd::Cut, None)]);
    }

    #[test]
    fn sinks_come_and_go_while_requests_are_carried() {
        let (first, second) = (Arc::new(Ends::default()), Arc::new(Ends::default()));
        let count = |ends: &Ends| ends.0.lock().map(|ends| ends.len()).unwrap_or_default();
        let traffic = Traffic::new(1);
        let records = traffic.records(0);
        let set = |slot, sink: Option<&Arc<Ends>>| {
            let sink = sink.map(|sink| Arc::clone(sink) as Arc<dyn RecordSink>);
            traffic.sinks().set(slot, sink);
        };
        let unnoted = records.begin(&peer());
        set(Slot::Test, Some(&first));
        drop(unnoted);
        assert_eq!(count(&first), 0, "it began when nobody wanted to know");
        let noted = records.begin(&peer());
        set(Slot::AccessLog, Some(&second));
        drop(noted);
        assert_eq!((count(&first), count(&second)), (1, 1), "who is there at its end");
        let noted = records.begin(&peer());
        set(Slot::Test, None);
        drop(noted);
        assert_eq!((count(&first), count(&second)), (1, 2));
        set(Slot::AccessLog, None);
        records.refresh();
        assert_eq!(
            Arc::strong_count(&first) + Arc::strong_count(&second),
            2,
            "given back"
        );
    }

    #[test]
    fn without_a_sink_nothing_is_noted() {
        let records = Traffic::new(1).records(0);
        let record = records.begin(&peer());
        assert!(!record.notes().are_wanted() && record.notes().started().is_none());
        record.notes().note(|_| panic!("nobody wants to know"));
    }

    #[test]
    fn without_a_sink_a_record_allocates_nothing() {
        let allocated = |traffic: Arc<Traffic>| {
            let records = traffic.records(0);
            let counted = allocation_counter::measure(|| {
                let record = records.begin(&peer());
                let notes = record.notes().clone();
                notes.response(Responder::Backend, 200, Instant::now);
                notes.end(RequestEnd::Complete);
            });
            counted.count_total
        };
        assert_eq!(allocated(Traffic::new(1)), 0);
        let with_sink = told(Arc::new(Ends::default()));
        assert!(allocated(with_sink) > 0, "allocations are counted at all");
    }
}

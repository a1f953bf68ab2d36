//! Idle connections to backends, per worker: last in, first out, so that a few stay warm and the rest grow old.
//!
//! Whether a connection is still good is asked of the runtime's readiness, without a system call: a backend that
//! closed it, or sent something that nobody asked for, has made it readable.
//!
//! Between that look and the arrival of a request there is always a moment left. So backends that have been seen to close
//! connections soon, or to talk out of turn, are not trusted for a while.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    io,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use lb_actors::RegistryHandle;
use lb_core::{
    config::UpstreamTimeouts,
    pool::{Backend, Snapshot},
};
use lb_wire::{Asked, BodyTracker, Limits, Lines, Method, Parsed, parse_response};
use log::warn;
use tokio::net::TcpStream;

use super::Connected;

/// Idle connections that are kept, a backend and worker, where the backend has had fewer requests at once.
const MOST: usize = 64;

/// The part of the peak that a sweep takes away is one of so many.
const PEAK_DECAY: u64 = 8;

/// A request that must not be sent twice goes over a connection that was used a moment ago or over a new one: a backend
/// that closes idle connections would lose it.
const FRESH: Duration = Duration::from_secs(1);

/// A backend that closes a connection that has been idle for less than this, without having said so, is hasty. Longer than
/// [`FRESH`], because the end of a connection may be found late.
const HASTY: Duration = Duration::from_millis(2500);

/// Bytes that are looked at of what a backend sends unasked: room for a 408 with a short body.
const UNASKED: usize = 2048;

/// How long a backend is not trusted.
const DISTRUST: Duration = Duration::from_secs(60);

/// A connection to a backend.
#[derive(Debug)]
pub(crate) struct UpstreamConnection {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Read and not used.
    pub(crate) input: Vec<u8>,
    /// Whether it has carried a request before.
    pub(crate) reused: bool,
    /// The address that it was made to, which is one of its backend's as of `version`.
    peer: SocketAddr,
    version: u32,
    created: Instant,
    /// Since when it was idle before this message.
    idle_since: Instant,
}

/// What is sent over a connection, as far as it matters which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// What can be sent again if the backend closes just now.
    Repeatable,
    /// What must not be sent twice.
    OnlyOnce,
}

/// The idle connections to one backend, and what is known of how it treats them.
#[derive(Debug, Default)]
struct Kept {
    idle: Vec<Idle>,
    /// The most requests that it has had at once; what is long ago counts less and less.
    peak: u64,
    /// Until when it is taken to close connections at any moment.
    hasty_until: Option<Instant>,
    /// Until when none of its connections is used twice.
    talks_until: Option<Instant>,
    /// Where there are connections to several addresses: which were used last, the last one at the end.
    turns: Vec<SocketAddr>,
}

#[derive(Debug)]
struct Idle {
    connection: UpstreamConnection,
    since: Instant,
}

/// The idle connections of one worker.
#[derive(Debug, Default)]
pub(crate) struct IdlePool {
    by_backend: RefCell<HashMap<u64, Kept, BuildHasherDefault<NumberHasher>>>,
}

/// Backends are numbered by the process itself, one after the other, so nobody can choose numbers that collide. The
/// multiplication brings them into the high bits, which the map looks at as well.
#[derive(Debug, Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl UpstreamConnection {
    /// A connection that was just opened.
    pub(crate) fn new(connected: Connected, now: Instant) -> Self {
        Self {
            stream: connected.stream,
            peer: connected.peer,
            version: connected.version,
            input: Vec::new(),
            reused: false,
            created: now,
            idle_since: now,
        }
    }

    /// Whether its backend's name still has its address.
    #[inline]
    fn is_current(&mut self, backend: &Backend) -> bool {
        let version = backend.addresses().version();
        if self.version != version {
            if !backend.addresses().has(self.peer) {
                return false;
            }
            self.version = version;
        }
        true
    }

    /// Nothing has come and nothing has been closed since its last message.
    fn is_quiet(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.input.is_empty() && self.stream.poll_read_ready(&mut context).is_pending()
    }
}

impl Kept {
    /// Whether one more is kept. A burst of requests that end together needs them all again with the next one.
    fn has_room(&self) -> bool {
        self.idle.len() < MOST || (self.idle.len() as u64) < self.peak
    }

    /// The one to use next: the last in of the address that was used the longest ago.
    fn next(&mut self) -> Option<Idle> {
        if self.turns.is_empty() {
            return self.idle.pop();
        }
        let turn = |idle: &Idle| self.turns.iter().position(|used| *used == idle.connection.peer);
        // An address that has not been used comes before all others; of equals, `min_by_key` gives the first.
        let newest_first = self.idle.iter().enumerate().rev();
        let next = newest_first.min_by_key(|(_, idle)| turn(idle))?.0;
        Some(self.idle.remove(next))
    }

    /// Keeps one. Turns are counted from the moment when there are connections to more than one address.
    fn push(&mut self, idle: Idle) {
        let of_another = |last: &Idle| last.connection.peer != idle.connection.peer;
        if self.turns.is_empty() && self.idle.last().is_some_and(of_another) {
            self.turns.push(idle.connection.peer);
        }
        self.idle.push(idle);
    }

    /// Keeps on one that was not used: the newest of its address.
    fn put_back(&mut self, idle: Idle) {
        self.idle.push(idle);
    }

    fn note_taken(&mut self, address: SocketAddr) {
        if !self.turns.is_empty() {
            self.turns.retain(|used| *used != address);
            self.turns.push(address);
        }
    }

    /// Turns of addresses to which there is no connection any more.
    fn forget_turns(&mut self) {
        let idle = &self.idle;
        self.turns
            .retain(|used| idle.iter().any(|idle| idle.connection.peer == *used));
    }

    /// Whether an idle connection is quiet; learns from one that is not.
    fn is_quiet(&mut self, backend: &Backend, idle: &Idle, now: Instant) -> bool {
        if idle.connection.is_quiet() {
            return true;
        }
        let mut unasked = [0; UNASKED];
        match idle.connection.stream.try_read(&mut unasked) {
            Ok(0) => self.lost(idle.since, now),
            Ok(count) if says_idle_timeout(&unasked[..count]) => self.lost(idle.since, now),
            Ok(_) => self.talked(backend, now),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.lost(idle.since, now),
        }
        false
    }

    /// Learns from bytes that nobody asked for.
    fn talked(&mut self, backend: &Backend, now: Instant) {
        if !self.talks(now) {
            let seconds = DISTRUST.as_secs();
            warn!(
                "backend {} sends bytes that nobody asked for: none of its connections is used twice for {seconds} s",
                backend.url()
            );
        }
        self.talks_until = Some(now + DISTRUST);
        self.idle.clear();
    }

    fn talks(&self, now: Instant) -> bool {
        self.talks_until.is_some_and(|until| until > now)
    }

    fn is_hasty(&self, now: Instant) -> bool {
        self.hasty_until.is_some_and(|until| until > now)
    }

    /// Learns from the end of a connection that was idle since then.
    fn lost(&mut self, idle_since: Instant, now: Instant) {
        if now.saturating_duration_since(idle_since) < HASTY {
            self.hasty_until = Some(now + DISTRUST);
        }
    }

    /// How long a connection may have been idle that is used now.
    fn longest(&self, sending: Sending, now: Instant) -> Duration {
        match sending {
            Sending::Repeatable => Duration::MAX,
            Sending::OnlyOnce if self.is_hasty(now) => Duration::ZERO,
            Sending::OnlyOnce => FRESH,
        }
    }
}

/// Whether a backend says no more than that it ends an idle connection (RFC 9110 section 15.5.9): 408, and not that it goes on.
fn says_idle_timeout(bytes: &[u8]) -> bool {
    let limits = Limits {
        head_bytes: UNASKED as u32,
        header_count: 100,
        target_bytes: 0,
    };
    let asked = Asked {
        method: Method::Get,
        offers: b"",
    };
    let mut lines = Lines::new();
    let Ok(Parsed::Complete(head)) = parse_response(bytes, &mut lines, &limits, asked) else {
        return false;
    };
    let mut body = BodyTracker::new(head.framing);
    let rest = &bytes[head.len..];
    let ends_cleanly = body.feed(rest).is_ok_and(|fed| fed.consumed == rest.len());
    head.status == 408 && !head.keep_alive && ends_cleanly
}
/// How often idle connections are looked at.
const SWEEP: Duration = Duration::from_secs(1);

impl IdlePool {
    /// A pool that closes what is too old, and what belongs to removed backends, as long as somebody holds it. `now` is the
    /// worker's clock; `None` ends it.
    pub(crate) fn swept(registry: RegistryHandle, now: impl Fn() -> Option<Instant> + 'static) -> Rc<Self> {
        let pool = Rc::new(Self::default());
        let weak = Rc::downgrade(&pool);
        actix_rt::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let (Some(pool), Some(now)) = (weak.upgrade(), now()) else {
                    return;
                };
                pool.sweep(now, &registry.snapshot());
            }
        });
        pool
    }

    /// How many connections are kept at most, for people.
    pub(crate) fn shown_limit() -> String {
        format!("{MOST}, or as many as it lately had requests at once")
    }

    /// Connections that are kept.
    pub(crate) fn count(&self) -> usize {
        self.by_backend
            .borrow()
            .values()
            .map(|kept| kept.idle.len())
            .sum()
    }

    /// The connection to a backend that was used last, if it is still good, and good for this.
    pub(crate) fn take(
        &self,
        backend: &Backend,
        timeouts: &UpstreamTimeouts,
        now: Instant,
        sending: Sending,
    ) -> Option<UpstreamConnection> {
        let mut by_backend = self.by_backend.borrow_mut();
        let kept = by_backend.get_mut(&backend.id())?;
        while let Some(mut last) = kept.next() {
            let idle_for = now.saturating_duration_since(last.since);
            let is_good = last.connection.is_current(backend) && is_young(&last, idle_for, timeouts, now);
            if !is_good || !kept.is_quiet(backend, &last, now) {
                continue;
            }
            if idle_for >= kept.longest(sending, now) {
                // Good for others; all of its address have been idle for longer.
                kept.put_back(last);
                return None;
            }
            last.connection.idle_since = last.since;
            kept.note_taken(last.connection.peer);
            return Some(last.connection);
        }
        None
    }

    /// Notes that a connection broke under a request: its backend had closed it.
    pub(crate) fn lost(&self, backend: &Backend, connection: &UpstreamConnection, now: Instant) {
        if connection.reused {
            let mut by_backend = self.by_backend.borrow_mut();
            let kept = by_backend.entry(backend.id()).or_default();
            kept.lost(connection.idle_since, now);
        }
    }

    /// Notes that a backend said more than it was asked, which could come to be taken for another request's answer.
    pub(crate) fn talked(&self, backend: &Backend, now: Instant) {
        let mut by_backend = self.by_backend.borrow_mut();
        by_backend.entry(backend.id()).or_default().talked(backend, now);
    }

    /// Closes all of them, for their descriptors. Whether there were any.
    pub(crate) fn give_back(&self) -> bool {
        let mut by_backend = self.by_backend.borrow_mut();
        let idle = by_backend.values_mut().map(|kept| std::mem::take(&mut kept.idle));
        idle.fold(false, |any, idle| any | !idle.is_empty())
    }

    /// Keeps a connection whose message has ended cleanly.
    pub(crate) fn put(&self, backend: &Backend, mut connection: UpstreamConnection, now: Instant) {
        connection.reused = true;
        connection.input.shrink_to(0);
        let mut by_backend = self.by_backend.borrow_mut();
        let kept = by_backend.entry(backend.id()).or_default();
        kept.peak = kept.peak.max(backend.in_flight());
        if connection.is_current(backend) && kept.has_room() && !kept.talks(now) {
            kept.push(Idle {
                connection,
                since: now,
            });
        }
    }

    /// Closes what is too old, was closed by its backend, or belongs to a backend that the snapshot no longer has.
    pub(crate) fn sweep(&self, now: Instant, snapshot: &Snapshot) {
        let mut by_backend = self.by_backend.borrow_mut();
        if by_backend.is_empty() {
            return;
        }
        let pools = snapshot.pools().iter();
        let backends: HashMap<u64, (&Backend, &UpstreamTimeouts)> = pools
            .flat_map(|pool| {
                pool.members()
                    .iter()
                    .map(|member| (member.backend.id(), (&*member.backend, &pool.config().timeouts)))
            })
            .collect();
        by_backend.retain(|backend, kept| {
            let Some((backend, timeouts)) = backends.get(backend) else {
                return false;
            };
            for mut idle in std::mem::take(&mut kept.idle) {
                let idle_for = now.saturating_duration_since(idle.since);
                let is_good = idle.connection.is_current(backend) && is_young(&idle, idle_for, timeouts, now);
                if is_good && kept.is_quiet(backend, &idle, now) {
                    kept.idle.push(idle);
                }
            }
            kept.forget_turns();
            kept.peak -= kept.peak.div_ceil(PEAK_DECAY);
            !kept.idle.is_empty() || kept.talks(now) || kept.is_hasty(now)
        });
    }
}

fn is_young(idle: &Idle, idle_for: Duration, timeouts: &UpstreamTimeouts, now: Instant) -> bool {
    let age = now.saturating_duration_since(idle.connection.created);
    idle_for < timeouts.upstream_idle && age < timeouts.upstream_age
}

//! Idle connections to backends, per worker: last in, first out, so that a few stay warm and the rest grow old.
//!
//! Whether a connection is still good is asked of the runtime's readiness, without a system call: a backend that
//! closed it, or sent something that nobody asked for, has made it readable.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    task::{Context, Waker},
    time::{Duration, Instant},
};

use lb_core::{config::UpstreamTimeouts, pool::Snapshot};
use tokio::net::TcpStream;

/// Idle connections that are kept, a backend and worker.
const MOST: usize = 64;

/// A connection to a backend.
#[derive(Debug)]
pub(crate) struct UpstreamConnection {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Read and not used.
    pub(crate) input: Vec<u8>,
    /// Whether it has carried a request before.
    pub(crate) reused: bool,
    created: Instant,
}

#[derive(Debug)]
struct Idle {
    connection: UpstreamConnection,
    since: Instant,
}

/// The idle connections of one worker.
#[derive(Debug, Default)]
pub(crate) struct IdlePool {
    by_backend: RefCell<HashMap<u64, Vec<Idle>, BuildHasherDefault<NumberHasher>>>,
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
    pub(crate) fn new(stream: TcpStream, now: Instant) -> Self {
        Self {
            stream,
            input: Vec::new(),
            reused: false,
            created: now,
        }
    }

    /// Nothing has come and nothing has been closed since its last message.
    fn is_quiet(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.input.is_empty() && self.stream.poll_read_ready(&mut context).is_pending()
    }
}

impl IdlePool {
    /// The connection to a backend that was used last, if it is still good. `fresh`: how long it may have been idle,
    /// if not the usual time.
    pub(crate) fn take(
        &self,
        backend: u64,
        timeouts: &UpstreamTimeouts,
        now: Instant,
        fresh: Option<Duration>,
    ) -> Option<UpstreamConnection> {
        let mut by_backend = self.by_backend.borrow_mut();
        let idle = by_backend.get_mut(&backend)?;
        while let Some(last) = idle.pop() {
            if !is_young(&last, timeouts, now) || !last.connection.is_quiet() {
                continue;
            }
            if fresh.is_some_and(|fresh| now.saturating_duration_since(last.since) >= fresh) {
                // Good for others; all below it have been idle for longer.
                idle.push(last);
                return None;
            }
            return Some(last.connection);
        }
        None
    }

    /// Keeps a connection whose message has ended cleanly.
    pub(crate) fn put(&self, backend: u64, mut connection: UpstreamConnection, now: Instant) {
        connection.reused = true;
        connection.input.shrink_to(0);
        let mut by_backend = self.by_backend.borrow_mut();
        let idle = by_backend.entry(backend).or_default();
        if idle.len() < MOST {
            idle.push(Idle {
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
        let timeouts: HashMap<u64, &UpstreamTimeouts> = pools
            .flat_map(|pool| {
                pool.members()
                    .iter()
                    .map(|member| (member.backend.id(), &pool.config().timeouts))
            })
            .collect();
        by_backend.retain(|backend, idle| {
            let Some(timeouts) = timeouts.get(backend) else {
                return false;
            };
            idle.retain(|idle| is_young(idle, timeouts, now) && idle.connection.is_quiet());
            !idle.is_empty()
        });
    }
}

fn is_young(idle: &Idle, timeouts: &UpstreamTimeouts, now: Instant) -> bool {
    let lasting = |since: Instant| now.saturating_duration_since(since);
    lasting(idle.since) < timeouts.upstream_idle && lasting(idle.connection.created) < timeouts.upstream_age
}

//! Clients and backends on one event loop, in one thread: what both sides share, and who gets which event.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    io,
    net::SocketAddr,
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::Result;
use mio::{Interest, Registry, Token, event::Event, net::TcpListener, net::TcpStream};

use super::{
    backend::{Answers, Backend, Faults},
    client::Client,
    plan::{Load, Pace, Tally},
};

/// How much is read at a time: a whole 64 KiB answer, and not so much that it leaves the processor's cache.
const SCRATCH: usize = 256 * 1024;
/// Clients that connect at a time: below the shortest usual accept queue, so that none is dropped there.
const OPENING: usize = 100;
/// After a connection was refused, the next is tried so much later.
const REOPEN_AFTER: Duration = Duration::from_millis(20);
/// Which of the timers opens a client.
const OPEN_CLIENT: usize = usize::MAX;

/// What can be done with a connection.
#[derive(Clone, Copy)]
pub(super) struct Readiness {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) ended: bool,
}

/// What becomes of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionFate {
    Keep,
    Close,
}

/// What connections of both sides need.
pub(super) struct Shared {
    pub(super) scratch: Box<[u8]>,
    pub(super) answers: Answers,
    pub(super) faults: Faults,
    pub(super) load: Load,
    pub(super) tally: Tally,
    /// Requests sent.
    pub(super) begun: u64,
    /// The clients are being opened: each sends one request and then waits for the rest.
    pub(super) opens: bool,
    /// Clients that are connecting, or not yet upgraded.
    pub(super) opening: usize,
    pub(super) refused_upgrade: bool,
    /// Clients that have had an answer: connected to the kernel is not yet accepted by the balancer.
    pub(super) served: usize,
    /// Clients that wait: in an open loop for something to send, in a closed one until all are open.
    pub(super) idle: VecDeque<usize>,
    /// Requests that found no idle client.
    pub(super) overdue: VecDeque<Instant>,
    timers: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    timers_set: u64,
    random: fastrand::Rng,
}

impl Shared {
    pub(super) fn set_timer(&mut self, after: Duration, token: usize) -> u64 {
        self.timers_set += 1;
        self.timers
            .push(Reverse((Instant::now() + after, token, self.timers_set)));
        self.timers_set
    }

    pub(super) fn between(&mut self, range: Range<Duration>) -> Duration {
        range.start + range.end.saturating_sub(range.start).mul_f64(self.random.f64())
    }
}

enum Link {
    Backend(Backend),
    Client(Client),
}

pub(super) struct Hub {
    registry: Registry,
    listeners: Vec<TcpListener>,
    links: Vec<Option<Box<Link>>>,
    free: Vec<usize>,
    target: Option<SocketAddr>,
    /// Clients still to be opened.
    missing: usize,
    pub(super) shared: Shared,
}

impl Hub {
    pub(super) fn new(registry: Registry, mut listeners: Vec<TcpListener>, load: Load) -> Result<Self> {
        for (index, listener) in listeners.iter_mut().enumerate() {
            registry.register(listener, Token(index), Interest::READABLE)?;
        }
        let shared = Shared {
            scratch: vec![0; SCRATCH].into(),
            answers: Answers::new(),
            faults: Faults::default(),
            load,
            tally: Tally::new()?,
            begun: 0,
            opens: false,
            opening: 0,
            refused_upgrade: false,
            served: 0,
            idle: VecDeque::new(),
            overdue: VecDeque::new(),
            timers: BinaryHeap::new(),
            timers_set: 0,
            random: fastrand::Rng::with_seed(7),
        };
        Ok(Self {
            registry,
            listeners,
            links: Vec::new(),
            free: Vec::new(),
            target: None,
            missing: 0,
            shared,
        })
    }

    /// Replaces the load; clients of the one before are closed.
    pub(super) fn start(&mut self, load: Load, target: SocketAddr) -> Result<()> {
        self.stop()?;
        self.missing = load.connections;
        self.target = Some(target);
        self.shared.load = load;
        self.shared.opens = true;
        self.open_clients()
    }

    /// All clients are open: those that wait for it go on.
    pub(super) fn go_on(&mut self) -> Result<()> {
        self.shared.opens = false;
        if self.shared.load.pace != Pace::Closed {
            return Ok(());
        }
        let now = Instant::now();
        for _ in 0..self.shared.idle.len() {
            self.send(now)?;
        }
        self.shared.overdue.clear();
        Ok(())
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        self.target = None;
        self.missing = 0;
        for link in &mut self.links {
            if link
                .as_deref()
                .is_some_and(|link| matches!(link, Link::Client(_)))
            {
                *link = None;
            }
        }
        let free = (0..self.links.len()).filter(|index| self.links[*index].is_none());
        self.free = free.collect();
        let shared = &mut self.shared;
        (
            shared.begun,
            shared.opening,
            shared.served,
            shared.refused_upgrade,
        ) = (0, 0, 0, false);
        shared.idle.clear();
        shared.overdue.clear();
        shared
            .timers
            .retain(|Reverse((_, token, _))| *token != OPEN_CLIENT);
        shared.tally = Tally::new()?;
        Ok(())
    }

    /// Whether every client is connected, and in a closed loop has been served once.
    pub(super) fn is_open(&self) -> bool {
        let shared = &self.shared;
        let all_served = shared.load.pace != Pace::Closed || shared.served >= shared.load.connections;
        // With a connection a request, some always connect.
        let all_connected = self.missing == 0 && shared.opening == 0 || shared.load.exchange.reconnects();
        all_served && all_connected
    }

    /// How far the opening has come, in words.
    pub(super) fn progress(&self) -> String {
        let shared = &self.shared;
        format!(
            "of {} clients {} are not begun, {} wait for their connection; {} were served",
            shared.load.connections, self.missing, shared.opening, shared.served
        )
    }

    /// The longest that a client has waited for an answer that has not come yet.
    pub(super) fn longest_wait(&self, now: Instant) -> Duration {
        let links = self.links.iter().flatten();
        let waits = links.filter_map(|link| match &**link {
            Link::Client(client) => client.waits_since(),
            Link::Backend(_) => None,
        });
        waits
            .map(|since| now.saturating_duration_since(since))
            .max()
            .unwrap_or_default()
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.shared.timers.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<()> {
        let Token(token) = event.token();
        let Some(index) = token.checked_sub(self.listeners.len()) else {
            return self.accept(token);
        };
        let ready = Readiness {
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            writable: event.is_writable(),
            ended: event.is_read_closed() || event.is_error(),
        };
        self.with(index, |link, shared| match link {
            Link::Backend(backend) => backend.ready(ready, shared),
            Link::Client(client) => client.ready(ready, shared),
        })
    }

    pub(super) fn run_timers(&mut self, now: Instant) -> Result<()> {
        while self.next_timer().is_some_and(|at| at <= now) {
            let Some(Reverse((_, index, timer))) = self.shared.timers.pop() else {
                break;
            };
            if index == OPEN_CLIENT {
                self.missing += usize::from(self.target.is_some());
                self.open_clients()?;
                continue;
            }
            self.with(index, |link, shared| match link {
                Link::Backend(backend) => backend.timer(timer),
                Link::Client(client) => client.timer(timer, shared),
            })?;
        }
        Ok(())
    }

    /// A request that should be sent at `intended`: by an idle client, or by the next that becomes idle.
    pub(super) fn send(&mut self, intended: Instant) -> Result<()> {
        while let Some(index) = self.shared.idle.pop_front() {
            let mut sent = false;
            self.with(index, |link, shared| match link {
                Link::Client(client) if client.is_idle() => {
                    sent = true;
                    client.send(intended, shared)
                }
                _ => ConnectionFate::Keep,
            })?;
            if sent {
                return Ok(());
            }
        }
        self.shared.overdue.push_back(intended);
        Ok(())
    }

    fn with(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Link, &mut Shared) -> ConnectionFate,
    ) -> Result<()> {
        let Some(link) = self.links.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        let failures = self.shared.tally.failures();
        if act(link, &mut self.shared) == ConnectionFate::Close {
            let was_client = matches!(**link, Link::Client(_));
            self.links[index] = None;
            self.free.push(index);
            if was_client && self.target.is_some() {
                if self.shared.tally.failures() == failures {
                    self.missing += 1;
                } else {
                    self.shared.set_timer(REOPEN_AFTER, OPEN_CLIENT);
                }
            }
        }
        if self.missing > 0 {
            self.open_clients()
        } else {
            Ok(())
        }
    }

    fn accept(&mut self, server: usize) -> Result<()> {
        while self.shared.faults.frozen != Some(server) {
            match self.listeners[server].accept() {
                Ok((stream, _)) => {
                    stream.set_nodelay(true)?;
                    self.add(stream, |stream, token| {
                        Link::Backend(Backend::new(stream, token, server))
                    })?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The peer has left already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn open_clients(&mut self) -> Result<()> {
        let Some(target) = self.target else { return Ok(()) };
        while self.missing > 0 && self.shared.opening < OPENING {
            let stream = TcpStream::connect(target)?;
            stream.set_nodelay(true)?;
            self.missing -= 1;
            self.shared.opening += 1;
            self.add(stream, |stream, token| Link::Client(Client::new(stream, token)))?;
        }
        Ok(())
    }

    fn add(&mut self, stream: TcpStream, link: impl FnOnce(TcpStream, usize) -> Link) -> Result<()> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.links.push(None);
            self.links.len() - 1
        });
        let mut link = Box::new(link(stream, index));
        let stream = match &mut *link {
            Link::Backend(backend) => backend.stream(),
            Link::Client(client) => client.stream(),
        };
        let token = Token(index + self.listeners.len());
        // Edge-triggered, both ways, once: no system call when a socket is full or free again.
        self.registry
            .register(stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.links[index] = Some(link);
        Ok(())
    }
}

//! Three backends and the clients, and the loop that runs them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll, net::TcpListener};
use socket2::{Domain, Socket, Type};

use super::{
    hub::Hub,
    plan::{Load, LoadExchange, Pace, Sample},
};

/// How many backends there are.
pub(crate) const BACKENDS: usize = 3;
/// Enough for every connection of the largest case at once.
const BACKLOG: i32 = 4096;
/// The loop wakes so often to see whether it is to end.
const TICK: Duration = Duration::from_millis(50);
/// How long all clients may take to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(60);

/// Backends on free ports, and clients as they are asked for.
pub(crate) struct Engine {
    poll: Poll,
    events: Events,
    hub: Hub,
    backends: [SocketAddr; BACKENDS],
    interrupted: Arc<AtomicBool>,
    /// When the next request of an open loop is due.
    due: Instant,
}

impl Engine {
    /// Backends that answer whenever the engine runs.
    ///
    /// # Errors
    /// If there are no ports or descriptors left.
    pub(crate) fn new(interrupted: Arc<AtomicBool>) -> Result<Self> {
        let poll = Poll::new()?;
        let mut listeners = Vec::new();
        let mut backends = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); BACKENDS];
        for backend in &mut backends {
            let listener = listen(*backend).context("cannot start a backend")?;
            *backend = listener.local_addr()?;
            listeners.push(listener);
        }
        let nothing = Load {
            connections: 0,
            exchange: LoadExchange::Echo { frame: Vec::new() },
            pace: Pace::Closed,
            limit: None,
        };
        let hub = Hub::new(poll.registry().try_clone()?, listeners, nothing)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(4096),
            hub,
            backends,
            interrupted,
            due: Instant::now(),
        })
    }

    pub(crate) fn backends(&self) -> [SocketAddr; BACKENDS] {
        self.backends
    }

    /// Opens the clients and waits until all are connected; false if the balancer refuses to upgrade.
    ///
    /// # Errors
    /// If they cannot all be connected in time.
    pub(crate) fn start(&mut self, load: Load, target: SocketAddr) -> Result<bool> {
        self.hub.start(load, target)?;
        self.due = Instant::now();
        self.run_until(CONNECT_WITHIN, |hub| hub.is_open() || hub.shared.refused_upgrade)?;
        if self.hub.shared.refused_upgrade {
            return Ok(false);
        }
        if !self.hub.is_open() {
            let progress = self.hub.progress();
            let reason = self.take().reason;
            bail!(
                "not all clients could connect and be served once in {CONNECT_WITHIN:?} ({progress}): {}",
                reason.as_deref().unwrap_or("too slow")
            );
        }
        self.hub.go_on()?;
        Ok(true)
    }

    /// Closes the clients.
    ///
    /// # Errors
    /// None that the kernel does not make.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.hub.stop()
    }

    /// What came since it was last asked.
    pub(crate) fn take(&mut self) -> Sample {
        self.hub.shared.tally.take(Instant::now())
    }

    /// The longest that a request has been waiting for its answer by now.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.hub.longest_wait(Instant::now())
    }

    /// From now on that backend does nothing.
    pub(crate) fn freeze(&mut self, backend: usize) {
        self.hub.shared.faults.frozen = Some(backend);
    }

    /// From now on backends close connections that are idle for a random time in that range.
    pub(crate) fn close_idle(&mut self, after: Range<Duration>) {
        self.hub.shared.faults.idle_limit = Some(after);
    }

    /// Lets load and backends run.
    ///
    /// # Errors
    /// If the kernel gives up on sockets, or the user interrupts.
    pub(crate) fn run_for(&mut self, time: Duration) -> Result<()> {
        self.run_until(time, |_| false)
    }

    /// The same until so many requests have ended, or the time has.
    ///
    /// # Errors
    /// As [`Engine::run_for`].
    pub(crate) fn run_requests(&mut self, requests: u64, most: Duration) -> Result<()> {
        self.run_until(most, |hub| hub.shared.tally.ended() >= requests)
    }

    fn run_until(&mut self, time: Duration, done: impl Fn(&Hub) -> bool) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            let now = Instant::now();
            if now >= end || done(&self.hub) {
                return Ok(());
            }
            if self.interrupted.load(Relaxed) {
                bail!("interrupted");
            }
            self.send_due(now)?;
            let pause = self.pause(now, end);
            match self.poll.poll(&mut self.events, Some(pause)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                polled => polled.context("cannot wait for sockets")?,
            }
            for event in &self.events {
                self.hub.event(event)?;
            }
            self.hub.run_timers(Instant::now())?;
        }
    }

    fn send_due(&mut self, now: Instant) -> Result<()> {
        let Pace::Open(per_second) = self.hub.shared.load.pace else {
            return Ok(());
        };
        let gap = Duration::from_secs_f64(1.0 / per_second);
        while self.due <= now {
            self.hub.send(self.due)?;
            self.due += gap;
        }
        Ok(())
    }

    /// The kernel's pauses are whole milliseconds, too long for an open loop and for timers that are due sooner:
    /// then the loop spins, which its core is there for.
    fn pause(&self, now: Instant, end: Instant) -> Duration {
        let until = self.hub.next_timer().map_or(end, |timer| timer.min(end));
        let pause = until.saturating_duration_since(now).min(TICK);
        let open = matches!(self.hub.shared.load.pace, Pace::Open(_));
        if open || pause < Duration::from_millis(2) {
            Duration::ZERO
        } else {
            pause
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

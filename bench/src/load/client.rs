//! The clients' side of a connection: sends the one request it knows, and times the answer.

use std::{
    io::{self, Read},
    time::Instant,
};

use anyhow::{Result, anyhow, bail, ensure};
use mio::net::TcpStream;

use super::{
    backend::write,
    http::{Body, Head, Reader},
    hub::{ConnectionFate, Readiness, Shared},
    plan::{LoadExchange, Pace},
};

/// With the key of RFC 6455, section 1.3, so that the answer is known.
const UPGRADE: &[u8] =
    b"GET /echo HTTP/1.1\r\nHost: bench.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientPhase {
    Connecting,
    Upgrading,
    Idle,
    Busy,
    /// Answered; the balancer is about to close.
    Closing,
}

pub(super) struct Client {
    stream: TcpStream,
    token: usize,
    phase: ClientPhase,
    served: bool,
    reader: Reader,
    sent: usize,
    echoed: usize,
    /// When the request was sent, or should have been.
    started: Instant,
    timer: u64,
}

impl Client {
    pub(super) fn new(stream: TcpStream, token: usize) -> Self {
        Self {
            stream,
            token,
            phase: ClientPhase::Connecting,
            served: false,
            reader: Reader::new(),
            sent: 0,
            echoed: 0,
            started: Instant::now(),
            timer: 0,
        }
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(super) fn is_idle(&self) -> bool {
        self.phase == ClientPhase::Idle
    }

    /// Since when it waits for an answer, if it does.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        (self.phase == ClientPhase::Busy).then_some(self.started)
    }

    pub(super) fn ready(&mut self, ready: Readiness, shared: &mut Shared) -> ConnectionFate {
        let result = self.step(ready, shared);
        self.judge(result, shared)
    }

    /// The pause is over.
    pub(super) fn timer(&mut self, timer: u64, shared: &mut Shared) -> ConnectionFate {
        if self.timer != timer || self.phase != ClientPhase::Idle {
            return ConnectionFate::Keep;
        }
        self.send(Instant::now(), shared)
    }

    /// Sends a request that should have been sent at `intended`.
    pub(super) fn send(&mut self, intended: Instant, shared: &mut Shared) -> ConnectionFate {
        let result = self.begin(intended, shared);
        self.judge(result.map(|()| false), shared)
    }

    /// A connection may end while nobody waits for an answer on it; anything else is a failed request.
    fn judge(&mut self, result: Result<bool>, shared: &mut Shared) -> ConnectionFate {
        let error = match result {
            Ok(false) => return ConnectionFate::Keep,
            Ok(true) => anyhow!("the connection ended before the answer"),
            Err(error) => error,
        };
        match self.phase {
            ClientPhase::Idle | ClientPhase::Closing => {}
            phase => {
                if phase == ClientPhase::Upgrading {
                    shared.refused_upgrade = true;
                }
                if phase != ClientPhase::Busy {
                    shared.opening = shared.opening.saturating_sub(1);
                }
                shared.tally.failed(|| format!("{error:#}"));
            }
        }
        ConnectionFate::Close
    }

    /// True at the end of the stream.
    fn step(&mut self, ready: Readiness, shared: &mut Shared) -> Result<bool> {
        if self.phase == ClientPhase::Connecting {
            if let Some(error) = self.stream.take_error()? {
                return Err(anyhow!(error).context("no connection"));
            }
            if !ready.writable {
                return Ok(false);
            }
            self.connected(shared)?;
        } else if ready.writable {
            self.push(shared)?;
        }
        if ready.readable {
            self.read(ready, shared)
        } else {
            Ok(false)
        }
    }

    fn connected(&mut self, shared: &mut Shared) -> Result<()> {
        if matches!(shared.load.exchange, LoadExchange::Echo { .. }) {
            self.phase = ClientPhase::Upgrading;
            return self.push(shared);
        }
        shared.opening = shared.opening.saturating_sub(1);
        let begun = if shared.load.exchange.reconnects() {
            self.started
        } else {
            Instant::now()
        };
        self.next(begun, shared)
    }

    /// Sends the next request now, later or never, as the pace has it.
    fn next(&mut self, now: Instant, shared: &mut Shared) -> Result<()> {
        self.phase = ClientPhase::Idle;
        match shared.load.pace {
            // Those that are open would keep a balancer from accepting the rest.
            Pace::Closed if self.served && shared.opens => {
                shared.idle.push_back(self.token);
                Ok(())
            }
            Pace::Closed => self.begin(now, shared),
            Pace::Thinking(most) => {
                let after = shared.between(std::time::Duration::ZERO..most);
                self.timer = shared.set_timer(after, self.token);
                Ok(())
            }
            Pace::Open(_) => match shared.overdue.pop_front() {
                Some(intended) => self.begin(intended, shared),
                None => {
                    shared.idle.push_back(self.token);
                    Ok(())
                }
            },
        }
    }

    fn begin(&mut self, intended: Instant, shared: &mut Shared) -> Result<()> {
        if shared.load.limit.is_some_and(|limit| shared.begun >= limit) {
            return Ok(());
        }
        shared.begun += 1;
        self.phase = ClientPhase::Busy;
        self.started = intended;
        self.sent = 0;
        self.echoed = 0;
        self.push(shared)
    }

    fn push(&mut self, shared: &Shared) -> Result<()> {
        let bytes = match self.phase {
            ClientPhase::Busy => shared.load.exchange.bytes(),
            ClientPhase::Upgrading => UPGRADE,
            _ => return Ok(()),
        };
        if self.sent < bytes.len() {
            self.sent += write(&mut self.stream, &bytes[self.sent..])?;
        }
        Ok(())
    }

    fn read(&mut self, ready: Readiness, shared: &mut Shared) -> Result<bool> {
        let mut scratch = std::mem::take(&mut shared.scratch);
        let ended = loop {
            match self.stream.read(&mut scratch) {
                Ok(0) => break Ok(true),
                Ok(length) => {
                    if let Err(error) = self.bytes(&scratch[..length], shared) {
                        break Err(error);
                    }
                    if length < scratch.len() && !ready.ended {
                        break Ok(false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                Err(error) => break Err(error.into()),
            }
        };
        shared.scratch = scratch;
        ended
    }

    fn bytes(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<()> {
        match (&shared.load.exchange, self.phase) {
            (LoadExchange::Echo { frame }, ClientPhase::Busy) => {
                self.echoed += bytes.len();
                ensure!(self.echoed <= frame.len(), "more came back than was sent");
                if self.echoed == frame.len() {
                    self.answered(None, shared)?;
                }
                Ok(())
            }
            (_, ClientPhase::Busy | ClientPhase::Upgrading) => match self.reader.feed(bytes)? {
                Some(head) => self.answered(Some(head), shared),
                None => Ok(()),
            },
            _ => bail!("bytes that nobody asked for"),
        }
    }

    fn answered(&mut self, head: Option<Head>, shared: &mut Shared) -> Result<()> {
        let now = Instant::now();
        if let Some(head) = head {
            if self.phase == ClientPhase::Upgrading {
                ensure!(
                    head.status() == 101,
                    "status {} instead of an upgrade",
                    head.status()
                );
                shared.opening = shared.opening.saturating_sub(1);
                return self.next(now, shared);
            }
            if !is_right(&head, &shared.load.exchange) {
                bail!("an answer of status {} with {:?}", head.status(), head.body);
            }
        }
        shared.served += usize::from(!std::mem::replace(&mut self.served, true));
        shared.tally.answered(now.saturating_duration_since(self.started));
        let close = head.is_some_and(|head| head.close);
        if close || shared.load.exchange.reconnects() {
            self.phase = ClientPhase::Closing;
            // Who was asked to close and does not say so will not do it either.
            ensure!(close, "the connection stays open");
            return Ok(());
        }
        self.next(now, shared)
    }
}

fn is_right(head: &Head, exchange: &LoadExchange) -> bool {
    let LoadExchange::Http { answer, .. } = exchange else {
        return false;
    };
    head.status() == 200 && (head.body == Body::Length(*answer) || head.body == Body::Chunked)
}

//! The backends' side of a connection: each request gets an answer that was made before.

use std::{
    io::{self, Read, Write},
    ops::Range,
    time::Duration,
};

use mio::net::TcpStream;

use super::{
    http::{Head, Reader},
    hub::{ConnectionFate, Readiness, Shared},
};

/// What the backends answer, by target.
pub(super) struct Answers {
    small: Vec<u8>,
    kib64: Vec<u8>,
    mib1: Vec<u8>,
    upgrade: Vec<u8>,
}

/// The body of a small answer.
pub(crate) const SMALL: usize = 62;
/// The body of `/64k`.
pub(crate) const KIB64: usize = 64 * 1024;
/// The body of `/1m`.
pub(crate) const MIB1: usize = 1024 * 1024;

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            small: answer(SMALL),
            kib64: answer(KIB64),
            mib1: answer(MIB1),
            // For the key of RFC 6455, section 1.3.
            upgrade: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                .to_vec(),
        }
    }

    fn of(&self, which: Which) -> &[u8] {
        match which {
            Which::Small => &self.small,
            Which::Kib64 => &self.kib64,
            Which::Mib1 => &self.mib1,
            Which::Upgrade => &self.upgrade,
        }
    }
}

fn answer(length: usize) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Tue, 01 Jul 2025 10:00:00 GMT\r\nContent-Type: text/plain\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    answer.resize(answer.len() + length, b'x');
    answer
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Small,
    Kib64,
    Mib1,
    Upgrade,
}

impl Which {
    fn asked(head: &Head) -> Self {
        match head.target() {
            b"/64k" => Self::Kib64,
            b"/1m" => Self::Mib1,
            _ if head.upgrade => Self::Upgrade,
            _ => Self::Small,
        }
    }
}

/// How backends misbehave.
#[derive(Default)]
pub(super) struct Faults {
    /// This one neither accepts, reads nor writes; its kernel still does, as under SIGSTOP.
    pub(super) frozen: Option<usize>,
    /// A connection that has been idle for a random time in this range is closed.
    pub(super) idle_limit: Option<Range<Duration>>,
}

pub(super) struct Backend {
    stream: TcpStream,
    token: usize,
    server: usize,
    reader: Reader,
    writing: Option<(Which, usize)>,
    close: bool,
    /// Bytes to echo that did not fit; there once the connection was upgraded.
    echo: Option<Vec<u8>>,
    /// The timer that may close it.
    timer: u64,
}

impl Backend {
    pub(super) fn new(stream: TcpStream, token: usize, server: usize) -> Self {
        Self {
            stream,
            token,
            server,
            reader: Reader::new(),
            writing: None,
            close: false,
            echo: None,
            timer: 0,
        }
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(super) fn ready(&mut self, ready: Readiness, shared: &mut Shared) -> ConnectionFate {
        if shared.faults.frozen == Some(self.server) {
            return ConnectionFate::Keep;
        }
        let done = self.flush(shared).and_then(|()| self.read(ready, shared));
        match done {
            Ok(false) if !(self.close && self.writing.is_none()) => ConnectionFate::Keep,
            _ => ConnectionFate::Close,
        }
    }

    /// The idle limit is over. A connection with a request in it is not idle, so what can still go wrong is a request
    /// that is under way just now, as with any backend of good manners.
    pub(super) fn timer(&self, timer: u64) -> ConnectionFate {
        let is_idle =
            || matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if self.timer == timer && is_idle() {
            ConnectionFate::Close
        } else {
            ConnectionFate::Keep
        }
    }

    /// Reads all there is; true at the end of the stream.
    fn read(&mut self, ready: Readiness, shared: &mut Shared) -> io::Result<bool> {
        if !ready.readable {
            return Ok(false);
        }
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
                Err(error) => break Err(error),
            }
        };
        shared.scratch = scratch;
        ended
    }

    fn bytes(&mut self, bytes: &[u8], shared: &mut Shared) -> io::Result<()> {
        if let Some(echo) = &mut self.echo {
            let written = if echo.is_empty() {
                write(&mut self.stream, bytes)?
            } else {
                0
            };
            echo.extend_from_slice(&bytes[written..]);
            return Ok(());
        }
        self.timer = 0;
        let Some(head) = self.reader.feed(bytes).map_err(io::Error::other)? else {
            return Ok(());
        };
        self.close |= head.close;
        self.writing = Some((Which::asked(&head), 0));
        self.flush(shared)
    }

    fn flush(&mut self, shared: &mut Shared) -> io::Result<()> {
        if let Some(echo) = self.echo.as_mut().filter(|echo| !echo.is_empty()) {
            let written = write(&mut self.stream, echo)?;
            echo.drain(..written);
        }
        let Some((which, from)) = self.writing else {
            return Ok(());
        };
        let answer = shared.answers.of(which);
        let to = from + write(&mut self.stream, &answer[from..])?;
        if to < answer.len() {
            self.writing = Some((which, to));
            return Ok(());
        }
        self.writing = None;
        if which == Which::Upgrade {
            self.echo = Some(Vec::new());
        } else if let Some(limit) = shared.faults.idle_limit.clone() {
            let after = shared.between(limit);
            self.timer = shared.set_timer(after, self.token);
        }
        Ok(())
    }
}

/// Writes until all is written or the socket is full; returns how much that was.
pub(super) fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(length) => written += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

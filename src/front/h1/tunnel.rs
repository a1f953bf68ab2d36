//! A tunnel: after 101 the connection is no longer HTTP, and bytes pass both ways as they are, until both sides have
//! closed or neither has said anything for `timeouts.tunnel_idle`. A side that closes its half leaves the other open.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use lb_core::{attempts::AttemptEnd, pool::Lease};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Backlog, Client};
use crate::{
    front::FrontWorker,
    proxy::{Look, Transport},
    telemetry::RequestEnd,
    upstream::UpstreamConnection,
};

/// Reads in a row before other connections of the worker get their turn.
const READS_A_TURN: u32 = 16;

/// How often the kernel is asked about sides that are not read from.
const LOOK: Duration = Duration::from_secs(1);

/// What a tunnel holds: the connection, and that it counts as in flight.
pub struct OpenTunnel {
    pub(crate) backend: UpstreamConnection,
    /// What the backend has not taken of the request, if it switched before its end.
    pub(crate) unsent: Vec<u8>,
    pub(crate) lease: Lease,
    pub(crate) idle: Duration,
}

/// One direction.
struct Way {
    backlog: Backlog,
    /// Bytes that came from the sender.
    received: u64,
    read_end: bool,
    closed: bool,
}

/// Passes bytes until the tunnel ends.
pub(crate) async fn run<S: Transport>(mut client: Box<Client<S>>, open: OpenTunnel) {
    let OpenTunnel {
        mut backend,
        unsent,
        lease,
        idle,
    } = open;
    let worker = Rc::clone(&client.worker);
    let clock = Rc::clone(client.timer.clock());
    // What came with the heads goes first.
    let mut down = Way {
        received: backend.input.len() as u64,
        backlog: std::mem::take(&mut client.out),
        read_end: false,
        closed: false,
    };
    down.backlog.buffer().extend_from_slice(&backend.input);
    let mut up = Way {
        received: client.unused().len() as u64,
        backlog: Backlog::default(),
        read_end: client.eof,
        closed: false,
    };
    up.backlog.buffer().extend_from_slice(&unsent);
    up.backlog.buffer().extend_from_slice(client.unused());
    client.input = Vec::new();
    backend.input = Vec::new();
    client.give_up_as_late_as(idle);
    let mut since = clock.now();
    let mut looked = since;
    let result = poll_fn(|cx| {
        let moved = (
            up.poll(cx, &worker, &mut client.stream, &mut backend.stream),
            down.poll(cx, &worker, &mut backend.stream, &mut client.stream),
        );
        let mut moved = match moved {
            (Err(error), _) | (_, Err(error)) => return Poll::Ready(Err(error)),
            (Ok(up), Ok(down)) => up || down,
        };
        if up.closed && down.closed {
            return Poll::Ready(Ok(()));
        }
        let now = clock.now();
        let pause = LOOK.min(idle / 4);
        let look = up.is_blind() || down.is_blind();
        if look && looked + pause <= now {
            looked = now;
            match (
                up.look(&client.stream, &mut backend.stream),
                down.look(&backend.stream, &mut client.stream),
            ) {
                (Err(error), _) | (_, Err(error)) => return Poll::Ready(Err(error)),
                (Ok(up), Ok(down)) => moved |= up || down,
            }
            if moved {
                // What was sent has left room, and no socket tells.
                cx.waker().wake_by_ref();
            }
        }
        if moved {
            since = now;
        }
        if since + idle <= now {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let wake = if look {
            (since + idle).min(looked.max(now) + pause)
        } else {
            since + idle
        };
        client.timer.arm(cx, Some(wake), false);
        Poll::Pending
    })
    .await;
    if result.is_err() {
        // Neither side may take what it got for all there was.
        client.stream.reset_on_close();
        backend.stream.reset_on_close();
    }
    worker.shared.finish(lease, &AttemptEnd::Complete);
    client.note(|notes| {
        notes.note(|facts| {
            facts.tunnel = true;
            (facts.received, facts.sent) = (up.received, down.received);
        });
        notes.end(match result {
            Ok(()) => RequestEnd::Complete,
            Err(_) => RequestEnd::BrokenOff,
        });
    });
    client.end_record();
}

impl Way {
    /// Goes as far as the sockets allow; whether anything moved.
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        worker: &FrontWorker,
        from: &mut R,
        to: &mut W,
    ) -> io::Result<bool>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut moved = false;
        for _ in 0..READS_A_TURN {
            let waiting = self.backlog.len();
            let polled = self.poll_once(cx, worker, from, to);
            // Bytes that are taken are a sign of life too.
            moved |= self.backlog.len() < waiting;
            match polled {
                Poll::Ready(Ok(true)) => moved = true,
                Poll::Ready(Ok(false)) | Poll::Pending => return Ok(moved),
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        cx.waker().wake_by_ref();
        Ok(moved)
    }

    /// Nobody reads on this way, so that nobody would see its sender leave.
    fn is_blind(&self) -> bool {
        self.read_end || !self.backlog.is_empty()
    }

    /// What nobody tells: whether the sender has broken its connection, and whether the receiver has room, which the
    /// kernel says only when it is much. Whether anything moved.
    fn look(&mut self, from: &impl Transport, to: &mut impl Transport) -> io::Result<bool> {
        if self.is_blind() && from.look() == Look::Gone {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.backlog.nudge(to)
    }

    /// `Ready(false)`: nothing more will come this way.
    fn poll_once<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        worker: &FrontWorker,
        from: &mut R,
        to: &mut W,
    ) -> Poll<io::Result<bool>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if self.closed {
            return Poll::Ready(Ok(false));
        }
        ready!(self.backlog.poll_flush(cx, to))?;
        if self.read_end {
            ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
            self.closed = true;
            return Poll::Ready(Ok(false));
        }
        let mut scratch = worker.scratch();
        let mut buffer = ReadBuf::new(&mut scratch[..]);
        ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer))?;
        let bytes = buffer.filled();
        self.received += bytes.len() as u64;
        self.read_end = bytes.is_empty();
        self.backlog.send(cx, to, bytes)?;
        Poll::Ready(Ok(true))
    }
}

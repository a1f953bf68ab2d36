//! One attempt of a request: a connection to its backend, kept or new, one exchange over it, and what that means.

use std::{
    future::{Future as _, poll_fn},
    task::Poll,
    time::Instant,
};

use lb_core::pool::{Backend, Lease};

use super::{
    exchange::{End, Exchange},
    forward::Request,
};
use crate::{
    front::h1::{Client, Leaving, Next},
    proxy::{Phase, ProxyError, TimeLimit, Transport},
    upstream::{Sending, UpstreamConnection, connect},
};

/// What came of one attempt.
pub(super) enum Attempt {
    Done(Next),
    Tunnel(Box<UpstreamConnection>),
    Failed(Phase, ProxyError),
    /// The connection holds the answer.
    Rejected(u16, Box<UpstreamConnection>),
    Stale,
    Broken {
        error: ProxyError,
        looks_whole: bool,
    },
    Gone,
}

impl Request {
    /// Tries one backend. `reuse`: over a kept connection if there is one; `retry_statuses`: an answer whose status is to be
    /// retried can be.
    pub(super) async fn attempt<S: Transport>(
        &mut self,
        client: &mut Client<S>,
        lease: &Lease,
        (reuse, retry_statuses): (bool, bool),
    ) -> Attempt {
        let mut backend = match self.connection(client, lease, reuse).await {
            Ok(backend) => backend,
            Err(attempt) => return attempt,
        };
        let mut exchange = Exchange::new(
            (&self.worker, client),
            (lease, &mut backend),
            &mut self.message,
            retry_statuses,
        );
        let end = poll_fn(|cx| exchange.poll(cx)).await;
        self.came_of(client, lease.backend(), (end, backend))
    }

    /// What an exchange's end means, and what becomes of its connection.
    pub(super) fn came_of<S: Transport>(
        &self,
        client: &Client<S>,
        at: &Backend,
        (end, backend): (End, UpstreamConnection),
    ) -> Attempt {
        match end {
            End::Answered {
                client_goes_on,
                backend_goes_on,
                is_long,
            } => {
                let worker = &self.worker;
                if backend_goes_on {
                    worker.idle.put(at, backend, worker.timers.now());
                }
                // Whatever else the client sends would turn the close into a reset and destroy what it has not read.
                let said_so = !self.message.head.keep_alive;
                let has_sent_all = said_so && self.message.body.is_done() && client.unused().is_empty();
                Attempt::Done(match client_goes_on {
                    true => Next::Request,
                    false if has_sent_all && !is_long => Next::Drop,
                    false => Next::Close,
                })
            }
            End::Tunnel => Attempt::Tunnel(Box::new(backend)),
            End::Rejected(status) => Attempt::Rejected(status, Box::new(backend)),
            End::Failed(phase, error) => {
                if !backend.reused || !error.is_broken_connection() {
                    return Attempt::Failed(phase, error);
                }
                self.worker.idle.lost(at, &backend, self.worker.timers.now());
                match self.is_replayable() {
                    true => Attempt::Stale,
                    false => Attempt::Failed(phase, error),
                }
            }
            End::Broken { error, looks_whole } => Attempt::Broken { error, looks_whole },
            End::ClientGone => Attempt::Gone,
        }
    }

    fn is_replayable(&self) -> bool {
        let harmless = self.message.head.method.is_idempotent() || !self.message.outgoing.is_touched();
        harmless && self.message.outgoing.is_whole()
    }

    /// An idle connection if there is a good one, else a new one.
    async fn connection<S: Transport>(
        &self,
        client: &mut Client<S>,
        lease: &Lease,
        reuse: bool,
    ) -> Result<UpstreamConnection, Attempt> {
        let timeouts = &self.terms().timeouts;
        let now = self.worker.timers.now();
        let sending = match self.message.head.method.is_idempotent() {
            true => Sending::Repeatable,
            false => Sending::OnlyOnce,
        };
        if reuse && let Some(idle) = self.worker.idle.take(lease.backend(), timeouts, now, sending) {
            return Ok(idle);
        }
        let mut limit = (TimeLimit::Connect, timeouts.connect);
        let mut wait = timeouts.connect;
        if let Some((deadline, whole)) = self.message.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left < wait {
                (limit, wait) = ((TimeLimit::Request, whole), left);
            }
        }
        let mut connecting = Box::pin(connect(lease.backend(), wait));
        let mut leaving = Leaving::default();
        let connected = poll_fn(|cx| {
            if let Poll::Ready(connected) = connecting.as_mut().poll(cx) {
                return Poll::Ready(Some(connected));
            }
            if leaving.poll(cx, client).is_ready() {
                return Poll::Ready(None);
            }
            client.timer.arm(cx, leaving.wakes(client), false);
            Poll::Pending
        });
        match connected.await {
            Some(Ok(stream)) => Ok(UpstreamConnection::new(stream, now)),
            Some(Err(error)) => Err(Attempt::Failed(
                Phase::Connecting,
                ProxyError::connecting(&error, limit),
            )),
            None => Err(Attempt::Gone),
        }
    }
}

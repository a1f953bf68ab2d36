//! One attempt of a request: a connection to its backend, kept or new, one exchange over it, and what that means.

use std::{
    future::{Future as _, poll_fn},
    task::Poll,
    time::Instant,
};

use lb_core::{
    attempts::{Cause, Connection, Failure, Progress, Reuse, Wait},
    pool::{Backend, Lease},
};

use super::{
    exchange::{End, Exchange, Sent, Sides},
    forward::Request,
    worker::WireWorker,
};
use crate::{
    front::h1::{Client, Leaving, Next},
    proxy::{Phase, ProxyError, Transport},
    upstream::{Sending, UpstreamConnection, connect},
};

/// What came of one attempt.
pub(super) enum Attempt {
    Done(Next),
    Tunnel(Box<UpstreamConnection>),
    /// The client has got nothing yet.
    Failed(Failed),
    /// The connection holds the response.
    Rejected(u16, Box<UpstreamConnection>),
    /// The client has got a part of the response.
    Broken {
        failed: Failed,
        looks_whole: bool,
    },
    Gone,
}

/// Why an attempt failed, for the decision and for the log.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) phase: Phase,
    pub(super) error: ProxyError,
}

impl Request {
    /// Tries one backend.
    pub(super) async fn attempt<S: Transport>(&mut self, client: &mut Client<S>, lease: &Lease) -> Attempt {
        let mut backend = match self.connection(client, lease).await {
            Ok(backend) => backend,
            Err(attempt) => return attempt,
        };
        let sides = Sides {
            client,
            backend: &mut backend,
        };
        let sent = Sent {
            lease,
            attempts: &self.attempts,
        };
        let mut exchange = Exchange::new(&self.worker, sides, sent, &mut self.message);
        let end = poll_fn(|cx| exchange.poll(cx)).await;
        self.came_of(client, lease.backend(), end, backend)
    }

    /// What an exchange's end means, and what becomes of its connection.
    pub(super) fn came_of<S: Transport>(
        &self,
        client: &Client<S>,
        at: &Backend,
        end: End,
        backend: UpstreamConnection,
    ) -> Attempt {
        match end {
            End::Answered {
                client_goes_on,
                backend_goes_on,
                is_long,
            } => {
                let worker = &self.worker;
                if backend_goes_on {
                    worker.idle.put(at, backend, worker.timers.real());
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
                let failed = self.failed(phase, error, kind_of(&backend));
                if backend.reused && failed.failure.cause == Cause::Broken {
                    self.worker.idle.lost(at, &backend, self.worker.timers.real());
                }
                Attempt::Failed(failed)
            }
            End::Broken { error, looks_whole } => Attempt::Broken {
                failed: self.failed(Phase::Answering, error, Connection::New),
                looks_whole,
            },
            End::ClientGone => Attempt::Gone,
        }
    }

    fn failed(&self, phase: Phase, error: ProxyError, connection: Connection) -> Failed {
        let failure = Failure {
            cause: error.cause(),
            progress: match phase {
                Phase::Answering => Progress::Responding,
                _ if self.message.outgoing.is_touched() => Progress::Sent,
                _ => Progress::NotSent,
            },
            upload: self.message.upload(),
            connection,
        };
        Failed {
            failure,
            phase,
            error,
        }
    }

    /// An idle connection if there is a good one, else a new one.
    async fn connection<S: Transport>(
        &self,
        client: &mut Client<S>,
        lease: &Lease,
    ) -> Result<UpstreamConnection, Attempt> {
        let timeouts = &self.terms().timeouts;
        let now = self.worker.timers.real();
        let sending = match self.message.head.method.is_idempotent() {
            true => Sending::Repeatable,
            false => Sending::OnlyOnce,
        };
        if self.attempts.reuse() == Reuse::Allowed
            && let Some(idle) = self.worker.idle.take(lease.backend(), timeouts, now, sending)
        {
            return Ok(idle);
        }
        let since = self.worker.timers.at(Instant::now());
        let end = Wait::Connection { since }.ends(timeouts, self.message.deadline);
        let wait = end.at.saturating_duration_since(since);
        let begun = client.started().map(|_| WireWorker::precise_now());
        let mut connecting = Box::pin(connect(
            lease.backend(),
            wait,
            self.worker.shared.registry.listening(),
            &self.worker.idle,
        ));
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
        let connected = connected.await;
        if let Some(begun) = begun {
            client.note(|notes| notes.note(|facts| facts.times.connect = Some(begun.elapsed())));
        }
        match connected {
            Some(Ok(connected)) => Ok(UpstreamConnection::new(connected, now)),
            Some(Err(error)) => {
                let error = ProxyError::connecting(&error, end.by);
                Err(Attempt::Failed(self.failed(
                    Phase::Connecting,
                    error,
                    Connection::New,
                )))
            }
            None => Err(Attempt::Gone),
        }
    }
}

fn kind_of(backend: &UpstreamConnection) -> Connection {
    match backend.reused {
        true => Connection::Kept,
        false => Connection::New,
    }
}

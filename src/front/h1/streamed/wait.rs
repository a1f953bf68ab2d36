//! Whose time is up while an exchange waits, and whether the client is still there.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use lb_core::{attempts::Wait, config::UpstreamTimeouts};

use super::{CallUpload, End, StreamedCall};
use crate::{
    front::{CallLimits, Link, Response, TICK, h1::Client},
    proxy::{HALF_CLOSED, Look, Transport},
};

/// The times that hold; before its route is known, how long a client may be silent that has none.
fn limits<S: Transport>(link: &Link, client: &Client<S>) -> CallLimits {
    link.limits().unwrap_or_else(|| CallLimits {
        timeouts: UpstreamTimeouts {
            body_stall: client.worker.shared.stall(),
            ..UpstreamTimeouts::default()
        },
        deadline: None,
    })
}

/// How long the client may be silent, or not read.
pub(super) fn stall<S: Transport>(link: &Link, client: &Client<S>) -> Duration {
    limits(link, client).timeouts.body_stall
}

/// What is to be looked at next, the earliest of several times.
#[derive(Default)]
struct Wake(Option<Instant>);

impl Wake {
    fn at(&mut self, at: Instant) {
        self.0 = Some(self.0.map_or(at, |wake| wake.min(at)));
    }
}

impl<S: Transport, R: Response> StreamedCall<'_, S, R> {
    /// Sees whose time is up, and asks to be woken when the next one's is. The backend's silence is the lane's to notice, which is
    /// polled when it asked to be.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut wake = Wake(self.link.due());
        let flows = !self.client.out.is_empty();
        if flows {
            if let Some(end) = self.wait_for_reader(cx, &mut wake) {
                return Poll::Ready(end);
            }
        } else if self.upload == CallUpload::WaitsForClient && !self.is_responding() {
            self.wait_for_upload(cx, &mut wake);
        }
        if self.is_gone(cx, flows, &mut wake) {
            return Poll::Ready(End::Gone);
        }
        self.client.timer.arm(cx, wake.0, false);
        Poll::Pending
    }

    /// The client takes no bytes, or so slowly that the kernel does not say it: it is asked a few times before its time is over.
    fn wait_for_reader(&mut self, cx: &mut Context<'_>, wake: &mut Wake) -> Option<End> {
        let now = self.now();
        let CallLimits { timeouts, deadline } = limits(&self.link, self.client);
        let stall = timeouts.body_stall;
        let client = &mut *self.client;
        let asked = self.client_pulse.ask(stall, now, || {
            client.give_up_after(stall);
            client.out.nudge(&mut client.stream)
        });
        if asked.is_err() {
            return Some(End::Gone);
        }
        if client.out.is_empty() {
            // There is no socket to wait for.
            cx.waker().wake_by_ref();
        }
        wake.at(self.client_pulse.due(stall));
        let wait = Wait::Reader {
            since: self.client_pulse.since + TICK,
        };
        let until = wait.ends(&timeouts, deadline).at;
        if until <= now {
            return Some(self.break_off());
        }
        wake.at(until);
        None
    }

    /// The client is to send, unless it rightly waits to be asked.
    fn wait_for_upload(&mut self, cx: &mut Context<'_>, wake: &mut Wake) {
        if self.link.awaits_continue() {
            return;
        }
        let timeouts = limits(&self.link, self.client).timeouts;
        // The end of the whole request is the lane's to notice.
        let wait = Wait::Upload {
            since: self.client_pulse.since + TICK,
        };
        let end = wait.ends(&timeouts, None);
        if end.at <= self.now() {
            self.link.fail(end.by.into());
            self.upload = CallUpload::Done;
            cx.waker().wake_by_ref();
        }
        wake.at(end.at);
    }

    /// Whether the client has left. One that closed its side may only have said that it sends no more.
    fn is_gone(&mut self, cx: &mut Context<'_>, flows: bool, wake: &mut Wake) -> bool {
        let now = self.now();
        if self.body.is_done() && self.half_closed.is_none() {
            match self.client.poll_gone(cx) {
                Poll::Ready(Ok(())) => self.half_closed = Some(now),
                Poll::Ready(Err(_)) => return true,
                Poll::Pending => {}
            }
        }
        // Nobody reads from it.
        let blind = !self.body.is_done() && self.upload != CallUpload::WaitsForClient;
        if blind && self.client.look() == Look::Gone {
            return true;
        }
        if blind || self.client.is_far_ahead() {
            wake.at(self.client.looks_again());
        }
        // What is sent to a client that has left comes back as a reset, so only silence has to be asked about.
        if let Some(half_closed) = self.half_closed.filter(|_| !flows) {
            let silent = match self.is_responding() {
                true => half_closed.max(self.moved),
                false => half_closed,
            };
            let gone = silent + HALF_CLOSED + TICK;
            if gone <= now {
                return true;
            }
            wake.at(gone);
        }
        false
    }
}

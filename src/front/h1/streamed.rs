//! HTTP/1.1 for a lane that works with whole messages: a request becomes a call of its [`Service`], and the service's response
//! bytes.
//!
//! Both directions go on in one task, and neither is ahead of the other side by more than one piece: the client is read when
//! the service asks for more of the body, and the response's body is pulled when the client has taken what there was. A client
//! that leaves drops the service's future, and with it all that the request holds.

mod begin;
mod response;
#[cfg(test)]
mod tests;
mod upload;
mod wait;

use std::{
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use futures::future::LocalBoxFuture;
use lb_core::attempts::Fault;
use lb_wire::RequestHead;

use self::{begin::Begun, response::Outcome, upload::CallUpload};
use super::{Client, Lane, Next, OpenTunnel, own_response::finish};
use crate::{
    front::{KeptConfig, Link, Pulse, Response, Service},
    proxy::{ClientBody, Transport},
    telemetry::RequestEnd,
};

/// Bytes that pass in a row before other connections of the worker get their turn.
const TURN: usize = 512 * 1024;

/// Bytes of small pieces that are gathered for one write.
const GATHERED: usize = 16 * 1024;

/// The lane that this service is.
pub struct Streamed<T>(pub T);

impl<T: Service> Lane for Streamed<T> {
    async fn carry<S: Transport>(&self, client: &mut Client<S>, head: &RequestHead) -> Next {
        match begin::begin(&self.0, client, head) {
            Begun::StreamedCall(mut exchange) => {
                let end = poll_fn(|cx| exchange.poll(cx)).await;
                exchange.finish(end).await
            }
            Begun::Refused { goes_on } => finish(client, goes_on).await,
        }
    }
}

/// One request and its response.
struct StreamedCall<'a, S, R> {
    client: &'a mut Client<S>,
    head: RequestHead,
    body: ClientBody,
    config: Rc<KeptConfig>,
    link: Rc<Link>,
    phase: CallPhase<R>,
    upload: CallUpload,
    /// How much of the client's body must have come for it to have its time anew.
    due: u64,
    /// The client has not taken what there is.
    blocked: bool,
    client_pulse: Pulse,
    /// When the service gave something last.
    moved: Instant,
    half_closed: Option<Instant>,
}

/// Whose turn it is.
enum CallPhase<R> {
    /// The service has the request.
    Called(LocalBoxFuture<'static, R>),
    /// It has begun to respond.
    Responding(R, Outcome),
}

/// How an exchange ended.
enum End {
    /// The client has the whole response.
    Done {
        goes_on: bool,
        /// It may still have much of it to read.
        is_long: bool,
    },
    /// It failed in the middle of the response.
    Broken {
        /// The client must not take the end of its connection for the end of the response, or does not read.
        reset: bool,
    },
    /// The client has left.
    Gone,
    /// From here on bytes pass both ways.
    Tunnel(Box<OpenTunnel>),
}

/// What a step has done.
enum Step {
    Moved(usize),
    Idle,
    End(End),
}

impl<S: Transport, R: Response> StreamedCall<'_, S, R> {
    /// Goes as far as it can.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut turn = TURN;
        loop {
            if self.blocked && self.poll_flush(cx).is_err() {
                return Poll::Ready(End::Gone);
            }
            let fed = self.poll_upload(cx);
            if self.pass_interim(cx).is_err() {
                return Poll::Ready(End::Gone);
            }
            let moved = match self.poll_service(cx) {
                Step::End(end) => return Poll::Ready(end),
                Step::Moved(bytes) => bytes + fed.unwrap_or(0),
                Step::Idle if fed.is_some() => fed.unwrap_or(0),
                // It has just asked for more.
                Step::Idle if self.upload == CallUpload::Unwanted && self.link.wants_body(cx) => 0,
                // It has just given interim responses.
                Step::Idle if self.link.is_full() && !self.blocked => 0,
                Step::Idle => break,
            };
            turn = turn.saturating_sub(moved);
            if turn == 0 {
                // Others first; this one goes on right behind them.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        match self.poll_flush(cx) {
            Ok(()) if !self.blocked && self.is_over() => Poll::Ready(self.end()),
            Ok(()) => self.wait(cx),
            Err(_) => Poll::Ready(End::Gone),
        }
    }

    fn now(&self) -> Instant {
        self.client.timer.clock().now()
    }

    /// Sends what waits for the client. Slow is not stalled: a part that is taken counts.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let waiting = self.client.out.len();
        if waiting == 0 {
            self.blocked = false;
            return Ok(());
        }
        let polled = self.client.out.poll_flush(cx, &mut self.client.stream);
        if self.client.out.len() < waiting {
            self.client_pulse.since = self.now();
        }
        self.blocked = polled.is_pending();
        match polled {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    /// What comes behind the request.
    async fn finish(self, end: End) -> Next {
        let Self {
            client,
            head,
            body,
            link,
            phase,
            config: _config,
            ..
        } = self;
        // The service lets go of what it holds before the client is waited for.
        drop(phase);
        client.note(|notes| {
            match &end {
                End::Done { .. } => notes.end(RequestEnd::Complete),
                End::Broken { .. } => {
                    // The lane has noted what is not the client's.
                    notes.note(|facts| facts.fault = facts.fault.or(Some(Fault::Client)));
                    notes.end(RequestEnd::BrokenOff);
                }
                End::Gone => notes.end(RequestEnd::ClientGone),
                // It goes on.
                End::Tunnel(_) => {}
            }
        });
        match end {
            End::Done { goes_on: true, .. } => Next::Request,
            End::Done { is_long, .. } => {
                // Whatever else the client sends would turn the close into a reset and destroy what it has not read.
                let has_sent_all = !head.keep_alive && body.is_done() && client.unused().is_empty();
                match has_sent_all && !is_long {
                    true => Next::Drop,
                    false => Next::Close,
                }
            }
            End::Broken { reset: true } => Next::Reset,
            End::Broken { reset: false } => {
                let stall = wait::stall(&link, client);
                match client.flush(stall).await {
                    Ok(()) => Next::Drop,
                    Err(_) => Next::Reset,
                }
            }
            End::Gone => Next::Drop,
            End::Tunnel(open) => Next::Tunnel(open),
        }
    }
}

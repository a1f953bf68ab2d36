//! The end of a connection, when the server has let go of it.

use std::{sync::Arc, time::SystemTime};

use lb_wire::Glimpse;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::connection::{Connection, Phase};
use crate::{
    proxy::{ErrorAnswer, LINGER, RequestId, Transport, wants_json},
    telemetry::InFlight,
};

/// Bytes that are thrown away at a time.
const THROWN_AWAY: usize = 8 * 1024;

/// An answer of our own, behind which the connection ends.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) id: RequestId,
    pub(super) json: bool,
    /// It is the answer to HEAD.
    pub(super) is_head: bool,
    /// It is the answer to TRACE: what came.
    pub(super) trace: Option<Vec<u8>>,
    pub(super) _counted: Option<InFlight>,
}

impl Refusal {
    /// To a request of which nothing more is known.
    pub(super) fn new(status: u16, reason: &str) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            id: RequestId::new(None, fastrand::u128(..)),
            json: false,
            is_head: false,
            trace: None,
            _counted: None,
        }
    }

    /// To a head that is no request, of which only how to answer may be known.
    pub(super) fn of_head(bytes: &[u8], status: u16, reason: &str) -> Self {
        let glimpse = Glimpse::of(bytes);
        let accept = glimpse.accept.and_then(|accept| std::str::from_utf8(accept).ok());
        Self {
            json: wants_json(accept),
            is_head: glimpse.head,
            ..Self::new(status, reason)
        }
    }
}

impl<Io: Transport> Connection<Io> {
    /// Ends it. `orderly`: the server has said all that it had to say.
    pub(super) async fn end(mut self, orderly: bool) {
        if let Some(refusal) = self.refusal.take() {
            return Box::pin(self.refuse_and_close(refusal)).await;
        }
        if !orderly {
            if self.phase == Phase::Exchange && self.exchange.answer.looks_whole() {
                self.io.reset_on_close();
            }
            return;
        }
        // Bytes that are unread, or come while the client still reads, would turn the close into a reset. Nothing is read where
        // nothing was said.
        if !self.eof && (self.said_last || self.phase == Phase::Exchange) {
            Box::pin(self.close_gently()).await;
        }
    }

    async fn refuse_and_close(mut self, mut refusal: Refusal) {
        let config = Arc::clone(self.shared.worker.registry.snapshot().config());
        let trace = refusal.trace.take();
        let Refusal {
            status, reason, id, ..
        } = &refusal;
        let answer = match trace {
            Some(trace) => ErrorAnswer::trace(trace),
            None => ErrorAnswer::new(&config, (*status, reason), id, refusal.json),
        };
        let date = httpdate::fmt_http_date(SystemTime::now());
        let mut message = Vec::with_capacity(512);
        answer.write((id, date.as_bytes()), (refusal.is_head, true), &mut message);
        let stall = self.shared.worker.stall();
        if matches!(timeout(stall, self.io.write_all(&message)).await, Ok(Ok(()))) {
            drop(refusal);
            self.close_gently().await;
        }
    }

    /// Closes so that the client gets what was sent: says that nothing more comes, and reads on for a while.
    async fn close_gently(mut self) {
        if self.io.shutdown().await.is_err() || self.eof {
            return;
        }
        let mut left = LINGER.1;
        let mut buffer = vec![0; THROWN_AWAY];
        let read = async {
            while let Ok(count) = self.io.read(&mut buffer).await
                && count > 0
                && count < left
            {
                left -= count;
            }
        };
        // Whoever has not closed by then has had the time to read.
        let _in_time = timeout(LINGER.0, read).await;
    }
}

//! The request's body: read from the client when the service asks for it.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::StreamedCall;
use crate::{
    front::{READ_SIZE, Response},
    proxy::{ProxyError, Transport},
};

/// A client that sends less of its body than this in its time is taken to be silent: it would hold a place for ever.
const PIECE: u64 = 256;

/// Says that the body is wanted (RFC 9110 section 15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What the upload waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallUpload {
    /// Nothing: all of it has come, or it has failed.
    Done,
    /// The client.
    WaitsForClient,
    /// The service.
    Unwanted,
}

impl<S: Transport, R: Response> StreamedCall<'_, S, R> {
    /// Gives the service a piece if it wants one and one is there; of how many bytes.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) -> Option<usize> {
        if self.body.is_done() {
            self.upload = CallUpload::Done;
            return None;
        }
        while self.link.wants_body(cx) {
            if !self.client.unused().is_empty() {
                let mut data = Vec::new();
                let taken = self.body.take_data(self.client.unused(), &mut data);
                match taken {
                    Ok(count) => self.client.consume(count),
                    Err(error) => return self.fail(error),
                }
                if let Some(fed) = self.feed(data) {
                    return Some(fed);
                }
                continue;
            }
            if self.link.is_front_to_ask() {
                self.link.asked();
                self.client_pulse.since = self.now();
                self.client.out.buffer().extend_from_slice(CONTINUE);
            }
            let count = match self.client.poll_read(cx, READ_SIZE) {
                Poll::Pending => {
                    if self.upload != CallUpload::WaitsForClient {
                        // The service was slow, and now it is the client's turn.
                        self.upload = CallUpload::WaitsForClient;
                        self.client_pulse.since = self.now();
                    }
                    return None;
                }
                Poll::Ready(Ok(count)) if count > 0 => count,
                Poll::Ready(_) => return self.fail(ProxyError::ClientBody("the client left".to_owned())),
            };
            let worker = Rc::clone(&self.client.worker);
            let scratch = worker.scratch();
            let mut data = Vec::with_capacity(count);
            match self.body.take_data(&scratch[..count], &mut data) {
                Ok(taken) => self.client.keep(&scratch[taken..count]),
                Err(error) => return self.fail(error),
            }
            if let Some(fed) = self.feed(data) {
                return Some(fed);
            }
        }
        if self.upload != CallUpload::Done {
            self.upload = CallUpload::Unwanted;
        }
        None
    }

    /// Hands data on, if there is any; framing alone is none.
    fn feed(&mut self, data: Vec<u8>) -> Option<usize> {
        let content = self.body.content();
        self.client
            .note(|notes| notes.note(|facts| facts.received = content));
        self.link.asked();
        let taken = self.body.taken();
        if taken >= self.due {
            // A client that sends a byte now and then, only to keep its place, is silent: it has its time for each piece.
            self.due = taken + PIECE;
            self.client_pulse.since = self.now();
        }
        let last = self.body.is_done();
        if data.is_empty() && !last {
            return None;
        }
        let length = data.len();
        self.link.feed(Bytes::from(data), last);
        if last {
            self.upload = CallUpload::Done;
        }
        Some(length)
    }

    fn fail(&mut self, error: ProxyError) -> Option<usize> {
        self.link.fail(error);
        self.upload = CallUpload::Done;
        Some(0)
    }
}

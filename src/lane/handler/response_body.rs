//! A backend's body on its way to the client. It carries the lease, if there is one still: whichever way the body ends, the request is over
//! at the backend when this is dropped.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_http::body::{BodySize, MessageBody};
use actix_web::HttpRequest;
use awc::{ClientResponse, error::PayloadError};
use bytes::Bytes;
use futures::Stream;
use lb_core::{
    attempts::{AttemptEnd, Connection, Deadline, Failure, Progress, Wait, WaitEnd},
    pool::{Backend, Destination, Lease},
};

use super::{HandlerWorker, awc::Fault, dispatch::failed, request::Handed, request_body::RequestBody};
use crate::{
    front::TICK,
    proxy::{BrokenResponse, ProxyError, Worker},
};

/// Whose answer it is.
pub(super) enum Origin {
    /// A backend's that holds the request as long as the answer lasts.
    Holds(Lease),
    /// A backend's for which the request was over when it began to wait for another one.
    Gone(Arc<Backend>),
}

impl Origin {
    pub(super) fn backend(&self) -> &Arc<Backend> {
        match self {
            Self::Holds(lease) => lease.backend(),
            Self::Gone(backend) => backend,
        }
    }

    fn into_lease(self) -> Option<Lease> {
        match self {
            Self::Holds(lease) => Some(lease),
            Self::Gone(_) => None,
        }
    }

    /// The response was passed on.
    pub(super) fn complete(self, worker: &Worker) {
        if let Some(lease) = self.into_lease() {
            worker.finish(lease, &AttemptEnd::Complete);
        }
    }
}

/// Streams one answer.
pub(super) struct ResponseBody {
    pub(super) answer: ClientResponse,
    /// Its length, if the backend said it.
    pub(super) length: Option<u64>,
    pub(super) received: u64,
    pub(super) deadline: Option<Deadline>,
    /// What ends the wait for more, while there is one.
    pub(super) wait: Option<WaitEnd>,
    /// `None` once it has ended.
    pub(super) origin: Option<Origin>,
    /// The request's body, which may still be on its way.
    pub(super) upload: RequestBody,
    pub(super) request: HttpRequest,
    pub(super) destination: Arc<Destination>,
    pub(super) handed: Rc<Handed>,
    pub(super) worker: Rc<HandlerWorker>,
}

/// The client sees its connection end before the message does, which is how HTTP/1.1 says that a message is broken.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(super) struct Broken;

impl ResponseBody {
    fn fail(&mut self, error: &ProxyError) -> Broken {
        if let Some(origin) = self.origin.take() {
            let failure = Failure {
                cause: error.cause(),
                progress: Progress::Responding,
                upload: self.upload.upload(),
                connection: Connection::New,
            };
            let from = Arc::clone(origin.backend());
            let broken = BrokenResponse {
                from: &from,
                lease: origin.into_lease(),
                failure,
                error,
            };
            let failed = failed(&self.request, &self.handed, Some(&self.destination));
            self.worker.broke_off(&failed, broken);
        }
        Broken
    }

    fn end(&mut self) {
        if let Some(origin) = self.origin.take() {
            origin.complete(&self.worker);
        }
    }

    fn poll_timed_out(&mut self) -> Poll<ProxyError> {
        let link = &self.handed.link;
        let end = *self.wait.get_or_insert_with(|| {
            let wait = Wait::Body {
                since: link.clock().now() + TICK,
            };
            wait.ends(&self.destination.terms().timeouts, self.deadline)
        });
        link.poll_until(end.at).map(|()| end.by.into())
    }
}

impl MessageBody for ResponseBody {
    type Error = Broken;

    fn size(&self) -> BodySize {
        self.length.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let this = &mut *self;
        if this.origin.is_none() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.answer).poll_next(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                this.wait = None;
                this.received += chunk.len() as u64;
                Poll::Ready(Some(Ok(chunk)))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(this.fail(&describe(&error, this.received)))))
            }
            Poll::Ready(None) => {
                this.end();
                Poll::Ready(None)
            }
            Poll::Pending => this.poll_timed_out().map(|error| Some(Err(this.fail(&error)))),
        }
    }
}

fn describe(error: &PayloadError, received: u64) -> ProxyError {
    match error {
        PayloadError::Incomplete(Some(error)) if matches!(Fault::of(error), Some(Fault::Body(_))) => {
            ProxyError::BadAnswer(error.to_string())
        }
        PayloadError::Incomplete(_) => ProxyError::CutShort { received },
        other => ProxyError::Io(other.to_string()),
    }
}

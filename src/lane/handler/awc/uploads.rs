//! Sends a request with awc, and hands its body to the connection that carries it, past awc.
//!
//! awc writes a whole body before it reads, and gathers 8 KiB of it before it writes: an answer that comes meanwhile
//! waits, and so does a part of the body that is smaller. But to a request with `Expect` it writes the head at once and
//! waits for an answer. So the body is offered here under a number, which takes the place of the expectation, and awc
//! gets a [`Placeholder`]. The guarded connection takes number and body out again, sends the body itself while it waits
//! for the answer, and passes no `100` on, for which awc would wait to send the placeholder.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::{
    body::{BodySize, BoxBody, MessageBody},
    header::{self, HeaderValue},
};
use awc::{ClientRequest, ClientResponse, error::SendRequestError};
use bytes::Bytes;

use super::watch::Watch;

/// Where the client sent no `Date`, awc would add one. The guarded connection takes out one of this value.
pub(super) const NO_DATE: &str = "";

/// The bodies of one worker that wait for a connection.
#[derive(Clone, Default)]
pub(super) struct Uploads {
    table: Rc<Table>,
}

#[derive(Default)]
struct Table {
    next: Cell<u64>,
    waiting: RefCell<HashMap<u64, BoxBody>>,
    /// Of the request that awc works on at this moment.
    watch: RefCell<Option<Rc<Watch>>>,
}

impl Uploads {
    /// Sends a request whose headers are complete, and hands `watch` to the connection that carries it.
    ///
    /// # Errors
    /// As awc; what the guarded connection refused is a [`Fault`](super::Fault) inside of it.
    pub(super) fn send(
        &self,
        mut request: ClientRequest,
        body: BoxBody,
        watch: Rc<Watch>,
    ) -> impl Future<Output = Result<ClientResponse, SendRequestError>> + use<> {
        let headers = request.headers_mut();
        if !headers.contains_key(header::DATE) {
            headers.insert(header::DATE, HeaderValue::from_static(NO_DATE));
        }
        let (offer, body) = match body.size() {
            BodySize::None | BodySize::Sized(0) => {
                headers.remove(header::EXPECT);
                (None, body)
            }
            size => {
                let offer = self.offer(body);
                headers.insert(header::EXPECT, HeaderValue::from(offer.number));
                (Some(offer), BoxBody::new(Placeholder(size)))
            }
        };
        let sending = request.send_body(body);
        let table = Rc::clone(&self.table);
        async move {
            let _offered = offer;
            let mut sending = std::pin::pin!(sending);
            poll_fn(|cx| {
                // awc chooses a connection and writes the head within this poll; the connection takes the watch along.
                table.watch.replace(Some(Rc::clone(&watch)));
                let polled = sending.as_mut().poll(cx);
                table.watch.take();
                polled
            })
            .await
        }
    }

    /// The watch of the request that awc works on at this moment.
    pub(super) fn watch(&self) -> Option<Rc<Watch>> {
        self.table.watch.borrow().clone()
    }

    /// Offers a body to whichever connection its request will use.
    fn offer(&self, body: BoxBody) -> Offer {
        let number = self.table.next.get();
        self.table.next.set(number.wrapping_add(1));
        self.table.waiting.borrow_mut().insert(number, body);
        Offer {
            uploads: self.clone(),
            number,
        }
    }

    /// The body that waits under this number.
    pub(super) fn take(&self, number: u64) -> Option<BoxBody> {
        self.table.waiting.borrow_mut().remove(&number)
    }
}

/// A body that is offered until this is dropped.
struct Offer {
    uploads: Uploads,
    number: u64,
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.uploads.take(self.number);
    }
}

/// Announces a body and never sends it.
struct Placeholder(BodySize);

impl MessageBody for Placeholder {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Pending
    }
}

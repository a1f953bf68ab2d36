//! Nothing follows an answer that says `close`, and what came behind its request is not served (RFC 9112 section 9.6).
//!
//! actix-http 3.20 hands over all requests that it has read, also where the answer before was the last one. So each
//! connection remembers here that it is over.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{
    ConnectionType,
    body::{BodySize, BoxBody, MessageBody},
};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

/// How long the last answer has to go out before its connection is ended from here. Only clients wait for this end that have
/// sent more than they may.
const LINGER: Duration = Duration::from_secs(2);

/// What a connection remembers.
#[derive(Clone, Default)]
pub(super) struct Closing {
    over: Rc<Cell<bool>>,
}

impl Closing {
    /// The memory of a request's connection.
    pub(super) fn of(request: &HttpRequest) -> Self {
        request.conn_data().cloned().unwrap_or_default()
    }

    /// Whether the last answer has been given.
    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Notes an answer. `asked`: the client wants it to be the last one. The answer is told as well, for actix-http goes by
    /// the request that it has read last.
    pub(super) fn answered(&self, response: &mut HttpResponse, asked: bool) {
        let head = response.head_mut();
        if asked {
            head.set_connection_type(ConnectionType::Close);
        }
        if head.connection_type() == ConnectionType::Close {
            self.over.set(true);
        }
    }
}

/// Ends a connection whose last answer has been given. Of all that may be returned to actix-http, only a body that fails at
/// once writes nothing; what has not gone out by then is lost.
pub(super) async fn end() -> HttpResponse {
    tokio::time::sleep(LINGER).await;
    HttpResponse::Ok().body(BoxBody::new(Nothing))
}

struct Nothing;

/// The connection is over.
#[derive(Debug, thiserror::Error)]
#[error("the connection is over")]
struct Over;

impl MessageBody for Nothing {
    type Error = Over;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Over>>> {
        Poll::Ready(Some(Err(Over)))
    }
}

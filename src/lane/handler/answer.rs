//! From what the backend or the balancer says to what the client gets.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_http::{
    StatusCode,
    body::{BodySize, BoxBody, MessageBody},
    header::{self, HeaderName, HeaderValue},
};
use actix_web::HttpResponse;
use awc::ClientResponse;
use bytes::Bytes;

use super::{awc::OMITTED_LENGTH, headers::X_REQUEST_ID, response_body::ResponseBody};
use crate::proxy::{ErrorAnswer, RequestId, RouteAnswer};

/// Whether an answer has no body whatever its headers say (RFC 9112 section 6.3, item 1).
pub(super) fn is_bodyless(status: StatusCode, head_request: bool) -> bool {
    head_request || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The length that an answer declares, be it of a body that it does not have.
pub(super) fn content_length(answer: &ClientResponse) -> Option<u64> {
    let name = match answer.status() {
        StatusCode::NOT_MODIFIED => OMITTED_LENGTH,
        _ => header::CONTENT_LENGTH.as_str(),
    };
    answer.headers().get(name)?.to_str().ok()?.parse().ok()
}

/// The client's answer over a backend's body.
pub(super) fn streamed(response: HttpResponse, body: ResponseBody) -> HttpResponse {
    response.set_body(BoxBody::new(body))
}

/// An answer without a body. Its `Content-Length` says what a body would have had.
pub(super) fn bodyless(response: HttpResponse, length: Option<u64>) -> HttpResponse {
    let size = length.map_or(BodySize::None, BodySize::Sized);
    response.set_body(BoxBody::new(Announced(size)))
}

/// A body that is announced and not sent, as the answer to HEAD has it.
struct Announced(BodySize);

impl MessageBody for Announced {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// An error of the balancer's own.
pub(super) fn error(text: &ErrorAnswer, id: &RequestId) -> HttpResponse {
    let status = StatusCode::from_u16(text.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CONTENT_TYPE, text.content_type));
    response.insert_header((X_REQUEST_ID, id.as_str()));
    if let Some(seconds) = text.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    response.body(text.body.to_vec())
}

/// The answer that a route gives itself.
pub(super) fn of_route(own: &RouteAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(own.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &own.lines {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value),
        ) {
            response.append_header((name, value));
        }
    }
    match own.status {
        204 | 304 => bodyless(response.finish(), None),
        _ => response.body(own.body.to_vec()),
    }
}

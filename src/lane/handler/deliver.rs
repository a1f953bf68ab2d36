//! What the client gets of a backend's response: its head and a body that streams, or the other end of a tunnel.

use std::sync::Arc;

use actix_http::{
    Method, StatusCode, Version,
    header::{self, HeaderValue},
};
use actix_web::HttpResponse;
use awc::ClientResponse;

use super::{
    answer,
    awc::{BackendStream, SwitchedAt},
    forward::HandlerRequest,
    headers,
    response_body::{Origin, ResponseBody},
};
use crate::{
    front::Switched,
    proxy::{LineChanges, sticky_cookie},
};

impl HandlerRequest {
    /// Hands the connections of a tunnel over to the front.
    pub(super) fn switch(self, origin: Origin, at: SwitchedAt) -> HttpResponse {
        let (Origin::Holds(lease), Ok(stream)) = (origin, at.stream.downcast::<BackendStream>()) else {
            return HttpResponse::BadGateway().finish();
        };
        let mut connection = stream.0;
        connection.input = at.rest;
        let cookie = sticky_cookie(self.pool(), lease.backend(), self.by.sticky);
        let mut changes = LineChanges::default();
        if let Some(edits) = &self.passage.edits {
            changes.dropped = Arc::clone(&edits.response.dropped);
            changes.added.clone_from(&edits.response.added);
        }
        if let Some(cookie) = cookie {
            changes.added.push(("Set-Cookie".into(), cookie.into_bytes()));
        }
        self.handed.link.switch(Switched {
            connection,
            head: at.head,
            offers: self.handed.offers.clone(),
            changes,
            unsent: at.unsent,
            lease,
            idle: self.terms().timeouts.tunnel_idle,
        });
        HttpResponse::new(StatusCode::SWITCHING_PROTOCOLS)
    }

    pub(super) fn deliver(self, origin: Origin, from: ClientResponse) -> HttpResponse {
        let bodyless = answer::is_bodyless(from.status(), *self.request.method() == Method::HEAD);
        let mut response = HttpResponse::new(from.status());
        headers::copy_response(from.status(), from.headers(), response.headers_mut());
        if let Some(edits) = &self.passage.edits {
            headers::change(&edits.response, response.headers_mut());
        }
        let cookie = sticky_cookie(self.pool(), origin.backend(), self.by.sticky);
        if let Some(Ok(cookie)) = cookie.map(HeaderValue::try_from) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        let length = answer::content_length(&from);
        response.head_mut().version = match self.version.get() {
            lb_wire::Version::Http10 => Version::HTTP_10,
            lb_wire::Version::Http11 => Version::HTTP_11,
        };
        if bodyless {
            origin.complete(&self.worker);
            return answer::bodyless(response, length);
        }
        let body = ResponseBody {
            answer: from,
            length,
            received: 0,
            deadline: self.deadline,
            wait: None,
            origin: Some(origin),
            upload: self.body,
            request: self.request,
            destination: self.passage.destination,
            handed: self.handed,
            worker: self.worker,
        };
        answer::streamed(response, body)
    }
}

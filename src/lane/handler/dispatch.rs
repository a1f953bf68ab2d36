//! From a request to what becomes of it: refused, answered here, or sent on.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Instant};

use actix_http::{
    HttpMessage as _, Payload,
    body::BodySize,
    header::{self, HeaderMap, HeaderValue},
};
use actix_web::{HttpRequest, HttpResponse};
use lb_core::{
    attempts::{Deadline, PickBy},
    pool::{Destination, Snapshot},
    route::Headers,
};
use lb_wire::Framing;

use super::{
    HandlerWorker, answer,
    forward::{Answer, HandlerRequest},
    request::Handed,
    request_body::RequestBody,
};
use crate::{
    front::CallLimits,
    proxy::{self, About, Asked, Client, FailedRequest, Incoming, Line, Passage, ProxyError, Routed},
};

/// Takes a request and answers it, whatever happens.
pub(super) async fn dispatch(
    request: HttpRequest,
    payload: Payload,
    worker: Rc<HandlerWorker>,
) -> HttpResponse {
    let handed = request.extensions().get::<Rc<Handed>>().cloned();
    let Some(handed) = handed else {
        return HttpResponse::InternalServerError().finish();
    };
    let notes = handed.link.notes();
    let started = notes.started().unwrap_or_else(Instant::now);
    let random = fastrand::u64(..);
    let found = {
        let snapshot = worker.registry.snapshot();
        find(&snapshot, &request, &handed, (worker.index, random))
    };
    let passage = match found {
        Ok(Routed::Forward(passage)) => passage,
        Ok(Routed::Answer(own)) => {
            notes.note(|facts| facts.route = Some(Arc::clone(&own.route)));
            return answer::of_route(&own);
        }
        Err(error) => {
            let failed = failed(&request, &handed, None);
            return answer::error(&worker.refuse(&failed, &error, Line::Due), &handed.id);
        }
    };
    notes.note(|facts| facts.destined(&passage.destination));
    let timeouts = passage.destination.terms().timeouts;
    let deadline = Deadline::of(&timeouts, || handed.link.clock().at(started));
    handed.link.limit(CallLimits { timeouts, deadline });
    let size = match handed.framing {
        Framing::Length(length) => BodySize::Sized(length),
        Framing::Chunked => BodySize::Stream,
        Framing::None | Framing::UntilClose => BodySize::None,
    };
    let exchange = HandlerRequest {
        body: RequestBody::new(
            payload,
            Rc::clone(&handed.link),
            size,
            handed.method.is_idempotent(),
        ),
        request,
        handed,
        started,
        by: PickBy {
            worker: worker.index,
            random,
            key: passage.key,
            sticky: passage.sticky,
        },
        worker,
        passage,
        deadline,
        version: Cell::new(lb_wire::Version::Http11),
    };
    match exchange.run().await {
        Ok((origin, Answer::Response(answer))) => exchange.deliver(origin, answer),
        Ok((origin, Answer::Switched(at))) => exchange.switch(origin, at),
        Err((error, line)) => {
            let refused = exchange.worker.refuse(&exchange.failed(), &error, line);
            answer::error(&refused, &exchange.handed.id)
        }
    }
}

/// The route of a request.
fn find(
    snapshot: &Snapshot,
    request: &HttpRequest,
    handed: &Handed,
    chance: (usize, u64),
) -> Result<Routed, ProxyError> {
    if let Some(passage) = Passage::undecided(snapshot) {
        return Ok(Routed::Forward(passage));
    }
    let (target, authority) = (request.uri(), host(request));
    let incoming = Incoming {
        authority: authority.as_ref().map_or(&[], HeaderValue::as_bytes),
        method: request.method().as_str().as_bytes(),
        path: target.path().as_bytes(),
        query: target.query().map(str::as_bytes),
        headers: &HeadLines(request.headers()),
        peer: Client::new(handed.client, &snapshot.config().trusted_proxies),
        id: &handed.id,
        scheme: handed.scheme,
    };
    proxy::route(snapshot, &incoming, chance)
}

/// The header lines of a request, for conditions of routes.
struct HeadLines<'a>(&'a HeaderMap);

impl Headers for HeadLines<'_> {
    fn any(&self, name: &str, passes: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.get_all(name).any(|value| passes(value.as_bytes()))
    }
}

/// The host that the client asked for, that of an absolute target before `Host` (RFC 9112 section 3.2.2).
pub(super) fn host(request: &HttpRequest) -> Option<HeaderValue> {
    request.headers().get(header::HOST).cloned()
}

/// A request as failures see it.
pub(super) fn failed<'a>(
    request: &'a HttpRequest,
    handed: &'a Handed,
    destination: Option<&'a Destination>,
) -> FailedRequest<'a> {
    let host = request.headers().get(header::HOST);
    FailedRequest {
        about: About {
            id: &handed.id,
            client: handed.client,
            asked: Asked::Parts {
                method: request.method().as_str().as_bytes(),
                host: host.map_or(&[], HeaderValue::as_bytes),
                path: request.uri().path().as_bytes(),
            },
            destination,
        },
        json: handed.json,
        notes: handed.link.notes().clone(),
    }
}

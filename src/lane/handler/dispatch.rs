//! From a request to what becomes of it: refused, answered here, or sent on.

use std::{cell::Cell, net::IpAddr, rc::Rc, sync::Arc, time::Instant};

use actix_http::{
    HttpMessage as _, Payload,
    body::BodySize,
    header::{self, HeaderMap, HeaderValue},
};
use actix_web::{HttpRequest, HttpResponse};
use lb_core::{attempts::PickBy, pool::Snapshot, route::Headers};
use lb_wire::Framing;

use super::{
    HandlerWorker, answer,
    forward::{Answer, Exchange},
    request::Handed,
    request_body::RequestBody,
};
use crate::{
    front::CallLimits,
    proxy::{self, Client, Incoming, Passage, ProxyError, Routed},
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
        let peer = request
            .peer_addr()
            .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
        let client = Client::new(peer, &snapshot.config().trusted_proxies);
        find(&snapshot, &request, (client, &handed), (worker.index, random))
    };
    let passage = match found {
        Ok(Routed::Forward(passage)) => passage,
        Ok(Routed::Answer(own)) => {
            notes.note(|facts| facts.route = Some(Arc::clone(&own.route)));
            return answer::of_route(&own);
        }
        Err(error) => {
            notes.fault(error.fault());
            return refuse(&worker, &handed, &error);
        }
    };
    notes.note(|facts| facts.destined(&passage.destination));
    let timeouts = passage.destination.terms().timeouts;
    let deadline = timeouts.request.map(|whole| (started + whole, whole));
    handed.link.limit(CallLimits {
        stall: timeouts.body_stall,
        deadline: deadline.map(|(deadline, _)| deadline),
    });
    let size = match handed.framing {
        Framing::Length(length) => BodySize::Sized(length),
        Framing::Chunked => BodySize::Stream,
        Framing::None | Framing::UntilClose => BodySize::None,
    };
    let exchange = Exchange {
        body: RequestBody::new(
            (payload, Rc::clone(&handed.link)),
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
        Err(error) => refuse(&exchange.worker, &exchange.handed, &error),
    }
}

/// The route of a request.
fn find(
    snapshot: &Snapshot,
    request: &HttpRequest,
    (peer, handed): (Client, &Handed),
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
        peer,
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

fn refuse(worker: &HandlerWorker, handed: &Handed, error: &ProxyError) -> HttpResponse {
    let snapshot = worker.registry.snapshot();
    answer::error(snapshot.config(), error, (&handed.id, handed.json))
}

//! From a request to what becomes of it: refused, answered here, or sent on.

use std::{net::IpAddr, rc::Rc, sync::Arc, time::Instant};

use actix_http::{
    Payload,
    body::BodySize,
    header::{self, HeaderMap, HeaderValue},
};
use actix_web::{HttpRequest, HttpResponse};
use lb_core::{pool::Snapshot, route::Headers};

use super::{answer, forward::Exchange, guard::Link, headers::X_REQUEST_ID, request_body::RequestBody};
use crate::proxy::{
    self, Client, Incoming, Passage, PickBy, ProxyError, RequestId, Routed, Worker, wants_json,
};

/// Takes a request and answers it, whatever happens.
pub(super) async fn dispatch(request: HttpRequest, payload: Payload, worker: Rc<Worker>) -> HttpResponse {
    let link = Link::of(&request);
    if let Some(link) = &link {
        link.reach();
    }
    let in_flight = worker.traffic.enter(worker.index);
    let started = Instant::now();
    let random = fastrand::u128(..);
    let sent_id = request.headers().get(X_REQUEST_ID).map(HeaderValue::as_bytes);
    let id = RequestId::new(sent_id, random);
    let random = random as u64;
    let (client, found) = {
        let snapshot = worker.registry.snapshot();
        let peer = request
            .peer_addr()
            .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
        let client = Client::new(peer, &snapshot.config().trusted_proxies);
        (
            client,
            find(&snapshot, &request, (client, &id), (worker.index, random)),
        )
    };
    let passage = match found {
        Ok(Routed::Forward(passage)) => passage,
        Ok(Routed::Answer(own)) => return answer::of_route(&own, closes(&request, &worker)),
        Err(error) => return refuse(&request, &worker, (&id, closes(&request, &worker)), &error),
    };
    let timeouts = passage.destination.terms().timeouts;
    if let (Some(link), Some(whole)) = (&link, timeouts.request) {
        link.end_by(started + whole);
    }
    let exchange = Exchange {
        body: RequestBody::new((payload, link), body_size(&request), timeouts.body_stall),
        request,
        worker,
        client,
        id,
        by: PickBy {
            now: started,
            random,
            key: passage.key,
            sticky: passage.sticky,
        },
        passage,
        deadline: timeouts.request.map(|whole| (started + whole, whole)),
    };
    match exchange.run().await {
        Ok((origin, answer)) => exchange.deliver(origin, answer, in_flight),
        Err(error) => {
            let close = !exchange.body.is_complete() || exchange.worker.traffic.is_draining();
            refuse(&exchange.request, &exchange.worker, (&exchange.id, close), &error)
        }
    }
}

/// The route of a request.
fn find(
    snapshot: &Snapshot,
    request: &HttpRequest,
    (peer, id): (Client, &RequestId),
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
        id,
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

/// The host that the client asked for. The guard has put that of an absolute target in its place (RFC 9112 section 3.2.2).
pub(super) fn host(request: &HttpRequest) -> Option<HeaderValue> {
    request.headers().get(header::HOST).cloned()
}

fn refuse(
    request: &HttpRequest,
    worker: &Worker,
    (id, close): (&RequestId, bool),
    error: &ProxyError,
) -> HttpResponse {
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let config = Arc::clone(worker.registry.snapshot().config());
    answer::error(&config, error, (id, wants_json(accept)), close)
}

/// Whether the connection ends behind an answer of the balancer's own. Whatever is left of the body is of no use; the next
/// request begins on a new connection.
fn closes(request: &HttpRequest, worker: &Worker) -> bool {
    let unread = !matches!(body_size(request), BodySize::None | BodySize::Sized(0));
    unread || worker.traffic.is_draining()
}

/// How the body is announced to the backend. The guard has refused whatever is ambiguous.
fn body_size(request: &HttpRequest) -> BodySize {
    let headers = request.headers();
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return BodySize::Stream;
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    length.map_or(BodySize::None, BodySize::Sized)
}

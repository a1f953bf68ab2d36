//! From what a front hands over to the request that actix-web knows.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::{
    BoxedPayloadStream, ConnectionType, HttpMessage, Method, Payload, Request, Version,
    error::PayloadError,
    header::{HeaderName, HeaderValue},
};
use actix_web::{
    HttpResponse,
    http::{Uri, uri},
};
use bytes::Bytes;
use futures::Stream;
use lb_wire::{
    ForwardContext, Framing, Limits, Name, Parsed, RequestView, parse_request, write_request_head,
};

use super::{HandlerWorker, answer};
use crate::{
    front::{Call, Link},
    proxy::{About, Asked, Client, FailedRequest, Line, ProxyError, RequestId, Scheme},
};

/// Lines that are added to a request at most.
const ADDED_LINES: u16 = 12;

/// In the place of a host that an HTTP/1.0 request does not name; each backend gets its own.
const NO_HOST: &str = "none";

/// A line of a head: name and value.
pub(super) type HeaderLine = (HeaderName, HeaderValue);

/// What the handler knows of a request that actix-web has no place for.
pub(super) struct Handed {
    /// To the front.
    pub(super) link: Rc<Link>,
    pub(super) id: RequestId,
    /// The peer of the client's connection.
    pub(super) client: IpAddr,
    /// Its sender wants errors as JSON.
    pub(super) json: bool,
    /// What the client's connection speaks.
    pub(super) scheme: Scheme,
    pub(super) method: lb_wire::Method,
    /// How long its body is.
    pub(super) framing: Framing,
    /// The protocols that it offers to switch to; empty without.
    pub(super) offers: Vec<u8>,
    /// Its lines as they go to a backend: what ends here is left out, and what tells of its origin is written.
    pub(super) forwarded: Vec<HeaderLine>,
}

/// The request of a call. What the types of the crate `http` cannot hold is answered with 400.
pub(super) fn of_call(call: Call<'_>, worker: &HandlerWorker) -> Result<Request, Box<HttpResponse>> {
    let view = &call.head;
    let (Ok(method), Some(uri)) = (Method::from_bytes(view.method()), target(view)) else {
        let failed = FailedRequest {
            about: About {
                id: &call.id,
                client: call.connection.peer.ip().to_canonical(),
                asked: Asked::Head(&view.buf[..view.head.len]),
                destination: None,
            },
            json: call.json,
            notes: call.link.notes().clone(),
        };
        let refused = worker.refuse(&failed, &ProxyError::BadTarget, Line::Due);
        let mut response = answer::error(&refused, &call.id);
        response.head_mut().set_connection_type(ConnectionType::Close);
        return Err(Box::new(response));
    };
    let mut request = Request::with_payload(payload(&call));
    let head = request.head_mut();
    head.method = method;
    head.uri = uri;
    head.version = match view.head.version {
        lb_wire::Version::Http10 => Version::HTTP_10,
        lb_wire::Version::Http11 => Version::HTTP_11,
    };
    head.peer_addr = Some(call.connection.peer);
    for (name, value) in lines_of(view, |_| true) {
        head.headers.append(name, value);
    }
    if let Some(Ok(host)) = view.host().map(HeaderValue::from_bytes) {
        head.headers.insert(actix_http::header::HOST, host);
    }
    let forwarded = forwarded(&call, worker);
    let handed = Handed {
        link: call.link,
        id: call.id,
        client: call.connection.peer.ip().to_canonical(),
        json: call.json,
        scheme: call.connection.scheme,
        method: view.head.method,
        framing: view.head.framing,
        // What is taken out of its chunks cannot go on as bytes.
        offers: match view.head.framing {
            Framing::Chunked => Vec::new(),
            _ => view.offers(),
        },
        forwarded,
    };
    request.extensions_mut().insert(Rc::new(handed));
    Ok(request)
}

/// Path and query, exactly as they came.
fn target(view: &RequestView<'_>) -> Option<Uri> {
    let target = Bytes::from(view.forwarded_target().concat());
    let mut parts = uri::Parts::default();
    parts.path_and_query = Some(uri::PathAndQuery::from_maybe_shared(target).ok()?);
    Uri::from_parts(parts).ok()
}

/// The lines of a head whose kind `takes`. One that the types of the crate `http` cannot hold is none that was read.
fn lines_of(view: &RequestView<'_>, takes: impl Fn(Name) -> bool) -> impl Iterator<Item = HeaderLine> {
    let bytes = Bytes::copy_from_slice(&view.buf[..view.head.len]);
    let lines = view.lines.as_slice().iter();
    lines
        .filter(move |line| takes(line.kind))
        .filter_map(move |line| {
            let name = HeaderName::from_bytes(&bytes[line.name.start as usize..line.name.end as usize]);
            let value = bytes.slice(line.value.start as usize..line.value.end as usize);
            Some((name.ok()?, HeaderValue::from_maybe_shared(value).ok()?))
        })
}

/// Whether a line is written by this side: it speaks of the next connection or of framing, or is chosen for each backend.
fn is_written_anew(kind: Name) -> bool {
    matches!(
        kind,
        Name::Host
            | Name::ContentLength
            | Name::TransferEncoding
            | Name::Connection
            | Name::Upgrade
            | Name::Te
            | Name::Trailer
            | Name::Expect
    )
}

/// The lines as they go to a backend, by the rules that hold for both lanes.
fn forwarded(call: &Call<'_>, worker: &HandlerWorker) -> Vec<HeaderLine> {
    let snapshot = worker.registry.snapshot();
    let config = snapshot.config();
    let connection = call.connection;
    let context = ForwardContext {
        client: &connection.address,
        secure: connection.scheme == Scheme::Https,
        trusted: Client::new(connection.peer.ip(), &config.trusted_proxies).trusted,
        forwarded: false,
        via: config.via.as_deref(),
        request_id: call.id.to_be_written(),
        default_host: NO_HOST,
        close: false,
        edits: None,
    };
    let mut head = Vec::new();
    write_request_head(&call.head, &context, &mut head);
    let limits = Limits {
        head_bytes: u32::MAX,
        header_count: call.head.lines.as_slice().len() as u16 + ADDED_LINES,
        ..Limits::default()
    };
    let mut lines = worker.lines.borrow_mut();
    match parse_request(&head, &mut lines, &limits) {
        Ok(Parsed::Complete(parsed)) => {
            let view = parsed.view(&head, &lines);
            lines_of(&view, |kind| !is_written_anew(kind)).collect()
        }
        _ => Vec::new(),
    }
}

fn payload(call: &Call<'_>) -> Payload {
    if call.head.head.framing.is_empty() {
        return Payload::None;
    }
    let stream: BoxedPayloadStream = Box::pin(BodyStream(Rc::clone(&call.link)));
    Payload::Stream { payload: stream }
}

/// The body as actix-web has it.
struct BodyStream(Rc<Link>);

impl Stream for BodyStream {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .poll_body(cx)
            .map(|piece| piece.map(|piece| piece.map_err(|error| PayloadError::Io(io::Error::other(error)))))
    }
}

/// What ended the client's body, as it comes back out of actix-web.
pub(super) fn body_failure(error: PayloadError) -> ProxyError {
    match error {
        PayloadError::Io(error) => match error.downcast::<ProxyError>() {
            Ok(error) => error,
            Err(error) => ProxyError::ClientBody(error.to_string()),
        },
        other => ProxyError::ClientBody(other.to_string()),
    }
}

//! From a request's head to what becomes of it: refused, answered here, or sent on.

use std::{rc::Rc, sync::Arc};

use lb_core::{
    config::{Config, SendHost},
    pool::{NoBackend, Snapshot, Tried},
    route::Headers,
};
use lb_wire::{
    AddedLines, ForwardContext, LineEdits, Method, RequestEdits, RequestHead, RequestView, Version,
    write_request_head,
};

use super::{
    Transport,
    client::Client,
    client_body::ClientBody,
    exchange::{AnswerEdits, Message},
    forward::{Next, Request},
    outgoing::Outgoing,
    own_answer,
    refusal::refusal,
    waiting::{self, Waited},
    worker::WireWorker,
};
use crate::proxy::{
    self, Edits, ErrorAnswer, Incoming, LineChanges, Passage, PickBy, ProxyError, RequestId, RouteAnswer,
    Routed, wants_json,
};

/// What a request is answered with where no backend is asked.
enum Own {
    /// Status and reason, and the connection ends.
    Refusal(u16, &'static str),
    /// An error of the routes.
    Error(ProxyError),
    /// A route's own answer.
    Route(RouteAnswer),
}

/// Takes a request whose head is at the start of what the client sent.
pub(super) async fn dispatch<S: Transport>(client: &mut Client<S>, head: RequestHead) -> Next {
    let worker = Rc::clone(&client.worker);
    let counted = worker.traffic().enter(worker.shared.index);
    let started = WireWorker::precise_now();
    let random = fastrand::u128(..);
    let (id, json) = identify(client, &head, random);
    let random = random as u64;
    let (config, found) = {
        let snapshot = worker.shared.registry.snapshot();
        let found = find(&snapshot, client, &head, (&id, random));
        (Arc::clone(snapshot.config()), found)
    };
    let (passage, body, with_head) = match found {
        Ok(found) => found,
        Err(own) => {
            client.consume(head.len);
            return answer_here(client, &head, own, (&config, &id, json)).await;
        }
    };
    let by = PickBy {
        now: started,
        random,
        key: passage.key,
        sticky: passage.sticky,
    };
    let (pool, terms) = (passage.destination.pool(), passage.destination.terms());
    let deadline = terms.timeouts.request.map(|whole| (started + whole, whole));
    let mut first = worker.shared.pick(pool, &Tried::default(), by);
    if first.as_ref().is_err_and(|none| *none == NoBackend::Saturated) {
        let until = deadline.map(|(deadline, _)| deadline);
        first = match waiting::for_a_place(client, (pool, &Tried::default()), (by, until)).await {
            Waited::Picked(picked) => picked,
            Waited::ClientGone => return Next::Drop,
        };
        // Others have used the worker's table of lines meanwhile.
        if !client.parse_again(&config.limits) {
            client.consume(head.len);
            let own = Own::Refusal(431, "the head is larger than the limits that hold by now");
            return answer_here(client, &head, own, (&config, &id, json)).await;
        }
    }
    let mut out = worker.take_buffer();
    let own_host = first.as_ref().map_or("", |lease| lease.backend().authority());
    write_head(client, &head, (&config, &id), (&passage, own_host), &mut out);
    let head_length = out.len();
    let taken = head.len + with_head;
    out.extend_from_slice(&client.unused()[head.len..taken]);
    client.consume(taken);
    let answer_edits = passage.edits.as_deref().and_then(answer_edits);
    let mut request = Request {
        worker: Rc::clone(&worker),
        pool,
        sends_own_host: sends_own_host(&passage),
        by,
        id,
        json,
        message: Message {
            head: &head,
            config: &config,
            pool,
            sticky: passage.sticky,
            terms,
            answer_edits: answer_edits.as_ref(),
            deadline,
            outgoing: Outgoing::new(out, head_length, head.method.is_idempotent()),
            body,
            continued: false,
        },
    };
    let next = request.run(client, first, counted).await;
    worker.give_buffer(request.message.outgoing.into_buffer());
    next
}

/// The request's id, and whether its sender wants errors as JSON.
fn identify<S: Transport>(client: &Client<S>, head: &RequestHead, random: u128) -> (RequestId, bool) {
    let lines = client.worker.lines();
    let view = head.view(client.unused(), &lines);
    let id = RequestId::new(view.header("x-request-id").next(), random);
    let accept = view
        .header("accept")
        .next()
        .filter(|accept| memchr::memmem::find(accept, b"json").is_some());
    (
        id,
        accept.is_some_and(|accept| wants_json(std::str::from_utf8(accept).ok())),
    )
}

/// Where a request goes, with its body and how much of that came with the head; or what it is answered with.
fn find<S: Transport>(
    snapshot: &Snapshot,
    client: &Client<S>,
    head: &RequestHead,
    (id, random): (&RequestId, u64),
) -> Result<(Passage, ClientBody, usize), Own> {
    let config = snapshot.config();
    // What came with the head is looked at before any backend is asked, and goes on with it in one piece.
    let mut body = ClientBody::new(head.framing, config.limits.body_size);
    let with_head = body.take(&client.unused()[head.len..]);
    if let Some((status, reason)) = refusal(client, head, config) {
        return Err(Own::Refusal(status, reason));
    }
    let with_head = with_head.map_err(|error| Own::Refusal(error.status(), error.reason()))?;
    if let Some(passage) = Passage::undecided(snapshot) {
        return Ok((passage, body, with_head));
    }
    let lines = client.worker.lines();
    let view = head.view(client.unused(), &lines);
    let incoming = Incoming {
        authority: view.host().unwrap_or_default(),
        method: view.method(),
        path: view.path(),
        query: view.query(),
        headers: &HeadLines(view),
        peer: proxy::Client::new(client.peer.ip(), &config.trusted_proxies),
        id,
    };
    match proxy::route(snapshot, &incoming, (client.worker.shared.index, random)) {
        Ok(Routed::Forward(passage)) => Ok((passage, body, with_head)),
        Ok(Routed::Answer(answer)) => Err(Own::Route(answer)),
        Err(error) => Err(Own::Error(error)),
    }
}

/// The header lines of a head, for conditions of routes.
struct HeadLines<'a>(RequestView<'a>);

impl Headers for HeadLines<'_> {
    fn any(&self, name: &str, passes: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.header(name).any(passes)
    }
}

fn sends_own_host(passage: &Passage) -> bool {
    let forward = passage.destination.forward();
    forward.is_some_and(|forward| forward.send_host == SendHost::Backend)
}

/// Writes the head for the backend whose own host this is.
fn write_head<S: Transport>(
    client: &Client<S>,
    head: &RequestHead,
    (config, id): (&Config, &RequestId),
    (passage, own_host): (&Passage, &str),
    out: &mut Vec<u8>,
) {
    let lines = client.worker.lines();
    let host = passage
        .destination
        .forward()
        .and_then(|forward| match &forward.send_host {
            SendHost::Preserve => None,
            SendHost::Backend => Some(own_host.as_bytes()),
            SendHost::Literal(host) => Some(host.as_bytes()),
        });
    let changes = passage.edits.as_deref();
    let none = AddedLines::default();
    let added = changes.map(|edits| added_lines(&edits.request));
    let edits = RequestEdits {
        target: changes.and_then(|edits| edits.target.as_deref()),
        host,
        lines: LineEdits {
            dropped: changes.map_or(&[], |edits| &edits.request.dropped),
            added: added.as_ref().unwrap_or(&none),
        },
    };
    let peer = proxy::Client::new(client.peer.ip(), &config.trusted_proxies);
    let context = ForwardContext {
        client: &client.address,
        secure: false,
        trusted: peer.trusted,
        forwarded: false,
        via: config.via.as_deref(),
        request_id: id.to_be_written(),
        default_host: own_host,
        close: false,
        edits: (changes.is_some() || host.is_some()).then_some(&edits),
    };
    write_request_head(&head.view(client.unused(), &lines), &context, out);
}

fn added_lines(changes: &LineChanges) -> AddedLines {
    let mut added = AddedLines::default();
    for (name, value) in &changes.added {
        // The configuration has refused the names, and a value that is none is not written.
        added.push(name, value);
    }
    added
}

fn answer_edits(edits: &Edits) -> Option<AnswerEdits> {
    let changes = &edits.response;
    let any = !changes.dropped.is_empty() || !changes.added.is_empty();
    any.then(|| AnswerEdits {
        dropped: Arc::clone(&changes.dropped),
        added: added_lines(changes),
    })
}

async fn answer_here<S: Transport>(
    client: &mut Client<S>,
    head: &RequestHead,
    own: Own,
    (config, id, json): (&Config, &RequestId, bool),
) -> Next {
    let is_head = head.method == Method::Head;
    let goes_on = takes_another(client, head, head.framing.is_empty());
    let (goes_on, failure) = match own {
        Own::Route(answer) => {
            own_answer::write_route(client, &answer, is_head, !goes_on);
            return finish(client, goes_on).await;
        }
        Own::Error(error) => (goes_on, (error.status(), error.reason())),
        Own::Refusal(status, reason) => (false, (status, reason)),
    };
    let answer = ErrorAnswer::new(config, failure, id, json);
    own_answer::write(client, &answer, id, is_head, !goes_on);
    finish(client, goes_on).await
}

/// Whether a client's connection goes on behind an answer of the balancer's own. HTTP/1.0 would have to be told that it does
/// (RFC 9112 section 9.3); such an answer is not worth it.
pub(super) fn takes_another<S: Transport>(client: &Client<S>, head: &RequestHead, read: bool) -> bool {
    head.keep_alive && head.version == Version::Http11 && read && !client.worker.traffic().is_draining()
}

/// Sends what is left of an answer of the balancer's own.
pub(super) async fn finish<S: Transport>(client: &mut Client<S>, goes_on: bool) -> Next {
    let stall = client.worker.shared.stall();
    match client.flush(stall).await {
        Ok(()) if goes_on => Next::Request,
        Ok(()) => Next::Close,
        Err(_) => Next::Drop,
    }
}

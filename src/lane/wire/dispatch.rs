//! From a request's head to what becomes of it: refused, answered here, or sent on.

use std::{rc::Rc, sync::Arc};

use lb_core::{
    attempts::{Attempts, Deadline, GaveUp, PickBy, Step},
    config::SendHost,
    pool::{Lease, Snapshot},
};
use lb_wire::{
    AddedLines, ForwardContext, Framing, LineEdits, RequestEdits, RequestHead, write_request_head,
};

use super::{
    exchange::{AnswerEdits, Message},
    forward::Request,
    outgoing::Outgoing,
    worker::WireWorker,
};
use crate::{
    front::h1::{Client, admit, own_response},
    proxy::{
        self, ClientBody, Edits, HeadLines, Incoming, LineChanges, Own, Passage, ReplyTo, RequestId, Routed,
        Scheme, Transport,
    },
};

/// What becomes of a request.
pub(super) enum Dispatched {
    /// It goes to this backend.
    Forward(Box<Request>, Lease),
    /// It waits until a backend takes one more.
    Wait(Box<Request>),
    /// Its response is on its way to the client.
    Answered { goes_on: bool },
}

/// Takes a request whose head is at the start of what the client sent. What it holds from here on is in a box: an idle
/// connection has none of it.
pub(super) fn dispatch<S: Transport>(
    worker: &Rc<WireWorker>,
    client: &mut Client<S>,
    head: &RequestHead,
) -> Dispatched {
    let worker = Rc::clone(worker);
    let started = client.started().unwrap_or_else(WireWorker::precise_now);
    let random = fastrand::u128(..);
    let (id, json) = identify(client, head, random);
    let random = random as u64;
    let snapshot = worker.shared.registry.snapshot();
    let config = worker.config(&snapshot);
    // What each of them gives is large, so it moves once.
    let (mut body, mut with_head) = match admit(client, head, &config, ClientBody::take) {
        Ok(admitted) => admitted,
        Err(own) => return answer_here(client, head, own, ReplyTo { id: &id, json }),
    };
    let passage = match find(&snapshot, client, head, (&id, random)) {
        Ok(passage) => passage,
        Err(own) => return answer_here(client, head, own, ReplyTo { id: &id, json }),
    };
    drop(snapshot);
    if let Some(names) = removed_trailers(&passage, head) {
        // What came with the head is read again, now that it is known which trailers the route removes.
        let named = head.view(client.unused(), &worker.lines()).named_away();
        body = ClientBody::new(head.framing, named, config.limits.body_size);
        body.leave_out_trailers(names);
        with_head = match body.take(&client.unused()[head.len..]) {
            Ok(with_head) => with_head,
            Err(error) => return answer_here(client, head, error.into(), ReplyTo { id: &id, json }),
        };
    }
    client.note(|notes| {
        notes.note(|facts| {
            facts.id = Some(id.clone());
            facts.destined(&passage.destination);
            facts.received = body.content();
        });
    });
    let by = PickBy {
        worker: worker.shared.index,
        random,
        key: passage.key,
        sticky: passage.sticky,
    };
    let timeouts = &passage.destination.terms().timeouts;
    let deadline = Deadline::of(timeouts, || worker.timers.at(started));
    let original = is_renamed(&passage).then(|| client.unused()[..head.len].into());
    let place = Box::new_uninit();
    let attempts = Attempts::new(by, deadline);
    let request = Request {
        worker,
        id,
        json,
        attempts,
        came: head.len + with_head,
        message: Message {
            head: *head,
            offers: head.view(client.unused(), &client.worker.lines()).offers(),
            config,
            sticky: passage.sticky,
            deadline,
            answer_edits: passage.edits.as_deref().and_then(answer_edits),
            destination: passage.destination,
            outgoing: Outgoing::default(),
            body,
            continued: false,
        },
        original,
        edits: passage.edits,
    };
    let mut request = Box::write(place, request);
    let step = request
        .attempts
        .begin(request.message.destination.pool(), started);
    match step {
        Step::Send(lease) | Step::Reconnect(lease) => {
            request.write(client, lease.backend().authority());
            Dispatched::Forward(request, lease)
        }
        Step::GiveUp(GaveUp::NoBackend(none)) => {
            let goes_on = request.refuse_unsent(client, &none.into());
            Dispatched::Answered { goes_on }
        }
        Step::Wait | Step::PassOn(_) | Step::GiveUp(GaveUp::Failure) | Step::Done => {
            Dispatched::Wait(request)
        }
    }
}

/// Whether the backend gets another path or host than the client has named.
fn is_renamed(passage: &Passage) -> bool {
    let rewrites = passage
        .edits
        .as_deref()
        .is_some_and(|edits| edits.target.is_some());
    let forward = passage.destination.forward();
    rewrites || forward.is_some_and(|forward| forward.send_host != SendHost::Preserve)
}

/// The request's id, and whether its sender wants errors as JSON.
fn identify<S: Transport>(client: &Client<S>, head: &RequestHead, random: u128) -> (RequestId, bool) {
    let lines = client.worker.lines();
    proxy::identify(&head.view(client.unused(), &lines), random)
}

/// Where a request goes, or what it is answered with.
fn find<S: Transport>(
    snapshot: &Snapshot,
    client: &Client<S>,
    head: &RequestHead,
    (id, random): (&RequestId, u64),
) -> Result<Passage, Own> {
    if let Some(passage) = Passage::undecided(snapshot) {
        return Ok(passage);
    }
    let lines = client.worker.lines();
    let view = head.view(client.unused(), &lines);
    let incoming = Incoming {
        authority: view.host().unwrap_or_default(),
        method: view.method(),
        path: view.path(),
        query: view.query(),
        headers: &HeadLines(view),
        peer: proxy::Client::new(client.connection.peer.ip(), &snapshot.config().trusted_proxies),
        id,
        scheme: client.connection.scheme,
    };
    match proxy::route(snapshot, &incoming, (client.worker.shared.index, random)) {
        Ok(Routed::Forward(passage)) => Ok(passage),
        Ok(Routed::Answer(answer)) => Err(Own::Route(answer)),
        Err(error) => Err(Own::Error(error)),
    }
}

/// Names of trailers that the route removes from the request, where its body may have trailers.
fn removed_trailers<'a>(passage: &'a Passage, head: &RequestHead) -> Option<&'a [Box<str>]> {
    let names = &*passage.edits.as_deref()?.request.dropped;
    (!names.is_empty() && head.framing == Framing::Chunked).then_some(names)
}

/// Writes the head for the backend whose own host this is.
pub(super) fn write_head<S: Transport>(
    client: &Client<S>,
    request: &Request,
    own_host: &str,
    out: &mut Vec<u8>,
) {
    let message = &request.message;
    let lines = client.worker.lines();
    let host = message
        .destination
        .forward()
        .and_then(|forward| match &forward.send_host {
            SendHost::Preserve => None,
            SendHost::Backend => Some(own_host.as_bytes()),
            SendHost::Literal(host) => Some(host.as_bytes()),
        });
    let changes = request.edits.as_deref();
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
    let peer = proxy::Client::new(client.connection.peer.ip(), &message.config.trusted_proxies);
    let context = ForwardContext {
        client: &client.connection.address,
        secure: client.connection.scheme == Scheme::Https,
        trusted: peer.trusted,
        forwarded: false,
        via: message.config.via.as_deref(),
        request_id: request.id.to_be_written(),
        default_host: own_host,
        close: false,
        edits: (changes.is_some() || host.is_some()).then_some(&edits),
    };
    write_request_head(&message.head.view(client.unused(), &lines), &context, out);
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

/// Writes a response of the balancer's own.
fn answer_here<S: Transport>(
    client: &mut Client<S>,
    head: &RequestHead,
    own: Own,
    to: ReplyTo<'_>,
) -> Dispatched {
    Dispatched::Answered {
        goes_on: own_response::write_own(client, head, own, to),
    }
}

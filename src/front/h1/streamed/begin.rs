//! From a head to the call of a service, or to the refusal of the request.

use std::rc::Rc;

use bytes::Bytes;
use lb_wire::RequestHead;

use super::{CallPhase, CallUpload, StreamedCall};
use crate::{
    front::{
        Call, Link, Pulse, Service,
        h1::{Client, admit, own_response},
    },
    proxy::{ReplyTo, Transport, identify},
};

/// What becomes of a request.
pub(super) enum Begun<'a, S, R> {
    /// The service has it.
    StreamedCall(Box<StreamedCall<'a, S, R>>),
    /// Its response is on its way.
    Refused { goes_on: bool },
}

/// Takes a request whose head is at the start of what the client sent.
pub(super) fn begin<'a, S: Transport, T: Service>(
    service: &T,
    client: &'a mut Client<S>,
    head: &RequestHead,
) -> Begun<'a, S, T::Response> {
    let worker = Rc::clone(&client.worker);
    let config = worker.config(&worker.shared.registry.snapshot());
    let (id, json) = identify(&head.view(client.unused(), &worker.lines()), fastrand::u128(..));
    let mut data = Vec::new();
    let admitted = admit(client, head, &config, |body, bytes| {
        body.take_data(bytes, &mut data)
    });
    let (body, with_head) = match admitted {
        Ok(admitted) => admitted,
        Err(own) => {
            let goes_on = own_response::write_own(client, head, own, ReplyTo { id: &id, json });
            return Begun::Refused { goes_on };
        }
    };
    client.note(|notes| {
        notes.note(|facts| {
            facts.id = Some(id.clone());
            facts.received = body.content();
        });
    });
    let awaits_continue = head.expect_continue && !body.has_begun();
    let link = Rc::new(Link::new(
        awaits_continue,
        client.notes(),
        Rc::clone(&worker.timers),
    ));
    if body.is_done() || !data.is_empty() {
        link.feed(Bytes::from(data), body.is_done());
    }
    let called = service.call(Call {
        head: head.view(client.unused(), &worker.lines()),
        connection: &client.connection,
        id,
        json,
        link: Rc::clone(&link),
    });
    client.consume(head.len + with_head);
    let now = client.timer.clock().now();
    client.give_up_as_late_as(worker.shared.stall());
    Begun::StreamedCall(Box::new(StreamedCall {
        client,
        head: *head,
        body,
        config,
        link,
        phase: CallPhase::Called(called),
        upload: CallUpload::Unwanted,
        due: 0,
        blocked: false,
        client_pulse: Pulse::new(now),
        moved: now,
        half_closed: None,
    }))
}

//! Answers that the balancer gives itself: to what it cannot forward, and to what it will not.

use std::{io, sync::Arc, time::Instant};

use lb_wire::{AddedLines, Glimpse, Method, RequestHead, Version};

use super::{Client, Next};
use crate::{
    proxy::{
        AnswerForm, ErrorAnswer, ErrorText, Line, NO_FURTHER, Own, ProxyError, ReplyTo, RequestId,
        RouteAnswer, Transport, reason_phrase, wants_json,
    },
    telemetry::{RequestEnd, Responder},
};

/// Writes an answer of the balancer's own into the client's backlog.
pub(crate) fn write<S: Transport>(client: &mut Client<S>, answer: &ErrorAnswer, form: AnswerForm<'_>) {
    client.worker.shared.records.count_response(answer.status);
    client.note(|notes| {
        notes.note(|facts| {
            facts.id = facts.id.take().or_else(|| Some(form.id.clone()));
            facts.sent = own_content(&answer.body, form);
        });
        notes.response(Responder::Balancer, answer.status, Instant::now);
    });
    let date = client.worker.date();
    answer.write(form, &date, client.out.buffer());
}

/// Bytes of content of a response of the balancer's own.
fn own_content(body: &[u8], form: AnswerForm<'_>) -> u64 {
    if form.is_head { 0 } else { body.len() as u64 }
}

/// Writes an answer that a route gives itself.
fn write_route<S: Transport>(client: &mut Client<S>, answer: &RouteAnswer, form: AnswerForm<'_>) {
    client.worker.shared.records.count_response(answer.status);
    client.note(|notes| {
        notes.note(|facts| {
            facts.id = Some(form.id.clone());
            facts.route = Some(Arc::clone(&answer.route));
            facts.sent = own_content(&answer.body, form);
        });
        notes.response(Responder::Balancer, answer.status, Instant::now);
    });
    let date = client.worker.date();
    let out = client.out.buffer();
    let start = format!("HTTP/1.1 {} {}\r\n", answer.status, reason_phrase(answer.status));
    out.extend_from_slice(start.as_bytes());
    let mut lines = AddedLines::default();
    for (name, value) in &answer.lines {
        lines.push(name, value);
    }
    out.extend_from_slice(lines.as_bytes());
    // RFC 9110 section 8.6: none in 204; in 304 it would be that of another answer.
    if !matches!(answer.status, 204 | 304) {
        out.extend_from_slice(format!("Content-Length: {}\r\n", answer.body.len()).as_bytes());
    }
    for part in [
        &b"Date: "[..],
        &date,
        b"\r\n",
        if form.close { b"Connection: close\r\n" } else { b"" },
        b"\r\n",
    ] {
        out.extend_from_slice(part);
    }
    if !form.is_head {
        out.extend_from_slice(&answer.body);
    }
}

/// Refuses a connection, or what came over it and is no request, and closes: where the next request begins is unknown, but how
/// to respond may be known.
pub(crate) async fn refuse_unread<S: Transport>(mut client: Box<Client<S>>, error: ProxyError) {
    client.begin_record(None);
    let id = RequestId::new(None, fastrand::u128(..));
    let glimpse = Glimpse::of(client.unused());
    let accept = glimpse.accept.and_then(|accept| std::str::from_utf8(accept).ok());
    let (is_head, json) = (glimpse.head, wants_json(accept));
    let failed = client.failed(ReplyTo { id: &id, json }, client.unused(), None);
    let answer = client.worker.shared.refuse(&failed, &error, Line::Due);
    let form = AnswerForm {
        id: &id,
        is_head,
        close: true,
    };
    write(&mut client, &answer, form);
    let stall = client.worker.shared.stall();
    let flushed = client.flush(stall).await;
    client.note(|notes| notes.end(end_of(&flushed)));
    client.end_record();
    if flushed.is_ok() {
        client.close_gently().await;
    }
}

/// Writes what a request is sent that goes no further, and takes its head off the client; whether the connection goes on behind
/// it.
pub(crate) fn write_own<S: Transport>(
    client: &mut Client<S>,
    head: &RequestHead,
    own: Own,
    to: ReplyTo<'_>,
) -> bool {
    let ends = matches!(&own, Own::Error(error) if error.ends_connection());
    let goes_on = takes_another(client, head, head.framing.is_empty() && !ends);
    let form = AnswerForm {
        id: to.id,
        is_head: head.method == Method::Head,
        close: !goes_on,
    };
    let answer = match own {
        Own::Error(error) => {
            let failed = client.failed(to, client.unused(), None);
            Some(client.worker.shared.refuse(&failed, &error, Line::Due))
        }
        Own::Options => {
            let text = ErrorText {
                status: 200,
                reason: NO_FURTHER,
                id: to.id,
                retry_after: None,
            };
            let snapshot = client.worker.shared.registry.snapshot();
            Some(ErrorAnswer::new(snapshot.config(), text, to.json))
        }
        Own::Trace(trace) => Some(ErrorAnswer::trace(trace)),
        Own::Route(answer) => {
            write_route(client, &answer, form);
            None
        }
    };
    if let Some(answer) = answer {
        write(client, &answer, form);
    }
    client.consume(head.len);
    goes_on
}

/// Whether a client's connection goes on behind a response of the balancer's own. HTTP/1.0 would have to be told that it does
/// (RFC 9112 section 9.3); such a response is not worth it.
pub(crate) fn takes_another<S: Transport>(client: &Client<S>, head: &RequestHead, read: bool) -> bool {
    head.keep_alive && head.version == Version::Http11 && read && !client.worker.traffic().is_draining()
}

fn end_of(flushed: &io::Result<()>) -> RequestEnd {
    match flushed {
        Ok(()) => RequestEnd::Complete,
        Err(_) => RequestEnd::ClientGone,
    }
}

/// Sends what is left of a response of the balancer's own.
pub(crate) async fn finish<S: Transport>(client: &mut Client<S>, goes_on: bool) -> Next {
    let stall = client.worker.shared.stall();
    let flushed = client.flush(stall).await;
    client.note(|notes| notes.end(end_of(&flushed)));
    match flushed {
        Ok(()) if goes_on => Next::Request,
        Ok(()) => Next::Close,
        Err(_) => Next::Drop,
    }
}

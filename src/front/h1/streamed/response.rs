//! The response: heads and body of what the service gives, as bytes for the client.

use std::{
    io,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use lb_wire::{
    AddedLines, AnswerContext, Asked, BodyPlan, CHUNK_END, LAST_CHUNK, Limits, LineEdits, MadeHead,
    MadeLength, Method, Parsed, Version, parse_response, write_chunk_head, write_made_head,
    write_response_head,
};

use super::{CallPhase, End, GATHERED, Step, StreamedCall};
use crate::{
    front::{Length, Response, Switched, h1::OpenTunnel},
    proxy::{Transport, reason_phrase},
    telemetry::Responder,
};

/// Heads that a lane passes on as they came; it has read them by limits of its own.
const HEAD_LIMITS: Limits = Limits {
    head_bytes: 1024 * 1024,
    header_count: 1000,
    target_bytes: 0,
};

/// A longer response is not taken to have been read by the client when it was sent.
const SHORT: u64 = 16 * 1024;

/// How far a response has come.
pub(super) struct Outcome {
    /// Bytes of the body that are still to come, where its length is known.
    left: Option<u64>,
    chunked: bool,
    goes_on: bool,
    sent: u64,
    ended: bool,
}

impl<S: Transport, R: Response> StreamedCall<'_, S, R> {
    /// Lets the service go on: until it responds, and then for the next piece of its body.
    pub(super) fn poll_service(&mut self, cx: &mut Context<'_>) -> Step {
        self.link.forget_due();
        match &mut self.phase {
            CallPhase::Called(called) => match called.as_mut().poll(cx) {
                Poll::Pending => Step::Idle,
                Poll::Ready(response) => self.begin_response(response),
            },
            CallPhase::Responding(_, outcome) if outcome.ended || self.blocked => Step::Idle,
            CallPhase::Responding(..) => {
                if self.client.out.len() >= GATHERED && self.poll_flush(cx).is_err() {
                    return Step::End(End::Gone);
                }
                if self.blocked {
                    return Step::Idle;
                }
                let CallPhase::Responding(response, outcome) = &mut self.phase else {
                    return Step::Idle;
                };
                let now = self.client.timer.clock().now();
                let client = &mut *self.client;
                match response.poll_data(cx) {
                    Poll::Pending => Step::Idle,
                    Poll::Ready(Some(Ok(data))) => {
                        self.moved = now;
                        match outcome.pass(&data) {
                            Ok(()) => {}
                            Err(end) => return Step::End(end),
                        }
                        if data.is_empty() {
                            return Step::Moved(0);
                        }
                        if outcome.chunked {
                            write_chunk_head(data.len(), client.out.buffer());
                        }
                        if client.out.send(cx, &mut client.stream, &data).is_err() {
                            return Step::End(End::Gone);
                        }
                        if outcome.chunked {
                            client.out.buffer().extend_from_slice(CHUNK_END);
                        }
                        self.client_pulse.since = now;
                        client.note(|notes| notes.note(|facts| facts.sent += data.len() as u64));
                        Step::Moved(data.len())
                    }
                    Poll::Ready(None) if outcome.left.is_none_or(|left| left == 0) => {
                        if outcome.chunked {
                            client.out.buffer().extend_from_slice(LAST_CHUNK);
                        }
                        outcome.ended = true;
                        Step::Moved(0)
                    }
                    Poll::Ready(None | Some(Err(_))) => Step::End(outcome.broken()),
                }
            }
        }
    }

    /// Whether all of the request has been read, and taken: of a body that is of no use the end is not looked for.
    fn is_uploaded(&self) -> bool {
        self.body.is_done() && self.link.is_taken()
    }

    /// Whether all of the response is written.
    pub(super) fn is_over(&self) -> bool {
        matches!(&self.phase, CallPhase::Responding(_, outcome) if outcome.ended)
    }

    pub(super) fn is_responding(&self) -> bool {
        matches!(self.phase, CallPhase::Responding(..))
    }

    /// The end of a response that is over.
    pub(super) fn end(&self) -> End {
        let CallPhase::Responding(_, outcome) = &self.phase else {
            return End::Gone;
        };
        End::Done {
            goes_on: outcome.goes_on && self.body.is_done(),
            is_long: outcome.sent > SHORT,
        }
    }

    /// What the client does not read any more, or not whole.
    pub(super) fn break_off(&self) -> End {
        match &self.phase {
            CallPhase::Responding(..) => End::Broken { reset: true },
            CallPhase::Called(_) => End::Gone,
        }
    }

    fn begin_response(&mut self, response: R) -> Step {
        let now = self.now();
        (self.moved, self.client_pulse.since) = (now, now);
        // What came in one piece with it goes first.
        self.write_interim();
        self.client
            .worker
            .shared
            .records
            .count_response(response.status());
        // The lane has noted what is a backend's.
        self.client.note(|notes| {
            notes.note(|facts| {
                if facts.responder == Responder::Nobody {
                    facts.responder = Responder::Balancer;
                    facts.times.first_byte = Some(facts.times.started.elapsed());
                }
                facts.status = Some(response.status());
            });
        });
        if response.status() == 101
            && let Some(switched) = self.link.take_switched()
        {
            return Step::End(self.switch(*switched));
        }
        let draining = self.client.worker.traffic().is_draining();
        let date = self.client.worker.date();
        let length = response.length();
        let bodiless = self.head.method == Method::Head || matches!(response.status(), 204 | 304);
        let head = MadeHead {
            status: response.status(),
            reason: reason_phrase(response.status()),
            length: match length {
                // RFC 9110 section 8.6.
                _ if response.status() == 204 => MadeLength::Absent,
                Length::Absent => MadeLength::Absent,
                Length::Known(length) => MadeLength::Known(length),
                Length::Unknown if bodiless => MadeLength::Absent,
                Length::Unknown => MadeLength::Unknown,
            },
            client: self.head.version,
            keep_alive: self.head.keep_alive && self.is_uploaded() && !draining && !response.closes(),
            date: Some(&date),
            via: self.config.via.as_deref().map(|via| (via, response.version())),
        };
        let made = write_made_head(&head, |line| response.lines(line), self.client.out.buffer());
        let empty = bodiless || length == Length::Absent;
        let outcome = Outcome {
            left: match length {
                Length::Known(length) if !empty => Some(length),
                _ if empty => Some(0),
                _ => None,
            },
            chunked: made.chunked,
            goes_on: made.goes_on,
            sent: 0,
            ended: bodiless,
        };
        self.phase = CallPhase::Responding(response, outcome);
        Step::Moved(0)
    }

    /// Passes interim responses on: 100 to a client that waits for it, others to all that speak HTTP/1.1 (RFC 9110 section
    /// 15.2). While one waits for the client, no other is taken.
    pub(super) fn pass_interim(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.blocked || !self.link.is_full() {
            return Ok(());
        }
        self.write_interim();
        self.poll_flush(cx)
    }

    fn write_interim(&mut self) {
        let heads = self.link.take_interim();
        let mut rest = &heads[..];
        let worker = Rc::clone(&self.client.worker);
        while !rest.is_empty() {
            let asked = Asked {
                method: self.head.method,
                offers: &[],
            };
            let mut lines = worker.lines();
            let Ok(Parsed::Complete(head)) = parse_response(rest, &mut lines, &HEAD_LIMITS, asked) else {
                break;
            };
            let wanted = head.status != 100 || self.link.awaits_continue();
            if self.head.version == Version::Http11 && wanted {
                if head.status == 100 {
                    // From now on the body is due.
                    self.link.asked();
                    self.client_pulse.since = self.now();
                }
                let context = AnswerContext {
                    client: self.head.version,
                    keep_alive: true,
                    body: BodyPlan::Copy,
                    length_without_body: true,
                    date: None,
                    via: self.config.via.as_deref(),
                    edits: None,
                };
                write_response_head(&head.view(rest, &lines), &context, self.client.out.buffer());
            }
            rest = &rest[head.len..];
        }
    }

    /// Writes the head of a switch of protocols; what waits for the client goes ahead of the tunnel's bytes.
    fn switch(&mut self, switched: Switched) -> End {
        let worker = Rc::clone(&self.client.worker);
        let mut lines = worker.lines();
        let asked = Asked {
            method: self.head.method,
            offers: &switched.offers,
        };
        let Ok(Parsed::Complete(head)) = parse_response(&switched.head, &mut lines, &HEAD_LIMITS, asked)
        else {
            return End::Gone;
        };
        let mut added = AddedLines::default();
        for (name, value) in &switched.changes.added {
            added.push(name, value);
        }
        let dropped = Arc::clone(&switched.changes.dropped);
        let date = worker.date();
        let context = AnswerContext {
            client: self.head.version,
            keep_alive: false,
            body: BodyPlan::Copy,
            length_without_body: true,
            date: Some(&date),
            via: self.config.via.as_deref(),
            edits: Some(LineEdits {
                dropped: &dropped,
                added: &added,
            }),
        };
        write_response_head(
            &head.view(&switched.head, &lines),
            &context,
            self.client.out.buffer(),
        );
        End::Tunnel(Box::new(OpenTunnel {
            backend: switched.connection,
            unsent: [&switched.unsent[..], &self.link.take_piece()].concat(),
            lease: switched.lease,
            idle: switched.idle,
        }))
    }
}

impl Outcome {
    /// Counts bytes of the body; more than were announced cannot be sent.
    fn pass(&mut self, data: &[u8]) -> Result<(), End> {
        self.sent += data.len() as u64;
        if let Some(left) = &mut self.left {
            match left.checked_sub(data.len() as u64) {
                Some(less) => *left = less,
                None => return Err(self.broken()),
            }
        }
        Ok(())
    }

    /// The client would take the end of its connection for the end of the body, if nothing else says where that is.
    fn broken(&self) -> End {
        End::Broken {
            reset: self.left.is_none() && !self.chunked,
        }
    }
}

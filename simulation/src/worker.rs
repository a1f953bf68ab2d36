//! What a worker does with a request: it carries out the steps that [`Attempts`] decides, as the lanes do.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use super::{
    Nanos,
    engine::{Due, Engine},
    nanos,
    random::unit,
    station::{Fate, Work},
    tally::Ended,
};
use lb_core::{
    attempts::{
        self, At, AttemptEnd, Attempts, Cause, Connection, Deadline, Failure, GaveUp, PickBy, Progress,
        Replay, Step, Upload, Wait,
    },
    pool::{AnswerHead, AnswerKind, Lease, NoBackend, Ticket},
    strategy::mix,
};

/// Tells the random number of an attempt's luck from those of its backend's choice.
const LUCK: u64 = 0x10C4;

/// The status of a failing backend's answers.
const FAILING_STATUS: u16 = 503;

/// A request that is being answered.
pub(super) struct Request {
    number: u64,
    /// Chance of its own.
    random: u64,
    arrived: Nanos,
    takes: Nanos,
    replay: Replay,
    attempts: Attempts,
    lease: Option<Lease>,
    /// Why its last attempt failed.
    failed: Option<Cause>,
    /// While it waits for a backend with a free place.
    ticket: Option<Ticket>,
}

/// What comes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A response with this status.
    Response(u16),
    /// None.
    Failure(Cause),
}

/// Requests that wait, in the order of the pool's queue: where they are, and their numbers, because places are used again.
pub(super) type Waiting = VecDeque<(usize, u64)>;

impl Engine<'_> {
    pub(super) fn arrive(&mut self, now: Nanos) {
        self.arrived += 1;
        let takes = self.scenario.service.draw(&mut self.work);
        let replay = match self.work.unit() >= self.scenario.unsafe_share {
            true => Replay::Always,
            false => Replay::IfUnsent,
        };
        let random = mix(self.scenario.seed ^ mix(self.arrived));
        let by = PickBy {
            random,
            key: Some(mix(self.clients.below(self.scenario.clients))),
            ..PickBy::default()
        };
        let clock = self.control.clock(now);
        let request = self.requests.insert(Request {
            number: self.arrived,
            random,
            arrived: now,
            takes,
            replay,
            attempts: Attempts::new(by, self.deadline(now)),
            lease: None,
            failed: None,
            ticket: None,
        });
        let step = self.requests[request].attempts.begin(self.control.pool(), clock);
        self.carry_out(now, request, step);
    }

    /// Until when a request that arrived then has to be done.
    fn deadline(&self, arrived: Nanos) -> Option<Deadline> {
        Deadline::of(&self.scenario.pool.timeouts, || self.control.clock(arrived))
    }

    /// Carries out a step, and those that follow it at once.
    fn carry_out(&mut self, now: Nanos, index: usize, step: Step) {
        let mut step = step;
        loop {
            step = match step {
                Step::Send(lease) | Step::Reconnect(lease) => match self.send(now, index, lease) {
                    Some(next) => next,
                    None => return,
                },
                Step::Wait => match self.wait(now, index) {
                    Ok(()) => return,
                    Err(none) => self.waited(index, Err(none)),
                },
                Step::PassOn(lease) => {
                    if let Some(lease) = lease {
                        self.finish(now, lease, AttemptEnd::Complete);
                    }
                    return self.end(now, index, Ended::Failed);
                }
                Step::GiveUp(GaveUp::NoBackend(_)) => return self.end(now, index, Ended::Refused),
                Step::GiveUp(GaveUp::Failure) => {
                    let ended = match self.requests[index].failed {
                        Some(Cause::Broken | Cause::Response) => Ended::Broken,
                        Some(Cause::Silence | Cause::Deadline) => Ended::TimedOut,
                        _ => Ended::Refused,
                    };
                    return self.end(now, index, ended);
                }
                Step::Done => return self.end(now, index, Ended::Answered),
            };
        }
    }

    /// Joins the queue of the pool, if that has room.
    fn wait(&mut self, now: Nanos, index: usize) -> Result<(), NoBackend> {
        let clock = self.control.clock(now);
        let request = &mut self.requests[index];
        let place = request.attempts.join(self.control.pool(), clock)?;
        request.ticket = Some(place.ticket);
        let number = request.number;
        self.waiting.push_back((index, number));
        let end = now.saturating_add(nanos(place.until.saturating_duration_since(clock)));
        self.agenda.note(end, Due::WaitEnds(index, number));
        Ok(())
    }

    /// A request that has waited for too long leaves the queue.
    pub(super) fn wait_ends(&mut self, now: Nanos, index: usize, number: u64) {
        let request = self
            .requests
            .get_mut(index)
            .filter(|request| request.number == number);
        if request.is_some_and(|request| request.ticket.take().is_some()) {
            let step = self.waited(index, Err(NoBackend::QueueTimedOut));
            self.carry_out(now, index, step);
        }
    }

    fn waited(&mut self, index: usize, picked: Result<Lease, NoBackend>) -> Step {
        self.requests[index].attempts.waited(picked, self.control.pool())
    }

    /// Sends waiting requests on for which there is a place now, in their order.
    pub(super) fn serve_waiting(&mut self, now: Nanos) {
        while let Some((index, picked)) = self.called(now) {
            let step = self.waited(index, picked);
            self.carry_out(now, index, step);
        }
    }

    /// The first request that has its turn. A retry that finds nothing for itself lets those behind it look.
    fn called(&mut self, now: Nanos) -> Option<(usize, Result<Lease, NoBackend>)> {
        let clock = self.control.clock(now);
        let mut place = 0;
        while let Some(&(index, number)) = self.waiting.get(place) {
            let pool = self.control.pool();
            let request = self.requests.get_mut(index);
            let waits = request.filter(|request| request.number == number && request.ticket.is_some());
            let Some((request, ticket)) = waits.and_then(|request| {
                let ticket = request.ticket.take()?;
                Some((request, ticket))
            }) else {
                self.waiting.remove(place);
                continue;
            };
            let pick = || request.attempts.in_turn(pool, clock);
            let picked = ticket.poll(&Context::from_waker(Waker::noop()), pick);
            match picked {
                Poll::Ready(picked) => {
                    self.waiting.remove(place);
                    return Some((index, picked));
                }
                Poll::Pending => request.ticket = Some(ticket),
            }
            if request.attempts.count() == 0 {
                return None;
            }
            place += 1;
        }
        None
    }

    /// Sends a request to a backend; the next step, if that is known at once.
    fn send(&mut self, now: Nanos, index: usize, lease: Lease) -> Option<Step> {
        let backend = self.control.index_of(lease.backend());
        let request = &mut self.requests[index];
        self.attempts += 1;
        self.tally.attempt(now, backend);
        // Chance of its own for each attempt, the same under every strategy.
        let luck = unit(mix(
            request.random ^ mix(LUCK + u64::from(request.attempts.count()))
        ));
        let work = Work {
            takes: request.takes,
            luck,
        };
        let (at, arrival) = match self.stations[backend].take(now, work) {
            Fate::Answered { at, ok: true } => (at, Arrival::Response(200)),
            Fate::Answered { at, ok: false } => (at, Arrival::Response(FAILING_STATUS)),
            Fate::Broken { at } => (at, Arrival::Failure(Cause::Broken)),
            Fate::Refused => return Some(self.decide(now, index, lease, failure(Cause::Connect))),
        };
        self.requests[index].lease = Some(lease);
        let clock = self.control.clock(now);
        let deadline = self.deadline(self.requests[index].arrived);
        let wait = Wait::Head {
            since: clock,
            sent: Some(clock),
        };
        let end = wait.ends(&self.scenario.pool.timeouts, deadline);
        let ends_at = now.saturating_add(nanos(end.at.saturating_duration_since(clock)));
        let (at, arrival) = match at <= ends_at {
            true => (at, arrival),
            false => (ends_at, Arrival::Failure(end.by.limit.cause())),
        };
        self.agenda.note(at, Due::AttemptEnds(index, arrival));
        None
    }

    pub(super) fn attempt_ends(&mut self, now: Nanos, index: usize, arrival: Arrival) {
        let Some(lease) = self.requests[index].lease.take() else {
            return;
        };
        let clock = self.control.clock(now);
        let retries = &self.scenario.pool.retries;
        let end = match arrival {
            Arrival::Response(status) => {
                let kind = AnswerKind::of(status, self.scenario.pool.ejection.as_ref());
                let head = AnswerHead {
                    status,
                    kind,
                    timed: true,
                };
                lease.answered(clock, head);
                let request = &self.requests[index];
                let pool = self.control.pool();
                let at = At {
                    pool,
                    retries,
                    now: clock,
                };
                match request.attempts.rejects(status, request.replay, at) {
                    true => AttemptEnd::Rejected,
                    // To be passed on, as it is.
                    false if status == FAILING_STATUS => {
                        return self.carry_out(now, index, Step::PassOn(Some(lease)));
                    }
                    false => AttemptEnd::Complete,
                }
            }
            Arrival::Failure(cause) => failure(cause),
        };
        let step = self.decide(now, index, lease, end);
        self.carry_out(now, index, step);
    }

    /// What comes after an attempt.
    fn decide(&mut self, now: Nanos, index: usize, lease: Lease, end: AttemptEnd) -> Step {
        let clock = self.control.clock(now);
        let request = &mut self.requests[index];
        if let AttemptEnd::Failed(failure) = end {
            request.failed = Some(failure.cause);
        }
        let at = At {
            pool: self.control.pool(),
            retries: &self.scenario.pool.retries,
            now: clock,
        };
        let decision = request.attempts.after(end, lease, request.replay, at);
        self.judge_if(now, decision.failed_in_a_row);
        decision.step
    }

    fn finish(&mut self, now: Nanos, lease: Lease, end: AttemptEnd) {
        let clock = self.control.clock(now);
        let failed_in_a_row = attempts::finish(lease, &end, || clock);
        self.judge_if(now, failed_in_a_row);
    }

    /// A backend that has failed often enough in a row is judged at once, or after the same pause as in the registry.
    fn judge_if(&mut self, now: Nanos, failed_in_a_row: Option<u64>) {
        let pause = failed_in_a_row.and_then(|backend| self.control.failed_in_a_row(now, backend));
        if let Some(pause) = pause {
            self.agenda.note(now + nanos(pause), Due::JudgementPause);
        }
    }

    fn end(&mut self, now: Nanos, index: usize, ended: Ended) {
        let request = self.requests.remove(index);
        self.tally.end(now, request.arrived, ended);
    }
}

/// An attempt whose request was complete, over a connection of its own.
fn failure(cause: Cause) -> AttemptEnd {
    AttemptEnd::Failed(Failure {
        cause,
        progress: match cause {
            Cause::Connect => Progress::NotSent,
            _ => Progress::Sent,
        },
        upload: Upload::Complete,
        connection: Connection::New,
    })
}

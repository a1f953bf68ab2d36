//! What a worker does with a request: pick, wait while all backends are full, send, and after a failure ask again, by the
//! rules and within the budget of [`retry`](lb_core::retry).

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
    time::Instant,
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
    pool::{AnswerHead, AnswerKind, Ask, Lease, NoBackend, Outcome, Ticket, Tried},
    retry::{Progress, Replay},
    strategy::mix,
};

/// Tells the random number of an attempt's luck from those of its backend's choice.
const LUCK: u64 = 0x10C4;

/// The status of a failing backend's answers.
const FAILING_STATUS: u16 = 503;

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptEnd {
    Answered,
    Failed,
    Broken,
    TimedOut,
}

/// A request that is being answered.
pub(super) struct Request {
    number: u64,
    /// Chance of its own.
    random: u64,
    /// Its client.
    key: u64,
    arrived: Nanos,
    takes: Nanos,
    safe: bool,
    tried: Tried,
    retries: u32,
    lease: Option<Lease>,
    /// While it waits for a backend with a free place.
    ticket: Option<Ticket>,
}

impl Request {
    fn ask(&self, now: Instant) -> Ask<'_> {
        Ask {
            worker: 0,
            now,
            random: self.random,
            key: Some(self.key),
            sticky: None,
            tried: &self.tried,
        }
    }
}

/// Requests that wait, in the order of the pool's queue: where they are, and their numbers, because places are used again.
pub(super) type Waiting = VecDeque<(usize, u64)>;

impl Engine<'_> {
    pub(super) fn arrive(&mut self, now: Nanos) {
        self.arrived += 1;
        let takes = self.scenario.service.draw(&mut self.work);
        let safe = self.work.unit() >= self.scenario.unsafe_share;
        let request = self.requests.insert(Request {
            number: self.arrived,
            random: mix(self.scenario.seed ^ mix(self.arrived)),
            key: mix(self.clients.below(self.scenario.clients)),
            arrived: now,
            takes,
            safe,
            tried: Tried::default(),
            retries: 0,
            lease: None,
            ticket: None,
        });
        match self.pick(now, request) {
            Ok(lease) => self.send(now, request, lease),
            Err(NoBackend::Saturated) => self.wait(now, request),
            Err(NoBackend::NoneEligible | NoBackend::AllTried) => self.end(now, request, Ended::Refused),
        }
    }

    fn pick(&mut self, now: Nanos, index: usize) -> Result<Lease, NoBackend> {
        let ask = self.requests[index].ask(self.control.clock(now));
        self.control.pool().pick(&ask)
    }

    /// Joins the queue of the pool, if that has room.
    fn wait(&mut self, now: Nanos, index: usize) {
        let settings = self.scenario.pool.queue;
        let Some(ticket) = self.control.pool().queue().join(settings.size as usize) else {
            return self.end(now, index, Ended::Refused);
        };
        let request = &mut self.requests[index];
        request.ticket = Some(ticket);
        let number = request.number;
        self.waiting.push_back((index, number));
        let end = now.saturating_add(nanos(settings.timeout));
        self.agenda.note(end, Due::WaitEnds(index, number));
    }

    /// Who has waited for too long leaves.
    pub(super) fn wait_ends(&mut self, now: Nanos, index: usize, number: u64) {
        let request = self
            .requests
            .get_mut(index)
            .filter(|request| request.number == number);
        if request.is_some_and(|request| request.ticket.take().is_some()) {
            self.end(now, index, Ended::Refused);
        }
    }

    /// Sends those on for whom there is a place now, in their order.
    pub(super) fn serve_waiting(&mut self, now: Nanos) {
        let clock = self.control.clock(now);
        while let Some(&(index, number)) = self.waiting.front() {
            let request = self
                .requests
                .get_mut(index)
                .filter(|request| request.number == number);
            let Some((request, ticket)) = request.and_then(|request| {
                let ticket = request.ticket.take()?;
                Some((request, ticket))
            }) else {
                self.waiting.pop_front();
                continue;
            };
            let (pool, ask) = (self.control.pool(), request.ask(clock));
            let pick = || match pool.pick_in_turn(&ask) {
                Err(NoBackend::Saturated) => None,
                picked => Some(picked),
            };
            let picked = ticket.poll(&Context::from_waker(Waker::noop()), pick);
            let Poll::Ready(picked) = picked else {
                request.ticket = Some(ticket);
                return;
            };
            self.waiting.pop_front();
            drop(ticket);
            match picked {
                Ok(lease) => self.send(now, index, lease),
                Err(_) => self.end(now, index, Ended::Refused),
            }
        }
    }

    /// Sends a request to the backend that was picked, and to another one for as long as backends refuse.
    fn send(&mut self, now: Nanos, index: usize, lease: Lease) {
        let mut lease = lease;
        loop {
            let backend = self.control.index_of(lease.backend());
            let request = &mut self.requests[index];
            request.tried.add(lease.backend());
            self.attempts += 1;
            self.tally.attempt(now, backend);
            // Chance of its own for each attempt, the same under every strategy.
            let luck = unit(mix(request.random ^ mix(LUCK + request.tried.len() as u64)));
            let work = Work {
                takes: request.takes,
                luck,
            };
            let fate = self.stations[backend].take(now, work);
            let (at, end) = match fate {
                Fate::Answered { at, ok: true } => (at, AttemptEnd::Answered),
                Fate::Answered { at, ok: false } => (at, AttemptEnd::Failed),
                Fate::Broken { at } => (at, AttemptEnd::Broken),
                Fate::Refused => {
                    let next = self.next_after(now, index, Progress::NotSent);
                    self.finish(now, lease, Outcome::BackendFailed);
                    match next {
                        Some(next) => lease = next,
                        None => return self.end(now, index, Ended::Refused),
                    }
                    continue;
                }
            };
            request.lease = Some(lease);
            let deadline = self.deadline(now, index);
            let (at, end) = if at > deadline {
                (deadline, AttemptEnd::TimedOut)
            } else {
                (at, end)
            };
            return self.agenda.note(at, Due::AttemptEnds(index, end));
        }
    }

    /// Until when an attempt that begins now has to have its answer.
    fn deadline(&self, now: Nanos, index: usize) -> Nanos {
        let timeouts = &self.scenario.pool.timeouts;
        let whole = timeouts.request.map_or(Nanos::MAX, |request| {
            self.requests[index].arrived.saturating_add(nanos(request))
        });
        now.saturating_add(nanos(timeouts.response_idle)).min(whole)
    }

    pub(super) fn attempt_ends(&mut self, now: Nanos, index: usize, end: AttemptEnd) {
        let Some(lease) = self.requests[index].lease.take() else {
            return;
        };
        let next = match end {
            AttemptEnd::Answered => None,
            AttemptEnd::Failed if !self.scenario.pool.retries.statuses.contains(&FAILING_STATUS) => None,
            AttemptEnd::TimedOut if self.is_over(now, index) => None,
            _ => self.next_after(now, index, Progress::Sent),
        };
        let (status, outcome) = match end {
            AttemptEnd::Answered => (Some(200), Outcome::Answered),
            AttemptEnd::Failed if next.is_none() => (Some(FAILING_STATUS), Outcome::Answered),
            AttemptEnd::Failed => (Some(FAILING_STATUS), Outcome::Rejected),
            AttemptEnd::Broken | AttemptEnd::TimedOut => (None, Outcome::BackendFailed),
        };
        if let Some(status) = status {
            let kind = AnswerKind::of(status, self.scenario.pool.ejection.as_ref());
            lease.answered(self.control.clock(now), AnswerHead { kind, timed: true });
        }
        self.finish(now, lease, outcome);
        match (next, end) {
            (Some(next), _) => self.send(now, index, next),
            (None, AttemptEnd::Answered) => self.end(now, index, Ended::Answered),
            (None, AttemptEnd::Failed) => self.end(now, index, Ended::Failed),
            (None, AttemptEnd::Broken) => self.end(now, index, Ended::Broken),
            (None, AttemptEnd::TimedOut) => self.end(now, index, Ended::TimedOut),
        }
    }

    /// Ends a lease; who has failed often enough in a row with it is judged at once, or after the same pause as in the
    /// registry.
    fn finish(&mut self, now: Nanos, lease: Lease, outcome: Outcome) {
        let asks = lease.finish(outcome, self.control.clock(now));
        let pause = asks.and_then(|backend| self.control.failed_in_a_row(now, backend));
        if let Some(pause) = pause {
            self.agenda.note(now + nanos(pause), Due::JudgementPause);
        }
    }

    /// Whether the time of the request as a whole is over.
    fn is_over(&self, now: Nanos, index: usize) -> bool {
        let limit = self.scenario.pool.timeouts.request;
        limit.is_some_and(|limit| now >= self.requests[index].arrived.saturating_add(nanos(limit)))
    }

    /// Another backend for a request whose attempt failed, if that is right.
    fn next_after(&mut self, now: Nanos, index: usize, progress: Progress) -> Option<Lease> {
        let settings = &self.scenario.pool.retries;
        let request = &self.requests[index];
        let replay = Replay {
            safe: request.safe,
            body_intact: true,
        };
        let (attempts, clock) = (self.attempts, self.control.clock(now));
        let left = request.retries < settings.attempts && replay.allows(progress);
        let pool = self.control.pool();
        if !left || !pool.has_untried(&request.tried) {
            return None;
        }
        let paid = progress == Progress::NotSent || pool.retry_budget().withdraw(settings, attempts, clock);
        let next = if paid { self.pick(now, index).ok() } else { None };
        if next.is_some() {
            self.requests[index].retries += 1;
            self.retries += 1;
        }
        next
    }

    fn end(&mut self, now: Nanos, index: usize, ended: Ended) {
        let request = self.requests.remove(index);
        self.tally.end(now, request.arrived, ended);
    }
}

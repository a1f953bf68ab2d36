//! The loop of a run: the next arrival, or the next thing on the agenda, whichever comes first.
//!
//! It does what a worker does with a request: pick, send, and after a failure ask again, by the rules and within the
//! budget of [`retry`](crate::retry).

use std::time::{Duration, Instant};

use slab::Slab;

use super::{
    Nanos, Scenario,
    agenda::Agenda,
    control::Control,
    load::Arrivals,
    nanos,
    random::{Random, unit},
    report::{BackendReport, Happening, Report},
    station::{Fate, Station, Work},
    tally::{Ended, Tally},
};
use crate::{
    config::StrategyConfig,
    pool::{AnswerHead, AnswerKind, Ask, Lease, Member, Outcome, Tried},
    retry::{Progress, Replay},
    strategy::mix,
};

/// Streams of random numbers; arrivals have the first.
const REQUESTS: u64 = 2;
const PROBES: u64 = 3;
const CLIENTS: u64 = 4;

/// Tells the random number of an attempt's luck from those of its backend's choice.
const LUCK: u64 = 0x10C4;

/// How often backends are judged, as in the registry.
const TICK: Duration = Duration::from_millis(500);

/// The status of a failing backend's answers.
const FAILING_STATUS: u16 = 503;

/// Runs a scenario under a strategy. `base` is what the balancer's clock shows at the begin; it does not matter for the
/// result.
pub fn run(scenario: &Scenario, strategy: &StrategyConfig, base: Instant) -> Report {
    Engine::new(scenario, strategy, base).run()
}

struct Engine<'a> {
    scenario: &'a Scenario,
    strategy: &'a StrategyConfig,
    control: Control,
    stations: Vec<Station>,
    agenda: Agenda<Due>,
    requests: Slab<Request>,
    arrived: u64,
    attempts: u64,
    retries: u64,
    work: Random,
    probes: Random,
    clients: Random,
    tally: Tally,
}

/// What can be on the agenda.
enum Due {
    /// An attempt of this request ends so.
    AttemptEnds(usize, AttemptEnd),
    /// The backend is asked whether it is alive.
    ProbeBegins(usize),
    /// The probe has its result.
    ProbeEnds(usize, bool),
    /// What requests met is judged, as the registry does it twice a second.
    Judgement,
}

/// How an attempt ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AttemptEnd {
    Answered,
    Failed,
    Broken,
    TimedOut,
}

/// A request that is being answered.
struct Request {
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
}

impl<'a> Engine<'a> {
    fn new(scenario: &'a Scenario, strategy: &'a StrategyConfig, base: Instant) -> Self {
        let end = nanos(scenario.duration);
        let stations = scenario.backends.iter();
        let stations: Vec<Station> = stations.map(|model| Station::new(model.clone(), end)).collect();
        Self {
            scenario,
            strategy,
            control: Control::new(scenario, strategy.clone(), base),
            tally: Tally::new(end, stations.len()),
            stations,
            agenda: Agenda::new(),
            requests: Slab::new(),
            arrived: 0,
            attempts: 0,
            retries: 0,
            work: Random::new(scenario.seed, REQUESTS),
            probes: Random::new(scenario.seed, PROBES),
            clients: Random::new(scenario.seed, CLIENTS),
        }
    }

    fn run(mut self) -> Report {
        let scenario = self.scenario;
        self.schedule_probes();
        if self.control.judges() {
            self.agenda.note(nanos(TICK), Due::Judgement);
        }
        for arrival in Arrivals::new(&scenario.load, scenario.seed, scenario.duration) {
            while self.agenda.next_at().is_some_and(|at| at <= arrival) {
                self.step();
            }
            self.arrive(arrival);
        }
        // Probes go on for ever; requests do not.
        while !self.requests.is_empty() {
            self.step();
        }
        self.report()
    }

    fn step(&mut self) {
        match self.agenda.next() {
            Some((now, Due::AttemptEnds(request, end))) => self.attempt_ends(now, request, end),
            Some((now, Due::ProbeBegins(backend))) => self.probe(now, backend),
            Some((now, Due::ProbeEnds(backend, ok))) => {
                if let Some(pause) = self.control.probed(now, backend, (ok, self.probes.unit())) {
                    self.agenda.note(now + nanos(pause), Due::ProbeBegins(backend));
                }
            }
            Some((now, Due::Judgement)) => {
                self.control.judge(now);
                self.agenda.note(now + nanos(TICK), Due::Judgement);
            }
            None => {}
        }
    }

    /// The first probes are spread over an interval, as they are some time after a balancer's start.
    fn schedule_probes(&mut self) {
        for index in 0..self.stations.len() {
            if let Some(check) = self.control.check(index) {
                let at = self.probes.below(nanos(check.interval).max(1));
                self.agenda.note(at, Due::ProbeBegins(index));
            }
        }
    }

    fn probe(&mut self, now: Nanos, backend: usize) {
        let Some(check) = self.control.check(backend) else {
            return;
        };
        let deadline = now + nanos(check.timeout);
        let answer = self.stations[backend].probe(now);
        let ok = answer.is_some_and(|at| at <= deadline);
        let at = answer.unwrap_or(now).min(deadline);
        self.agenda.note(at, Due::ProbeEnds(backend, ok));
    }

    fn arrive(&mut self, now: Nanos) {
        self.arrived += 1;
        let takes = self.scenario.service.draw(&mut self.work);
        let safe = self.work.unit() >= self.scenario.unsafe_share;
        let request = self.requests.insert(Request {
            random: mix(self.scenario.seed ^ mix(self.arrived)),
            key: mix(self.clients.below(self.scenario.clients)),
            arrived: now,
            takes,
            safe,
            tried: Tried::default(),
            retries: 0,
            lease: None,
        });
        match self.pick(now, request) {
            Some(lease) => self.send(now, request, lease),
            None => self.end(now, request, Ended::Refused),
        }
    }

    fn pick(&mut self, now: Nanos, request: usize) -> Option<Lease> {
        let clock = self.control.clock(now);
        let request = &self.requests[request];
        let ask = Ask {
            worker: 0,
            now: clock,
            random: request.random,
            key: Some(request.key),
            sticky: None,
            tried: &request.tried,
        };
        self.control.pool().pick(&ask).ok()
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

    fn attempt_ends(&mut self, now: Nanos, index: usize, end: AttemptEnd) {
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

    /// Ends a lease; who has failed often enough in a row with it is judged at once.
    fn finish(&mut self, now: Nanos, lease: Lease, outcome: Outcome) {
        if lease.finish(outcome, self.control.clock(now)).is_some() {
            self.control.judge(now);
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
        let next = if paid { self.pick(now, index) } else { None };
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

    fn report(self) -> Report {
        let mut ejections = vec![0; self.stations.len()];
        for event in self.control.events() {
            ejections[event.backend] += u64::from(matches!(event.what, Happening::Ejected { .. }));
        }
        let report = |((member, station), ejections): ((&Member, &Station), u64)| {
            let counts = member.backend.counts();
            BackendReport {
                url: member.backend.url().to_string(),
                weight: member.weight.get(),
                attempts: counts.requests,
                share: counts.requests as f64 / self.attempts.max(1) as f64,
                utilisation: station.utilisation(),
                failures: counts.failures,
                ejections,
            }
        };
        let backends = self
            .control
            .members()
            .iter()
            .zip(&self.stations)
            .zip(ejections)
            .map(report)
            .collect();
        let (latency, errors, answered, timeline) = self.tally.finish();
        Report {
            strategy: self.strategy.name().to_owned(),
            requests: self.arrived,
            answered,
            errors,
            retries: self.retries,
            latency,
            backends,
            timeline,
            events: self.control.into_events(),
        }
    }
}

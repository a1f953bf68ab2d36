//! The loop of a run: the next arrival, or the next thing on the agenda, whichever comes first.

use std::time::{Duration, Instant};

use slab::Slab;

use super::{
    Nanos, Scenario,
    agenda::Agenda,
    control::Control,
    load::Arrivals,
    nanos,
    random::Random,
    report::{BackendReport, Happening, Report},
    station::Station,
    tally::Tally,
    worker::{Arrival, Request, Waiting},
};
use lb_core::{config::StrategyConfig, pool::Member, roster::ProbeVerdict};

/// Streams of random numbers; arrivals have the first.
const REQUESTS: u64 = 2;
const PROBES: u64 = 3;
const CLIENTS: u64 = 4;

/// How often backends are judged, as in the registry.
const TICK: Duration = Duration::from_millis(500);

/// Runs a scenario under a strategy. `base` is what the balancer's clock shows at the begin; it does not matter for the
/// result.
pub fn run(scenario: &Scenario, strategy: &StrategyConfig, base: Instant) -> Report {
    Engine::new(scenario, strategy, base).run()
}

pub(super) struct Engine<'a> {
    pub(super) scenario: &'a Scenario,
    strategy: &'a StrategyConfig,
    pub(super) control: Control,
    pub(super) stations: Vec<Station>,
    pub(super) agenda: Agenda<Due>,
    pub(super) requests: Slab<Request>,
    pub(super) waiting: Waiting,
    pub(super) arrived: u64,
    pub(super) attempts: u64,
    pub(super) work: Random,
    probes: Random,
    pub(super) clients: Random,
    pub(super) tally: Tally,
}

/// What can be on the agenda.
pub(super) enum Due {
    /// This comes of an attempt of this request.
    AttemptEnds(usize, Arrival),
    /// The request at this place, if it still has this number, has waited for long enough.
    WaitEnds(usize, u64),
    /// The backend is asked whether it is alive.
    ProbeBegins(usize),
    /// The probe has its result.
    ProbeEnds(usize, ProbeVerdict),
    /// What requests met is judged, as the registry does it twice a second.
    Judgement,
    /// A while has passed since it was judged because a request asked for it.
    JudgementPause,
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
            waiting: Waiting::new(),
            arrived: 0,
            attempts: 0,
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
            self.serve_waiting(arrival);
        }
        // Probes go on for ever; requests do not.
        while !self.requests.is_empty() {
            self.step();
        }
        self.report()
    }

    fn step(&mut self) {
        let Some((now, due)) = self.agenda.next() else {
            return;
        };
        match due {
            Due::AttemptEnds(request, arrival) => self.attempt_ends(now, request, arrival),
            Due::WaitEnds(request, number) => self.wait_ends(now, request, number),
            Due::ProbeBegins(backend) => self.probe(now, backend),
            Due::ProbeEnds(backend, verdict) => {
                if let Some(pause) = self.control.probed(now, backend, verdict, self.probes.unit()) {
                    self.agenda.note(now + nanos(pause), Due::ProbeBegins(backend));
                }
            }
            Due::Judgement => {
                self.control.judge(now);
                self.agenda.note(now + nanos(TICK), Due::Judgement);
            }
            Due::JudgementPause => self.control.judge_again(now),
        }
        self.serve_waiting(now);
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
        let verdict = match answer {
            Some(at) if at <= deadline => ProbeVerdict::Passed,
            _ => ProbeVerdict::Failed,
        };
        let at = answer.unwrap_or(now).min(deadline);
        self.agenda.note(at, Due::ProbeEnds(backend, verdict));
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
            retries: self.control.retries(),
            latency,
            backends,
            timeline,
            events: self.control.into_events(),
        }
    }
}

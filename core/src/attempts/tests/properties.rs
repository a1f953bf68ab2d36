//! Random requests at random pools: whatever comes, the rules of the module hold.

use proptest::prelude::*;

use super::*;

/// What happens to one attempt.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Fails(Failure),
    Responds(u16),
    ClientLeaves,
}

#[derive(Debug, Clone)]
struct Script {
    /// How many requests each backend takes, and how many it holds for others.
    backends: Vec<(Option<u32>, u32)>,
    attempts: u32,
    budget: u32,
    floor: u32,
    queue: u32,
    replay: Replay,
    happenings: Vec<Happening>,
    /// For each wait in the queue: whether a place becomes free in time.
    places: Vec<bool>,
}

fn failures() -> impl Strategy<Value = Failure> {
    use Cause::*;
    let causes = prop::sample::select(vec![
        Connect, OutOfFiles, Broken, Response, Silence, Deadline, Client,
    ]);
    let uploads = prop::sample::select(vec![Upload::Complete, Upload::Owed, Upload::Blocked]);
    let connections = prop::sample::select(vec![Connection::New, Connection::Kept]);
    let progresses = prop::sample::select(vec![Progress::NotSent, Progress::Sent, Progress::Responding]);
    (causes, progresses, uploads, connections).prop_map(|(cause, progress, upload, connection)| Failure {
        progress: match cause {
            Connect | OutOfFiles => Progress::NotSent,
            _ => progress,
        },
        cause,
        upload,
        connection,
    })
}

fn scripts() -> impl Strategy<Value = Script> {
    let happening = prop_oneof![
        6 => failures().prop_map(Happening::Fails),
        3 => prop::sample::select(vec![200, 500, 503]).prop_map(Happening::Responds),
        1 => Just(Happening::ClientLeaves),
    ];
    let backend = (prop::option::weighted(0.7, 1u32..3), 0u32..3);
    let replays = vec![
        Replay::Never,
        Replay::IfUnsent,
        Replay::IfUnanswered,
        Replay::Always,
    ];
    (
        prop::collection::vec(backend, 1..5),
        (0u32..5, prop::sample::select(vec![0, 20, 100]), 0u32..2, 0u32..2),
        prop::sample::select(replays),
        prop::collection::vec(happening, 1..12),
        prop::collection::vec(any::<bool>(), 8),
    )
        .prop_map(
            |(backends, (attempts, budget, floor, queue), replay, happenings, places)| Script {
                backends,
                attempts,
                budget,
                floor,
                queue,
                replay,
                happenings,
                places,
            },
        )
}

/// One request, with what it has done.
struct Run {
    pool: Pool,
    attempts: Attempts,
    now: Instant,
    others: Vec<Lease>,
    /// Backends it was sent to; one more over a second connection counts anew.
    sent: Vec<u64>,
    reconnects: usize,
    /// Attempts of which a backend may have got a byte.
    reached: u32,
    /// Attempts that count as failures of their backends.
    failures: u64,
    rejected: bool,
}

impl Run {
    fn new(script: &Script) -> Self {
        let backends = script.backends.iter().enumerate().map(|(number, (most, _))| {
            let most = most.map_or_else(String::new, |most| format!(", max_connections: {most}"));
            format!("{{url: \"http://b{number}\"{most}}}")
        });
        let backends: Vec<String> = backends.collect();
        let pool = pool(config(&format!(
            "backends: [{}]\nqueue: {}\nejection: off\nretries: {{attempts: {}, budget: {}%, min_per_second: {}, statuses: [503]}}",
            backends.join(", "),
            script.queue,
            script.attempts,
            script.budget,
            script.floor,
        )));
        let now = Instant::now();
        let held = script.backends.iter().map(|(_, held)| *held).max().unwrap_or(0);
        let mut others = Vec::new();
        for _ in 0..held as usize * script.backends.len() {
            if let Step::Send(lease) = attempts().begin(&pool, now) {
                others.push(lease);
            }
        }
        Self {
            attempts: Attempts::new(PickBy::default(), None),
            pool,
            now,
            others,
            sent: Vec::new(),
            reconnects: 0,
            reached: 0,
            failures: 0,
            rejected: false,
        }
    }

    fn at(&self) -> At<'_> {
        At {
            pool: &self.pool,
            retries: &self.pool.config().retries,
            now: self.now,
        }
    }

    fn held(&self) -> u64 {
        let members = self.pool.members().iter();
        members.map(|member| member.backend.in_flight()).sum()
    }

    fn spent(&self) -> u64 {
        self.pool.retry_budget().spent(self.now)
    }

    /// The end of an attempt, with the invariants of the budget and of what was sent.
    fn end(&mut self, lease: Lease, happening: Happening, replay: Replay) -> Decision {
        let before = self.spent();
        let end = match happening {
            Happening::Fails(failure) => {
                self.reached += u32::from(failure.progress != Progress::NotSent);
                AttemptEnd::Failed(failure)
            }
            Happening::ClientLeaves => AttemptEnd::ClientGone,
            Happening::Responds(status) => {
                self.reached += 1;
                match self.attempts.rejects(status, replay, self.at()) {
                    true => AttemptEnd::Rejected,
                    false => AttemptEnd::Complete,
                }
            }
        };
        self.rejected = end == AttemptEnd::Rejected;
        let at = At {
            pool: &self.pool,
            retries: &self.pool.config().retries,
            now: self.now,
        };
        let decision = self.attempts.after(end, lease, replay, at);
        let taken = self.spent() - before;
        let unsent = matches!(happening, Happening::Fails(failure) if failure.progress == Progress::NotSent);
        assert!(
            taken <= 1 && !(unsent && taken > 0),
            "{taken} taken from the budget"
        );
        let over_another = matches!(decision.step, Step::Send(_) | Step::Wait);
        assert!(
            !over_another || unsent || taken == 1,
            "a retry outside of the budget after a byte was sent"
        );
        let goes_on = matches!(decision.step, Step::Reconnect(_) | Step::PassOn(Some(_)));
        if !goes_on {
            use crate::pool::Outcome::{BackendFailed, Rejected};
            self.failures += u64::from(matches!(end.outcome(), BackendFailed | Rejected));
        }
        decision
    }

    fn wait(&mut self, place: bool) -> Step {
        assert_eq!(self.held(), self.others.len() as u64, "waits and holds a lease");
        let waiting = match self.attempts.join(&self.pool, self.now) {
            Ok(waiting) => waiting,
            Err(none) => return self.attempts.waited(Err(none), &self.pool),
        };
        if place {
            self.others.clear();
        }
        let picked = self.attempts.in_turn(&self.pool, self.now);
        let picked = picked.unwrap_or(Err(NoBackend::QueueTimedOut));
        let step = self.attempts.waited(picked, &self.pool);
        drop(waiting);
        step
    }
}

fn check(script: &Script) {
    let mut run = Run::new(script);
    let mut happenings = script.happenings.iter().cycle();
    let mut places = script.places.iter().cycle();
    let mut step = run.attempts.begin(&run.pool, run.now);
    let mut steps = 0;
    loop {
        steps += 1;
        assert!(steps < 100, "no end");
        step = match step {
            Step::Send(lease) => {
                let id = lease.backend().id();
                assert!(!run.sent.contains(&id), "the same backend twice");
                run.sent.push(id);
                assert_eq!(run.attempts.reuse(), Reuse::Allowed);
                run.end(lease, *happenings.next().unwrap(), script.replay).step
            }
            Step::Reconnect(lease) => {
                run.reconnects += 1;
                assert!(run.reconnects <= run.sent.len(), "two second connections");
                assert_eq!(run.sent.last(), Some(&lease.backend().id()));
                assert_eq!(run.attempts.reuse(), Reuse::Forbidden);
                run.end(lease, *happenings.next().unwrap(), script.replay).step
            }
            Step::Wait => run.wait(*places.next().unwrap()),
            Step::PassOn(lease) => {
                assert!(run.rejected, "no response to pass on");
                drop(lease);
                break;
            }
            Step::GiveUp(GaveUp::Failure) => {
                assert!(!run.rejected && !run.sent.is_empty());
                break;
            }
            Step::GiveUp(GaveUp::NoBackend(_)) => {
                assert!(!run.rejected);
                break;
            }
            Step::Done => break,
        };
    }
    let attempts = u32::try_from(run.sent.len()).unwrap();
    assert!(attempts <= 1 + script.attempts, "{attempts} attempts");
    assert_eq!(run.attempts.count(), attempts);
    assert_eq!(
        run.pool.retry_budget().retries(),
        u64::from(attempts.saturating_sub(1))
    );
    if script.replay < Replay::IfUnanswered {
        assert!(
            run.reached <= 1,
            "what must not be sent twice was sent {} times",
            run.reached
        );
    }
    assert_eq!(run.held(), run.others.len() as u64, "a lease is left");
    run.others.clear();
    let counts = run.pool.members().iter().map(|member| member.backend.counts());
    let failures: u64 = counts.map(|counts| counts.failures).sum();
    assert_eq!(
        failures, run.failures,
        "an outcome that counts twice, or not at all"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_rules_hold_whatever_happens(script in scripts()) {
        check(&script);
    }
}

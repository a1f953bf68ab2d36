#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod properties;

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    config::{self, PoolConfig},
    health::Health,
    pool::{Member, PoolState},
};

fn config(settings: &str) -> PoolConfig {
    let text = format!("port: 0\n{settings}\n");
    let mut config = config::load(&text, "config.yaml", &|_| None).unwrap();
    config.pools.remove("default").unwrap()
}

/// A pool whose backends are all up.
fn pool(config: PoolConfig) -> Pool {
    let members = (1..).zip(&config.backends).map(|(id, backend)| {
        let known = Arc::new(Backend::new(id, backend.url.clone(), 1));
        Member::new(known, backend, Health::unprobed(), Instant::now())
    });
    let members = members.collect();
    Pool::new(
        "default".into(),
        Arc::new(config),
        members,
        Arc::<PoolState>::default(),
    )
}

/// Two backends, a and b, with room for that many requests each.
fn limited(max_connections: u32) -> Pool {
    pool(config(&format!(
        "backends: [{{url: \"http://a\", max_connections: {max_connections}}}, {{url: \"http://b\", max_connections: {max_connections}}}]"
    )))
}

fn unlimited(settings: &str) -> Pool {
    pool(config(&format!(
        "backends: [\"http://a\", \"http://b\"]\n{settings}"
    )))
}

fn at(pool: &Pool) -> At<'_> {
    At {
        pool,
        retries: &pool.config().retries,
        now: Instant::now(),
    }
}

fn attempts() -> Attempts {
    Attempts::new(PickBy::default(), None)
}

#[track_caller]
fn sent(step: Step) -> Lease {
    match step {
        Step::Send(lease) | Step::Reconnect(lease) => lease,
        other => panic!("{other:?} instead of a backend"),
    }
}

const BROKEN: Failure = Failure {
    cause: Cause::Broken,
    progress: Progress::Sent,
    upload: Upload::Complete,
    connection: Connection::New,
};

const UNREACHABLE: Failure = Failure {
    cause: Cause::Connect,
    progress: Progress::NotSent,
    ..BROKEN
};

const STALE: Failure = Failure {
    connection: Connection::Kept,
    ..BROKEN
};

/// A request whose first attempt at a pool ends so: the letter of the next backend, or what else comes.
fn after(pool: &Pool, failure: Failure, replay: Replay) -> String {
    let mut attempts = attempts();
    let first = sent(attempts.begin(pool, Instant::now()));
    match attempts
        .after(AttemptEnd::Failed(failure), first, replay, at(pool))
        .step
    {
        Step::Send(lease) => lease.backend().url().host().to_owned(),
        Step::Reconnect(_) => "reconnect".to_owned(),
        Step::Wait => "wait".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_request_goes_elsewhere_as_far_as_it_may_be_sent_again() {
    let given_up = "GiveUp(Failure)";
    for (failure, replay, expected) in [
        (UNREACHABLE, Replay::Never, given_up),
        (UNREACHABLE, Replay::IfUnsent, "b"),
        (BROKEN, Replay::IfUnsent, given_up),
        (BROKEN, Replay::IfUnanswered, "b"),
        (STALE, Replay::IfUnsent, given_up),
        (STALE, Replay::Always, "reconnect"),
    ] {
        let pool = unlimited("");
        assert_eq!(after(&pool, failure, replay), expected, "{failure:?} {replay:?}");
    }
    for cause in [Cause::Client, Cause::Deadline] {
        let failure = Failure { cause, ..BROKEN };
        assert_eq!(after(&unlimited(""), failure, Replay::Always), given_up);
    }
}

#[test]
fn a_second_connection_that_breaks_is_a_failure() {
    let pool = unlimited("");
    let mut attempts = attempts();
    let first = sent(attempts.begin(&pool, Instant::now()));
    assert_eq!(attempts.reuse(), Reuse::Allowed);
    let again = attempts.after(AttemptEnd::Failed(STALE), first, Replay::Always, at(&pool));
    assert_eq!((again.verdict, again.could_not_connect), (None, false));
    let again = sent(again.step);
    assert_eq!(
        (again.backend().url().host(), attempts.reuse()),
        ("a", Reuse::Forbidden)
    );
    let next = attempts.after(AttemptEnd::Failed(STALE), again, Replay::Always, at(&pool));
    assert_eq!(next.verdict, Some(Verdict::Retried));
    assert_eq!(sent(next.step).backend().url().host(), "b");
    assert_eq!((attempts.reuse(), attempts.count()), (Reuse::Allowed, 2));
}

#[test]
fn a_retry_that_finds_the_others_full_waits_without_a_lease_and_goes_on_when_there_is_a_place() {
    let pool = limited(1);
    let mut attempts = attempts();
    let first = sent(attempts.begin(&pool, Instant::now()));
    let other = sent(super::Attempts::new(PickBy::default(), None).begin(&pool, Instant::now()));
    let failed = attempts.after(AttemptEnd::Failed(UNREACHABLE), first, Replay::Always, at(&pool));
    assert!(matches!(failed.step, Step::Wait), "{failed:?}");
    assert!(failed.could_not_connect);
    assert_eq!(failed.backend.in_flight(), 0);
    let place = attempts.join(&pool, Instant::now()).unwrap();
    assert!(attempts.in_turn(&pool, Instant::now()).is_none());
    drop(other);
    let picked = attempts.in_turn(&pool, Instant::now()).unwrap();
    let second = sent(attempts.waited(picked, &pool));
    drop(place);
    assert_eq!(second.backend().url().host(), "b");
    assert_eq!((attempts.count(), pool.retry_budget().retries()), (2, 1));
}

#[test]
fn a_wait_lasts_as_long_as_the_queue_and_the_request_allow() {
    let pool = limited(1);
    let now = Instant::now();
    let until = |deadline: Option<Duration>| {
        let deadline = deadline.map(|after| Deadline {
            at: now + after,
            after,
        });
        let attempts = Attempts::new(PickBy::default(), deadline);
        attempts.join(&pool, now).unwrap().until - now
    };
    assert_eq!(until(None), Duration::from_secs(5));
    assert_eq!(until(Some(Duration::from_secs(9))), Duration::from_secs(5));
    assert_eq!(until(Some(Duration::from_secs(2))), Duration::from_secs(2));
}

#[test]
fn time_that_was_used_up_before_an_attempt_is_not_its_backends() {
    let pool = limited(1);
    let late = Failure {
        cause: Cause::Deadline,
        ..BROKEN
    };
    let whole = Duration::from_secs(3600);
    // How long before its deadline the request was sent.
    let failures = |left: Duration| {
        let now = Instant::now();
        // By a clock that may have stood still since.
        let at_end = now - Duration::from_secs(7200);
        let deadline = Deadline {
            at: at_end,
            after: whole,
        };
        let mut attempts = Attempts::new(PickBy::default(), Some(deadline));
        drop(attempts.begin(&pool, now + left - whole));
        let lease = attempts.in_turn(&pool, now).unwrap().unwrap();
        let backend = Arc::clone(lease.backend());
        let before = backend.counts().failures;
        let _over = attempts.after(AttemptEnd::Failed(late), lease, Replay::Always, at(&pool));
        backend.counts().failures - before
    };
    assert_eq!(failures(whole), 1, "it had all of it");
    assert_eq!(failures(whole * 2 / 3), 1);
    assert_eq!(failures(whole / 3), 0, "the rest went by in the queue");
    assert_eq!(failures(Duration::from_secs(1)), 0);
}

#[test]
fn what_a_wait_in_vain_comes_to() {
    let vain = |end: AttemptEnd, none: NoBackend| {
        let pool = limited(1);
        let mut attempts = attempts();
        let first = sent(attempts.begin(&pool, Instant::now()));
        let _other = sent(super::Attempts::new(PickBy::default(), None).begin(&pool, Instant::now()));
        let failed = attempts.after(end, first, Replay::Always, at(&pool));
        assert!(matches!(failed.step, Step::Wait));
        format!("{:?}", attempts.waited(Err(none), &pool))
    };
    let failed = AttemptEnd::Failed(BROKEN);
    assert_eq!(vain(failed, NoBackend::QueueFull), "GiveUp(NoBackend(QueueFull))");
    assert_eq!(
        vain(failed, NoBackend::QueueTimedOut),
        "GiveUp(NoBackend(QueueTimedOut))"
    );
    assert_eq!(vain(failed, NoBackend::AllTried), "GiveUp(Failure)");
    for none in [NoBackend::QueueTimedOut, NoBackend::AllTried] {
        assert_eq!(vain(AttemptEnd::Rejected, none), "PassOn(None)");
    }
}

#[test]
fn a_response_is_kept_only_where_another_backend_may_be_asked() {
    let kept = |settings: &str, status: u16, replay: Replay| {
        let pool = unlimited(settings);
        let mut attempts = attempts();
        let lease = sent(attempts.begin(&pool, Instant::now()));
        let rejects = attempts.rejects(status, replay, at(&pool));
        drop(lease);
        rejects
    };
    let statuses = "retries: {statuses: [503]}";
    assert!(kept(statuses, 503, Replay::Always));
    assert!(!kept(statuses, 500, Replay::Always));
    assert!(!kept(statuses, 503, Replay::IfUnanswered));
    assert!(!kept("", 503, Replay::Always));
    assert!(!kept(
        "retries: {statuses: [503], attempts: 0}",
        503,
        Replay::Always
    ));
    let spent = "retries: {statuses: [503], budget: 0%, min_per_second: 0}";
    assert!(!kept(spent, 503, Replay::Always));
}

//! What leases leave behind for the judge, and who of a judged pool is picked.

use std::time::Duration;

use super::*;
use crate::{
    config::{AllDown, EjectionRules, PoolConfig},
    health::{Admin, Judge, Ruling, Spread, Standards, Thresholds},
    status::HealthStatus,
};

fn head(status: u16) -> AnswerHead {
    let kind = AnswerKind::of(status, Some(&EjectionRules::default()));
    AnswerHead {
        status,
        kind,
        timed: true,
    }
}

fn one() -> (Snapshot, Arc<Backend>) {
    let snapshot = snapshot(&[("http://a", 1, Health::at_start())], None);
    let backend = Arc::clone(&snapshot.pools()[0].members()[0].backend);
    backend.set_failures_limit(3);
    (snapshot, backend)
}

/// Sends a request that is answered so, or not at all, and ends so.
fn send(snapshot: &Snapshot, status: Option<u16>, outcome: Outcome) -> Option<u64> {
    let lease = pick(snapshot, &Tried::default()).unwrap();
    if let Some(status) = status {
        lease.answered(Instant::now(), head(status));
    }
    lease.finish(outcome, Instant::now())
}

#[test]
fn what_the_client_did_counts_neither_for_nor_against_the_backend() {
    let (snapshot, backend) = one();
    for _ in 0..10 {
        assert_eq!(send(&snapshot, None, Outcome::Abandoned), None);
        drop(pick(&snapshot, &Tried::default()).unwrap());
    }
    assert_eq!(backend.traffic(), Default::default());
    for status in [400, 404, 408, 413, 429, 499] {
        assert_eq!(send(&snapshot, Some(status), Outcome::Answered), None);
    }
    let traffic = backend.traffic();
    assert_eq!(
        (traffic.good, traffic.errors, backend.failures_in_a_row()),
        (6, 0, 0)
    );
}

#[test]
fn broken_exchanges_make_a_row_and_statuses_neither_add_to_it_nor_end_it() {
    let (snapshot, backend) = one();
    assert_eq!(send(&snapshot, None, Outcome::BackendFailed), None);
    assert_eq!(send(&snapshot, None, Outcome::BackendFailed), None);
    for status in [500, 501, 502, 503, 504, 599] {
        assert_eq!(send(&snapshot, Some(status), Outcome::Answered), None);
        assert_eq!(send(&snapshot, Some(status), Outcome::Rejected), None);
    }
    assert_eq!(
        send(&snapshot, None, Outcome::BackendFailed),
        Some(backend.id()),
        "the one that fills it says so"
    );
    assert_eq!(send(&snapshot, None, Outcome::BackendFailed), None, "once");
    assert_eq!(backend.failures_in_a_row(), 4);
    assert_eq!((backend.traffic().good, backend.traffic().errors), (0, 16));
    assert_eq!(
        backend.counts().failures,
        10,
        "a response that the client got is none"
    );
    send(&snapshot, Some(404), Outcome::Answered);
    assert_eq!(backend.failures_in_a_row(), 0);
}

#[test]
fn a_503_that_its_client_did_not_wait_for_is_still_one() {
    let (snapshot, backend) = one();
    send(&snapshot, Some(503), Outcome::Abandoned);
    assert_eq!((backend.failures_in_a_row(), backend.traffic().errors), (0, 1));
}

#[test]
fn a_status_that_the_rules_do_not_name_counts_neither_for_nor_against_the_backend() {
    let only_503 = EjectionRules {
        statuses: crate::config::StatusRanges::new(vec![(503, 503)]).unwrap(),
        ..EjectionRules::default()
    };
    let (snapshot, backend) = one();
    for status in [500, 503] {
        let lease = pick(&snapshot, &Tried::default()).unwrap();
        let kind = AnswerKind::of(status, Some(&only_503));
        let head = AnswerHead { kind, ..head(status) };
        lease.answered(Instant::now(), head);
        lease.finish(Outcome::Answered, Instant::now());
    }
    assert_eq!((backend.traffic().good, backend.traffic().errors), (0, 1));
}

#[test]
fn what_was_sent_before_a_backend_came_back_says_nothing_of_it_after() {
    let (snapshot, backend) = one();
    let mut member = snapshot.pools()[0].members()[0].clone();
    let before: Vec<Lease> = (0..5)
        .map(|_| pick(&snapshot, &Tried::default()).unwrap())
        .collect();
    send(&snapshot, None, Outcome::BackendFailed);
    let once = Thresholds { rise: 1, fall: 1 };
    for ok in [false, true] {
        let status = member.health.status();
        assert!(member.health.observe(ok, once).is_some());
        assert_eq!(member.note_change(status, Instant::now()), ok);
    }
    assert_eq!(backend.failures_in_a_row(), 0);
    let said = before
        .into_iter()
        .map(|lease| lease.finish(Outcome::BackendFailed, Instant::now()));
    assert!(said.into_iter().all(|said| said.is_none()));
    assert_eq!((backend.failures_in_a_row(), backend.take_reached()), (0, None));
    let after: Vec<_> = (0..3)
        .map(|_| send(&snapshot, None, Outcome::BackendFailed))
        .collect();
    assert_eq!(after, [None, None, Some(backend.id())], "what comes then counts");
}

#[test]
fn a_failing_answer_that_also_breaks_off_is_one_failure() {
    let (snapshot, backend) = one();
    send(&snapshot, Some(503), Outcome::BackendFailed);
    assert_eq!((backend.failures_in_a_row(), backend.traffic().errors), (1, 1));
}

#[test]
fn a_backend_that_breaks_off_all_its_answers_is_found_out() {
    let (snapshot, backend) = one();
    send(&snapshot, Some(200), Outcome::BackendFailed);
    // Side by side, too.
    let leases: Vec<Lease> = (0..2)
        .map(|_| pick(&snapshot, &Tried::default()).unwrap())
        .collect();
    leases
        .iter()
        .for_each(|lease| lease.answered(Instant::now(), GOOD));
    assert_eq!(backend.failures_in_a_row(), 0);
    let said: Vec<_> = leases
        .into_iter()
        .map(|lease| lease.finish(Outcome::BackendFailed, Instant::now()))
        .collect();
    assert_eq!(said, [None, Some(backend.id())]);
}

#[test]
fn a_long_answer_ends_the_row_when_it_begins() {
    let (snapshot, backend) = one();
    send(&snapshot, None, Outcome::BackendFailed);
    let download = pick(&snapshot, &Tried::default()).unwrap();
    download.answered(Instant::now(), GOOD);
    assert_eq!(backend.failures_in_a_row(), 0);
}

#[test]
fn the_time_of_an_answer_counts_unless_its_client_took_part_in_it() {
    let (snapshot, backend) = one();
    let timed = |timed, seconds| {
        let lease = pick(&snapshot, &Tried::default()).unwrap();
        lease.answered(
            Instant::now() + Duration::from_secs(seconds),
            AnswerHead { timed, ..head(200) },
        );
        lease.finish(Outcome::Answered, Instant::now());
    };
    timed(false, 1000);
    assert_eq!(backend.traffic().timed, 0);
    timed(true, 1);
    assert_eq!((backend.traffic().timed, backend.traffic().good), (1, 2));
}

/// A snapshot with these settings of its pool.
fn with_pool(backends: &[(&str, u16, Health)], change: impl Fn(&mut PoolConfig)) -> Snapshot {
    let like = snapshot(backends, None);
    let mut config = (**like.config()).clone();
    config.pools.values_mut().for_each(change);
    let members = |_: &str| like.pools()[0].members().to_vec();
    Snapshot::build(1, Arc::new(config), members, None)
}

fn ordered(admin: Admin) -> Health {
    let mut health = Health::at_start();
    health.set_admin(admin, true);
    health
}

/// The hosts that a request may be tried at, in any order.
fn tried(snapshot: &Snapshot) -> String {
    let mut tried = Tried::default();
    let mut hosts = Vec::new();
    while let Ok(lease) = pick(snapshot, &tried) {
        tried.add(lease.backend());
        hosts.push(lease.backend().url().host().to_owned());
    }
    hosts.sort();
    hosts.concat()
}

#[test]
fn an_ejected_backend_gets_nothing_and_comes_back() {
    let up = Health::unprobed();
    let first = snapshot(&[("http://a", 1, up), ("http://b", 1, up)], None);
    let mut members = first.pools()[0].members().to_vec();
    for member in &members {
        member.backend.set_failures_limit(5);
    }
    let failing = Arc::clone(&members[1].backend);
    while failing.failures_in_a_row() < 5 {
        let lease = pick(&first, &Tried::default()).unwrap();
        let failed = lease.backend().id() == failing.id();
        lease.finish(
            if failed {
                Outcome::BackendFailed
            } else {
                Outcome::Answered
            },
            Instant::now(),
        );
    }
    let (mut judge_of_pool, rules, now) = (Judge::default(), EjectionRules::default(), Instant::now());
    let mut rule = |members: &mut Vec<Member>, now| {
        let standards = Standards {
            rules: Some(&rules),
            spread: Spread::Everywhere,
        };
        judge(&mut judge_of_pool, standards, members, now)
    };
    assert!(matches!(
        rule(&mut members, now)[..],
        [Ruling::Ejected { count: 1, .. }]
    ));
    assert_eq!(
        (members[1].health.status(), members[1].since),
        (HealthStatus::Ejected, now)
    );
    let build = |members: &Vec<Member>| {
        Snapshot::build(2, Arc::clone(first.config()), |_| members.clone(), Some(&first))
    };
    assert_eq!(picks(&build(&members), 4), "aaaa");
    assert_eq!(
        tried(&build(&members)),
        "ab",
        "as a last resort it is better than an error"
    );
    let status = &build(&members).status(now)[0].backends[1];
    assert_eq!(
        (status.reason.as_deref(), status.until_seconds, status.ejections),
        (Some("5 failures in a row"), Some(10), 1)
    );
    let later = now + Duration::from_secs(10);
    assert!(matches!(rule(&mut members, later)[..], [Ruling::Returned { .. }]));
    assert_eq!((failing.failures_in_a_row(), members[1].since), (0, later));
    assert_eq!(
        count(&picks(&build(&members), 4)),
        BTreeMap::from([('a', 2), ('b', 2)])
    );
}

#[test]
fn a_persons_word_holds_even_when_nobody_is_up() {
    let backends = [
        ("http://a", 1, down()),
        ("http://b", 1, ordered(Admin::Maintenance)),
        ("http://c", 1, ordered(Admin::configured(true, false))),
    ];
    assert_eq!(tried(&snapshot(&backends, None)), "a");
    let none = snapshot(&backends[1..], None);
    assert_eq!(
        pick(&none, &Tried::default()).unwrap_err(),
        NoBackend::NoneEligible
    );
}

#[test]
fn all_down_fail_refuses_at_once_and_keeps_retries_away_from_those_that_are_down() {
    let fail = |pool: &mut PoolConfig| pool.all_down = AllDown::Fail;
    let all = with_pool(&[("http://a", 1, down()), ("http://b", 1, Health::added())], fail);
    assert_eq!(
        pick(&all, &Tried::default()).unwrap_err(),
        NoBackend::NoneEligible
    );
    let one = with_pool(
        &[("http://a", 1, down()), ("http://b", 1, Health::at_start())],
        fail,
    );
    assert_eq!(tried(&one), "b");
    assert!(!one.pools()[0].has_untried(&{
        let mut tried = Tried::default();
        tried.add(&one.pools()[0].members()[1].backend);
        tried
    }));
}

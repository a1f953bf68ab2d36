#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod members;
mod properties;
mod warming;

use std::{collections::BTreeSet, sync::Arc, time::Duration, time::Instant};

use super::*;
use crate::{
    config::{self, ReloadPlan, Weight},
    live::Wish,
    pool::{Ask, Lease, Outcome, Tried},
    status::HealthStatus,
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// These pools, each as a list of backends in YAML, and settings of all.
fn config_of(pools: &[(&str, &str)], settings: &str) -> Config {
    let mut text = format!(
        "port: 0\nhealth_check: {{rise: 2, fall: 3}}\n{settings}\nroutes: [{{pool: {}}}]\npools:\n",
        pools[0].0
    );
    for (name, backends) in pools {
        text.push_str(&format!("  {name}: {{backends: [{backends}]}}\n"));
    }
    config::load(&text, "config.yaml", &|_| None).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn one_pool(backends: &str) -> Config {
    config_of(&[("p", backends)], "")
}

/// A roster, and somebody who carries its events out: what is published, and which checkers run.
struct Stage {
    roster: Roster,
    published: Snapshot,
    checkers: BTreeSet<u64>,
    now: Instant,
}

impl Stage {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        let roster = Roster::new(Arc::new(config), Arc::new(BackendFactory::new(1)), now);
        let mut this = Self {
            published: roster.snapshot(None),
            roster,
            checkers: BTreeSet::new(),
            now,
        };
        let events = this.roster.start_checkers();
        this.carry_out(&events);
        this
    }

    /// Carries events out. Whether they publish.
    fn carry_out(&mut self, events: &[Event]) -> bool {
        let mut publishes = false;
        for event in events {
            match event {
                Event::Publish(_) => publishes = true,
                Event::StartChecker { backend, .. } => {
                    assert!(self.checkers.insert(backend.id()), "{backend:?} has a checker");
                }
                Event::StopChecker { backend } => {
                    assert!(self.checkers.remove(backend), "{backend} has no checker");
                }
                _ => {}
            }
        }
        if publishes {
            self.published = self.roster.snapshot(Some(&self.published));
        }
        publishes
    }

    fn apply(&mut self, next: &Config) -> Vec<Event> {
        let plan = ReloadPlan::between(self.roster.file(), next);
        let events = self.roster.apply(&plan, self.now);
        self.carry_out(&events);
        events
    }

    fn member(&self, pool: &str, host: &str) -> Option<&Member> {
        let members = self.roster.members(pool).iter();
        members
            .into_iter()
            .find(|member| member.backend.url().host() == host)
    }

    fn id(&self, pool: &str, host: &str) -> u64 {
        self.member(pool, host).unwrap().backend.id()
    }

    fn health(&self, pool: &str, host: &str) -> HealthStatus {
        self.member(pool, host).unwrap().health.status()
    }

    fn probe(&mut self, pool: &str, host: &str, verdict: ProbeVerdict) -> Probed {
        let report = ProbeReport {
            verdict,
            detail: "200 OK".to_owned(),
            took: Duration::from_millis(1),
            addresses: Vec::new(),
            passed: None,
            failed: Vec::new(),
        };
        let probed = self.roster.probed(self.id(pool, host), report, self.now);
        self.carry_out(&probed.events);
        probed
    }

    /// Probes until what probes say is this.
    fn probe_until(&mut self, pool: &str, host: &str, verdict: ProbeVerdict) {
        for _ in 0..3 {
            self.probe(pool, host, verdict);
        }
    }

    fn wish(&mut self, pool: &str, host: &str, wish: Wish, lasts: Option<Duration>) -> Vec<Event> {
        let targets = self.roster.find(&format!("http://{host}"), Some(pool)).unwrap();
        let events = self.roster.change(&targets, LiveChange { wish, lasts }, self.now);
        self.carry_out(&events);
        events
    }

    fn lease(&self, pool: &str, random: u64) -> Option<Lease> {
        let tried = Tried::default();
        let ask = Ask {
            worker: 0,
            now: self.now,
            random,
            key: None,
            sticky: None,
            tried: &tried,
        };
        self.published.pool(pool)?.pick(&ask).ok()
    }

    /// The hosts that a pool's snapshot has, in its order.
    fn published(&self, pool: &str) -> String {
        let members = self.published.pool(pool).unwrap().members().iter();
        members.map(|member| member.backend.url().host()).collect()
    }
}

/// What events are, in a word each.
fn words(events: &[Event]) -> String {
    let word = |event: &Event| match event {
        Event::Publish(When::Now) => "publish",
        Event::Publish(When::Soon) => "publish-soon",
        Event::StartChecker { .. } => "start",
        Event::StopChecker { .. } => "stop",
        Event::JudgeAgain { .. } => "judge-again",
        Event::WatchDrains { .. } => "watch-drains",
        Event::Transition { .. } => "transition",
        Event::NotProbed { .. } => "not-probed",
        Event::Ruled { .. } => "ruled",
        Event::Drained { .. } => "drained",
        Event::Changed { .. } => "changed",
        Event::Added { .. } => "added",
        Event::Removed { .. } => "removed",
        Event::MembershipOver { .. } => "membership-over",
        Event::Expired { .. } => "expired",
        Event::NoneIsUp { .. } => "none-is-up",
        Event::CheckerLost { .. } => "checker-lost",
    };
    events.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_plan_is_carried_out_as_it_is_and_nothing_else_changes() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    stage.probe_until("p", "b", ProbeVerdict::Failed);
    let before = stage.id("p", "b");
    let next = one_pool("http://c, {url: http://b, weight: 3}");
    let plan = ReloadPlan::between(stage.roster.config(), &next);
    let shown = plan.apply(stage.roster.config());
    let events = stage.apply(&next);
    assert_eq!(**stage.roster.config(), shown);
    assert_eq!(
        words(&events),
        "stop publish start",
        "a's checker ends, c's begins"
    );
    assert_eq!(
        (stage.published("p").as_str(), stage.roster.generation()),
        ("cba", 2)
    );
    let b = stage.member("p", "b").unwrap();
    assert_eq!((b.backend.id(), b.weight.get()), (before, 3));
    assert_eq!(b.health.status(), HealthStatus::Down, "what is known stays");
    assert_eq!(stage.health("p", "c"), HealthStatus::Pending);
}

#[test]
fn a_removed_backend_serves_on_until_one_that_stays_is_up() {
    let mut stage = Stage::new(one_pool("http://a"));
    stage.probe("p", "a", ProbeVerdict::Passed);
    stage.apply(&one_pool("http://c, http://d"));
    assert_eq!(stage.published("p"), "cda");
    assert_eq!(stage.lease("p", 0).unwrap().backend().url().host(), "a");
    stage.probe("p", "c", ProbeVerdict::Failed);
    assert_eq!(stage.published("p"), "cda");
    stage.probe("p", "d", ProbeVerdict::Passed);
    assert_eq!(stage.published("p"), "cd");
}

#[test]
fn a_reload_that_has_heard_of_all_lets_them_go_even_if_none_is_up() {
    let mut stage = Stage::new(one_pool("http://a"));
    stage.apply(&one_pool("http://c"));
    assert_eq!(stage.published("p"), "ca");
    let events = stage.roster.retire_removed();
    assert!(stage.carry_out(&events));
    assert_eq!(stage.published("p"), "c");
    assert_eq!(words(&stage.roster.retire_removed()), "", "nobody is left to go");
}

#[test]
fn one_that_is_added_again_while_it_serves_on_is_the_same_and_is_probed_again() {
    let mut stage = Stage::new(one_pool("http://a"));
    let before = stage.id("p", "a");
    stage.apply(&one_pool("http://c"));
    assert!(!stage.checkers.contains(&before), "it is not asked any more");
    let events = stage.apply(&one_pool("http://c, http://a"));
    assert_eq!(words(&events), "publish start");
    assert_eq!(
        (stage.id("p", "a"), stage.published("p").as_str()),
        (before, "ca")
    );
}

#[test]
fn a_removed_backend_is_the_same_again_while_requests_hold_it_and_another_one_after() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    let held: Vec<Lease> = (0..2).map(|_| stage.lease("p", 0).unwrap()).collect();
    let before = stage.id("p", "b");
    stage.apply(&one_pool("http://a"));
    stage.apply(&one_pool("http://a, http://b"));
    assert_eq!(stage.id("p", "b"), before);
    drop(held);
    stage.apply(&one_pool("http://a"));
    stage.apply(&one_pool("http://a, http://b"));
    assert_ne!(stage.id("p", "b"), before);
}

#[test]
fn a_pool_that_comes_back_finds_its_backends_that_requests_hold() {
    let both = config_of(&[("p", "http://a"), ("q", "http://a")], "");
    let mut stage = Stage::new(both.clone());
    let held = stage.lease("q", 0).unwrap();
    stage.apply(&one_pool("http://a"));
    assert!(stage.roster.members("q").is_empty());
    stage.apply(&both);
    assert_eq!(stage.id("q", "a"), held.backend().id());
}

#[test]
fn a_transition_is_judged_and_published_and_the_last_one_is_warned_of() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    let probed = stage.probe("p", "a", ProbeVerdict::Failed);
    assert_eq!(
        words(&probed.events),
        "transition publish-soon",
        "the first probe decides"
    );
    let probed = stage.probe("p", "b", ProbeVerdict::Failed);
    assert_eq!(words(&probed.events), "transition publish-soon none-is-up");
    let probed = stage.probe("p", "b", ProbeVerdict::Passed);
    assert_eq!(
        (words(&probed.events).as_str(), probed.next),
        ("", NextProbe::Soon)
    );
    let probed = stage.probe("p", "b", ProbeVerdict::Passed);
    assert_eq!(
        (words(&probed.events).as_str(), probed.next),
        ("transition publish-soon", NextProbe::Usual)
    );
}

#[test]
fn a_probe_that_could_not_be_made_says_nothing_of_the_backend() {
    let mut stage = Stage::new(one_pool("http://a"));
    for _ in 0..10 {
        let probed = stage.probe("p", "a", ProbeVerdict::NotAsked);
        assert_eq!(
            (words(&probed.events).as_str(), probed.next),
            ("not-probed", NextProbe::Soon)
        );
    }
    assert_eq!(stage.health("p", "a"), HealthStatus::Up);
}

#[test]
fn the_probe_of_one_that_is_gone_or_not_probed_is_the_last() {
    let mut stage = Stage::new(one_pool("http://a, {url: http://b, health_check: false}"));
    let (a, b) = (stage.id("p", "a"), stage.id("p", "b"));
    stage.apply(&one_pool("{url: http://b, health_check: false}"));
    for id in [a, b, 1000] {
        let report = ProbeReport {
            verdict: ProbeVerdict::Failed,
            detail: String::new(),
            took: Duration::ZERO,
            addresses: Vec::new(),
            passed: None,
            failed: Vec::new(),
        };
        let probed = stage.roster.probed(id, report, stage.now);
        assert_eq!(
            (words(&probed.events).as_str(), probed.next),
            ("", NextProbe::Never)
        );
    }
}

#[test]
fn only_names_are_looked_up_of_those_that_are_not_probed() {
    let backends = "{url: http://b, health_check: false}, {url: \"http://192.0.2.1\", health_check: false}";
    let stage = Stage::new(one_pool(backends));
    assert_eq!(stage.checkers, BTreeSet::from([stage.id("p", "b")]));
    let address = stage.member("p", "192.0.2.1").unwrap();
    assert_eq!(
        address.backend.addresses().all(),
        ["192.0.2.1:80".parse().unwrap()]
    );
}

#[test]
fn a_change_of_one_check_begins_that_checker_anew_and_no_other() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    let events = stage.apply(&one_pool("http://a, {url: http://b, health_check: /x}"));
    assert_eq!(words(&events), "stop publish start");
    let b = stage.id("p", "b");
    assert!(matches!(events[0], Event::StopChecker { backend } if backend == b));
    assert_eq!(
        stage
            .roster
            .check_of(b)
            .map(|check| check.path.to_string())
            .as_deref(),
        Some("/x")
    );
}

#[test]
fn a_checker_that_ended_by_itself_is_started_again_and_one_that_was_stopped_is_not() {
    let mut stage = Stage::new(one_pool("http://a"));
    let a = stage.id("p", "a");
    stage.checkers.remove(&a);
    let events = stage.roster.checker_ended(a);
    stage.carry_out(&events);
    assert_eq!(words(&events), "checker-lost start");
    stage.apply(&one_pool("http://b"));
    assert_eq!(words(&stage.roster.checker_ended(a)), "");
}

#[test]
fn a_full_row_is_judged_at_once_and_then_after_a_pause() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    let b = stage.id("p", "b");
    let mut said = None;
    while said.is_none() {
        let lease = stage.lease("p", 0).unwrap();
        let failed = lease.backend().id() == b;
        let outcome = if failed {
            Outcome::BackendFailed
        } else {
            Outcome::Answered
        };
        said = lease.finish(outcome, stage.now);
    }
    let events = stage.roster.failed_in_a_row(b, stage.now);
    stage.carry_out(&events);
    assert_eq!(words(&events), "ruled publish-soon judge-again");
    assert_eq!(stage.health("p", "b"), HealthStatus::Ejected);
    assert_eq!(
        words(&stage.roster.failed_in_a_row(b, stage.now)),
        "",
        "it is in its pause"
    );
    assert_eq!(words(&stage.roster.judge_again(&"p".into(), stage.now)), "");
    assert_eq!(words(&stage.roster.failed_in_a_row(b, stage.now)), "judge-again");
    stage.now += seconds(11);
    assert_eq!(words(&stage.roster.tick(stage.now)), "ruled publish-soon");
}

#[test]
fn a_backend_that_is_forgiven_is_shown_so() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    let b = stage.id("p", "b");
    while stage.roster.member_of(b).unwrap().backend.failures_in_a_row() < 5 {
        let lease = stage.lease("p", 0).unwrap();
        let failed = lease.backend().id() == b;
        lease.finish(
            if failed {
                Outcome::BackendFailed
            } else {
                Outcome::Answered
            },
            stage.now,
        );
    }
    for (after, expected) in [
        (0, "ruled publish-soon"),
        (10, "ruled publish-soon"),
        (9, ""),
        (1, "publish-soon"),
    ] {
        stage.now += seconds(after);
        assert_eq!(words(&stage.roster.tick(stage.now)), expected);
    }
}

#[test]
fn a_drain_is_done_when_nothing_is_in_flight_and_not_before_it_has_settled() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    let held: Vec<Lease> = (0..2).map(|_| stage.lease("p", 0).unwrap()).collect();
    let events = stage.wish("p", "b", Wish::Drain, None);
    assert_eq!(words(&events), "publish changed watch-drains");
    assert_eq!(
        words(&stage.wish("p", "b", Wish::Drain, None)),
        "changed",
        "nothing new"
    );
    stage.now += seconds(1);
    assert_eq!(words(&stage.roster.watch_drains(stage.now)), "");
    drop(held);
    assert_eq!(
        words(&stage.roster.watch_drains(stage.now)),
        "drained publish-soon"
    );
    assert_eq!(words(&stage.roster.watch_drains(stage.now)), "");
    stage.wish("p", "b", Wish::Serve, None);
    stage.wish("p", "b", Wish::Drain, None);
    assert_eq!(
        words(&stage.roster.watch_drains(stage.now)),
        "",
        "a worker may be taking a lease"
    );
}

#[test]
fn a_live_change_ends_in_time_and_with_its_backend() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    let events = stage.wish("p", "b", Wish::Maintenance, Some(seconds(60)));
    assert_eq!(
        words(&events),
        "stop publish start changed watch-drains",
        "its name is kept resolved"
    );
    stage.now += seconds(59);
    assert_eq!(words(&stage.roster.tick(stage.now)), "");
    stage.now += seconds(1);
    let events = stage.roster.tick(stage.now);
    assert_eq!(words(&events), "expired stop publish start");
    assert_eq!(stage.health("p", "b"), HealthStatus::Pending);
    stage.carry_out(&events);
    stage.wish("p", "a", Wish::Drain, None);
    stage.apply(&one_pool("http://b"));
    stage.apply(&one_pool("http://b, http://a"));
    assert!(stage.member("p", "a").unwrap().live.is_empty());
}

#[test]
fn a_roster_goes_on_from_a_snapshot() {
    let mut stage = Stage::new(one_pool("http://a"));
    stage.apply(&one_pool("http://c, {url: http://d, weight: 2}"));
    stage.probe("p", "d", ProbeVerdict::Failed);
    assert_eq!(stage.published("p"), "cda", "a serves on");
    let mut roster = Roster::resume(&stage.published, Arc::clone(&stage.roster.factory));
    assert_eq!((roster.generation(), roster.members("p").len()), (2, 2));
    assert_eq!(roster.pools["p"].retiring.len(), 1, "and serves on");
    assert_eq!(
        roster.members("p")[1].health,
        stage.member("p", "d").unwrap().health
    );
    assert_eq!(words(&roster.start_checkers()), "start start");
    assert_eq!(words(&roster.start_checkers()), "", "once");
    let plan = ReloadPlan::between(roster.config(), &one_pool("http://c, http://e"));
    roster.apply(&plan, stage.now);
    assert!(
        roster.members("p")[1].backend.id() > stage.id("p", "d"),
        "a number of its own"
    );
}

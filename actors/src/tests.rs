//! The control plane with a prober that answers as the test says, on a paused clock.

#![allow(clippy::unwrap_used)]

mod crowds;
mod judging;
mod live;

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use actix::{Context, Handler, Message};
use futures::{FutureExt, future::LocalBoxFuture};
use lb_core::{
    config::{self, BackendUrl, Config, HealthCheck, ReloadPlan},
    pool::{Ask, Tried},
    roster::{ProbeReport, ProbeVerdict},
    status::HealthStatus,
};
use tokio::time::{advance, pause, timeout};

use crate::{
    RegistryHandle,
    config_watcher::ReloadEvent,
    config_watcher::WatcherHandle,
    control_plane::{ControlPlane, first_snapshot},
    health_checker::HealthChecker,
    messages::*,
    probe::{ProbeError, Prober},
    registry::BackendRegistry,
};

/// What a backend does when it is probed.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Good,
    Bad,
    Never,
    /// The balancer has no file descriptor left.
    Ours,
    /// Nothing comes until the probe's time is over.
    Hangs,
}

#[derive(Default)]
struct Probes {
    answers: HashMap<String, Answer>,
    begun: HashMap<String, usize>,
    running: HashMap<String, usize>,
    overlapped: bool,
    /// The most at a time.
    most: usize,
}

/// Backends are good unless a test says otherwise.
#[derive(Clone, Default)]
struct FakeProber(Rc<RefCell<Probes>>);

impl FakeProber {
    fn set(&self, host: &str, answer: Answer) {
        self.0.borrow_mut().answers.insert(host.to_owned(), answer);
    }

    fn begun(&self, host: &str) -> usize {
        self.0.borrow().begun.get(host).copied().unwrap_or(0)
    }

    fn running(&self, host: &str) -> usize {
        self.0.borrow().running.get(host).copied().unwrap_or(0)
    }
}

/// Counts a probe as running until it ends or is dropped.
struct Running(FakeProber, String);

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.0.borrow_mut().running.get_mut(&self.1).unwrap() -= 1;
    }
}

impl Prober for FakeProber {
    fn resolve(&self, _: &BackendUrl) -> LocalBoxFuture<'static, Result<Vec<SocketAddr>, ProbeError>> {
        async { Ok(vec![SocketAddr::from(([192, 0, 2, 1], 80))]) }.boxed_local()
    }

    fn probe(&self, url: &BackendUrl, check: &HealthCheck) -> LocalBoxFuture<'static, ProbeReport> {
        let host = url.host().to_owned();
        let answer = {
            let mut probes = self.0.borrow_mut();
            *probes.begun.entry(host.clone()).or_default() += 1;
            *probes.running.entry(host.clone()).or_default() += 1;
            probes.overlapped |= probes.running[&host] > 1;
            probes.most = probes.most.max(probes.running.values().sum());
            probes.answers.get(&host).copied().unwrap_or(Answer::Good)
        };
        let (running, timeout) = (Running(self.clone(), host), check.timeout);
        async move {
            let _running = running;
            if answer == Answer::Never {
                std::future::pending::<()>().await;
            }
            let takes = match answer {
                Answer::Hangs => timeout,
                _ => Duration::from_millis(5),
            };
            tokio::time::sleep(takes).await;
            let verdict = match answer {
                Answer::Good => ProbeVerdict::Passed,
                Answer::Ours => ProbeVerdict::NotAsked,
                Answer::Bad | Answer::Never | Answer::Hangs => ProbeVerdict::Failed,
            };
            ProbeReport {
                verdict,
                detail: "fake".to_owned(),
                took: takes,
                addresses: Vec::new(),
                passed: None,
                failed: Vec::new(),
            }
        }
        .boxed_local()
    }
}

fn config_of(hosts: &[&str]) -> Config {
    let backends: Vec<String> = hosts.iter().map(|host| format!("http://{host}")).collect();
    config_with(&backends, "")
}

/// Backends as a file writes them, and more settings.
fn config_with(backends: &[String], more: &str) -> Config {
    let backends: String = backends
        .iter()
        .map(|backend| format!("  - {backend}\n"))
        .collect();
    let text =
        format!("port: 0\nhealth_check: {{rise: 2, fall: 3, jitter: 0%}}\nbackends:\n{backends}{more}");
    config::load(&text, "config.yaml", &|_| None).unwrap()
}

struct Plane {
    registry: RegistryHandle,
    plane: ControlPlane,
    prober: FakeProber,
}

fn start(hosts: &[&str], prober: FakeProber) -> Plane {
    start_with(config_of(hosts), prober)
}

fn start_with(config: Config, prober: FakeProber) -> Plane {
    pause();
    let registry = first_snapshot(config, 2);
    let watcher = WatcherHandle::new("config.yaml".into(), registry.clone(), |_: ReloadEvent<'_>| {});
    let plane = ControlPlane::start(registry.clone(), watcher, Rc::new(prober.clone()));
    Plane {
        registry,
        plane,
        prober,
    }
}

impl Plane {
    fn health(&self, host: &str) -> Option<HealthStatus> {
        let snapshot = self.registry.snapshot();
        let members = snapshot.pools()[0].members();
        members
            .iter()
            .find(|m| m.backend.url().host() == host)
            .map(|m| m.health.status())
    }

    /// Lets time pass in small steps, so that actors get to run between them.
    async fn pass(&self, time: Duration) {
        let step = Duration::from_millis(50);
        for _ in 0..time.as_millis() / step.as_millis() {
            advance(step).await;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn apply(&self, hosts: &[&str]) -> Applied {
        self.apply_config(config_of(hosts)).await
    }

    async fn apply_config(&self, next: Config) -> Applied {
        let plan = ReloadPlan::between(self.registry.snapshot().config(), &next);
        self.registry
            .registry()
            .unwrap()
            .send(ApplyPlan { plan })
            .await
            .unwrap()
    }

    fn picks(&self, count: usize) -> String {
        let pick = |_| {
            let now = std::time::Instant::now();
            let ask = Ask {
                worker: 0,
                now,
                random: 0,
                key: None,
                sticky: None,
                tried: &Tried::default(),
            };
            self.registry
                .pick(&ask)
                .unwrap()
                .backend()
                .url()
                .host()
                .to_owned()
        };
        (0..count).map(pick).collect()
    }
}

#[actix::test]
async fn the_first_probe_decides() {
    let prober = FakeProber::default();
    prober.set("b", Answer::Bad);
    let plane = start(&["a", "b"], prober);
    assert_eq!(plane.health("b"), Some(HealthStatus::Up), "up until it was asked");
    plane.pass(Duration::from_millis(200)).await;
    assert_eq!(plane.health("a"), Some(HealthStatus::Up));
    assert_eq!(plane.health("b"), Some(HealthStatus::Down));
    assert_eq!(plane.picks(3), "aaa");
}

#[actix::test]
async fn a_backend_goes_after_fall_bad_probes_and_comes_back_after_rise_good_ones() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.pass(Duration::from_millis(200)).await;
    let before = plane.prober.begun("a");
    plane.prober.set("a", Answer::Bad);
    while plane.health("a") == Some(HealthStatus::Up) {
        plane.pass(Duration::from_millis(50)).await;
    }
    assert_eq!(plane.prober.begun("a") - before, 3, "fall is 3");
    let before = plane.prober.begun("a");
    plane.prober.set("a", Answer::Good);
    while plane.health("a") == Some(HealthStatus::Down) {
        plane.pass(Duration::from_millis(50)).await;
    }
    assert_eq!(plane.prober.begun("a") - before, 2, "rise is 2");
}

#[actix::test]
async fn who_comes_back_or_is_added_beside_others_that_serve_is_on_slow_start() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.pass(Duration::from_millis(200)).await;
    let warming = |host: &str| {
        let snapshot = plane.registry.snapshot();
        let members = snapshot.pools()[0].members();
        let up = members.iter().filter(|member| member.health.is_up());
        let earliest = up.map(|member| member.warming_since).min().flatten();
        let mut members = members.iter();
        members.any(|member| member.backend.url().host() == host && member.warming_since > earliest)
    };
    assert!(
        !warming("a") && !warming("b"),
        "at the start all are equally cold"
    );
    plane.pass(Duration::from_secs(20)).await;
    plane.apply(&["a", "b", "c"]).await;
    plane.pass(Duration::from_millis(200)).await;
    assert!(warming("c") && !warming("a"));
    for host in ["a", "b", "c"] {
        plane.prober.set(host, Answer::Bad);
    }
    plane.pass(Duration::from_secs(10)).await;
    assert_eq!(plane.health("a"), Some(HealthStatus::Down));
    plane.prober.set("a", Answer::Good);
    // Longer than probes need to see one event everywhere: `b` comes up by an event of its own.
    plane.pass(Duration::from_secs(20)).await;
    assert!(!warming("a"), "nobody else could serve meanwhile");
    plane.prober.set("b", Answer::Good);
    plane.pass(Duration::from_secs(10)).await;
    assert!(warming("b"));
    let unprobed = ["http://a", "http://b", "{url: http://d, health_check: false}"].map(str::to_owned);
    plane.apply_config(config_with(&unprobed, "")).await;
    assert!(
        warming("d"),
        "one that is not probed serves at once, and is as cold"
    );
}

#[actix::test]
async fn probes_come_every_interval_and_sooner_while_the_state_is_changing() {
    let plane = start(&["a"], FakeProber::default());
    plane.pass(Duration::from_secs(30)).await;
    let usual = plane.prober.begun("a");
    assert!((6..=7).contains(&usual), "every 5 s, in 30 s: {usual}");
    plane.prober.set("a", Answer::Bad);
    plane
        .pass(Duration::from_secs(7) + Duration::from_millis(500))
        .await;
    assert_eq!(
        plane.health("a"),
        Some(HealthStatus::Down),
        "at most 5 s, then twice 1 s"
    );
}

#[actix::test]
async fn a_probe_that_failed_for_want_of_a_descriptor_judges_nobody() {
    let plane = start(&["a"], FakeProber::default());
    plane.pass(Duration::from_millis(200)).await;
    plane.prober.set("a", Answer::Ours);
    let begun = plane.prober.begun("a");
    plane.pass(Duration::from_secs(20)).await;
    assert!(plane.prober.begun("a") > begun + 3, "it goes on asking");
    assert_eq!(plane.health("a"), Some(HealthStatus::Up));
}

#[actix::test]
async fn probes_of_one_backend_never_overlap() {
    let plane = start(&["a"], FakeProber::default());
    plane.prober.set("a", Answer::Never);
    plane.pass(Duration::from_secs(60)).await;
    assert_eq!(plane.prober.running("a"), 1);
    assert!(!plane.prober.0.borrow().overlapped);
}

#[actix::test]
async fn a_pick_message_and_the_handle_give_one_sequence() {
    let plane = start(&["a", "b", "c"], FakeProber::default());
    let mut seen = String::new();
    for turn in 0..9 {
        if turn % 2 == 0 {
            seen.push_str(&plane.picks(1));
        } else {
            let pick = Pick {
                tried: Tried::default(),
            };
            let lease = plane
                .registry
                .registry()
                .unwrap()
                .send(pick)
                .await
                .unwrap()
                .unwrap();
            seen.push_str(lease.backend().url().host());
        }
    }
    assert_eq!(seen, "abcabcabc");
}

#[actix::test]
async fn a_reload_keeps_what_is_known_and_probes_what_is_new_first() {
    let prober = FakeProber::default();
    prober.set("b", Answer::Bad);
    let plane = start(&["a", "b"], prober);
    plane.pass(Duration::from_millis(200)).await;
    plane.picks(4);
    assert_eq!(plane.apply(&["a", "b", "c"]).await, Applied { generation: 2 });
    assert_eq!(
        plane.health("b"),
        Some(HealthStatus::Down),
        "known to be down, and stays it"
    );
    assert_eq!(plane.health("c"), Some(HealthStatus::Pending));
    assert_eq!(
        plane.picks(2),
        "aa",
        "a backend that was not probed yet gets nothing"
    );
    plane.pass(Duration::from_millis(200)).await;
    assert_eq!(plane.health("c"), Some(HealthStatus::Up));
    let status = plane.registry.registry().unwrap().send(GetStatus).await.unwrap();
    let requests: Vec<_> = status[0]
        .backends
        .iter()
        .map(|b| (b.url.as_str(), b.counts.requests))
        .collect();
    assert_eq!(
        requests,
        [("http://a:80", 6), ("http://b:80", 0), ("http://c:80", 0)]
    );
}

#[actix::test]
async fn a_removed_backend_is_not_probed_any_more_not_even_to_the_end() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.prober.set("b", Answer::Never);
    plane.pass(Duration::from_secs(11)).await;
    assert_eq!(plane.prober.running("b"), 1, "a probe is under way");
    plane.apply(&["a"]).await;
    assert_eq!(
        plane.prober.running("b"),
        0,
        "and is dropped before the reload answers"
    );
    let begun = plane.prober.begun("b");
    plane.pass(Duration::from_secs(30)).await;
    assert_eq!(plane.prober.begun("b"), begun);
    assert_eq!(plane.picks(3), "aaa");
}

#[derive(Message)]
#[rtype(result = "()")]
struct Crash;

impl Handler<Crash> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        panic!("asked for by a test");
    }
}

impl Handler<Crash> for HealthChecker {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        panic!("asked for by a test");
    }
}

#[actix::test]
async fn a_registry_that_ends_is_started_again_and_the_last_snapshot_serves_meanwhile() {
    let prober = FakeProber::default();
    prober.set("b", Answer::Bad);
    let plane = start(&["a", "b"], prober);
    plane.pass(Duration::from_millis(200)).await;
    let first = plane.registry.registry().unwrap();
    assert!(first.send(Crash).await.is_err(), "it panicked");
    assert_eq!(plane.picks(2), "aa", "the snapshot serves");
    plane.pass(Duration::from_millis(300)).await;
    let second = plane.registry.registry().unwrap();
    assert!(second != first && second.connected());
    assert_eq!(plane.registry.actor_restarts(), 1);
    assert_eq!(
        plane.health("b"),
        Some(HealthStatus::Down),
        "it goes on from what was known"
    );
    plane.prober.set("b", Answer::Good);
    plane.pass(Duration::from_secs(10)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Up), "and judges again");
    assert!(!plane.prober.0.borrow().overlapped, "old checkers have ended");
    assert_eq!(plane.apply(&["a"]).await, Applied { generation: 2 });
}

#[actix::test]
async fn whether_the_registry_is_there_can_be_asked() {
    let plane = start(&["a"], FakeProber::default());
    plane.pass(Duration::from_millis(50)).await;
    let is_there = || {
        plane
            .registry
            .registry()
            .is_some_and(|registry| registry.connected())
    };
    assert!(is_there());
    assert!(plane.registry.registry().unwrap().send(Crash).await.is_err());
    plane.pass(Duration::from_millis(1)).await;
    assert!(!is_there(), "its address is known, and nobody is behind it");
    plane.pass(Duration::from_secs(1)).await;
    assert!(is_there());
}

#[actix::test]
async fn a_checker_that_ends_is_started_again() {
    let plane = start(&["a"], FakeProber::default());
    plane.pass(Duration::from_millis(200)).await;
    let crash = CrashChecker;
    plane.registry.registry().unwrap().send(crash).await.unwrap();
    plane.pass(Duration::from_millis(200)).await;
    assert_eq!(plane.registry.actor_restarts(), 1);
    assert_eq!(plane.prober.begun("a"), 2, "the new one asked at once");
    plane.prober.set("a", Answer::Bad);
    plane.pass(Duration::from_secs(10)).await;
    assert_eq!(plane.health("a"), Some(HealthStatus::Down));
}

#[derive(Message)]
#[rtype(result = "()")]
struct CrashChecker;

impl Handler<CrashChecker> for BackendRegistry {
    type Result = ();

    fn handle(&mut self, _: CrashChecker, _: &mut Context<Self>) {
        self.any_checker().unwrap().do_send(Crash);
    }
}

#[actix::test]
async fn a_stop_ends_probing() {
    let Plane {
        plane,
        prober,
        registry,
    } = start(&["a"], FakeProber::default());
    timeout(Duration::from_secs(5), plane.stop()).await.unwrap();
    let begun = prober.begun("a");
    advance(Duration::from_secs(60)).await;
    assert!(prober.begun("a") <= begun.max(1) && registry.registry().is_none());
}

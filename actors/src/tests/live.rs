//! Live changes through the registry: in force at once, over reloads and restarts, and gone in time.

use lb_core::{
    live::Wish,
    pool::Lease,
    roster::{MemberChange, MemberWish},
    status::{BackendStatus, LiveReport},
};

use super::*;

const MOMENT: Duration = Duration::from_millis(200);

fn minutes(minutes: u64) -> Option<Duration> {
    Some(Duration::from_secs(60 * minutes))
}

async fn asked(plane: &Plane, url: &str, change: Option<Wish>, lasts: Option<Duration>) -> LiveReport {
    let message = ChangeLive {
        url: url.to_owned(),
        pool: None,
        change,
        lasts,
    };
    plane.registry.registry().unwrap().send(message).await.unwrap()
}

/// Changes one backend, which is there; how it is then.
async fn changed(plane: &Plane, host: &str, wish: Wish, lasts: Option<Duration>) -> BackendStatus {
    let mut report = asked(plane, &format!("http://{host}"), Some(wish), lasts).await;
    assert!(report.applied && report.problems.is_empty(), "{report:?}");
    report.backends.remove(0).backend
}

async fn seen(plane: &Plane, host: &str) -> BackendStatus {
    asked(plane, &format!("http://{host}"), None, None)
        .await
        .backends
        .remove(0)
        .backend
}

fn held(plane: &Plane, count: usize) -> Vec<Lease> {
    let tried = Tried::default();
    let pick = |_| plane.registry.pick(&plane.registry.ask_of_control_plane(&tried));
    (0..count).map(|index| pick(index).unwrap()).collect()
}

/// Backends as a file has them, in YAML.
fn file(backends: &str) -> Arc<Config> {
    let text = format!(
        "port: 0\nslow_start: 0s\nhealth_check: {{rise: 2, fall: 3, jitter: 0%}}\nbackends: [{backends}]\n"
    );
    Arc::new(config::load(&text, "config.yaml", &|_| None).unwrap())
}

async fn reloaded(plane: &Plane, next: Arc<Config>) {
    let plan = ReloadPlan::between(plane.registry.snapshot().config(), &next);
    let apply = ApplyPlan { plan };
    plane.registry.registry().unwrap().send(apply).await.unwrap();
}

fn weight(value: u16) -> Wish {
    Wish::Weight(lb_core::config::Weight::new(value).unwrap())
}

#[actix::test]
async fn a_drain_keeps_new_requests_away_and_is_done_when_those_in_flight_have_ended() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.pass(MOMENT).await;
    let leases = held(&plane, 2);
    let status = changed(&plane, "b", Wish::Drain, None).await;
    assert_eq!(
        (status.health, status.counts.in_flight, status.drained_seconds),
        (HealthStatus::Draining, 1, None)
    );
    assert_eq!(plane.picks(4), "aaaa", "in force with the answer");
    plane.pass(Duration::from_secs(2)).await;
    assert_eq!(seen(&plane, "b").await.reason.as_deref(), Some("1 in flight"));
    drop(leases);
    plane.pass(Duration::from_secs(2)).await;
    let status = seen(&plane, "b").await;
    assert!(status.drained_seconds.is_some(), "{status:?}");
    assert_eq!(status.reason.as_deref(), Some("drained: nothing is in flight"));
    plane.pass(Duration::from_secs(3600)).await;
    assert_eq!(plane.picks(3), "aaa", "until somebody takes it back");
    let status = changed(&plane, "b", Wish::Serve, None).await;
    assert_eq!(
        (status.health, status.live.len()),
        (HealthStatus::Up, 0),
        "its probes went on, so it is known to be well"
    );
}

#[actix::test]
async fn a_backend_that_is_removed_and_added_again_still_holds_what_it_held() {
    let plane = start_with(Config::clone(&file("http://a, http://b")), FakeProber::default());
    plane.pass(Duration::from_millis(200)).await;
    let mut held = held(&plane, 4);
    reloaded(&plane, file("http://a")).await;
    assert_eq!(plane.health("b"), None);
    reloaded(&plane, file("http://a, {url: http://b, max_connections: 2}")).await;
    plane.pass(Duration::from_millis(200)).await;
    assert_eq!(seen(&plane, "b").await.counts.in_flight, 2);
    assert_eq!(plane.picks(4), "aaaa", "its limit is reached");
    held.retain(|lease| lease.backend().url().host() != "b");
    assert_eq!(seen(&plane, "b").await.counts.in_flight, 0);
    assert_eq!(plane.picks(4).matches('b').count(), 2);
    reloaded(&plane, file("http://a")).await;
    reloaded(&plane, file("http://a, http://b")).await;
    assert_eq!(
        seen(&plane, "b").await.counts.requests,
        0,
        "with nothing in flight it is a new one"
    );
}

#[actix::test]
async fn a_drain_with_nothing_in_flight_is_done_a_moment_later_and_not_at_once() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.pass(MOMENT).await;
    // The registry looks at drains every half second too; one of these begins just before.
    for _ in 0..12 {
        changed(&plane, "b", Wish::Drain, None).await;
        plane.pass(Duration::from_millis(50)).await;
        assert_eq!(
            seen(&plane, "b").await.drained_seconds,
            None,
            "a worker may be about to take a lease"
        );
        changed(&plane, "b", Wish::Serve, None).await;
    }
    changed(&plane, "b", Wish::Drain, None).await;
    plane.pass(Duration::from_millis(150)).await;
    assert_eq!(seen(&plane, "b").await.drained_seconds, Some(0));
}

#[actix::test]
async fn a_change_ends_by_itself_when_its_time_is_over() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.pass(MOMENT).await;
    let status = changed(&plane, "b", Wish::Drain, minutes(10)).await;
    assert_eq!(status.until_seconds, Some(600));
    changed(&plane, "a", weight(3), minutes(1)).await;
    plane.pass(Duration::from_secs(59)).await;
    let status = seen(&plane, "a").await;
    assert_eq!((status.weight, status.live[0].until_seconds), (3, Some(1)));
    plane.pass(Duration::from_secs(2)).await;
    let status = seen(&plane, "a").await;
    assert_eq!((status.weight, status.live.len()), (1, 0));
    plane.pass(Duration::from_secs(10 * 60 - 63)).await;
    assert_eq!(plane.picks(2), "aa");
    plane.pass(Duration::from_secs(4)).await;
    let status = seen(&plane, "b").await;
    assert_eq!((status.health, status.until_seconds), (HealthStatus::Up, None));
}

#[actix::test]
async fn a_weight_shifts_shares_exactly() {
    let plane = start(&["a", "b"], FakeProber::default());
    reloaded(&plane, file("http://a, http://b")).await;
    plane.pass(MOMENT).await;
    let status = changed(&plane, "b", weight(9), None).await;
    assert_eq!((status.weight, status.live[0].file.as_str()), (9, "1"));
    let picks = plane.picks(100);
    assert_eq!(picks.matches('b').count(), 90, "{picks}");
    changed(&plane, "b", Wish::FileWeight, None).await;
    assert_eq!(plane.picks(100).matches('b').count(), 50);
}

#[actix::test]
async fn a_reload_keeps_live_changes_except_those_of_what_it_removes() {
    let plane = start(&["a", "b", "c"], FakeProber::default());
    plane.pass(MOMENT).await;
    changed(&plane, "b", Wish::Drain, minutes(10)).await;
    changed(&plane, "a", weight(10), None).await;
    changed(&plane, "c", weight(5), None).await;
    plane.pass(Duration::from_secs(60)).await;
    reloaded(&plane, file("{url: http://a, weight: 3}, http://b")).await;
    let (a, b) = (seen(&plane, "a").await, seen(&plane, "b").await);
    assert_eq!((a.weight, a.live[0].file.as_str()), (10, "3"), "live over file");
    assert_eq!((b.health, b.until_seconds), (HealthStatus::Draining, Some(540)));
    assert!(
        b.drained_seconds.is_some_and(|seconds| seconds > 50),
        "its drain goes on"
    );
    reloaded(&plane, file("{url: http://a, weight: 3}, http://b, http://c")).await;
    plane.pass(MOMENT).await;
    let c = seen(&plane, "c").await;
    assert_eq!((c.weight, c.live.len()), (1, 0), "it is another one");
    changed(&plane, "a", Wish::FileWeight, None).await;
    assert_eq!(seen(&plane, "a").await.weight, 3);
}

#[actix::test]
async fn a_removed_backend_that_serves_on_for_a_while_and_is_added_again_has_lost_its_changes() {
    let plane = start(&["a"], FakeProber::default());
    plane.prober.set("c", Answer::Never);
    plane.pass(MOMENT).await;
    changed(&plane, "a", weight(5), None).await;
    reloaded(&plane, file("http://c")).await;
    assert_eq!(plane.picks(2), "aa", "nothing is known of the other one");
    reloaded(&plane, file("http://a, http://c")).await;
    let a = seen(&plane, "a").await;
    assert_eq!((a.weight, a.live.len()), (1, 0));
}

#[actix::test]
async fn a_registry_that_is_started_again_knows_them_and_ends_them_in_time() {
    let plane = start(&["a", "b", "c"], FakeProber::default());
    plane.pass(MOMENT).await;
    changed(&plane, "b", Wish::Maintenance, minutes(1)).await;
    changed(&plane, "c", weight(7), minutes(2)).await;
    assert!(plane.registry.registry().unwrap().send(Crash).await.is_err());
    plane.pass(Duration::from_secs(1)).await;
    let probes = plane.prober.begun("b");
    let (b, c) = (seen(&plane, "b").await, seen(&plane, "c").await);
    assert_eq!((b.health, c.weight), (HealthStatus::Maintenance, 7));
    plane.pass(Duration::from_secs(50)).await;
    assert_eq!(plane.prober.begun("b"), probes, "nobody asks it how it is");
    plane.pass(Duration::from_secs(11)).await;
    let (b, c) = (seen(&plane, "b").await, seen(&plane, "c").await);
    assert_eq!((b.health, c.weight), (HealthStatus::Up, 7));
    plane.pass(Duration::from_secs(60)).await;
    assert_eq!(seen(&plane, "c").await.weight, 1);
}

#[actix::test]
async fn backends_that_were_added_and_removed_outlive_the_registry_and_reloads() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.pass(MOMENT).await;
    let change = async |host: &str, wish: MemberWish, lasts: Option<Duration>| {
        let change = MemberChange {
            url: format!("http://{host}"),
            pool: None,
            wish,
            lasts,
        };
        let registry = plane.registry.registry().unwrap();
        registry.send(ChangeMembers(change)).await.unwrap().unwrap()
    };
    let report = change("c", MemberWish::Add { weight: None }, None).await;
    assert_eq!(report.backends[0].backend.health, HealthStatus::Pending);
    let report = change("a", MemberWish::Remove, minutes(10)).await;
    assert!(
        report.removed[0].in_file && report.backends.is_empty(),
        "{report:?}"
    );
    plane.pass(MOMENT).await;
    assert_eq!(
        plane.health("c"),
        Some(HealthStatus::Up),
        "its first probe decides"
    );
    plane.registry.registry().unwrap().do_send(Crash);
    plane.pass(Duration::from_secs(1)).await;
    assert_eq!(
        (plane.health("a"), plane.health("c")),
        (None, Some(HealthStatus::Up))
    );
    plane.pass(Duration::from_secs(600)).await;
    assert!(plane.health("a").is_some(), "its time is over");
}

#[actix::test]
async fn a_maintenance_ends_probes_with_its_answer_and_the_backend_is_asked_before_it_comes_back() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.prober.set("b", Answer::Never);
    plane.pass(MOMENT).await;
    assert_eq!(plane.prober.running("b"), 1, "a probe is under way");
    changed(&plane, "b", Wish::Maintenance, None).await;
    assert_eq!(plane.prober.running("b"), 0);
    let probes = plane.prober.begun("b");
    plane.pass(Duration::from_secs(60)).await;
    assert_eq!(plane.prober.begun("b"), probes);
    plane.prober.set("b", Answer::Bad);
    let status = changed(&plane, "b", Wish::Serve, None).await;
    assert_eq!(status.health, HealthStatus::Pending);
    plane.pass(Duration::from_secs(1)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Down), "one probe decides");
    // And a reload while it lasts does not ask it either.
    changed(&plane, "b", Wish::Maintenance, None).await;
    let probes = plane.prober.begun("b");
    reloaded(&plane, file("http://a, {url: http://b, weight: 2}")).await;
    plane.pass(Duration::from_secs(30)).await;
    assert_eq!(plane.prober.begun("b"), probes);
    assert_eq!(plane.health("b"), Some(HealthStatus::Maintenance));
}

#[actix::test]
async fn the_last_backend_may_be_drained_and_the_answer_warns_of_it() {
    let plane = start(&["a", "b"], FakeProber::default());
    plane.pass(MOMENT).await;
    let drain = |host: &'static str| asked(&plane, host, Some(Wish::Drain), None);
    assert!(drain("http://a").await.warnings.is_empty());
    assert_eq!(
        drain("http://b").await.warnings,
        ["no backend of pool default is up: requests are answered with 503 until one is"]
    );
    plane.prober.set("a", Answer::Bad);
    plane.pass(Duration::from_secs(10)).await;
    assert_eq!(
        asked(&plane, "http://a", Some(Wish::Serve), None).await.warnings,
        ["no backend of pool default is up: requests are tried at the one that is not"]
    );
    assert_eq!(plane.picks(2), "aa");
}

#[actix::test]
async fn an_unknown_backend_is_refused_and_nothing_changes() {
    let plane = start(&["a", "backend"], FakeProber::default());
    let report = asked(&plane, "http://backnd", Some(Wish::Drain), None).await;
    assert!(!report.applied && report.backends.is_empty());
    assert_eq!(
        report.problems[0],
        "there is no backend http://backnd; did you mean `http://backend:80`?"
    );
    assert_eq!(report.problems.len(), 4, "{report:?}");
}

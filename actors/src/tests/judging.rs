//! What requests meet, and what a person orders, through the registry.

use lb_core::{
    pool::{Lease, Outcome},
    status::BackendStatus,
};

use super::*;

fn file(backends: &[&str], more: &str) -> Config {
    let backends: Vec<String> = backends.iter().map(ToString::to_string).collect();
    config_with(&backends, more)
}

fn two() -> Config {
    file(&["http://a", "http://b"], "")
}

impl Plane {
    fn lease(&self) -> Lease {
        let ask = Ask {
            worker: 0,
            now: tokio::time::Instant::now().into_std(),
            // A backend on slow start leaves most of its turns to others, by chance.
            random: fastrand::u64(..),
            key: None,
            sticky: None,
            tried: &Tried::default(),
        };
        self.registry.pick(&ask).unwrap()
    }

    /// Requests until so many have failed at this backend, each told to the registry as the lanes do.
    fn fail(&self, host: &str, failures: usize, told: bool) {
        let (mut failed, mut asked) = (0, 0);
        while failed < failures {
            asked += 1;
            assert!(asked < 10_000, "{host} gets no requests");
            let lease = self.lease();
            if lease.backend().url().host() != host {
                lease.finish(Outcome::Answered, std::time::Instant::now());
                continue;
            }
            failed += 1;
            if let Some(backend) = lease
                .finish(Outcome::BackendFailed, std::time::Instant::now())
                .filter(|_| told)
            {
                self.registry.failed_in_a_row(backend);
            }
        }
    }

    async fn status(&self, host: &str) -> BackendStatus {
        let pools = self.registry.registry().unwrap().send(GetStatus).await.unwrap();
        let url = format!("http://{host}:80");
        let mut all = pools.into_iter().flat_map(|pool| pool.backends);
        all.find(|backend| backend.url == url).unwrap()
    }
}

const MOMENT: Duration = Duration::from_millis(100);

#[actix::test]
async fn a_backend_that_fails_in_a_row_is_ejected_at_once_and_for_longer_each_time() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    for length in [10, 20, 30] {
        plane.fail("b", 5, true);
        plane.pass(MOMENT).await;
        assert_eq!(plane.health("b"), Some(HealthStatus::Ejected));
        assert_eq!(plane.picks(3), "aaa");
        plane.pass(Duration::from_secs(length - 1)).await;
        assert_eq!(
            plane.health("b"),
            Some(HealthStatus::Ejected),
            "its probes are good, but they were all along"
        );
        plane.pass(Duration::from_secs(2)).await;
        assert_eq!(plane.health("b"), Some(HealthStatus::Up));
    }
    assert_eq!(plane.status("b").await.ejections, 3);
}

#[actix::test]
async fn a_row_that_nobody_told_of_is_found_on_the_next_tick() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    plane.fail("b", 5, false);
    plane.pass(Duration::from_secs(1)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Ejected));
    let status = plane.status("b").await;
    assert_eq!(status.reason.as_deref(), Some("5 failures in a row"));
}

#[actix::test]
async fn the_probes_of_an_ejected_backend_go_on() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    plane.fail("b", 5, true);
    plane.prober.set("b", Answer::Bad);
    plane.pass(Duration::from_secs(8)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Down), "they see it too");
    plane.prober.set("b", Answer::Good);
    plane.pass(Duration::from_secs(30)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Up));
}

#[actix::test]
async fn an_ejection_survives_a_reload_and_a_registry_that_is_started_again() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    plane.fail("b", 5, true);
    plane.pass(MOMENT).await;
    plane
        .apply_config(file(&["http://a", "{url: http://b, weight: 3}", "http://c"], ""))
        .await;
    plane.pass(MOMENT * 2).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Ejected));
    assert!(plane.registry.registry().unwrap().send(Crash).await.is_err());
    plane.pass(MOMENT * 5).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Ejected));
    plane.pass(Duration::from_secs(10)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Up), "and it ends in time");
    plane.fail("b", 5, true);
    plane.pass(MOMENT).await;
    assert_eq!(
        plane.status("b").await.ejections,
        2,
        "what it had done before is remembered"
    );
}

#[actix::test]
async fn a_reload_that_turns_ejection_off_lets_everybody_back() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    plane.fail("b", 5, true);
    plane.pass(MOMENT).await;
    plane
        .apply_config(file(&["http://a", "http://b"], "ejection: off\n"))
        .await;
    plane.pass(Duration::from_secs(1)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Up));
    plane.fail("b", 50, true);
    plane.pass(Duration::from_secs(1)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Up));
    plane
        .apply_config(file(&["http://a", "http://b"], "ejection: 3\n"))
        .await;
    plane.pass(Duration::from_secs(1)).await;
    assert_eq!(
        plane.health("b"),
        Some(HealthStatus::Ejected),
        "a row that is longer than the new rule allows"
    );
}

#[actix::test]
async fn a_draining_backend_gets_nothing_new_and_is_drained_when_nothing_is_in_flight() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    let held: Vec<Lease> = (0..2).map(|_| plane.lease()).collect();
    plane
        .apply_config(file(&["http://a", "{url: http://b, drain: true}"], ""))
        .await;
    assert_eq!(plane.picks(4), "aaaa");
    plane.pass(Duration::from_secs(2)).await;
    let status = plane.status("b").await;
    assert_eq!(
        (status.health, status.reason.as_deref()),
        (HealthStatus::Draining, Some("1 in flight"))
    );
    drop(held);
    plane.pass(Duration::from_secs(2)).await;
    let reason = plane.status("b").await.reason;
    assert_eq!(reason.as_deref(), Some("drained: nothing is in flight"));
    let probes = plane.prober.begun("b");
    plane.pass(Duration::from_secs(12)).await;
    assert!(plane.prober.begun("b") > probes, "it is still asked how it is");
    plane.apply_config(two()).await;
    assert_eq!(
        plane.health("b"),
        Some(HealthStatus::Up),
        "and so is known to be well at once"
    );
    let snapshot = plane.registry.snapshot();
    let members = snapshot.pools()[0].members();
    let first = members.iter().map(|member| member.warming_since).min().flatten();
    let warming = members.iter().filter(|member| member.warming_since > first);
    let hosts: Vec<_> = warming.map(|member| member.backend.url().host()).collect();
    assert_eq!(
        hosts,
        ["b"],
        "with a slow start: it may have been replaced meanwhile"
    );
}

#[actix::test]
async fn a_backend_in_maintenance_is_left_alone_and_asked_before_it_comes_back() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    plane
        .apply_config(file(&["http://a", "{url: http://b, maintenance: true}"], ""))
        .await;
    let probes = plane.prober.begun("b");
    plane.pass(Duration::from_secs(30)).await;
    assert_eq!(plane.prober.begun("b"), probes);
    assert_eq!(
        (plane.health("b"), plane.picks(3).as_str()),
        (Some(HealthStatus::Maintenance), "aaa")
    );
    plane.prober.set("a", Answer::Bad);
    plane.pass(Duration::from_secs(10)).await;
    assert_eq!(
        plane.picks(3),
        "aaa",
        "one that is down is tried, one in maintenance is not"
    );
    plane.apply_config(two()).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Pending));
    plane.pass(MOMENT * 2).await;
    assert_eq!(
        (plane.health("b"), plane.picks(2).as_str()),
        (Some(HealthStatus::Up), "bb")
    );
}

#[actix::test]
async fn what_failed_before_a_backend_came_back_does_not_eject_it_after() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    let held: Vec<Lease> = (0..10).map(|_| plane.lease()).collect();
    plane.prober.set("b", Answer::Bad);
    plane.pass(Duration::from_secs(10)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Down));
    plane.prober.set("b", Answer::Good);
    let mut held = held.into_iter();
    let mut end = |count| {
        let of_b = held.by_ref().filter(|lease| lease.backend().url().host() == "b");
        of_b.take(count).for_each(|lease| {
            lease.finish(Outcome::BackendFailed, std::time::Instant::now());
        });
    };
    end(4);
    plane.pass(Duration::from_secs(10)).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Up));
    end(1);
    plane.pass(Duration::from_secs(2)).await;
    assert_eq!(
        plane.health("b"),
        Some(HealthStatus::Up),
        "five in a row, of before"
    );
    plane.fail("b", 4, true);
    for b in ["{url: http://b, maintenance: true}", "http://b"] {
        plane.apply_config(file(&["http://a", b], "")).await;
        plane.pass(Duration::from_secs(2)).await;
    }
    plane.fail("b", 4, true);
    plane.pass(MOMENT).await;
    assert_eq!(plane.health("b"), Some(HealthStatus::Up));
}

#[actix::test]
async fn who_is_ejected_comes_back_as_soon_as_probes_take_the_last_other_one_out() {
    let long = file(&["http://a", "http://b"], "ejection: {base: 5m}\n");
    let plane = start_with(long, FakeProber::default());
    plane.pass(MOMENT * 2).await;
    plane.fail("a", 5, true);
    plane.pass(MOMENT).await;
    assert_eq!(plane.health("a"), Some(HealthStatus::Ejected));
    plane.prober.set("b", Answer::Bad);
    let mut steps = 0;
    while plane.health("b") == Some(HealthStatus::Up) {
        steps += 1;
        assert!(steps < 1000);
        plane.pass(Duration::from_millis(50)).await;
    }
    assert_eq!(plane.health("a"), Some(HealthStatus::Up), "in the same snapshot");
}

#[actix::test]
async fn a_change_of_one_backends_check_begins_its_probes_anew_and_no_others() {
    let plane = start_with(two(), FakeProber::default());
    plane.pass(MOMENT * 2).await;
    let before = (plane.prober.begun("a"), plane.prober.begun("b"));
    plane
        .apply_config(file(
            &[
                "http://a",
                "{url: http://b, health_check: {rise: 1, interval: 1h}}",
            ],
            "",
        ))
        .await;
    plane.pass(MOMENT).await;
    assert_eq!(plane.prober.begun("b"), before.1 + 1, "asked at once");
    plane.pass(Duration::from_secs(15)).await;
    assert!(plane.prober.begun("a") >= before.0 + 2);
    plane.prober.set("b", Answer::Bad);
    assert!(plane.prober.begun("b") <= before.1 + 2, "by its own interval");
}

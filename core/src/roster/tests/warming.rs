//! Who begins equal, and who is behind others.

use super::*;

const TEN: &str =
    "http://a, http://b, http://c, http://d, http://e, http://f, http://g, http://h, http://i, http://j";

/// The share of a backend of the requests that come now; nothing stays in flight.
fn share(stage: &Stage, host: &str) -> f64 {
    let requests = 4_000;
    let hosts = (0..requests).filter_map(|turn| stage.lease("p", crate::strategy::mix(turn)));
    let here = hosts.filter(|lease| lease.backend().url().host() == host);
    here.count() as f64 / requests as f64
}

#[track_caller]
fn assert_share(stage: &Stage, host: &str, expected: f64) {
    let share = share(stage, host);
    assert!(
        (share - expected).abs() < 0.03,
        "{host} has {share}, {expected} expected"
    );
}

/// All backends of the pool, which have been up for a long time.
fn warm(backends: &str, settings: &str) -> Stage {
    let mut stage = Stage::new(config_of(&[("p", backends)], settings));
    for host in hosts(&stage) {
        stage.probe("p", &host, ProbeVerdict::Passed);
    }
    stage.now += seconds(3600);
    stage
}

fn hosts(stage: &Stage) -> Vec<String> {
    let members = stage.roster.members("p").iter();
    members
        .map(|member| member.backend.url().host().to_owned())
        .collect()
}

#[test]
fn after_an_outage_of_the_whole_pool_those_that_come_up_one_after_the_other_are_equal() {
    for strategy in ["round-robin", "least-connections", "hash", "random"] {
        let mut stage = warm(TEN, &format!("strategy: {strategy}"));
        for host in hosts(&stage) {
            stage.probe_until("p", &host, ProbeVerdict::Failed);
        }
        stage.now += seconds(1);
        for host in hosts(&stage) {
            stage.now += Duration::from_millis(400);
            stage.probe_until("p", &host, ProbeVerdict::Passed);
        }
        for host in ["a", "b", "j"] {
            assert_share(&stage, host, 0.1);
        }
    }
}

#[test]
fn who_comes_up_beside_one_that_is_warm_begins_with_a_tenth() {
    let mut stage = warm("http://a, http://b", "");
    stage.probe_until("p", "b", ProbeVerdict::Failed);
    stage.probe_until("p", "b", ProbeVerdict::Passed);
    assert_share(&stage, "b", 0.1 / 1.1);
    stage.now += seconds(5);
    assert_share(&stage, "b", 0.55 / 1.55);
    stage.now += seconds(5);
    assert_share(&stage, "b", 0.5);
}

#[test]
fn who_comes_up_long_after_the_first_is_behind_it_by_what_that_has_warmed_up() {
    // Probes see one event within 5.5 s, 1.1 s for a second good one, and 2 s for it to take.
    for (later, expected) in [(8, 0.5), (9, 0.1 / 1.01), (20, 0.1 / 1.1)] {
        let mut stage = warm("http://a, http://b", "");
        for host in ["a", "b"] {
            stage.probe_until("p", host, ProbeVerdict::Failed);
        }
        stage.probe_until("p", "a", ProbeVerdict::Passed);
        stage.now += seconds(later);
        stage.probe_until("p", "b", ProbeVerdict::Passed);
        assert_share(&stage, "b", expected);
    }
}

#[test]
fn at_a_start_while_all_are_down_those_that_come_up_are_equal() {
    let mut stage = Stage::new(one_pool("http://a, http://b, http://c"));
    for host in ["a", "b", "c"] {
        stage.probe("p", host, ProbeVerdict::Failed);
    }
    for host in ["a", "b", "c"] {
        stage.now += seconds(2);
        stage.probe_until("p", host, ProbeVerdict::Passed);
    }
    for host in ["a", "b", "c"] {
        assert_share(&stage, host, 1.0 / 3.0);
    }
}

#[test]
fn one_that_came_up_with_the_others_was_lost_and_comes_back_is_behind_them() {
    let mut stage = Stage::new(one_pool("http://a, http://b"));
    for host in ["a", "b"] {
        stage.probe("p", host, ProbeVerdict::Passed);
    }
    stage.now += seconds(4);
    for _ in 0..2 {
        stage.probe_until("p", "b", ProbeVerdict::Failed);
        stage.probe_until("p", "b", ProbeVerdict::Passed);
        let b = share(&stage, "b");
        assert!((0.05..0.25).contains(&b), "{b}");
        stage.now += seconds(1);
    }
}

#[test]
fn one_that_a_reload_adds_a_moment_after_the_start_is_behind_those_that_serve() {
    for added in ["http://c", "{url: http://c, health_check: false}"] {
        let mut stage = Stage::new(one_pool("http://a, http://b"));
        for host in ["a", "b"] {
            stage.probe("p", host, ProbeVerdict::Passed);
        }
        stage.now += seconds(3);
        stage.apply(&one_pool(&format!("http://a, http://b, {added}")));
        stage.probe("p", "c", ProbeVerdict::Passed);
        assert_share(&stage, "c", 0.1 / 2.1);
    }
}

#[test]
fn a_reload_that_replaces_all_backends_and_one_that_adds_a_pool_make_equals() {
    let mut stage = warm("http://x, http://y", "");
    stage.apply(&one_pool("http://a, http://b, http://c"));
    for host in ["a", "b", "c"] {
        stage.now += Duration::from_millis(20);
        stage.probe("p", host, ProbeVerdict::Passed);
    }
    for host in ["a", "b", "c"] {
        assert_share(&stage, host, 1.0 / 3.0);
    }
    let mut stage = warm("http://x", "");
    let mut config = config_of(&[("q", "http://x"), ("p", "http://a, http://b")], "");
    config.routes.clone_from(&stage.roster.config().routes);
    stage.apply(&config_of(&[("q", "http://x")], ""));
    stage.apply(&config);
    stage.probe("p", "a", ProbeVerdict::Passed);
    stage.now += seconds(1);
    stage.probe("p", "b", ProbeVerdict::Passed);
    assert_share(&stage, "a", 0.5);
}

#[test]
fn an_undrain_of_all_makes_equals_and_one_beside_others_is_behind() {
    let mut stage = warm("http://a, http://b, http://c", "");
    for host in ["a", "b", "c"] {
        stage.wish("p", host, Wish::Drain, None);
    }
    stage.now += seconds(60);
    for host in ["a", "b", "c"] {
        stage.now += seconds(1);
        stage.wish("p", host, Wish::Serve, None);
    }
    assert_share(&stage, "a", 1.0 / 3.0);
    stage.now += seconds(60);
    stage.wish("p", "a", Wish::Drain, None);
    stage.wish("p", "a", Wish::Serve, None);
    assert_share(&stage, "a", 0.1 / 2.1);
}

#[test]
fn a_tier_that_comes_back_does_not_warm_up_beside_another_ones_warmth() {
    let mut stage = warm("http://a, http://b, {url: \"http://s\", backup: true}", "");
    for host in ["a", "b"] {
        stage.probe_until("p", host, ProbeVerdict::Failed);
    }
    for host in ["a", "b"] {
        stage.now += seconds(1);
        stage.probe_until("p", host, ProbeVerdict::Passed);
    }
    for host in ["a", "b"] {
        assert_share(&stage, host, 0.5);
    }
}

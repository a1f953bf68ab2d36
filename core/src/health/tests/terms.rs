//! How long a backend is out, and a person's word.

use super::*;

#[test]
fn five_failures_in_a_row_are_an_ejection_and_four_are_none() {
    let mut bench = Bench::new(3);
    bench.fail(1, 4);
    assert_eq!(bench.judge(), []);
    bench.fail(1, 1);
    let why = Why::InARow(5);
    let (length, count) = (seconds(10), 1);
    let ejected = Ruling::Ejected {
        id: 1,
        why,
        length,
        count,
    };
    assert_eq!(bench.judge(), [ejected]);
    assert_eq!(bench.out(), [1]);
    assert_eq!(bench.pass(seconds(9)), []);
    assert_eq!(returns(&bench.pass(seconds(1))), [(1, Return::TimeOver)]);
    assert!(bench.out().is_empty());
}

#[test]
fn a_good_answer_ends_the_row() {
    let mut bench = Bench::new(3);
    for _ in 0..10 {
        bench.fail(0, 4);
        assert_eq!(bench.pass(seconds(1)), []);
        bench.succeed(0);
    }
    bench.fail(0, 5);
    bench.succeed(0);
    assert_eq!(
        lengths(&bench.judge()),
        [(0, 10)],
        "a row that was full counts, even if nobody looked just then"
    );
}

#[test]
fn each_ejection_is_longer_up_to_the_longest() {
    let mut bench = Bench::new(3);
    let mut seen = Vec::new();
    while seen.len() < 40 {
        bench.fail(0, 5);
        let rulings = bench.judge();
        seen.push(lengths(&rulings)[0].1);
        bench.pass(seconds(seen[seen.len() - 1]));
        assert!(bench.out().is_empty());
    }
    let expected: Vec<u64> = (1..=40).map(|count| (10 * count).min(300)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn who_behaves_for_as_long_as_it_was_out_is_forgiven_one_ejection() {
    let mut bench = Bench::new(3);
    for length in [10, 20, 30] {
        bench.fail(0, 5);
        assert_eq!(lengths(&bench.judge()), [(0, length)]);
        bench.pass(seconds(length));
    }
    bench.pass(seconds(29));
    assert_eq!(bench.backends[0].health.ejection().count(), 3);
    bench.pass(seconds(1));
    assert_eq!(bench.backends[0].health.ejection().count(), 2);
    bench.pass(seconds(20));
    assert_eq!(bench.backends[0].health.ejection().count(), 1);
    bench.fail(0, 5);
    assert_eq!(lengths(&bench.judge()), [(0, 20)]);
    bench.pass(seconds(20));
    bench.pass(seconds(1000));
    assert_eq!(bench.backends[0].health.ejection().count(), 0);
}

#[test]
fn one_that_flaps_more_seldom_than_envoy_forgives_is_still_out_for_longer_each_time() {
    let mut bench = Bench::new(3);
    let mut seen = Vec::new();
    for _ in 0..6 {
        bench.fail(0, 5);
        let length = lengths(&bench.judge())[0].1;
        bench.pass(seconds(length));
        // Not quite as long as it was out.
        bench.pass(seconds(length - 1));
        seen.push(length);
    }
    assert_eq!(seen, [10, 20, 30, 40, 50, 60]);
}

/// A backend that is out for the first or a later time, with its rules.
fn out_for_the(time: u64) -> Bench {
    let mut bench = Bench::new(3);
    bench.backends[0].health = Health::at_start();
    bench.backends[0].health.observe(true, T);
    for count in 1..=time {
        bench.fail(0, 5);
        bench.judge();
        if count < time {
            bench.pass(seconds(10 * count));
        }
    }
    bench
}

#[test]
fn probes_that_saw_the_failure_end_a_first_ejection_when_they_are_good_again() {
    let mut bench = out_for_the(1);
    let probe = |bench: &mut Bench, ok| {
        bench.backends[0].health.observe(ok, T);
        returns(&bench.pass(Duration::from_millis(100)))
    };
    assert_eq!(probe(&mut bench, false), []);
    assert_eq!(probe(&mut bench, true), []);
    assert_eq!(probe(&mut bench, false), [], "the row begins anew");
    assert_eq!(probe(&mut bench, true), []);
    assert_eq!(probe(&mut bench, true), [(0, Return::ProbesGood)]);
}

#[test]
fn probes_that_were_good_all_along_end_nothing() {
    let mut bench = out_for_the(1);
    for _ in 0..50 {
        bench.backends[0].health.observe(true, T);
        assert_eq!(bench.pass(Duration::from_millis(100)), []);
    }
}

#[test]
fn a_later_ejection_is_served_in_full_whatever_probes_say() {
    let mut bench = out_for_the(2);
    for ok in [false, true, true, true, true] {
        bench.backends[0].health.observe(ok, T);
        assert_eq!(bench.pass(seconds(1)), []);
    }
    assert_eq!(returns(&bench.pass(seconds(15))), [(0, Return::TimeOver)]);
}

#[test]
fn the_worse_word_is_shown() {
    let mut bench = out_for_the(1);
    let health = &mut bench.backends[0].health;
    assert_eq!(health.status(), HealthStatus::Ejected);
    go_down(health);
    assert_eq!(health.status(), HealthStatus::Down);
    health.set_admin(Admin::configured(true, false), true);
    assert_eq!(health.status(), HealthStatus::Draining);
    health.set_admin(Admin::configured(true, true), true);
    assert_eq!(health.status(), HealthStatus::Maintenance);
    assert!(!health.may_be_tried() && health.is_decided());
}

#[test]
fn after_a_maintenance_a_backend_is_as_good_as_new() {
    let mut bench = out_for_the(3);
    let health = &mut bench.backends[0].health;
    health.set_admin(Admin::Maintenance, true);
    assert_eq!(health.observe(false, T), None, "a probe that was under way");
    health.set_admin(Admin::Serving, true);
    assert_eq!(*health, Health::added());
    health.set_admin(Admin::Maintenance, false);
    health.set_admin(Admin::Serving, false);
    assert_eq!(*health, Health::unprobed());
}

#[test]
fn a_drain_ends_once_when_nothing_is_in_flight() {
    let mut admin = Admin::configured(true, false);
    let now = Instant::now();
    assert!(!admin.observe(2, now));
    assert!(admin.observe(0, now));
    assert!(!admin.observe(0, now + seconds(1)));
    assert_eq!(admin.drained(), Some(now));
    assert!(admin.is_same_order(&Admin::configured(true, false)));
    assert!(!admin.is_same_order(&Admin::Serving));
    assert!(!Admin::Serving.observe(0, now));
}

#[test]
fn a_session_goes_on_until_the_drain_is_done() {
    let mut health = Health::unprobed();
    let mut admin = Admin::configured(true, false);
    health.set_admin(admin, true);
    assert!(health.finishes_sessions() && !health.is_up());
    admin.observe(0, Instant::now());
    health.set_admin(admin, true);
    assert!(!health.finishes_sessions());
    health.set_admin(Admin::Maintenance, true);
    assert!(!health.finishes_sessions());
}

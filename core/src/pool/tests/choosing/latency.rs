//! What a pool learns from answers.

use super::*;

#[test]
fn least_time_learns_who_is_slow() {
    let start = Instant::now();
    let pool = pool(&vec![One::default(); 3], least_time());
    let mut counts = BTreeMap::new();
    for step in 0..3000u64 {
        let sent = start + Duration::from_millis(10 * step);
        let lease = pool.pick(&ask(step, sent, &Tried::default())).unwrap();
        let host = host_of(&lease);
        let latency = Duration::from_millis(if host == "c" { 200 } else { 5 });
        lease.answered(sent + latency, GOOD);
        lease.finish(Outcome::Answered, sent + latency);
        *counts.entry(host).or_insert(0) += 1;
    }
    assert!(counts["c"] < 100, "{counts:?}");
    assert!(counts["a"] > 1000 && counts["b"] > 1000, "{counts:?}");
}

#[test]
fn least_time_is_not_drawn_to_one_that_fails_fast() {
    let start = Instant::now();
    let pool = pool(&vec![One::default(); 3], least_time());
    let mut failed = 0;
    for step in 0..3000u64 {
        let sent = start + Duration::from_millis(10 * step);
        let lease = pool.pick(&ask(step, sent, &Tried::default())).unwrap();
        let end = sent + Duration::from_millis(5);
        if host_of(&lease) == "c" {
            failed += 1;
            lease.finish(Outcome::BackendFailed, sent + Duration::from_micros(100));
        } else {
            lease.answered(end, GOOD);
            lease.finish(Outcome::Answered, end);
        }
    }
    assert!(failed < 100, "{failed}");
}

#[test]
fn least_time_is_not_drawn_to_one_that_answers_errors_fast() {
    let start = Instant::now();
    for kind in [AnswerKind::Error, AnswerKind::Failing] {
        let pool = pool(&vec![One::default(); 2], least_time());
        let mut errors = 0;
        for step in 0..3000u64 {
            let sent = start + Duration::from_millis(10 * step);
            let lease = pool.pick(&ask(step, sent, &Tried::default())).unwrap();
            let fails = host_of(&lease) == "b" && step > 100;
            errors += u64::from(fails);
            let end = sent + Duration::from_micros(if fails { 100 } else { 5000 });
            let kind = if fails { kind } else { AnswerKind::Good };
            lease.answered(end, AnswerHead { kind, ..GOOD });
            lease.finish(Outcome::Answered, end);
        }
        let most = if kind == AnswerKind::Error { 2000 } else { 100 };
        assert!(errors < most, "{kind:?}: {errors}");
    }
}

//! Many backends: never many probes at once, and none that waits for long.

use super::*;
use crate::gate::{HANGING, USUAL};

fn crowd(backends: usize) -> Config {
    let backends: Vec<String> = (0..backends).map(|index| format!("http://b{index}")).collect();
    config_with(&backends, "")
}

impl Plane {
    fn begun(&self) -> usize {
        self.prober.0.borrow().begun.values().sum()
    }

    /// How many probes began in each step of 50 ms.
    async fn begun_in_steps(&self, steps: usize) -> Vec<usize> {
        let mut counts = Vec::new();
        for _ in 0..steps {
            let before = self.begun();
            self.pass(Duration::from_millis(50)).await;
            counts.push(self.begun() - before);
        }
        counts
    }

    async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
}

#[actix::test]
async fn a_few_backends_are_all_asked_at_once_at_the_start_and_after_a_reload() {
    let plane = start(&["a", "b", "c"], FakeProber::default());
    plane.settle().await;
    assert_eq!(plane.begun(), 3, "without any time passing");
    plane.pass(Duration::from_millis(200)).await;
    plane.apply(&["a", "b", "c", "d", "e"]).await;
    plane.settle().await;
    assert_eq!((plane.prober.begun("d"), plane.prober.begun("e")), (1, 1));
}

#[actix::test]
async fn a_thousand_backends_are_asked_a_few_dozen_at_a_time_and_spread_over_the_interval() {
    let plane = start_with(crowd(1000), FakeProber::default());
    let first = plane.begun_in_steps(60).await;
    assert!(
        plane.prober.0.borrow().begun.len() == 1000,
        "all were asked within 3 s: {first:?}"
    );
    assert!(
        plane.prober.0.borrow().most <= USUAL,
        "{}",
        plane.prober.0.borrow().most
    );
    // 200 a second by now, which is 10 in 50 ms.
    plane.pass(Duration::from_secs(6)).await;
    let later = plane.begun_in_steps(200).await;
    let all: usize = later.iter().sum();
    assert!((1800..=2200).contains(&all), "twice each in 10 s: {all}");
    assert!(later.iter().all(|count| *count <= 32), "no burst: {later:?}");
    assert!(plane.prober.0.borrow().most <= USUAL);
}

#[actix::test]
async fn backends_that_hang_do_not_delay_the_others() {
    let prober = FakeProber::default();
    for index in 50..350 {
        prober.set(&format!("b{index}"), Answer::Hangs);
    }
    let plane = start_with(crowd(350), prober);
    // Each has had its first probe: 300 of 2 s, 32 at a time.
    plane.pass(Duration::from_secs(25)).await;
    let good = || -> Vec<usize> {
        (0..50)
            .map(|index| plane.prober.begun(&format!("b{index}")))
            .collect()
    };
    let before = good();
    plane.pass(Duration::from_secs(20)).await;
    let since: Vec<usize> = good()
        .iter()
        .zip(before)
        .map(|(now, before)| now - before)
        .collect();
    assert!(since.iter().all(|count| *count >= 3), "every 5 s: {since:?}");
    assert!(plane.prober.0.borrow().most <= USUAL + HANGING);
}

#[actix::test]
async fn backends_that_hang_do_not_delay_the_news_that_another_is_dead() {
    let plane = start_with(crowd(250), FakeProber::default());
    plane.pass(Duration::from_secs(10)).await;
    for index in 50..250 {
        plane.prober.set(&format!("b{index}"), Answer::Hangs);
    }
    // Each has hung once: 200 of 2 s, 32 at a time.
    plane.pass(Duration::from_secs(20)).await;
    plane.prober.set("b0", Answer::Bad);
    plane.pass(Duration::from_secs(12)).await;
    assert_eq!(plane.health("b0"), Some(HealthStatus::Down));
}

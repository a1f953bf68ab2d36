//! `max_connections` and bounded loads.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll, Wake, Waker},
};

use super::*;

#[test]
fn a_full_backend_is_passed_over_and_a_full_pool_says_so() {
    for strategy in all() {
        let pool = pool(&[at_most(2), at_most(1), at_most(3)], strategy.clone());
        let mut leases = Vec::new();
        for step in 0..6 {
            leases.push(pool.pick(&ask(step, Instant::now(), &Tried::default())).unwrap());
        }
        let full = pool.pick(&ask(9, Instant::now(), &Tried::default()));
        assert_eq!(full.unwrap_err(), NoBackend::Saturated);
        let hosts: String = leases.iter().map(host_of).collect();
        assert_eq!(count(&hosts), BTreeMap::from([('a', 2), ('b', 1), ('c', 3)]));
        let freed = host_of(&leases.swap_remove(4));
        let next = pool.pick(&ask(10, Instant::now(), &Tried::default())).unwrap();
        assert_eq!(host_of(&next), freed, "{}", strategy.clone());
    }
}

#[test]
fn a_retry_takes_no_backend_that_is_down_while_an_up_one_is_only_full() {
    let mut ones = vec![One::default(), at_most(1), One::default()];
    ones[2].health = down();
    let pool = pool(&ones, StrategyConfig::RoundRobin);
    let mut tried = Tried::default();
    let busy = loop {
        let lease = pool.pick(&ask(0, Instant::now(), &Tried::default())).unwrap();
        if host_of(&lease) == "b" {
            break lease;
        }
        tried.add(lease.backend());
    };
    assert_eq!(tried.len(), 1);
    assert_eq!(
        pool.pick(&ask(0, Instant::now(), &tried)).unwrap_err(),
        NoBackend::Saturated
    );
    drop(busy);
    let retry = pool.pick(&ask(0, Instant::now(), &tried)).unwrap();
    assert_eq!(host_of(&retry), "b");
}

#[test]
fn a_limit_holds_over_all_workers() {
    for strategy in all() {
        let pool = Arc::new(pool(&[at_most(3), at_most(2)], strategy.clone()));
        let workers: Vec<_> = (0..4u64)
            .map(|worker| {
                let pool = Arc::clone(&pool);
                std::thread::spawn(move || {
                    let mut most = 0;
                    for step in 0..1000 {
                        // More than there are places, so that a worker reaches the limits even when it runs alone.
                        let picks: Vec<_> = (0..6)
                            .map(|pick| (step * 6 + pick) * 4 + worker)
                            .map(|random| pool.pick(&ask(random, Instant::now(), &Tried::default())))
                            .collect();
                        for lease in picks.iter().flatten() {
                            let limit = if host_of(lease) == "a" { 3 } else { 2 };
                            assert!(lease.backend().in_flight() <= limit);
                            most = most.max(lease.backend().in_flight());
                        }
                    }
                    most
                })
            })
            .collect();
        let most = workers.into_iter().map(|worker| worker.join().unwrap()).max();
        assert_eq!(most, Some(3), "the limit was reached at all");
        assert!(
            pool.members()
                .iter()
                .all(|member| member.backend.in_flight() == 0)
        );
    }
}

#[test]
fn while_requests_wait_a_new_one_finds_no_place() {
    let pool = pool(&[at_most(1)], StrategyConfig::RoundRobin);
    let pick = || pool.pick(&ask(0, Instant::now(), &Tried::default()));
    let in_turn = || pool.pick_in_turn(&ask(0, Instant::now(), &Tried::default())).ok();
    let first = pick().unwrap();
    assert_eq!(pick().unwrap_err(), NoBackend::Saturated);
    let ticket = pool.queue().join(9, &Tried::default()).unwrap();
    let cx = Context::from_waker(Waker::noop());
    assert!(ticket.poll(&cx, in_turn).is_pending());
    drop(first);
    assert_eq!(
        pick().unwrap_err(),
        NoBackend::Saturated,
        "it would get past the one that waits"
    );
    let Poll::Ready(second) = ticket.poll(&cx, in_turn) else {
        panic!("the end of a lease calls who waits");
    };
    drop(ticket);
    drop(second);
    assert!(pick().is_ok());
}

#[test]
fn everybody_who_waits_gets_a_place_over_all_workers() {
    let pool = Arc::new(pool(&[at_most(2), at_most(1)], StrategyConfig::LeastConnections));
    let (most, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let workers: Vec<_> = (0..6_u64)
        .map(|worker| {
            let (pool, most, done) = (Arc::clone(&pool), Arc::clone(&most), Arc::clone(&done));
            std::thread::spawn(move || {
                let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                for step in 0..500 {
                    let tried = Tried::default();
                    let ask = ask(step * 6 + worker, Instant::now(), &tried);
                    let lease = pool.pick(&ask).unwrap_or_else(|_| {
                        let ticket = pool.queue().join(6, &Tried::default()).unwrap();
                        loop {
                            match ticket.poll(&Context::from_waker(&waker), || pool.pick_in_turn(&ask).ok()) {
                                Poll::Ready(lease) => return lease,
                                Poll::Pending => std::thread::park(),
                            }
                        }
                    });
                    let held = pool
                        .members()
                        .iter()
                        .map(|member| member.backend.in_flight())
                        .sum();
                    most.fetch_max(held, Relaxed);
                    drop(lease);
                    done.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(done.load(Relaxed), 3000);
    assert!((1..=3).contains(&most.load(Relaxed)));
    assert!(pool.queue().is_empty());
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn a_bounded_load_counts_what_is_in_flight_and_forgets_what_ended() {
    let pool = pool(&vec![One::default(); 4], hash(LoadFactor::new(1.25)));
    let now = Instant::now();
    // One key, over and over.
    let pick = || pool.pick(&ask(1, now, &Tried::default())).unwrap();
    let owner = host_of(&pick());
    for _ in 0..3 {
        let leases: Vec<_> = (0..40).map(|_| pick()).collect();
        let held = leases.iter().filter(|lease| host_of(lease) == owner).count();
        assert_eq!(held, 13, "40 / 4 * 1.25, rounded up");
    }
    assert_eq!(host_of(&pick()), owner);
}

/// How often it was woken.
#[derive(Default)]
struct Woken(AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_request_that_was_sent_before_there_was_a_limit_calls_who_waits_now() {
    let before = pool(&[One::default()], StrategyConfig::RoundRobin);
    let first = before.pick(&ask(0, Instant::now(), &Tried::default())).unwrap();
    let limited = before.members().iter().map(|member| Member {
        max_connections: Some(1),
        ..member.clone()
    });
    let state = Arc::clone(before.state());
    let after = Pool::new(
        Arc::clone(before.name()),
        Arc::clone(before.config()),
        limited.collect(),
        state,
    );
    let ticket = after.queue().join(1, &Tried::default()).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let poll = || {
        ticket.poll(&Context::from_waker(&waker), || {
            after
                .pick_in_turn(&ask(1, Instant::now(), &Tried::default()))
                .ok()
        })
    };
    assert!(poll().is_pending());
    drop(first);
    assert_eq!(woken.0.load(Relaxed), 1);
    assert!(poll().is_ready());
}

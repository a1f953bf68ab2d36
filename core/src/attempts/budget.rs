//! The retry budget of a pool: how many requests may be sent again after something of them was sent.
//!
//! Of the requests of the last [`WINDOW`], at most the share `retries.budget` may be retried, and `retries.min_per_second`
//! a second whatever the share, so that a failing pool is not buried under its own retries. The balance is that of
//! finagle's `RetryBudget` over a leaky token bucket: what was earned and what was spent are both forgotten after the
//! window. Only first attempts earn: a retry that earned retries would make 20 % into 25 %, and 50 % into 100 %.
//!
//! Both are counted in buckets of a second, so the window is between 9 and 10 seconds long.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::config::Retries;

/// What is older says nothing of the load any more (finagle's default).
const WINDOW: Duration = Duration::from_secs(10);

/// One for each second of [`WINDOW`], the current one included.
const BUCKETS: usize = 10;

/// Shards of the count of requests: workers in the same one are rarely at it at once.
const SHARDS: usize = 8;

/// Makes up for shares that are no binary fractions: 29 % of 100 requests are 29.
const ROUNDING: f64 = 1e-9;

/// Bounds retries after a byte was sent. Costs a request one addition to a counter that its worker rarely shares.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// Seconds are counted from the first request.
    base: OnceLock<Instant>,
    requests: [Recent; SHARDS],
    spent: Recent,
    retries: AtomicU64,
}

/// How much happened in each of the last seconds, alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Recent([Bucket; BUCKETS]);

/// The number of a second in the upper half, and what was counted in it in the lower one.
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

impl RetryBudget {
    /// Counts the first attempt of a request.
    pub(crate) fn earn(&self, worker: usize, now: Instant) {
        self.requests[worker % SHARDS].add(self.second(now));
    }

    /// Takes one retry from the budget; `false`, and nothing taken, when it is used up.
    pub(super) fn withdraw(&self, retries: &Retries, now: Instant) -> bool {
        let second = self.second(now);
        let requests: u64 = self.requests.iter().map(|shard| shard.sum(second)).sum();
        let floor = f64::from(retries.min_per_second) * WINDOW.as_secs_f64();
        let allowed = requests as f64 * retries.budget.as_fraction() + floor + ROUNDING;
        // Counted before it is compared: workers that ask at the same time cannot all take the last one.
        self.spent.add(second);
        let granted = self.spent.sum(second) as f64 <= allowed;
        if !granted {
            self.spent.take_back(second);
        }
        granted
    }

    /// Counts a retry, be it within the budget or outside of it.
    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// Retries of the pool's requests since the start, those after connect errors included.
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Retries that were taken from it within the window.
    #[cfg(test)]
    pub(super) fn spent(&self, now: Instant) -> u64 {
        self.spent.sum(self.second(now))
    }

    /// Beginning with the window's length, so that empty buckets are old ones.
    fn second(&self, now: Instant) -> u64 {
        let base = *self.base.get_or_init(|| now);
        now.saturating_duration_since(base).as_secs() + BUCKETS as u64
    }
}

impl Recent {
    fn add(&self, second: u64) {
        let bucket = &self.bucket(second).0;
        // Of two workers that share a shard, the second one to begin a second can undo an addition of the first. The budget is
        // smaller by that one request.
        if bucket.load(Relaxed) >> 32 == second {
            bucket.fetch_add(1, Relaxed);
        } else {
            bucket.store(second << 32 | 1, Relaxed);
        }
    }

    fn take_back(&self, second: u64) {
        let one_less = |bucket: u64| (bucket >> 32 == second && bucket as u32 > 0).then(|| bucket - 1);
        // Fails where the second is over, and its count with it.
        let _taken = self.bucket(second).0.fetch_update(Relaxed, Relaxed, one_less);
    }

    /// What happened within the window.
    fn sum(&self, now: u64) -> u64 {
        let within = |bucket: &u64| {
            let second = bucket >> 32;
            second <= now && now - second < BUCKETS as u64
        };
        let buckets = self.0.iter().map(|bucket| bucket.0.load(Relaxed));
        buckets
            .filter(within)
            .map(|bucket| bucket & u64::from(u32::MAX))
            .sum()
    }

    fn bucket(&self, second: u64) -> &Bucket {
        &self.0[second as usize % BUCKETS]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;
    use crate::config::Share;

    const SECOND: Duration = Duration::from_secs(1);

    fn retries(percent: u8, min_per_second: u32) -> Retries {
        Retries {
            min_per_second,
            budget: Share::percent(percent).unwrap_or_default(),
            ..Retries::default()
        }
    }

    fn granted(budget: &RetryBudget, retries: &Retries, now: Instant, asked: usize) -> usize {
        (0..asked).filter(|_| budget.withdraw(retries, now)).count()
    }

    #[test]
    fn allows_a_share_of_requests_and_a_floor_a_second() {
        let (budget, start) = (RetryBudget::default(), Instant::now());
        let retries = retries(20, 3);
        assert_eq!(
            granted(&budget, &retries, start, 100),
            30,
            "ten seconds of the floor are there at the start"
        );
        (0..1000).for_each(|worker| budget.earn(worker, start + SECOND));
        assert_eq!(
            granted(&budget, &retries, start + SECOND, 1000),
            200,
            "20 % of 1,000 requests"
        );
        assert_eq!(
            granted(&budget, &retries, start + SECOND * 10, 1000),
            30,
            "what was spent at the start is forgotten"
        );
    }

    #[test]
    fn requests_of_more_than_ten_seconds_ago_earn_nothing() {
        let (budget, start) = (RetryBudget::default(), Instant::now());
        (0..20_000).for_each(|_| budget.earn(0, start));
        assert_eq!(granted(&budget, &retries(20, 0), start + SECOND * 30, 1000), 0);
        (0..100).for_each(|_| budget.earn(0, start + SECOND * 31));
        assert_eq!(granted(&budget, &retries(20, 0), start + SECOND * 31, 1000), 20);
    }

    #[test]
    fn a_share_stays_that_share_in_the_long_run() {
        for percent in [20, 29, 50] {
            let (budget, start) = (RetryBudget::default(), Instant::now());
            let mut all = 0;
            for second in 0..100 {
                for _ in 0..100 {
                    budget.earn(0, start + SECOND * second);
                    all += granted(&budget, &retries(percent, 0), start + SECOND * second, 1);
                }
            }
            assert_eq!(all, 100 * usize::from(percent));
        }
    }

    #[test]
    fn no_budget_and_no_floor_means_no_retry() {
        let (budget, start) = (RetryBudget::default(), Instant::now());
        (0..1000).for_each(|_| budget.earn(0, start));
        assert_eq!(granted(&budget, &retries(0, 0), start, 10), 0);
    }

    #[test]
    fn workers_that_ask_at_once_get_no_more_than_there_is() {
        let (budget, start) = (RetryBudget::default(), Instant::now());
        (0..1000).for_each(|_| budget.earn(0, start));
        let all: usize = std::thread::scope(|scope| {
            let ask = || granted(&budget, &retries(20, 0), start, 500);
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asked| asked.join().unwrap_or(1000)).sum()
        });
        assert!((190..=200).contains(&all), "{all}");
    }
}

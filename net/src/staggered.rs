//! Attempts at the addresses of one name, one after the other and with a head start for each (RFC 8305 section 5).

use std::{iter::Copied, net::SocketAddr, slice, time::Duration};

use futures::{
    StreamExt,
    future::{Join, Ready, join, ready},
    stream::FuturesUnordered,
};

use crate::timeout;

/// How long an address may keep an attempt waiting before the next one is tried, too (RFC 8305 section 8).
const HEAD_START: Duration = Duration::from_millis(250);

/// Attempts that end in any order. The next address is tried when an attempt has ended, or has had its head start.
pub struct Staggered<'a, F: Future, A> {
    attempt: A,
    head_start: Duration,
    left: Copied<slice::Iter<'a, SocketAddr>>,
    /// Each with its address.
    running: FuturesUnordered<Join<Ready<SocketAddr>, F>>,
}

impl<'a, F: Future, A: Fn(SocketAddr) -> F> Staggered<'a, F, A> {
    /// Attempts at these addresses, in this order. `limit` is the time for all of them together, which the caller holds to:
    /// each address gets its turn within it.
    pub fn new(order: &'a [SocketAddr], limit: Duration, attempt: A) -> Self {
        Self {
            attempt,
            head_start: HEAD_START.min(limit / (order.len() as u32 + 1)),
            left: order.iter().copied(),
            running: FuturesUnordered::new(),
        }
    }

    /// The next attempt that has ended, with its address; `None` when all have.
    pub async fn next(&mut self) -> Option<(SocketAddr, F::Output)> {
        for address in self.left.by_ref() {
            self.running.push(join(ready(address), (self.attempt)(address)));
            if let Some(ended) = timeout(self.head_start, self.running.next()).await {
                return ended;
            }
        }
        self.running.next().await
    }

    /// Tries no further address; attempts that have begun go on.
    pub fn begin_no_more(&mut self) {
        self.left = [].iter().copied();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::pending};

    use tokio::time::{Instant, sleep};

    use super::*;

    fn addresses(ports: std::ops::Range<u16>) -> Vec<SocketAddr> {
        ports
            .map(|port| SocketAddr::from(([192, 0, 2, 1], port)))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_is_followed_at_once() {
        let order = addresses(1..4);
        let begun = Instant::now();
        let mut attempts = Staggered::new(&order, Duration::from_secs(9), |at| async move { at.port() == 3 });
        let mut ended = Vec::new();
        while let Some((at, passed)) = attempts.next().await {
            ended.push((at.port(), passed));
        }
        assert_eq!(ended, [(1, false), (2, false), (3, true)]);
        assert!(begun.elapsed() < HEAD_START);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_keeps_waiting_is_followed_after_its_head_start_and_goes_on() {
        let order = addresses(1..3);
        let begun = Instant::now();
        let slow = |at: SocketAddr| async move {
            sleep(HEAD_START * u32::from(6 - 2 * at.port())).await;
        };
        let mut attempts = Staggered::new(&order, Duration::from_secs(9), slow);
        // The first takes four head starts; the second begins one later and takes two.
        assert_eq!(attempts.next().await.map(|(at, ())| at.port()), Some(2));
        let took = begun.elapsed();
        assert!(took >= HEAD_START * 3 && took < HEAD_START * 4, "{took:?}");
        assert_eq!(attempts.next().await.map(|(at, ())| at.port()), Some(1));
        assert!(attempts.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn each_gets_its_turn_within_the_limit() {
        let order = addresses(1..9);
        let (tried, limit) = (RefCell::new(Vec::new()), HEAD_START * 2);
        let mut attempts = Staggered::new(&order, limit, |at| {
            tried.borrow_mut().push(at.port());
            pending::<()>()
        });
        assert_eq!(timeout(limit, attempts.next()).await, None);
        assert_eq!(*tried.borrow(), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_begun_goes_on_when_no_more_begin() {
        let order = addresses(1..4);
        let mut attempts = Staggered::new(&order, Duration::from_secs(9), |at| async move { at.port() });
        assert_eq!(attempts.next().await.map(|(_, port)| port), Some(1));
        attempts.begin_no_more();
        assert!(attempts.next().await.is_none());
    }
}

//! A timeout for what sockets do: it counts time in which the process ran, and what is ready wins over it.

use std::time::Duration;

use lb_core::running::RunningClock;
use tokio::time::{self, Instant};

/// How often the clock is read meanwhile.
const SLICE: Duration = Duration::from_millis(250);

/// What comes of `future` within `limit`; `None` when the time is up.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let start = Instant::now().into_std();
    let (mut clock, mut now) = (RunningClock::new(start), start);
    while let Some(left) = limit.checked_sub(now.saturating_duration_since(start)) {
        let slice = left.min(SLICE);
        if let Ok(output) = time::timeout(slice, &mut future).await {
            return Some(output);
        }
        // The runtime may have looked at its timers before it looked at sockets.
        tokio::task::yield_now().await;
        if left.is_zero() {
            break;
        }
        now = clock.read(Instant::now().into_std(), slice);
    }
    time::timeout(Duration::ZERO, &mut future).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_and_what_is_ready_is_not() {
        assert_eq!(timeout(SLICE * 3, time::sleep(SLICE * 2)).await, Some(()));
        assert_eq!(timeout(SLICE, time::sleep(Duration::from_secs(60))).await, None);
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Some(1));
    }

    #[tokio::test]
    async fn time_in_which_the_thread_does_not_run_does_not_count() {
        let waits = timeout(Duration::from_secs(1), time::sleep(Duration::from_millis(1500)));
        let stops = async {
            time::sleep(Duration::from_millis(100)).await;
            // As a process that is stopped does.
            let (_never, stopped) = std::sync::mpsc::channel::<()>();
            let _over = stopped.recv_timeout(Duration::from_secs(3));
            drop(_never);
        };
        assert_eq!(futures::join!(waits, stops).0, Some(()));
    }
}

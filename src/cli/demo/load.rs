//! The clients: a thread that sends requests at a fixed rate and keeps count of what it got back.
//!
//! The rate does not follow the answers (open loop), because a generator that waits for a slow backend hides how slow
//! it is. Only the number of requests in flight is bounded.

mod counts;

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU32, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
    time::{Duration, Instant},
};

use awc::{Client, Connector};
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval, timeout},
};

use counts::Counts;
pub(super) use counts::Seen;

/// Requests a second that the key goes round. 200 is enough for shares to be even, 2000 for a queue to form.
pub(super) const LEVELS: [u32; 3] = [0, 200, 2000];

/// The level at the start.
const FIRST_LEVEL: usize = 1;

/// Requests in flight at most: two of three backends that answer after 300 ms hold 400 at 2000 a second.
const IN_FLIGHT: usize = 512;

/// Timers are good to a millisecond; five keep the bursts at ten requests.
const TICK: Duration = Duration::from_millis(5);

/// What a stall of this process leaves unsent is not made up beyond this, or a burst would follow.
const MADE_UP: Duration = Duration::from_millis(100);

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the end waits for the last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// A generator that runs.
pub(super) struct Load {
    shared: Arc<Shared>,
    ended: oneshot::Receiver<()>,
}

struct Shared {
    url: String,
    level: AtomicUsize,
    stop: AtomicBool,
    in_flight: AtomicU32,
    counts: Mutex<Counts>,
}

impl Load {
    /// Starts to send to this URL.
    ///
    /// # Errors
    /// When there are no more threads.
    pub(super) fn start(url: String) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            url,
            level: AtomicUsize::new(FIRST_LEVEL),
            stop: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            counts: Mutex::default(),
        });
        let (done, ended) = oneshot::channel();
        let theirs = Arc::clone(&shared);
        // A System of its own: the clients must not wait for the thread that draws.
        thread::Builder::new().name("load".to_owned()).spawn(move || {
            crate::app::system().block_on(generate(theirs));
            let _nobody_waits = done.send(());
        })?;
        Ok(Self { shared, ended })
    }

    /// Requests a second that it sends now.
    pub(super) fn level(&self) -> u32 {
        self.shared.rate()
    }

    /// Goes to the next level, from the last one to the first; returns it.
    pub(super) fn next_level(&self) -> u32 {
        // One thread changes it.
        self.shared
            .level
            .store((self.shared.level.load(Relaxed) + 1) % LEVELS.len(), Relaxed);
        self.level()
    }

    /// What the clients have seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.shared.counts().seen(Instant::now())
    }

    /// Sends no more and waits for the last answers; returns what was seen in all.
    pub(super) async fn finish(self) -> Seen {
        self.shared.stop.store(true, Release);
        // An error means that the thread has ended already.
        let _ended = self.ended.await;
        self.shared.counts().seen(Instant::now())
    }
}

impl Shared {
    fn rate(&self) -> u32 {
        LEVELS[self.level.load(Relaxed) % LEVELS.len()]
    }

    /// Counters are whole after each statement, so a panic elsewhere leaves them right.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn generate(shared: Arc<Shared>) {
    let connector = Connector::new().limit(IN_FLIGHT);
    let client = Client::builder().connector(connector).timeout(PATIENCE).finish();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut last, mut due) = (Instant::now(), 0.0);
    while !shared.stop.load(Acquire) {
        ticks.tick().await;
        let now = Instant::now();
        let rate = f64::from(shared.rate());
        due = (due + rate * now.duration_since(last).as_secs_f64()).min(rate * MADE_UP.as_secs_f64());
        last = now;
        while due >= 1.0 && (shared.in_flight.load(Relaxed) as usize) < IN_FLIGHT {
            due -= 1.0;
            shared.in_flight.fetch_add(1, Relaxed);
            shared.counts().sent();
            actix_rt::spawn(request(client.clone(), Arc::clone(&shared)));
        }
    }
    let answered = async {
        while shared.in_flight.load(Relaxed) > 0 {
            ticks.tick().await;
        }
    };
    let _given_up = timeout(LAST_ANSWERS, answered).await;
}

async fn request(client: Client, shared: Arc<Shared>) {
    let started = Instant::now();
    let result = get(&client, &shared.url).await;
    shared.counts().answered(started, Instant::now(), result);
    shared.in_flight.fetch_sub(1, Relaxed);
}

/// A whole answer, or why there was none.
async fn get(client: &Client, url: &str) -> Result<(), String> {
    let mut answer = client.get(url).send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    answer.body().await.map_err(|error| error.to_string())?;
    if status.is_success() {
        Ok(())
    } else {
        Err(status.to_string())
    }
}

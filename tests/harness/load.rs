//! Steady load: GETs over kept-alive connections until it is told to stop.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    client::Client,
    wait::{pause, wait_until},
};

/// Between two requests of a connection, so that tests beside this one get their share of the machine.
const PAUSE: Duration = Duration::from_millis(10);

/// A load that runs.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Of each connection: the round in which it began the request that it waits for.
    rounds: Vec<Arc<AtomicU64>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicU64,
    /// Rises when somebody wants to know that what was sent before has ended.
    round: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Starts that many connections, and waits until each has had an answer.
    #[track_caller]
    pub fn start(address: SocketAddr, connections: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let rounds: Vec<_> = (0..connections).map(|_| Arc::new(AtomicU64::new(0))).collect();
        let threads = rounds.iter().map(|round| {
            let (shared, round) = (Arc::clone(&shared), Arc::clone(round));
            thread::spawn(move || shared.run(address, &round))
        });
        let load = Self {
            threads: threads.collect(),
            rounds,
            shared,
        };
        load.wait_for_more(connections);
        load
    }

    /// Requests that were answered, in whatever way.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Relaxed)
    }

    /// Waits until that many more are answered than now.
    #[track_caller]
    pub fn wait_for_more(&self, requests: u64) {
        let goal = self.answered() + requests;
        wait_until(&format!("{requests} more requests"), || self.answered() >= goal);
    }

    /// Waits until every request that has been sent by now has ended; the load goes on.
    #[track_caller]
    pub fn wait_for_those_in_flight(&self) {
        let round = self.shared.round.fetch_add(1, SeqCst) + 1;
        wait_until("the end of the requests in flight", || {
            self.rounds.iter().all(|begun| begun.load(SeqCst) >= round)
        });
    }

    /// Stops, and says how many requests were answered with 200 and what went wrong with the others.
    pub fn finish(mut self) -> (u64, Vec<String>) {
        self.end();
        let failures = std::mem::take(&mut *self.shared.failures.lock().unwrap());
        (self.answered() - failures.len() as u64, failures)
    }

    /// Stops; every request must have been answered with 200.
    #[track_caller]
    pub fn finish_without_failure(self) {
        let (answered, failures) = self.finish();
        assert_eq!(
            failures,
            Vec::<String>::new(),
            "beside {answered} requests that were answered with 200"
        );
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn run(&self, address: SocketAddr, round: &AtomicU64) {
        let mut client = None;
        while !self.stop.load(Relaxed) {
            round.store(self.round.load(SeqCst), SeqCst);
            let answer = match client.take() {
                Some(client) => Ok(client),
                None => Client::try_connect(address),
            };
            let answer = answer.and_then(|mut used| {
                let answer = used.try_request("GET", "/", &[], b"")?;
                if answer
                    .header("Connection")
                    .is_none_or(|value| !value.eq_ignore_ascii_case("close"))
                {
                    client = Some(used);
                }
                Ok(answer)
            });
            match answer {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => self.fail(format!("{} {}", answer.status, answer.text())),
                Err(error) => self.fail(error.to_string()),
            }
            self.answered.fetch_add(1, Relaxed);
            pause(PAUSE);
        }
    }

    fn fail(&self, failure: String) {
        self.failures.lock().unwrap().push(failure);
    }
}

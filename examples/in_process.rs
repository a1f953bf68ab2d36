//! Balancing inside a program, with lb-core alone: no proxy, no actors. `cargo run --example in_process`
//!
//! Three little backends answer with their own name; nine requests go to them in turn, by weight.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::{sync::Arc, thread, time::Instant};

use lb_core::config::{self, BackendConfig};
use lb_core::health::Health;
use lb_core::pool::{AnswerHead, AnswerKind, Ask, Backend, Member, Outcome, Snapshot, Tried};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The same file as the program's; `port` is not used here.
    let mut text = "port: 0\nstrategy: round-robin\nbackends:\n".to_owned();
    for (name, weight) in [("one", 2), ("two", 1), ("three", 1)] {
        text += &format!(
            "  - {{url: \"http://{}\", weight: {weight}}}\n",
            start_backend(name)?
        );
    }
    let config = config::load(&text, "config.yaml", &|_| None).map_err(|problems| format!("{problems:?}"))?;

    // A snapshot says who is there and how they are. When that changes, build a new one with the same `Backend`s:
    // their counters go on.
    let (config, now, none) = (Arc::new(config), Instant::now(), Tried::default());
    let member = |(config, id): (&BackendConfig, u64)| {
        let backend = Arc::new(Backend::new(id, config.url.clone(), 1));
        Member::new(backend, config, Health::unprobed(), now)
    };
    let members = |pool: &str| config.pools[pool].backends.iter().zip(1..).map(member).collect();
    let snapshot = Snapshot::build(1, Arc::clone(&config), members, None);

    for worker in [0; 9] {
        let ask = Ask {
            worker,
            now: Instant::now(),
            random: fastrand::u64(..),
            key: None, // what `strategy: hash` tells requests apart by
            sticky: None,
            tried: &none,
        };
        let lease = snapshot.pick(&ask)?;
        let answer = TcpStream::connect(lease.backend().authority()).and_then(io::read_to_string);
        let (status, kind, timed) = (200, AnswerKind::Good, true);
        lease.answered(Instant::now(), AnswerHead { status, kind, timed });
        let outcome = answer
            .as_ref()
            .map_or(Outcome::BackendFailed, |_| Outcome::Answered);
        lease.finish(outcome, Instant::now());
        println!("{}", answer?);
    }
    Ok(())
}

fn start_backend(name: &'static str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut clients = std::iter::repeat_with(move || listener.accept());
    thread::spawn(move || clients.try_for_each(|client| client?.0.write_all(name.as_bytes())));
    Ok(address)
}

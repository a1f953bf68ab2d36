//! What every test needs. Each test has a folder, a runtime folder and ports of its own, so all run side by side.

mod balancer;
mod client;
mod full_backend;
pub mod lane;
mod load;
mod peer;
mod place;
mod process;
mod raw_backend;
mod recorder;
pub mod records;
mod site;
mod stage;
mod strict;
mod wait;

pub use balancer::{Balancer, FAST_CHECKS};
pub use client::{Client, Response, get};
pub use full_backend::FullBackend;
pub use load::Load;
pub use peer::{Ending, Head, Peer, latin1};
pub use place::{Finished, Place};
pub use process::{BUILD_DEADLINE, Process};
pub use raw_backend::RawBackend;
pub use recorder::{Arrival, Recorder};
pub use site::{FILE_LENGTH, GZIP_HELLO, Page, Site, file};
pub use stage::Stage;
pub use strict::{Request, read_request};
pub use wait::{DEADLINE, eventually, eventually_within, pause, wait_until};

use dummy_servers::DummyServer;

/// As many backends as the caller takes: `let [a, b] = backends();`. They are named after the alphabet.
pub fn backends<const COUNT: usize>() -> [DummyServer; COUNT] {
    std::array::from_fn(|index| {
        let name = char::from(b'a' + u8::try_from(index).unwrap());
        DummyServer::start(&name.to_string()).unwrap()
    })
}

/// What each backend got: `a: 4, b: 4`.
pub fn hits(backends: &[&DummyServer]) -> String {
    let counts = backends
        .iter()
        .map(|backend| format!("{}: {}", backend.name(), backend.hits()));
    counts.collect::<Vec<_>>().join(", ")
}

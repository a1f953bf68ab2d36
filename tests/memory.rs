//! The short form of `bench/soak`: memory stays flat however many requests there were.

use std::thread;

use crate::harness::{Balancer, backends};

const CONNECTIONS: usize = 8;
/// Requests that a connection sends before it reads the answers: fewer system calls, more requests.
const BATCH: usize = 50;
const MIB: u64 = 1024 * 1024;

#[test]
fn memory_stays_flat() {
    let [a, b] = backends();
    for backend in [&a, &b] {
        backend.record(false);
    }
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\"]\n",
        a.url(),
        b.url()
    ));
    send(&balancer, 30_000);
    let before = balancer.memory();
    send(&balancer, 60_000);
    let growth = balancer.memory().saturating_sub(before);
    assert_eq!(a.hits() + b.hits(), 90_000);
    assert!(
        growth < 8 * MIB,
        "memory grew by {growth} bytes over 60,000 requests"
    );
}

fn send(balancer: &Balancer, requests: usize) {
    let batch = b"GET / HTTP/1.1\r\nHost: memory\r\n\r\n".repeat(BATCH);
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut client = balancer.connect();
                for _ in 0..requests / CONNECTIONS / BATCH {
                    client.send(&batch).unwrap();
                    for _ in 0..BATCH {
                        assert_eq!(client.read_response("GET").unwrap().status, 200);
                    }
                }
            });
        }
    });
}

//! Bodies stream both ways, byte for byte, and are never held as a whole.

use std::time::Duration;

use dummy_servers::{DummyServer, body_byte};

use crate::harness::{Balancer, backends, pause, wait_until};

const MIB: u64 = 1024 * 1024;

fn in_front_of(backend: &DummyServer) -> Balancer {
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\n",
        backend.url()
    ));
    // Every worker has served once: what comes later is not the cost of the first request.
    for _ in 0..8 {
        balancer.get("/bytes/100000");
    }
    balancer
}

#[test]
fn a_long_download_is_exact_and_not_buffered() {
    let [backend] = backends();
    let balancer = in_front_of(&backend);
    let before = balancer.memory();
    let mut client = balancer.connect();
    client.send_request("GET", "/bytes/67108864", &[], b"").unwrap();
    let head = client.read_head().unwrap();
    assert_eq!(head.header("Content-Length"), Some("67108864"));
    let (mut offset, mut wrong, mut most) = (0_u64, 0, 0);
    let pattern: Vec<u8> = (0..256 * 1024).map(body_byte).collect();
    let period = (1..)
        .find(|length| pattern[*length..2 * length] == pattern[..*length])
        .unwrap() as u64;
    client
        .read_body("GET", &head, |piece| {
            let start = (offset % period) as usize;
            wrong += u64::from(pattern[start..start + piece.len()] != *piece);
            if offset / (4 * MIB) != (offset + piece.len() as u64) / (4 * MIB) {
                most = most.max(balancer.memory());
            }
            offset += piece.len() as u64;
        })
        .unwrap();
    assert_eq!((offset, wrong), (64 * MIB, 0), "bytes, and pieces that differ");
    let growth = most.saturating_sub(before);
    assert!(
        growth < 20 * MIB,
        "memory grew by {growth} bytes during a download of 64 MiB"
    );
}

#[test]
fn a_client_that_does_not_read_holds_the_backend_back() {
    let [backend] = backends();
    let balancer = in_front_of(&backend);
    let before = balancer.memory();
    let mut client = balancer.connect();
    client.send_request("GET", "/bytes/1073741824", &[], b"").unwrap();
    client.read_head().unwrap();
    // Until the sockets between backend and client are full, which takes well under a second, and then some.
    let mut most = 0;
    for _ in 0..15 {
        pause(Duration::from_millis(100));
        most = most.max(balancer.memory());
    }
    let growth = most.saturating_sub(before);
    assert!(
        growth < 20 * MIB,
        "memory grew by {growth} bytes while nobody read"
    );
    assert_eq!(balancer.status().in_flight, 1);
    // A client that leaves frees the backend.
    drop(client);
    wait_until("the backend to be let go", || balancer.status().in_flight == 0);
}

#[test]
fn an_upload_in_chunks_streams() {
    let [backend] = backends();
    let balancer = in_front_of(&backend);
    let before = balancer.memory();
    let mut client = balancer.connect();
    let piece = vec![b'x'; 64 * 1024];
    for method in ["POST", "PUT"] {
        client
            .send_request(method, "/count", &["Transfer-Encoding: chunked"], b"")
            .unwrap();
        for _ in 0..512 {
            client.send_chunk(&piece).unwrap();
        }
        client.send_chunk(b"").unwrap();
        assert_eq!(client.read_response(method).unwrap().text(), "33554432\n");
    }
    let growth = balancer.memory().saturating_sub(before);
    assert!(
        growth < 20 * MIB,
        "memory grew by {growth} bytes during two uploads of 32 MiB"
    );
}

#[test]
fn an_upload_reaches_the_backend_before_it_is_complete() {
    let [backend] = backends();
    let balancer = in_front_of(&backend);
    let hits = backend.hits();
    let mut client = balancer.connect();
    client
        .send_request("POST", "/echo", &["Transfer-Encoding: chunked"], b"")
        .unwrap();
    client.send_chunk(b"first, ").unwrap();
    wait_until("the head at the backend", || backend.hits() == hits + 1);
    client.send_chunk(b"second").unwrap();
    client.send_chunk(b"").unwrap();
    assert_eq!(
        client.read_response("POST").unwrap().json()["body"],
        "first, second"
    );
}

#[test]
fn an_upload_of_known_length_keeps_it() {
    let [backend] = backends();
    let balancer = in_front_of(&backend);
    let mut client = balancer.connect();
    let body = vec![b'y'; 3_000_000];
    assert_eq!(client.request("POST", "/count", &[], &body).text(), "3000000\n");
    let request = backend.last_request().unwrap();
    assert_eq!(
        (
            request.header("Content-Length"),
            request.header("Transfer-Encoding")
        ),
        (Some("3000000"), None)
    );
    assert_eq!(
        client
            .request("POST", "/count", &["Content-Length: 0"], b"")
            .text(),
        "0\n"
    );
}

#[test]
fn an_answer_that_drips_arrives_while_it_drips() {
    let [backend] = backends();
    let balancer = in_front_of(&backend);
    let mut client = balancer.connect();
    client
        .send_request("GET", "/drip?bytes=40&for=2s", &[], b"")
        .unwrap();
    let head = client.read_head().unwrap();
    let mut pieces = 0;
    client.read_body("GET", &head, |_| pieces += 1).unwrap();
    assert!(pieces >= 4, "40 bytes of 2 s came in {pieces} pieces");
    assert_eq!(client.get("/").server(), "a", "the connection is still usable");
}

#[test]
fn a_client_that_expects_100_continue_gets_it() {
    let [backend] = backends();
    let balancer = in_front_of(&backend);
    let mut client = balancer.connect();
    client
        .send_request(
            "POST",
            "/echo",
            &["Expect: 100-continue", "Content-Length: 5"],
            b"",
        )
        .unwrap();
    assert_eq!(client.read_head().unwrap().status, 100);
    client.send(b"hello").unwrap();
    assert_eq!(client.read_response("POST").unwrap().json()["body"], "hello");
}

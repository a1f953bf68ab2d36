//! Connections to backends are used again.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crate::harness::{Balancer, DEADLINE, read_request};

/// Responds when as many requests as the barrier is for have come.
fn serve(mut stream: TcpStream, all_came: &Barrier) {
    stream.set_read_timeout(Some(3 * DEADLINE)).unwrap();
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..count]);
        while let Some((_, length)) = read_request(&bytes).unwrap() {
            bytes.drain(..length);
            all_came.wait();
            if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_burst_finds_the_connections_of_the_burst_before_it() {
    const BURST: usize = 150;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (opened, all_came) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(BURST)));
    let counted = Arc::clone(&opened);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counted.fetch_add(1, SeqCst);
            let all_came = Arc::clone(&all_came);
            thread::spawn(move || serve(stream, &all_came));
        }
    });
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nhealth_check: false\nbackends: [\"{url}\"]\n"
    ));
    let mut clients: Vec<_> = (0..BURST).map(|_| balancer.peer()).collect();
    for _ in 0..3 {
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        for client in &mut clients {
            let head = client.read_until(b"\r\n\r\n");
            assert!(head.starts_with(b"HTTP/1.1 204 "), "{}", head.escape_ascii());
        }
    }
    assert_eq!(opened.load(SeqCst), BURST);
}

//! Requests that a backend loses, and which of them are sent again (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use super::exchange::{GET, OK, Play};
use crate::harness::{Balancer, Client, Stage, latin1};

fn put(length: usize) -> String {
    let body: String = (0..length).map(|at| char::from(b'a' + (at % 26) as u8)).collect();
    format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The connection that the balancer keeps is closed by its backend when the next request arrives.
#[track_caller]
fn lose(play: &mut Play, request: &str) {
    let (mut backend, _) = play.answer(OK);
    play.client.read(2);
    play.client.send(request);
    backend.read_head();
    drop(backend);
}

#[test]
fn a_request_lost_on_a_kept_connection_is_sent_again_if_that_does_no_harm() {
    let requests = [
        GET.to_owned(),
        GET.replace("GET", "HEAD"),
        GET.replace("GET", "OPTIONS"),
        GET.replace("GET", "DELETE"),
        put(0),
        put(1000),
        put(64 * 1024),
    ];
    for request in requests {
        let mut play = Play::new();
        lose(&mut play, &request);
        let mut again = play.stage.accept();
        let head = again.read_head();
        let (sent, body) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(head.first(), sent.split("\r\n").next().unwrap());
        assert_eq!(latin1(&again.read(body.len())), body);
        again.send(match request.starts_with("HEAD") {
            true => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            false => OK,
        });
        assert_eq!(play.client.read_head().status(), 200, "{}", head.first());
    }
}

#[test]
fn a_post_lost_on_a_kept_connection_is_not_sent_again() {
    for request in [
        GET.replace("GET", "POST"),
        GET.replace("GET", "PATCH"),
        GET.replace("GET", "ANY"),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_owned(),
    ] {
        let mut play = Play::new();
        lose(&mut play, &request);
        play.reads_error(502);
        assert!(play.stage.waiting().is_none(), "{request:?} was sent twice");
    }
}

#[test]
fn a_post_goes_over_a_connection_that_was_used_just_now_or_a_new_one() {
    let mut play = Play::new();
    let (mut backend, _) = play.answer(OK);
    play.client.read(2);
    crate::harness::pause(Duration::from_millis(1300));
    play.client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
    let mut other = play.stage.accept();
    other.read_head();
    other.send(OK);
    play.reads_ok();
    assert!(backend.is_silent_for(Duration::from_millis(50)));
}

#[test]
fn a_body_that_is_too_long_to_keep_is_not_sent_again() {
    let mut play = Play::new();
    let request = put(300 * 1024);
    let (mut backend, _) = play.answer(OK);
    play.client.read(2);
    play.client.send(&request);
    backend.read_head();
    backend.read(300 * 1024);
    drop(backend);
    play.reads_error(502);
    assert!(play.stage.waiting().is_none());
}

#[test]
fn a_put_that_one_backend_loses_goes_whole_to_another() {
    let stages = [Stage::new(), Stage::new()];
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nbackends: [\"{}\", \"{}\"]\nhealth_check: false\n",
        stages[0].url(),
        stages[1].url()
    ));
    let mut client = balancer.peer();
    let request = put(64 * 1024);
    let body = request.split_once("\r\n\r\n").unwrap().1;
    client.send(&request);
    let mut first = stages[0].accept();
    first.read_head();
    first.read(body.len());
    first.reset();
    let mut second = stages[1].accept();
    second.read_head();
    assert_eq!(latin1(&second.read(body.len())), body);
    second.send(OK);
    assert_eq!(client.read_head().status(), 200);
    // And a POST does not, even where not a byte of its body was read.
    drop(second);
    let mut client = balancer.peer();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    let mut lost = crate::harness::eventually("the POST", || stages.iter().find_map(Stage::waiting));
    lost.read_head();
    lost.reset();
    assert_eq!(client.read_head().status(), 502);
    assert!(stages.iter().all(|stage| stage.waiting().is_none()));
}

#[test]
fn an_answer_that_has_begun_is_never_asked_for_again() {
    let mut play = Play::new();
    let (mut backend, _) = play.answer(OK);
    play.client.read(2);
    play.client.send(GET);
    backend.read_head();
    backend.send("HTTP/1.1 200 O");
    drop(backend);
    play.reads_error(502);
    assert!(play.stage.waiting().is_none());
}

/// A backend that closes its connections without a word: after each answer, or after a while.
struct Moody {
    port: u16,
    /// How often each request has come, by its path.
    seen: Arc<Mutex<HashMap<String, u32>>>,
}

impl Moody {
    fn start(leaves_after: fn(u64) -> Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
        let (noted, number) = (Arc::clone(&seen), AtomicU64::new(0));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, leaves_after) = (Arc::clone(&noted), leaves_after(number.fetch_add(1, Relaxed)));
                thread::spawn(move || serve(stream, &seen, leaves_after));
            }
        });
        Self { port, seen }
    }
}

/// Whoever is cut off is served no more.
fn serve(mut stream: TcpStream, seen: &Mutex<HashMap<String, u32>>, leaves_after: Duration) -> Option<()> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = latin1(&bytes[..end]);
            let length = head.split("Content-Length: ").nth(1);
            let length: usize = length.map_or(0, |text| text.split("\r\n").next().unwrap().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                bytes.drain(..end + 4 + length);
                let path = head.split(' ').nth(1).unwrap_or_default();
                *seen.lock().unwrap().entry(path.to_owned()).or_default() += 1;
                stream.write_all(OK.as_bytes()).ok()?;
                // 0 would wait for ever.
                let patience = leaves_after.max(Duration::from_micros(1));
                stream.set_read_timeout(Some(patience)).ok()?;
                if leaves_after.is_zero() {
                    return None;
                }
                continue;
            }
        }
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
}

#[test]
fn backends_that_close_without_a_word_cost_no_get_and_no_post_is_sent_twice() {
    for leaves_after in [
        |_| Duration::ZERO,
        |number| Duration::from_millis(number * 7 % 11),
    ] as [fn(u64) -> Duration; 2]
    {
        let moody = Moody::start(leaves_after);
        let balancer = Balancer::start(&format!(
            "port: 0\nworkers: 2\nbackends: [\"http://127.0.0.1:{}\"]\nhealth_check: false\n",
            moody.port
        ));
        let body = vec![b'x'; 20_000];
        thread::scope(|scope| {
            for thread in 0..4 {
                let (balancer, body) = (&balancer, &body);
                scope.spawn(move || {
                    let mut client = balancer.connect();
                    for number in 0..150_u64 {
                        crate::harness::pause(Duration::from_millis((number * 5 + thread) % 13));
                        let path = format!("/{thread}-{number}");
                        let (status, expected): (u16, &[u16]) = match number % 5 {
                            0 => (client.request("PUT", &path, &[], body).status, &[200]),
                            1 => (post(&mut client, &path), &[200, 502]),
                            _ => (client.get(&path).status, &[200]),
                        };
                        assert!(expected.contains(&status), "{path}: {status}");
                    }
                });
            }
        });
        let seen = moody.seen.lock().unwrap();
        let twice: Vec<_> = seen
            .iter()
            .filter(|(path, times)| path.ends_with(['1', '6']) && **times > 1)
            .collect();
        assert!(twice.is_empty(), "POSTs that came more than once: {twice:?}");
        let lost = 4 * 30 - seen.keys().filter(|path| path.ends_with(['1', '6'])).count();
        assert!(lost <= 4, "{lost} of 120 POSTs never came");
    }
}

fn post(client: &mut Client, path: &str) -> u16 {
    client.request("POST", path, &[], b"body").status
}

#[test]
fn a_post_gets_a_new_connection_where_the_backend_closes_idle_ones_at_once() {
    let mut play = Play::new();
    let (backend, _) = play.answer(OK);
    play.client.read(2);
    drop(backend);
    // This one is kept, and good for another GET; but the backend could close it at any moment.
    let mut kept = play.goes_on_with_another();
    play.goes_on(&mut kept);
    let (mut new, head) = play.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(head.first(), "POST / HTTP/1.1");
    new.send(OK);
    play.reads_ok();
}

#[test]
fn no_connection_is_used_twice_where_the_backend_talks_out_of_turn() {
    let mut play = Play::new();
    let (mut backend, _) = play.answer(OK);
    play.client.read(2);
    backend.send(OK.replace("ok", "no"));
    backend.expect_end();
    for _ in 0..3 {
        play.goes_on_with_another();
    }
    play.balancer.wait_for_log("sends bytes that nobody asked for");
}

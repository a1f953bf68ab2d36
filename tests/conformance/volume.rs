//! Large bodies in constant memory, many connections, and slow ones beside quick ones.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use super::exchange::{GET, OK, Play};
use crate::harness::{Balancer, Client, Peer, Place, Recorder, Stage, backends, pause, wait_until};

const MIB: u64 = 1024 * 1024;
const LONG: u64 = 256 * MIB;
/// A period that no buffer's size is a multiple of, so that bytes lost or moved show.
const PERIOD: usize = 251 * 257;

/// A stretch of the endless body, from anywhere within its period on.
struct Pattern(Vec<u8>);

impl Pattern {
    fn new() -> Self {
        let byte = |at: usize| (((at % PERIOD) * 31) >> 3) as u8;
        Self((0..PERIOD + 256 * 1024).map(byte).collect())
    }

    fn at(&self, offset: u64, length: usize) -> &[u8] {
        let start = (offset % PERIOD as u64) as usize;
        &self.0[start..start + length]
    }
}

fn send_long(mut to: TcpStream, length: u64) {
    let (pattern, mut sent) = (Pattern::new(), 0);
    while sent < length {
        to.write_all(pattern.at(sent, 256 * 1024)).unwrap();
        sent += 256 * 1024;
    }
}

/// Reads it all; the most memory that the balancer has had on the way.
fn read_long(mut from: TcpStream, length: u64, balancer: &Balancer) -> u64 {
    let (pattern, mut piece) = (Pattern::new(), vec![0; 256 * 1024]);
    let (mut received, mut most) = (0, 0);
    while received < length {
        let count = from.read(&mut piece).unwrap();
        assert!(count > 0, "ended after {received} bytes");
        assert!(
            pattern.at(received, count) == &piece[..count],
            "other bytes at {received}"
        );
        if received / (8 * MIB) != (received + count as u64) / (8 * MIB) {
            most = most.max(balancer.memory());
        }
        received += count as u64;
    }
    most
}

/// Passes a body of that length one way; the most memory that the balancer has had on the way.
fn pass(play: &mut Play, upload: bool, length: u64) -> u64 {
    play.client = play.balancer.peer();
    let (method, announced) = match upload {
        true => ("POST", format!("Content-Length: {length}\r\n")),
        false => ("GET", String::new()),
    };
    let (mut backend, _) = play.request(&format!("{method} / HTTP/1.1\r\nHost: a\r\n{announced}\r\n"));
    if !upload {
        backend.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
        play.client.read_head();
    }
    let spare = play.balancer.peer();
    let client = std::mem::replace(&mut play.client, spare).into_stream();
    let (from, to) = match upload {
        true => (client, backend.into_stream()),
        false => (backend.into_stream(), client),
    };
    let sender = thread::spawn(move || send_long(from, length));
    let most = read_long(to, length, &play.balancer);
    sender.join().unwrap();
    most
}

#[test]
fn long_bodies_pass_both_ways_in_constant_memory() {
    let mut play = Play::new();
    // What every body needs, the pages of the program's own code among it, is there before a long one is measured.
    for upload in [true, false] {
        pass(&mut play, upload, 2 * MIB);
    }
    let before = play.balancer.memory();
    for upload in [true, false] {
        let growth = pass(&mut play, upload, LONG).saturating_sub(before);
        assert!(
            growth < 10 * MIB,
            "upload {upload}: memory grew by {growth} bytes"
        );
    }
}

#[test]
fn thousands_of_idle_connections_and_still_serving() {
    raise_open_files();
    let (recorder, balancer) = Recorder::with_balancer("");
    let mut clients: Vec<Client> = Vec::new();
    // What is there once, the pages of the program's own code among it, is no connection's.
    for _ in 0..20 {
        let mut client = balancer.connect();
        assert_eq!(client.get("/").text(), "ok");
        clients.push(client);
    }
    let before = balancer.memory();
    for number in 0..2000 {
        let mut client = balancer.connect();
        // Every other one has been served once.
        if number % 2 == 0 {
            assert_eq!(client.get("/").text(), "ok");
        }
        clients.push(client);
    }
    let each = balancer.memory().saturating_sub(before) / 2000;
    // What a task, its timer and a small buffer take, in a debug build too; a read buffer each would be 64 KiB.
    assert!(each < 16 * 1024, "{each} bytes a connection");
    for client in clients.iter_mut().step_by(97) {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(balancer.get("/").text(), "ok");
    assert!(recorder.take().len() > 1000);
}

/// Both ends of each connection are files, some of them of this program.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn slow_connections_do_not_hold_up_quick_ones() {
    let [backend] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nbackends: [\"{}\"]\nhealth_check: false\n",
        backend.url()
    ));
    let mut slow: Vec<Peer> = Vec::new();
    for number in 0..90 {
        let mut client = Peer::connect_with_small_buffer(balancer.address());
        client.send(match number % 3 {
            // Reads nothing of a long answer, has begun a head, has begun an upload.
            0 => "GET /bytes/50000000 HTTP/1.1\r\nHost: a\r\n\r\n",
            1 => "GET / HTTP/1.1\r\nHost: a\r\nX-Begun",
            _ => "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegun",
        });
        slow.push(client);
    }
    let mut client = balancer.connect();
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let start = Instant::now();
        assert_eq!(client.get("/").server(), "a");
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    drop(slow);
}

#[test]
fn accepting_goes_on_when_all_places_were_taken() {
    let stage = Stage::new();
    let place = Place::new();
    place.write("config.yaml", &config(&stage, "wire"));
    // So few files that few places are left for clients.
    let process = place.start_shell("sh -c 'ulimit -n 100 && exec simple-lb --config config.yaml'");
    let balancer = Balancer::of(&place, process);
    let many: Vec<_> = (0..150).map(|_| balancer.peer()).collect();
    let lines = |text: &str| balancer.log().lines().filter(|line| line.contains(text)).count();
    wait_until("a line about it", || {
        lines("places for connections are taken") > 0
    });
    waits_without_work(&balancer);
    drop(many);
    serves(&balancer, &stage);
    wait_until("a line about its end", || lines("are accepted again") > 0);
    let both = (
        lines("places for connections are taken"),
        lines("are accepted again"),
    );
    assert_eq!(both, (1, 1), "{}", balancer.log());
}

#[test]
fn accepting_goes_on_when_file_descriptors_run_out() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    for lane in ["wire", "handler"] {
        let stage = Stage::new();
        let balancer = Balancer::start(&config(&stage, lane));
        // All that it starts with is there: its workers, and the control socket's.
        serves(&balancer, &stage);
        balancer.status();
        // Runs out later than it could foresee.
        let id = i32::try_from(balancer.process.id()).unwrap();
        let open = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count();
        let limit = Some(u64::try_from(open).unwrap() + 20);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        prlimit(Pid::from_raw(id), Resource::Nofile, limit).unwrap();
        let many: Vec<_> = (0..100).map(|_| balancer.peer()).collect();
        let lines = || -> Vec<String> {
            let log = balancer.log();
            let lines = log.lines().filter(|line| line.contains("open files"));
            lines.map(str::to_owned).collect()
        };
        wait_until("a line about it", || !lines().is_empty());
        waits_without_work(&balancer);
        assert_eq!(lines().len(), 1, "lane {lane}: {:#?}", lines());
        drop(many);
        serves(&balancer, &stage);
    }
}

fn config(stage: &Stage, lane: &str) -> String {
    let url = stage.url();
    format!("port: \"127.0.0.1:0\"\nworkers: 1\nbackends: [\"{url}\"]\nhealth_check: false\nlane: {lane}\n")
}

/// Time goes by in which nothing can be accepted; it must not be spent on trying.
#[track_caller]
fn waits_without_work(balancer: &Balancer) {
    let (start, before) = (Instant::now(), balancer.process.cpu_time());
    pause(Duration::from_secs(2));
    let spent = balancer.process.cpu_time() - before;
    assert!(spent < start.elapsed() / 3, "{spent:?} of {:?}", start.elapsed());
}

#[track_caller]
fn serves(balancer: &Balancer, stage: &Stage) {
    let mut client = balancer.peer();
    client.send(GET);
    let mut backend = stage.accept();
    backend.read_head();
    backend.send(OK);
    assert_eq!(client.read_head().status(), 200);
}

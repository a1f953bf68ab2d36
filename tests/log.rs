//! A log that nobody reads costs lines of the log: no request, no command, no end waits for its reader.

use std::{
    io::{self, BufRead, BufReader, PipeReader, Write},
    net::SocketAddr,
    process::{Child, Stdio},
};

use dummy_servers::Behaviour;
use lb_core::status::StatusReport;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Balancer, Client, Place, backends, eventually, lane::with_lane, wait_until};

/// Lines that fill a pipe, as Linux makes them, but not the balancer's buffer.
const SOME: usize = 2_000;

/// More than the buffer holds.
const MANY: usize = 12_000;

/// A balancer whose log goes into a pipe that nobody reads.
struct Unread {
    place: Place,
    program: Program,
    log: PipeReader,
    address: SocketAddr,
}

impl Unread {
    /// With these backends, the second of which is dead, so that every other request writes a line.
    fn start(urls: [&str; 2]) -> Self {
        let place = Place::new();
        let backends = format!("backends: [\"{}\", \"{}\"]", urls[0], urls[1]);
        let config = format!("port: \"127.0.0.1:0\"\nejection: off\nhealth_check: false\n{backends}\n");
        place.write("config.yaml", &with_lane(&config));
        let (log, unread) = io::pipe().unwrap();
        let mut command = place.command(env!("CARGO_BIN_EXE_simple-lb"));
        let command = command.arg("run").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(unread).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = eventually("the ready line", || {
            let line = lines.next()?.unwrap();
            line.strip_prefix("listening on http://")?.parse().ok()
        });
        Self {
            place,
            program: Program(child),
            log,
            address,
        }
    }

    /// Has so many lines logged at once: each unknown key of a file that is reloaded is a problem of its own.
    fn log_lines(&self, lines: usize) {
        let keys = (0..lines).map(|number| format!("an_unknown_key_that_has_the_number_{number}: 1\n"));
        self.place.write("config.yaml", &keys.collect::<String>());
        self.signal(Signal::HUP);
    }

    fn wait_until_the_pipe_is_full(&self) {
        wait_until("a full pipe", || {
            rustix::io::ioctl_fionread(&self.log).unwrap() > 48 * 1024
        });
    }

    /// So many requests, each of which must be answered well.
    fn serve(&self, requests: usize) {
        let mut client = Client::connect(self.address);
        for _ in 0..requests {
            assert_eq!(client.get("/").server(), "a");
        }
    }

    fn status(&self) -> StatusReport {
        let status = self.place.run("status --json");
        serde_json::from_str(&status.stdout).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.program.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

/// A program that does not outlive the test.
struct Program(Child);

impl Program {
    fn wait(&mut self) -> Option<i32> {
        eventually("the end", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn requests_and_the_end_do_not_wait_for_the_reader() {
    let [a, dead] = backends();
    dead.kill();
    let mut balancer = Unread::start([&a.url(), &dead.url()]);
    balancer.log_lines(SOME);
    balancer.wait_until_the_pipe_is_full();
    balancer.serve(20);
    assert_eq!(balancer.status().log_lines_dropped, 0);
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.program.wait(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once_though_the_log_is_full() {
    let [a, dead] = backends();
    dead.kill();
    let mut balancer = Unread::start([&a.url(), &dead.url()]);
    balancer.log_lines(SOME);
    balancer.wait_until_the_pipe_is_full();
    a.set_behaviour(Behaviour::Hang);
    let mut hanging = Client::connect(balancer.address);
    let hits = a.hits();
    hanging.send_request("GET", "/", &[], b"").unwrap();
    wait_until("the request at the backend", || a.hits() > hits);
    balancer.signal(Signal::TERM);
    wait_until("the stop", || balancer.status().stopping);
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.program.wait(), Some(1));
}

#[test]
fn dropped_lines_are_told_by_the_status_and_in_the_log_when_it_is_read_again() {
    let [a, dead] = backends();
    dead.kill();
    let balancer = Unread::start([&a.url(), &dead.url()]);
    assert_eq!(balancer.status().log_lines_dropped, 0);
    balancer.log_lines(MANY);
    wait_until("dropped lines", || balancer.status().log_lines_dropped > 0);
    balancer.serve(20);
    let shown = balancer.place.run("status").stdout;
    assert!(
        shown.contains(" of the log were dropped: nobody read it"),
        "{shown}"
    );
    let mut lines = BufReader::new(balancer.log.try_clone().unwrap()).lines();
    // In the order of what happened: the lines that were there, and then how many are missing.
    let told = lines.find_map(|line| {
        line.unwrap()
            .split_once(" log lines were dropped here, ")
            .map(|(before, _)| before.to_owned())
    });
    let told = told.unwrap();
    assert!(told.contains(" WARN  simple_lb::telemetry::logging] "), "{told}");
    let dropped: u64 = told.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(dropped > 0 && dropped <= balancer.status().log_lines_dropped);
}

#[test]
fn nobody_waits_for_a_reader_of_the_ready_lines() {
    let [a] = backends();
    let place = Place::new();
    place.write(
        "config.yaml",
        &with_lane(&format!("port: 0\nbackends: [\"{}\"]\n", a.url())),
    );
    // Full before it starts, as a terminal that Ctrl-S has stopped.
    let (_unread, mut full) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&full, true).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&full, false).unwrap();
    let mut command = place.command(env!("CARGO_BIN_EXE_simple-lb"));
    let command = command.arg("run").stdin(Stdio::null());
    let command = command.stdout(full.try_clone().unwrap()).stderr(full);
    let mut program = Program(command.spawn().unwrap());
    wait_until("an instance", || place.run("status").code == 0);
    let reload = place.run("reload");
    assert_eq!(reload.code, 0, "{reload:?}");
    assert_eq!(place.run("stop").code, 0);
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn the_last_lines_reach_a_reader() {
    let [a] = backends();
    let mut balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n", a.url()));
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.process.wait(), 0);
    let log = balancer.log();
    assert!(log.ends_with(" 0 cut\n"), "{log}");
}

#[test]
fn lines_can_be_objects_and_a_reload_changes_that() {
    let [a] = backends();
    let config = |log: &str| format!("port: 0\nbackends: [\"{}\"]\nlog: {log}\n", a.url());
    let balancer = Balancer::start(&config("{format: json}"));
    balancer.reload_with(&config("{format: json, level: warn}"));
    balancer.reload_with(&config("{format: json}"));
    balancer.reload_with(&config("info"));
    balancer.wait_for_log(" INFO  lb_actors");
    let log = balancer.log();
    let (objects, others): (Vec<_>, Vec<_>) = log.lines().partition(|line| line.starts_with('{'));
    assert!(!objects.is_empty() && !others.is_empty(), "{log}");
    for object in objects {
        let read: serde_json::Value = serde_json::from_str(object).unwrap();
        let level = read["level"].as_str();
        assert!(matches!(level, Some("info" | "warn")), "{object}");
        for field in ["time", "target", "message"] {
            assert!(read[field].is_string(), "{object}");
        }
    }
}

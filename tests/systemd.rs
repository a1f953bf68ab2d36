//! What systemd is told, by a manager that the test plays.

use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use crate::harness::{Balancer, DEADLINE, Place, Process, backends, lane::with_lane, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_simple-lb");

struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// Reads at this path.
    fn at(place: &Place) -> Self {
        Self::new(UnixDatagram::bind(place.folder().join("notify")).unwrap())
    }

    fn new(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { socket }
    }

    fn next(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// The next ones up to one that has this line.
    fn until(&self, line: &str) -> Vec<String> {
        let mut all = vec![self.next()];
        while !all.last().unwrap().lines().any(|found| found == line) {
            all.push(self.next());
        }
        all
    }
}

/// The program in this place, whose manager has this name.
fn command(place: &Place, config: &str, name: &str) -> Command {
    place.write("config.yaml", &with_lane(config));
    let mut command = place.command(PROGRAM);
    command.arg("run").env("NOTIFY_SOCKET", name);
    command
}

fn start(place: &Place, config: &str) -> Balancer {
    let name = place.folder().join("notify").display().to_string();
    Balancer::of(place, Process::start(&mut command(place, config, &name)))
}

#[test]
fn systemd_hears_of_start_reload_refusal_and_stop_in_their_order() {
    let [a, b] = backends();
    let place = Place::new();
    let manager = Manager::at(&place);
    let one = format!("port: \"127.0.0.1:0\"\nbackends: [\"{}\"]\n", a.url());
    let mut balancer = start(&place, &one);
    let serving = format!("serving on {}", balancer.address());
    assert_eq!(
        manager.next(),
        format!("READY=1\nSTATUS={serving}, 1 of 1 backends up\n")
    );

    balancer.write_config(&format!(
        "port: \"127.0.0.1:0\"\nbackends: [\"{}\", \"{}\"]\n",
        a.url(),
        b.url()
    ));
    balancer.signal(Signal::HUP);
    let reload = manager.until("READY=1");
    let (began, lines) = (&reload[0], reload[0].lines().collect::<Vec<_>>());
    assert_eq!(
        (lines[0], lines[2]),
        ("RELOADING=1", "STATUS=reloading"),
        "{began}"
    );
    let time = lines[1].strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(time.parse::<u64>().unwrap() > 0);
    manager.until(&format!("STATUS={serving}, 2 of 2 backends up"));

    balancer.write_config("port: 0\nbackend: [x]\n");
    balancer.signal(Signal::HUP);
    let refused = manager.until("READY=1");
    assert!(refused[0].starts_with("RELOADING=1\n"), "{refused:?}");
    let status = refused.last().unwrap();
    let expected =
        format!("READY=1\nSTATUS={serving}, 2 of 2 backends up; the last reload was refused: config.yaml:");
    assert!(status.starts_with(&expected), "{status}");

    let reload = balancer.reload_with(&one);
    assert_eq!(reload.code, 0, "{reload:?}");
    manager.until("RELOADING=1");
    let good = manager.until("READY=1");
    assert!(!good.last().unwrap().contains("refused"), "{good:?}");

    balancer.signal(Signal::TERM);
    let stopping = manager.until("STOPPING=1");
    assert_eq!(
        stopping.last().unwrap(),
        "STOPPING=1\nSTATUS=stopping, 0 requests in flight\nEXTEND_TIMEOUT_USEC=10000000\n"
    );
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn a_dry_run_is_no_reload_and_a_long_stop_asks_for_more_time() {
    let [a] = backends();
    let place = Place::new();
    let manager = Manager::at(&place);
    let config = format!("port: 0\nbackends: [\"{}\"]\n", a.url());
    let mut balancer = start(&place, &config);
    manager.until("READY=1");
    assert_eq!(balancer.place.run("reload --dry-run").code, 0);
    let mut client = balancer.connect();
    client
        .send_request("GET", "/drip?bytes=30&for=3s", &[], b"")
        .unwrap();
    wait_until("the request", || balancer.status().in_flight == 1);
    balancer.signal(Signal::TERM);
    assert_eq!(
        manager.next(),
        "STOPPING=1\nSTATUS=stopping, 1 request in flight\nEXTEND_TIMEOUT_USEC=10000000\n"
    );
    assert_eq!(
        manager.next(),
        "STATUS=stopping, 1 request in flight\nEXTEND_TIMEOUT_USEC=10000000\n"
    );
    assert_eq!(client.read_response("GET").unwrap().status, 200);
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn the_watchdog_is_fed_over_an_abstract_socket() {
    let [a] = backends();
    let place = Place::new();
    let name = format!("simple-lb-test-{}", place.folder().display());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager::new(UnixDatagram::bind_addr(&address).unwrap());
    let config = format!("port: 0\nbackends: [\"{}\"]\n", a.url());
    let mut command = command(&place, &config, &format!("@{name}"));
    let time = Duration::from_millis(200);
    command.env("WATCHDOG_USEC", time.as_micros().to_string());
    let _balancer = Balancer::of(&place, Process::start(&mut command));
    assert!(manager.next().starts_with("READY=1\n"));
    for _ in 0..3 {
        manager.until("WATCHDOG=1");
    }
}

/// A socket takes some ten messages that nobody reads.
#[test]
fn a_manager_that_does_not_read_keeps_nobody_waiting() {
    let [a] = backends();
    let place = Place::new();
    let _unread = Manager::at(&place);
    let config = format!("port: 0\nbackends: [\"{}\"]\n", a.url());
    let mut balancer = start(&place, &config);
    for number in 0..10 {
        let config = format!("{config}shutdown_timeout: {}s\n", number + 1);
        balancer.reload_with(&config);
    }
    assert_eq!(balancer.get("/").status, 200);
    balancer.signal(Signal::TERM);
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn a_manager_that_is_not_there_costs_a_line_of_the_log() {
    let [a] = backends();
    for (name, line) in [
        ("/nonexistent/notify", "systemd cannot be told: "),
        (
            "vsock:2:1234",
            "systemd is not told: NOTIFY_SOCKET vsock:2:1234: ",
        ),
    ] {
        let place = Place::new();
        let config = format!("port: 0\nbackends: [\"{}\"]\n", a.url());
        let mut command = command(&place, &config, name);
        let mut balancer = Balancer::of(&place, Process::start(&mut command));
        assert_eq!(balancer.get("/").status, 200);
        balancer.wait_for_log(line);
        balancer.signal(Signal::TERM);
        assert_eq!(balancer.process.wait(), 0);
    }
}

#[test]
fn lines_for_the_journal_begin_with_their_priority() {
    let place = Place::new();
    place.write(
        "config.yaml",
        &with_lane("port: 0\nbackends: [\"http://127.0.0.1:1\"]\n"),
    );
    let journal = "JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2)";
    let mut balancer = Balancer::of(&place, place.start_shell(&format!("env {journal} simple-lb run")));
    place.write("config.yaml", "port: 0\n");
    balancer.signal(Signal::HUP);
    balancer.wait_for_log("reload refused");
    balancer.signal(Signal::TERM);
    balancer.process.wait();
    let log = balancer.log();
    let priorities =
        ["<3>", "<4>", "<6>"].map(|priority| log.matches(&format!("{priority}lb_actors::")).count());
    assert!(priorities.iter().all(|count| *count > 0), "{priorities:?}: {log}");
    assert!(log.lines().all(|line| line.starts_with('<')), "{log}");

    let place = place.beside("other");
    let refused = place.shell(&format!("env {journal} simple-lb run"));
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(
        refused.stderr.lines().all(|line| line.starts_with("<3>")),
        "{refused:?}"
    );
    let elsewhere = place.shell("env JOURNAL_STREAM=1:2 simple-lb run");
    assert!(!elsewhere.stderr.contains("<3>"), "{elsewhere:?}");
}

/// The processes that this one has to reap.
fn children(parent: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        // One that has ended meanwhile has none.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.nth(1) == Some(&parent.to_string())
    })
    .collect()
}

/// The first process of a container inherits those whose parents have ended.
#[test]
fn the_first_process_reaps_orphans() {
    let place = Place::new();
    let unshare = "unshare --pid --fork --mount-proc --kill-child";
    if place.shell(&format!("{unshare} true")).code != 0 {
        eprintln!("left out: `unshare --pid` is not allowed here");
        return;
    }
    place.write("config.yaml", "port: 0\nroutes: [{respond: 204}]\n");
    // One that has ended before the program begins, and one that ends later.
    let line = "(sh -c :) & (sleep 0.2 &) & exec simple-lb run";
    let balancer = Balancer::of(&place, place.start_shell(&format!("{unshare} sh -c '{line}'")));
    assert!(balancer.process.stdout().contains(", pid 1, "));
    let first = children(balancer.process.id());
    wait_until("no process beside the first one", || {
        children(first[0]).is_empty()
    });
    assert_eq!(balancer.get("/").status, 204);
}

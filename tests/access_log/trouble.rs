//! Disks that are full and readers that do not read: serving goes on, and it is said.

use std::{fs::File, io::Read, os::unix::fs::OpenOptionsExt};

use lb_core::status::AccessLogStatus;
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

use crate::harness::{Balancer, Place, backends, wait_until};

/// What fills the balancer's buffer of 16 MiB and a pipe, at 8 KiB a line.
const MANY: usize = 2_400;

fn status(balancer: &Balancer) -> AccessLogStatus {
    balancer.status().access_log
}

/// How often the log says something.
fn said(balancer: &Balancer, text: &str) -> usize {
    balancer.log().matches(text).count()
}

#[test]
fn a_full_disk_costs_lines_and_no_request() {
    let [backend] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 2\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: /dev/full\n",
        backend.url()
    ));
    let mut client = balancer.connect();
    for requests in 1..=3 {
        assert_eq!(client.get("/").server(), "a");
        wait_until("a dropped line", || status(&balancer).lines_dropped == requests);
    }
    let now = status(&balancer);
    assert_eq!((now.lines, now.path.as_deref()), (0, Some("/dev/full")));
    assert!(now.error.is_some_and(|error| error.contains("No space left")));
    balancer.wait_for_log("access log /dev/full: lines are dropped: it cannot be written: No space left");
    assert_eq!(said(&balancer, "lines are dropped"), 1);
    let shown = balancer.place.run("status").stdout;
    assert!(
        shown.contains("access log /dev/full: 3 lines were dropped, and more are: No space left"),
        "{shown}"
    );
    // Another place ends it.
    let config = std::fs::read_to_string(balancer.place.folder().join("config.yaml")).unwrap();
    balancer
        .place
        .write("config.yaml", &config.replace("/dev/full", "access.log"));
    assert_eq!(balancer.reload().code, 0);
    client.get("/");
    super::wait_for_lines(&balancer, "access.log", 1);
    let now = status(&balancer);
    assert_eq!((now.lines, now.lines_dropped, now.error), (1, 3, None));
}

#[test]
fn a_pipe_that_nobody_reads_costs_lines_and_no_request() {
    let [backend] = backends();
    let place = Place::new();
    let pipe = place.folder().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let mut reader = File::options()
        .read(true)
        .custom_flags(nonblock)
        .open(&pipe)
        .unwrap();
    let balancer = Balancer::start_in(
        &place,
        &format!(
            "port: 0\nworkers: 2\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: {{path: pipe, format: '{{path}}'}}\n",
            backend.url()
        ),
    );
    let mut client = balancer.connect();
    let long = format!("/{}", "x".repeat(7_500));
    for _ in 0..MANY {
        assert_eq!(client.get(&long).status, 200);
    }
    let now = status(&balancer);
    assert!(now.lines_dropped > 0, "{now:?}");
    assert_eq!(now.error.as_deref(), Some("nobody reads it, or it is too slow"));
    assert_eq!(
        said(&balancer, "lines are dropped: nobody reads it, or it is too slow"),
        1
    );
    // Read again, it goes on, and what was lost is told.
    let mut buffer = vec![0; 1 << 20];
    wait_until("a pipe that flows", || {
        let _some = reader.read(&mut buffer);
        let _more = client.get("/");
        said(&balancer, "it is written again") == 1
    });
    wait_until("all of it", || {
        let _some = reader.read(&mut buffer);
        let now = status(&balancer);
        now.error.is_none() && now.lines + now.lines_dropped == balancer.status().requests
    });
}

#[test]
fn a_pipe_without_a_reader_is_refused_and_an_end_does_not_wait_for_one_that_sleeps() {
    let [backend] = backends();
    let place = Place::new();
    let pipe = place.folder().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    let config = format!(
        "port: 0\nworkers: 1\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: pipe\n",
        backend.url()
    );
    place.write("config.yaml", &config);
    let start = place.run("run");
    assert_eq!(start.code, 64, "{start:?}");
    assert!(start.stderr.contains("is a pipe that nobody reads"), "{start:?}");
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let _reader = File::options()
        .read(true)
        .custom_flags(nonblock)
        .open(&pipe)
        .unwrap();
    let mut balancer = Balancer::start_in(&place, &config);
    let mut client = balancer.connect();
    let long = format!("/{}", "x".repeat(7_500));
    for _ in 0..100 {
        client.get(&long);
    }
    drop(client);
    balancer.signal(rustix::process::Signal::TERM);
    assert_eq!(balancer.process.wait(), 0);
}

//! The dummy servers as people start them.

use crate::harness::{BUILD_DEADLINE, Finished, Process, get};

#[test]
fn help_shows_what_they_can_do() {
    let mut process = Process::cargo("run --quiet --bin dummy_servers -- --help");
    assert_eq!(process.wait_within(BUILD_DEADLINE), 0);
    let help = Finished::of(process);
    for text in [
        "9001,9002,9003",
        "--behaviour",
        "slow:DURATION",
        "flaky:PERCENT%",
        "--lang",
    ] {
        assert!(help.stdout.contains(text), "{text}: {}", help.stdout);
    }
}

#[test]
fn requests_are_logged_in_english_too_and_behaviours_are_taken() {
    let command = "run --quiet --bin dummy_servers -- --ports 0,0 --lang en --behaviour 0=fail";
    let mut servers = Process::cargo(command);
    let line = servers.wait_for_line_within(BUILD_DEADLINE, "[Server 2] listening on http://127.0.0.1:");
    let address = line.rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(get(address, "/some/path?x=1").status, 500);
    servers.wait_for_line("[Server 2] request received! GET /some/path");
    servers.signal(rustix::process::Signal::TERM);
    assert_eq!(servers.wait(), 0);
}

#[test]
fn a_wrong_behaviour_is_refused_with_what_is_legal() {
    let mut process = Process::cargo("run --quiet --bin dummy_servers -- --behaviour 9001=slwo");
    assert_eq!(process.wait_within(BUILD_DEADLINE), 2);
    assert!(
        process.stderr().contains("legal are ok, slow:DURATION"),
        "{}",
        process.stderr()
    );
}

#[test]
fn servers_are_named_by_their_port_if_that_is_wanted() {
    let mut servers = Process::cargo("run --quiet --bin dummy_servers -- --ports 0,0 --names port --quiet");
    let line = servers.wait_for_line_within(BUILD_DEADLINE, "listening on http://127.0.0.1:");
    let (name, address) = line.split_once("] listening on http://").unwrap();
    let address: std::net::SocketAddr = address.parse().unwrap();
    assert_eq!(name, format!("[Server {}", address.port()));
    let expected = format!("Hello from Server {}\n", address.port());
    assert_eq!(get(address, "/").text(), expected);
}

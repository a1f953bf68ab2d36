use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use crate::client::Client;

/// A running program, killed when the test ends however it ends.
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    addresses: Vec<String>,
}

impl Program {
    fn start(arguments: &[&str], servers: usize) -> Self {
        let mut child = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self {
            child,
            output,
            addresses: Vec::new(),
        };
        for number in 1..=servers {
            let line = program.line();
            let prefix = format!("[Server {number}] listening on http://");
            let address = line.strip_prefix(&prefix).unwrap_or_else(|| panic!("{line}"));
            program.addresses.push(address.to_owned());
        }
        program
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn client(&self, server: usize) -> Client {
        Client::to_address(&self.addresses[server - 1]).unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dummy_servers"));
    command.args(arguments).env_remove("DUMMY_SERVERS_PORTS");
    command
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn starts_three_that_log_in_korean_and_end_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(&["--ports", "0,0,0"], 3);
        assert_eq!(
            program.client(2).ask("GET", "/path?q").text(),
            "Hello from Server 2\n"
        );
        assert_eq!(program.line(), "[Server 2] 요청 받음! GET /path?q");
        program.client(3).ask("POST", "/health");
        assert_eq!(program.line(), "[Server 3] 요청 받음! POST /health");
        program.signal(signal);
        assert_eq!(program.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn logs_in_english_and_behaves_as_told() {
    let mut program = Program::start(&["--ports", "0", "--lang", "en", "--behaviour", "0=fail"], 1);
    assert_eq!(program.client(1).ask("GET", "/a").status, 500);
    assert_eq!(program.line(), "[Server 1] request received! GET /a");
}

#[test]
fn quiet_prints_nothing_but_the_ready_line() {
    let mut program = Program::start(&["--ports", "0", "--quiet"], 1);
    program.client(1).ask("GET", "/a");
    program.signal("TERM");
    let mut rest = String::new();
    program.output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn goes_on_when_nobody_reads_its_lines() {
    let mut program = Program::start(&["--ports", "0"], 1);
    let nobody = Command::new("true")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
        .stdout
        .unwrap();
    drop(std::mem::replace(&mut program.output, BufReader::new(nobody)));
    let mut client = program.client(1);
    for _ in 0..3 {
        assert_eq!(client.ask("GET", "/").status, 200);
    }
}

#[test]
fn takes_ports_from_the_environment() {
    let output = command(&["--behaviour", "1=ok"])
        .env("DUMMY_SERVERS_PORTS", "7,8")
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("the ports are 7, 8"),
        "{output:?}"
    );
}

#[test]
fn a_taken_port_is_named_and_the_exit_code_is_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, error) = refused(&["--ports", &format!("0,{port}")]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains(&format!("dummy_servers: cannot listen on 127.0.0.1:{port}: ")),
        "{error}"
    );
}

#[test]
fn a_wrong_argument_exits_with_2_and_help_with_0() {
    for arguments in [
        ["--ports", "x"],
        ["--behaviour", "9002=slwo"],
        ["--behaviour", "1=ok"],
        ["--lang", "fr"],
    ] {
        let (code, error) = refused(&arguments);
        assert_eq!(code, Some(2), "{error}");
    }
    let help = command(&["--help"]).output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.status.success() && text.contains("--behaviour 9002=slow:200ms"),
        "{text}"
    );
}

//! A program that a test started: its output is kept and shown if the test fails, and it never outlives the test.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::wait::{DEADLINE, eventually_within};

/// For programs that cargo may have to build first.
pub const BUILD_DEADLINE: Duration = Duration::from_secs(300);

/// A running program.
pub struct Process {
    name: String,
    child: Child,
    output: [Captured; 2],
}

/// One of its streams, read by a thread so that the program never waits for a reader.
struct Captured {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn new(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let spawned = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{name}: {error}"));
        let stdout = Captured::new(child.stdout.take().unwrap());
        let stderr = Captured::new(child.stderr.take().unwrap());
        Self {
            name,
            child,
            output: [stdout, stderr],
        }
    }

    /// Starts `cargo` with these arguments in the workspace, as a person would. Where cargo runs a program, it becomes
    /// that program.
    pub fn cargo(arguments: &str) -> Self {
        let mut cargo = Command::new("cargo");
        cargo
            .args(arguments.split_whitespace())
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        Self::start(cargo.env("DUMMY_SERVERS_PORTS", "0,0,0"))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stdout(&self) -> String {
        self.output[0].text()
    }

    pub fn stderr(&self) -> String {
        self.output[1].text()
    }

    /// The first line of stdout that holds `text`, as soon as it is there.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str) -> String {
        self.wait_for_line_within(DEADLINE, text)
    }

    /// The same for a program that takes its time.
    #[track_caller]
    pub fn wait_for_line_within(&mut self, longest: Duration, text: &str) -> String {
        eventually_within(longest, &format!("the line `{text}`"), || {
            // Looked at first: whoever has ended has printed all it will.
            let ended = self.child.try_wait().unwrap();
            let output = self.stdout();
            let line = output.lines().find(|line| line.contains(text)).map(str::to_owned);
            assert!(
                line.is_some() || ended.is_none(),
                "ended ({ended:?}) without the line `{text}`"
            );
            line
        })
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end; the exit code, or minus the signal that ended it.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        self.wait_within(DEADLINE)
    }

    /// The same for a program that takes its time.
    #[track_caller]
    pub fn wait_within(&mut self, longest: Duration) -> i32 {
        let what = format!("the end of {}", self.name);
        let status = eventually_within(longest, &what, || self.child.try_wait().unwrap());
        for captured in &mut self.output {
            if let Some(reader) = captured.reader.take() {
                reader.join().unwrap();
            }
        }
        code(status)
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1024
    }

    /// Processor time so far.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // Behind the name in brackets, which may hold blanks: user and system time are the 12th and 13th.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split(' ').skip(11).take(2);
        let ticks: u32 = times.map(|time| time.parse::<u32>().unwrap()).sum();
        Duration::from_secs(1) * ticks / TICKS
    }
}

/// Ticks of the kernel's clock a second, in what it shows of processes.
const TICKS: u32 = 100;

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| -status.signal().unwrap_or_default())
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if thread::panicking() {
            eprintln!(
                "--- {}\n--- stdout\n{}--- stderr\n{}---",
                self.name,
                self.stdout(),
                self.stderr()
            );
        }
    }
}

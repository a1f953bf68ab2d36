//! A folder to work in, as a person would who types commands there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tempfile::TempDir;

use super::{process::Process, records};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_simple-lb");

/// A temporary folder, and a runtime folder that no other test knows.
#[derive(Clone)]
pub struct Place {
    folder: PathBuf,
    runtime: PathBuf,
    _root: Arc<TempDir>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let place = Self {
            folder: root.path().join("here"),
            runtime: root.path().join("runtime"),
            _root: Arc::new(root),
        };
        fs::create_dir(&place.folder).unwrap();
        place
    }

    /// Another folder of the same user: both see each other's instances.
    pub fn beside(&self, name: &str) -> Self {
        let folder = self.folder.with_file_name(name);
        fs::create_dir(&folder).unwrap();
        Self {
            folder,
            ..self.clone()
        }
    }

    /// The same folder, with its control files elsewhere.
    pub fn with_runtime(self, runtime: PathBuf) -> Self {
        Self { runtime, ..self }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn runtime(&self) -> &Path {
        &self.runtime
    }

    /// Where programs of this place write what they know of requests that have ended.
    pub fn records(&self) -> PathBuf {
        self.folder.with_extension("records")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// `program` with the environment of this place and none of the caller's settings.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .env("SIMPLE_LB_RUNTIME_DIR", &self.runtime)
            .env(records::VARIABLE, self.records())
            .env_remove("RUST_LOG");
        command
    }

    /// Starts the program and does not wait.
    pub fn start(&self, arguments: &[&str]) -> Process {
        Process::start(self.command(PROGRAM).args(arguments))
    }

    /// Runs `simple-lb` with these arguments, separated by blanks, to its end.
    #[track_caller]
    pub fn run(&self, arguments: &str) -> Finished {
        Finished::of(self.start(&arguments.split_whitespace().collect::<Vec<_>>()))
    }

    /// The commands that `simple-lb --help` lists.
    pub fn commands(&self) -> Vec<String> {
        let help = self.run("--help").stdout;
        let (_, commands) = help.split_once("Commands:\n").unwrap();
        let lines = commands.lines().take_while(|line| !line.is_empty());
        let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned());
        names.filter(|name| name != "help").collect()
    }

    /// Types a line into a shell whose PATH has the program.
    #[track_caller]
    pub fn shell(&self, line: &str) -> Finished {
        Finished::of(self.start_shell(line))
    }

    /// The same, without waiting. `exec` keeps the program from being a child of the shell.
    pub fn start_shell(&self, line: &str) -> Process {
        let programs = Path::new(PROGRAM).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = self.command("sh");
        shell.args(["-c", &format!("exec {line}")]);
        Process::start(shell.env("PATH", format!("{}:{path}", programs.display())))
    }
}

impl Finished {
    #[track_caller]
    pub fn of(mut process: Process) -> Self {
        let code = process.wait();
        Self {
            code,
            stdout: process.stdout(),
            stderr: process.stderr(),
        }
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

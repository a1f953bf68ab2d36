//! A terminal in which the commands of a document are typed.
//!
//! Documents name the ports 8000 and 9001 to 9004; tests take free ones. So each port of the document stands for a real
//! one, in what is typed and in what comes out.

use dummy_servers::{DummyServer, Lang, Options};

use crate::harness::{Balancer, Finished, Place, Process};

/// What the document calls the folder that it works in.
const FOLDER: &str = "/home/you/simple-lb";

/// A folder, and which port of the document is which.
pub struct Session {
    pub place: Place,
    ports: Vec<(u16, u16)>,
}

impl Session {
    pub fn new() -> Self {
        Self {
            place: Place::new(),
            ports: Vec::new(),
        }
    }

    /// From now on, this port of the document is that real one.
    pub fn port(&mut self, documented: u16, real: u16) {
        self.ports.push((documented, real));
    }

    /// Backends for the ports 9001 and so on, each named by its port of the document.
    pub fn backends<const COUNT: usize>(&mut self) -> [DummyServer; COUNT] {
        std::array::from_fn(|index| {
            let documented = 9001 + u16::try_from(index).unwrap();
            let options = Options::new(format!("Server {documented}"));
            let server = options.log(Lang::En).start().unwrap();
            self.port(documented, server.port());
            server
        })
    }

    /// A balancer that is configured by this text of the document, and by `more` for the test's sake.
    pub fn balancer(&mut self, config: &str, more: &str) -> Balancer {
        self.configure(config, more);
        let balancer = Balancer::of(&self.place, self.place.start(&["--config", "config.yaml"]));
        self.port(8000, balancer.address().port());
        balancer
    }

    /// Writes a text of the document as config.yaml. The balancer's port is the system's choice.
    pub fn configure(&self, config: &str, more: &str) {
        let config = config.replace("port: 8000", "port: 0");
        self.place
            .write("config.yaml", &format!("{}\n{more}\n", self.real(&config)));
    }

    /// Types lines of the document, one after the other; what a reader sees, with what was typed.
    pub fn types(&self, lines: &[&str]) -> String {
        lines
            .iter()
            .map(|line| self.prompt(line, &self.result(line)))
            .collect()
    }

    /// Types one line without a word of it; its output.
    #[track_caller]
    pub fn result(&self, line: &str) -> String {
        self.shown(&Finished::of(self.start(line)).stdout)
    }

    /// A line of the document as it stands behind the prompt, with its output.
    pub fn prompt(&self, line: &str, output: &str) -> String {
        format!("$ {line}\n{output}")
    }

    /// Types a line and does not wait for its end.
    pub fn start(&self, line: &str) -> Process {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_simple-lb"));
        let path = std::env::var("PATH").unwrap_or_default();
        let folder = program.parent().unwrap().display();
        let mut shell = self.place.command("sh");
        // Both streams go to the terminal.
        shell.args(["-c", &format!("exec 2>&1\n{}", self.real(line))]);
        Process::start(shell.env("PATH", format!("{folder}:{path}")))
    }

    /// A text of the document with the real ports.
    pub fn real(&self, text: &str) -> String {
        let ports = self.ports.iter();
        ports.fold(text.to_owned(), |text, (documented, real)| {
            text.replace(&format!(":{documented}"), &format!(":{real}"))
        })
    }

    /// What came out, with the ports and the folder of the document.
    pub fn shown(&self, text: &str) -> String {
        let folder = self.place.folder().canonicalize().unwrap();
        let text = text
            .replace(folder.to_str().unwrap(), FOLDER)
            .replace("port :0 ", "port :8000 ");
        let ports = self.ports.iter();
        let text = ports.fold(text, |text, (documented, real)| {
            text.replace(&real.to_string(), &documented.to_string())
        });
        let lines = text.lines().map(|line| {
            // The column of URLs has become a character narrower.
            let heading = ["BACKEND ", "LIVE CHANGE OF "]
                .iter()
                .find(|name| line.contains(**name));
            let line = heading.map_or(line.to_owned(), |name| line.replacen(name, name.trim_end(), 1));
            format!("{line}\n")
        });
        lines.collect()
    }
}

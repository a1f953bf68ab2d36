//! How a server is started.

use std::io;

use crate::{behaviour::Behaviour, server::DummyServer, text::Lang};

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// `None`: named by the port, once that is known.
    pub(crate) name: Option<String>,
    pub(crate) port: u16,
    pub(crate) log: Option<Lang>,
    pub(crate) record: bool,
    pub(crate) behaviour: Behaviour,
}

impl Options {
    /// A server of this name on any free port, which records requests, prints nothing and answers.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::named_by_port()
        }
    }

    /// The same with its port in its name: `Server 9001`.
    pub fn named_by_port() -> Self {
        Self {
            name: None,
            port: 0,
            log: None,
            record: true,
            behaviour: Behaviour::Ok,
        }
    }

    /// The port; 0, the default, takes any free one.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Prints a line for each request to standard output, in this language.
    pub fn log(self, lang: Lang) -> Self {
        Self {
            log: Some(lang),
            ..self
        }
    }

    /// Whether requests are recorded from the start (default: yes); without it and without a log no request takes a
    /// lock.
    pub fn record(self, on: bool) -> Self {
        Self { record: on, ..self }
    }

    /// What is done with requests from the first one on.
    pub fn behaviour(self, behaviour: Behaviour) -> Self {
        Self { behaviour, ..self }
    }

    /// Starts the server; it accepts connections when this returns.
    ///
    /// # Errors
    /// If the port is taken (the text names it) or the thread cannot be started.
    pub fn start(self) -> io::Result<DummyServer> {
        DummyServer::launch(self)
    }
}

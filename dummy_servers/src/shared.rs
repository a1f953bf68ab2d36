//! What the handle of a server and its thread both see.

use std::io::Write as _;

use crate::{
    behaviour::{Behaviour, BehaviourCell},
    hits::Hits,
    request::Request,
    text::{Lang, request_line},
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: String,
    /// The name as it may stand in a header line.
    pub(crate) header_name: String,
    /// `None`: no line a request.
    pub(crate) log: Option<Lang>,
    pub(crate) hits: Hits,
    pub(crate) behaviour: BehaviourCell,
    pub(crate) health_behaviour: BehaviourCell,
}

impl Shared {
    /// Whether the head of each request has to be kept as text.
    pub(crate) fn wants_text(&self) -> bool {
        self.log.is_some() || self.hits.is_recording()
    }

    /// Counts, records and logs a request whose head has come.
    pub(crate) fn observe(&self, request: &Request) {
        self.hits.count(request.is_probe);
        let Some(text) = &request.text else { return };
        if self.hits.is_recording() {
            self.hits.record(text);
        }
        if let Some(lang) = self.log {
            let line = request_line(lang, &self.name, &text.method, &text.path) + "\n";
            // Whoever reads the lines may leave (`| head`); the server goes on.
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        }
    }

    /// How to treat one more request: never `Flaky`, which is decided here.
    pub(crate) fn next_behaviour(&self, is_health: bool) -> Behaviour {
        let own = if is_health {
            self.health_behaviour.next()
        } else {
            None
        };
        own.or_else(|| self.behaviour.next()).unwrap_or(Behaviour::Ok)
    }
}

//! The three backends, what is done to them, and the configuration that names them.

use std::{fmt, io, time::Duration};

use dummy_servers::{Behaviour, DummyServer, Options};

use super::{keys::Deed, text::Style};

/// Long enough to be seen at once, and below the probes' timeout: a slow backend is not a dead one.
const SLOW: Duration = Duration::from_millis(300);

/// Three backends.
pub(super) struct Backends {
    servers: Vec<DummyServer>,
}

/// What a backend does with requests now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It answers at once.
    Ok,
    /// It refuses connections.
    Killed,
    /// It answers after this time.
    Slow(Duration),
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Killed => f.write_str("killed"),
            Self::Slow(by) => write!(f, "slow {}ms", by.as_millis()),
        }
    }
}

impl Doing {
    /// How it is shown.
    pub(super) fn style(self) -> Style {
        match self {
            Self::Ok => Style::Good,
            Self::Killed => Style::Bad,
            Self::Slow(_) => Style::Warning,
        }
    }
}

impl Backends {
    /// Starts them on free ports.
    ///
    /// # Errors
    /// When there is no port or thread for one.
    pub(super) fn start() -> io::Result<Self> {
        let start = |number| Options::new(format!("Server {number}")).record(false).start();
        Ok(Self {
            servers: (1..=3).map(start).collect::<io::Result<_>>()?,
        })
    }

    /// What a user would write to balance over them, but for the quick probes and the short slow
    /// start: a change is to be seen within seconds.
    pub(super) fn config(&self, port: u16) -> String {
        let urls: String = self
            .servers
            .iter()
            .map(|server| format!("  - \"{}\"\n", server.url()))
            .collect();
        format!(
            "port: \"127.0.0.1:{port}\"\nstrategy: \"round-robin\"\nbackends:\n{urls}health_check:\n  interval: 1s\n  \
             fast_interval: 500ms\n  timeout: 500ms\n  rise: 2\n  fall: 2\nslow_start: 2s\nlog: off\n"
        )
    }

    /// Their names and what they do, in order.
    pub(super) fn doings(&self) -> Vec<(String, Doing)> {
        self.servers
            .iter()
            .map(|server| (server.name().to_owned(), doing(server)))
            .collect()
    }

    /// Does it to the backend with this index; returns what to tell about it.
    pub(super) fn act(&self, index: usize, deed: Deed) -> String {
        let Some(server) = self.servers.get(index) else {
            return format!("there is no server {}", index + 1);
        };
        let name = server.name();
        match (deed, doing(server)) {
            (Deed::Kill | Deed::Slow, Doing::Killed) => format!("{name} is dead already; r revives it"),
            (Deed::Kill, _) => {
                server.kill();
                server.set_behaviour(Behaviour::Ok);
                format!("{name} killed: it refuses connections, as after a crash")
            }
            (Deed::Revive, Doing::Killed) => match server.revive() {
                Ok(()) => format!("{name} revived: two good probes bring it back"),
                Err(error) => format!("{name} cannot be revived: {error}"),
            },
            (Deed::Revive, _) => format!("{name} is alive; k kills it"),
            (Deed::Slow, Doing::Slow(_)) => {
                server.set_behaviour(Behaviour::Ok);
                format!("{name} answers at once again")
            }
            (Deed::Slow, Doing::Ok) => {
                server.set_behaviour(Behaviour::Slow(SLOW));
                format!("{name} slow: it answers after {}ms, probes too", SLOW.as_millis())
            }
        }
    }
}

fn doing(server: &DummyServer) -> Doing {
    match server.behaviour() {
        _ if !server.is_alive() => Doing::Killed,
        Behaviour::Slow(by) => Doing::Slow(by),
        _ => Doing::Ok,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_configuration_is_a_valid_one_and_names_them_in_order() {
        let backends = Backends::start().unwrap();
        let config = lb_core::config::load(&backends.config(8000), "demo", &|_| None).unwrap();
        let urls: Vec<_> = config.pools["default"]
            .backends
            .iter()
            .map(|backend| backend.url.to_string())
            .collect();
        let servers: Vec<_> = backends.servers.iter().map(DummyServer::url).collect();
        assert_eq!(urls, servers);
    }

    #[test]
    fn a_dead_backend_is_revived_as_if_it_had_never_been_slow() {
        let backends = Backends::start().unwrap();
        let doing = || backends.doings()[1].clone();
        assert_eq!(doing(), ("Server 2".to_owned(), Doing::Ok));
        backends.act(1, Deed::Slow);
        assert_eq!(doing().1, Doing::Slow(SLOW));
        backends.act(1, Deed::Kill);
        assert_eq!(doing().1, Doing::Killed);
        assert_eq!(
            backends.act(1, Deed::Slow),
            "Server 2 is dead already; r revives it"
        );
        backends.act(1, Deed::Revive);
        assert_eq!(doing().1, Doing::Ok);
        assert_eq!(backends.doings()[0].1, Doing::Ok);
    }
}

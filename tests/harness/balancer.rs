//! A running `simple-lb`.

use std::net::SocketAddr;

use lb_core::status::{BackendStatus, HealthStatus, StatusReport};
use rustix::process::Signal;

use super::{
    client::{Client, Response, get},
    lane::with_lane,
    peer::Peer,
    place::{Finished, Place},
    process::Process,
    records::{self, Record},
    wait::{eventually, wait_until},
};

/// Health checks for tests that wait for them. The timeout stays long: a busy machine is not a dead backend. Who comes
/// back has its whole share at once, so that a test can count on it.
pub const FAST_CHECKS: &str = "health_check: {path: /health, interval: 100ms, fast_interval: 50ms, timeout: 3s, rise: 2, fall: 2}\n\
     slow_start: 0s";

/// The program, serving. Dropped, it is killed.
pub struct Balancer {
    pub process: Process,
    pub place: Place,
    address: SocketAddr,
}

impl Balancer {
    /// Starts it with this configuration in a place of its own. Its `port` must be 0 or end with `:0`.
    #[track_caller]
    pub fn start(config: &str) -> Self {
        Self::start_in(&Place::new(), config)
    }

    /// Starts it with this configuration in this place.
    #[track_caller]
    pub fn start_in(place: &Place, config: &str) -> Self {
        place.write("config.yaml", &with_lane(config));
        Self::of(place, place.start(&["--config", "config.yaml"]))
    }

    /// Waits until a started program serves.
    #[track_caller]
    pub fn of(place: &Place, mut process: Process) -> Self {
        let line = process.wait_for_line("listening on http://");
        let address: SocketAddr = line.trim_start_matches("listening on http://").parse().unwrap();
        // All addresses: the loopback is one of them.
        let address = match address.ip().is_unspecified() {
            true => SocketAddr::from(([127, 0, 0, 1], address.port())),
            false => address,
        };
        Self {
            process,
            place: place.clone(),
            address,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kept-alive connection.
    #[track_caller]
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// A connection of which the test decides every byte.
    #[track_caller]
    pub fn peer(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// One GET over a connection of its own.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        get(self.address, path)
    }

    /// That many GETs over one connection, all answered with 200: the names of the backends, such as `a b c a`.
    #[track_caller]
    pub fn order(&self, requests: usize) -> String {
        let mut client = self.connect();
        let names: Vec<String> = (0..requests).map(|_| client.get("/").server()).collect();
        names.join(" ")
    }

    pub fn write_config(&self, config: &str) {
        self.place.write("config.yaml", &with_lane(config));
    }

    /// Types `simple-lb --reload` in its folder.
    #[track_caller]
    pub fn reload(&self) -> Finished {
        self.place.run("--reload")
    }

    /// Writes the configuration and reloads it, which must succeed.
    #[track_caller]
    pub fn reload_with(&self, config: &str) -> Finished {
        self.write_config(config);
        let reload = self.reload();
        assert_eq!(reload.code, 0, "{reload:?}");
        reload
    }

    #[track_caller]
    pub fn status(&self) -> StatusReport {
        let status = self.place.run("status --json");
        assert_eq!(status.code, 0, "{status:?}");
        serde_json::from_str(&status.stdout).unwrap()
    }

    /// What the status says of one backend.
    #[track_caller]
    pub fn backend(&self, url: &str) -> BackendStatus {
        let pools = self.status().pools;
        let mut all = pools.into_iter().flat_map(|pool| pool.backends);
        all.find(|backend| backend.url == url)
            .unwrap_or_else(|| panic!("no backend {url}"))
    }

    #[track_caller]
    pub fn wait_for_health(&self, url: &str, health: HealthStatus) {
        eventually(&format!("{url} is {health}"), || {
            (self.backend(url).health == health).then_some(())
        });
    }

    /// What is known of the requests that have ended.
    pub fn records(&self) -> Vec<Record> {
        records::read(&self.place.records())
    }

    /// The records when there are so many.
    #[track_caller]
    pub fn wait_for_records(&self, count: usize) -> Vec<Record> {
        eventually(&format!("{count} requests that have ended"), || {
            Some(self.records()).filter(|records| records.len() == count)
        })
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> u64 {
        self.process.memory()
    }

    /// Waits until its log holds a text: a line that is written is not read yet.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        wait_until(&format!("`{text}` in the log"), || self.log().contains(text));
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.stderr()
    }
}

impl Drop for Balancer {
    /// Every request has ended once, or is in flight.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        records::check(&self.records());
        // One place can have had several instances, and a stopped one tells nothing.
        if self.place.run("status --json").code != 0 {
            return;
        }
        let pid = self.process.id();
        let settled = || {
            let status = self.place.run("status --json");
            let status: StatusReport = serde_json::from_str(&status.stdout).ok()?;
            if status.pid != pid {
                return Some(());
            }
            let records = self.records();
            let ended = records
                .iter()
                .filter(|record| record.number("pid") == Some(u64::from(pid)));
            (ended.count() as u64 + status.in_flight == status.requests).then_some(())
        };
        eventually("each request to have ended once, or to be in flight", settled);
    }
}

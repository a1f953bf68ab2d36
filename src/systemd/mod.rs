//! What systemd is told, as sd_notify(3) has it: that the balancer is ready, reloads or stops, what it does, and that its
//! threads make progress.
//!
//! A thread of its own sends it, so that nobody waits for a manager that does not read; what it cannot send is lost.
//! Without `NOTIFY_SOCKET` there is no such thread. The variable is left in the environment: to take it out is unsafe, and
//! the balancer starts no other program.

mod beats;
mod sender;
mod socket;

use std::{
    convert::Infallible,
    env,
    sync::mpsc::{self, SyncSender},
    thread,
    time::Duration,
};

use actix_rt::ArbiterHandle;
use lb_actors::RegistryHandle;
use lb_core::{
    pool::Snapshot,
    status::{HealthStatus, ReloadReport},
};
use log::warn;

use self::{sender::Sender, socket::Socket};

/// Messages that wait for a manager that does not read. More than a start, a reload and a stop have together.
const WAITING: usize = 64;

/// Between two messages about what the balancer does, so that backends that come and go do not flood systemd.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the end of the process waits for the last message. A manager that reads takes microseconds.
const FLUSH: Duration = Duration::from_millis(500);

/// Tells systemd, or nobody where there is none.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    messages: Option<SyncSender<Message>>,
}

/// What the thread that sends is told.
#[derive(Debug)]
enum Message {
    /// Requests are served by these threads, and this is what it does.
    Ready {
        threads: Vec<ArbiterHandle>,
        serving: String,
    },
    /// What it does now.
    Serving(String),
    /// A reload begins.
    Reloading,
    /// A reload ended; why it was refused, if it was.
    Reloaded { refused: Option<String> },
    /// Requests in flight of a balancer that stops.
    Stopping { in_flight: u64 },
    /// Answered when everything before it was sent.
    Flush(SyncSender<()>),
}

impl Notifier {
    /// The manager that the environment names. One that cannot be reached costs a warning and no service.
    pub fn from_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        let socket = match Socket::named(&name) {
            Ok(socket) => socket,
            Err(error) => {
                warn!("systemd is not told: NOTIFY_SOCKET {}: {error}", name.display());
                return Self::default();
            }
        };
        let (messages, received) = mpsc::sync_channel(WAITING);
        let sender = Sender::new(socket, sd_notify::watchdog_enabled());
        let thread = thread::Builder::new().name("systemd".to_owned());
        match thread.spawn(move || sender.run(&received)) {
            Ok(_runs) => Self {
                messages: Some(messages),
            },
            Err(error) => {
                warn!("systemd is not told: no thread for it: {error}");
                Self::default()
            }
        }
    }

    /// A reload begins.
    pub fn reloading(&self) {
        self.tell(Message::Reloading);
    }

    /// A reload ended; `None`: nobody knows how.
    pub fn reloaded(&self, report: Option<&ReloadReport>) {
        let refused = match report {
            Some(report) if report.applied => None,
            Some(report) => Some(report.problems.first().cloned().unwrap_or_default()),
            None => Some("it was interrupted".to_owned()),
        };
        self.tell(Message::Reloaded { refused });
    }

    /// The balancer stops, and has so many requests in flight.
    pub fn stopping(&self, in_flight: u64) {
        self.tell(Message::Stopping { in_flight });
    }

    /// Says again and again that the stop goes on, because each message asks for a little more time.
    pub async fn keep_stopping(&self, in_flight: impl Fn() -> u64) -> Infallible {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.stopping(in_flight());
        }
    }

    /// Waits until everything was sent, but only for a moment.
    pub fn flush(&self) {
        let (done, sent) = mpsc::sync_channel(1);
        self.tell(Message::Flush(done));
        // An error: nobody is told, or the manager does not read.
        let _in_time = sent.recv_timeout(FLUSH);
    }

    fn tell(&self, message: Message) {
        if let Some(messages) = &self.messages {
            // Full: the manager does not read, and has enough to read when it does.
            let _lost = messages.try_send(message);
        }
    }
}

/// Says that requests are served, by these threads, which systemd's watchdog is about; and keeps the status current from then on.
/// `listeners` are the addresses.
pub fn say_ready(
    notifier: &Notifier,
    threads: Vec<ArbiterHandle>,
    (registry, listeners): (RegistryHandle, Vec<String>),
) {
    if notifier.messages.is_none() {
        return;
    }
    let on = listeners.join(", ");
    let mut said = serving(&on, &registry.snapshot());
    notifier.tell(Message::Ready {
        threads,
        serving: said.clone(),
    });
    let notifier = notifier.clone();
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(PAUSE).await;
            registry
                .wait_until(|snapshot| serving(&on, snapshot) != said)
                .await;
            said = serving(&on, &registry.snapshot());
            notifier.tell(Message::Serving(said.clone()));
        }
    });
}

/// What the balancer does, in a line: `serving on [::]:8000, 3 of 4 backends up`.
fn serving(on: &str, snapshot: &Snapshot) -> String {
    let members = || snapshot.pools().iter().flat_map(|pool| pool.members());
    let up = members().filter(|member| member.health.status() == HealthStatus::Up);
    match members().count() {
        0 => format!("serving on {on}, without backends"),
        all => format!("serving on {on}, {} of {all} backends up", up.count()),
    }
}

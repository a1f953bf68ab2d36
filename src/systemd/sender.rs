//! The thread that tells systemd. It alone knows what was said last.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use log::{debug, warn};
use sd_notify::NotifyState;

use super::{Message, beats::Beats, socket::Socket};

/// How much time each message of a stop asks for. The stop bounds itself, by `shutdown_timeout`, and says each second that it goes
/// on; one that hangs is killed after this, or after the unit's own timeout if that is later.
const MORE_TIME: Duration = Duration::from_secs(10);

/// Parts of a watchdog's time: systemd wants to hear once in half of it.
const HALF: u32 = 2;

/// A thread that was busy when it was looked at is looked at again much sooner, or the next beat would come too late.
const SOON: u32 = 16;

/// Characters of a problem that a status shows.
const LONGEST: usize = 200;

pub(super) struct Sender {
    socket: Socket,
    /// The time in which systemd wants to hear of the threads.
    watchdog: Option<Duration>,
    next_look: Option<Instant>,
    beats: Beats,
    phase: Phase,
    serving: String,
    /// Why the last reload was refused.
    refused: Option<String>,
    is_unheard: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Starting,
    Serving,
    Stopping,
}

impl Sender {
    pub(super) fn new(socket: Socket, watchdog: Option<Duration>) -> Self {
        Self {
            socket,
            watchdog: watchdog.filter(|time| !time.is_zero()),
            next_look: None,
            beats: Beats::default(),
            phase: Phase::Starting,
            serving: String::new(),
            refused: None,
            is_unheard: false,
        }
    }

    /// Sends what it is told, until nobody tells any more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let message = match self.next_look {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => messages.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // Also where messages never cease.
            if self.next_look.is_some_and(|at| at <= Instant::now()) {
                self.look();
            }
        }
    }

    fn look(&mut self) {
        let beats = self.beats.all();
        if beats {
            self.send(&[NotifyState::Watchdog]);
        }
        let parts = if beats { HALF } else { SOON };
        self.next_look = self.watchdog.map(|time| Instant::now() + time / parts);
    }

    fn take(&mut self, message: Message) {
        match (message, self.phase) {
            (Message::Ready { threads, serving }, Phase::Starting) => {
                self.phase = Phase::Serving;
                self.serving = serving;
                self.send(&[NotifyState::Ready, NotifyState::Status(&self.status())]);
                if let Some(time) = self.watchdog {
                    self.beats = Beats::of(threads);
                    self.next_look = Some(Instant::now() + time / HALF);
                }
            }
            (Message::Serving(serving), Phase::Serving) => {
                self.serving = serving;
                self.send(&[NotifyState::Status(&self.status())]);
            }
            // Before the start is over, the end of a reload would be taken for the start's.
            (Message::Reloading, Phase::Serving) => match NotifyState::monotonic_usec_now() {
                Ok(now) => self.send(&[NotifyState::Reloading, now, NotifyState::Status("reloading")]),
                Err(error) => debug!("systemd is not told of a reload: {error}"),
            },
            (Message::Reloaded { refused }, Phase::Serving) => {
                self.refused = refused;
                self.send(&[NotifyState::Ready, NotifyState::Status(&self.status())]);
            }
            (Message::Stopping { in_flight }, phase) => {
                let time = u32::try_from(MORE_TIME.as_micros()).unwrap_or(u32::MAX);
                let requests = if in_flight == 1 { "request" } else { "requests" };
                let status = format!("stopping, {in_flight} {requests} in flight");
                let mut states = vec![NotifyState::Status(&status), NotifyState::ExtendTimeoutUsec(time)];
                if phase != Phase::Stopping {
                    states.insert(0, NotifyState::Stopping);
                }
                self.phase = Phase::Stopping;
                self.send(&states);
            }
            (Message::Flush(done), _) => {
                // Nobody waits any more.
                let _late = done.send(());
            }
            (
                Message::Ready { .. } | Message::Serving(_) | Message::Reloading | Message::Reloaded { .. },
                _,
            ) => {}
        }
    }

    fn status(&self) -> String {
        let Self { serving, refused, .. } = self;
        let Some(problem) = refused else {
            return serving.clone();
        };
        // A status is one line.
        let line = problem.chars().map(|character| match character.is_control() {
            true => ' ',
            false => character,
        });
        let problem: String = line.take(LONGEST).collect();
        format!("{serving}; the last reload was refused: {problem}")
    }

    fn send(&mut self, states: &[NotifyState<'_>]) {
        let mut message = String::new();
        for state in states {
            message.push_str(&state.to_string());
            message.push('\n');
        }
        match (self.socket.send(&message), self.is_unheard) {
            (Ok(()), _) => self.is_unheard = false,
            (Err(error), false) => {
                self.is_unheard = true;
                warn!("systemd cannot be told: {error}");
            }
            (Err(error), true) => debug!("systemd cannot be told: {error}"),
        }
    }
}

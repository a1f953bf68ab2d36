//! The BackendRegistry: the only writer of pool state.
//!
//! What follows from a reload, a probe, failed requests or a person's wish is decided by [`Roster`]; the registry brings it
//! the facts, and carries out the events that come of them: it publishes, logs, and starts and stops checkers. The roster is
//! the same data that is published, so a registry that ended unexpectedly is rebuilt from the last snapshot: backends keep
//! their health and their counters, and requests notice nothing.

mod handlers;
mod log_lines;

use std::{
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, AsyncContext, Context};
use lb_core::{
    config::{Config, HealthCheck},
    pool::Backend,
    roster::{Event, Roster, When},
};

pub(crate) use handlers::Shutdown;

use crate::{
    RegistryHandle,
    gate::Gate,
    guard::EndGuard,
    health_checker::{Checking, HealthChecker},
    messages::*,
    probe::Prober,
};

/// How exactly ejections, drains and live changes end, and how late a backend is found whose message was lost. Looking at
/// ten thousand backends takes a millisecond.
const TICK: Duration = Duration::from_millis(500);

/// Between two snapshots because of probes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// The same, however long building took: on a busy machine that is mostly waiting, and what was judged must be in force
/// soon.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Owns pool state and selection.
pub struct BackendRegistry {
    handle: RegistryHandle,
    prober: Rc<dyn Prober>,
    roster: Roster,
    checkers: HashMap<u64, Addr<HealthChecker>>,
    gate: Rc<Gate>,
    publishing: Publishing,
    guard: EndGuard,
}

/// Checkers that have been told to stop, and may not have heard it yet.
type Stopping = Vec<Addr<HealthChecker>>;

impl BackendRegistry {
    /// The first snapshot: every backend of `config` is there and up, and nothing is known of it.
    pub fn first_snapshot(config: Config, workers: usize) -> RegistryHandle {
        RegistryHandle::new(Arc::new(config), workers, now())
    }

    /// A registry that goes on from the published snapshot. `on_end` is called when it ends unasked.
    pub(crate) fn resume(
        handle: RegistryHandle,
        prober: Rc<dyn Prober>,
        on_end: impl FnOnce() + 'static,
    ) -> Self {
        Self {
            roster: handle.resume_roster(),
            handle,
            prober,
            checkers: HashMap::new(),
            gate: Rc::default(),
            publishing: Publishing::default(),
            guard: EndGuard::new(on_end),
        }
    }

    #[cfg(test)]
    pub(crate) fn any_checker(&self) -> Option<&Addr<HealthChecker>> {
        self.checkers.values().next()
    }

    /// Carries out what the roster says. Returns the checkers that are to stop.
    fn carry_out(&mut self, events: Vec<Event>, ctx: &mut Context<Self>) -> Stopping {
        let mut stopping = Stopping::new();
        for event in events {
            log_lines::log(&event);
            match event {
                Event::Publish(When::Now) => self.publish(),
                Event::Publish(When::Soon) => self.publish_soon(ctx),
                Event::StartChecker { backend, check } => self.start_checker(backend, check, ctx),
                Event::StopChecker { backend } => stopping.extend(self.checkers.remove(&backend)),
                Event::JudgeAgain { pool, after } => {
                    ctx.run_later(after, move |this, ctx| {
                        let events = this.roster.judge_again(&pool, now());
                        this.carry_out_unasked(events, ctx);
                    });
                }
                Event::WatchDrains { after } => {
                    ctx.run_later(after, |this, ctx| {
                        let events = this.roster.watch_drains(now());
                        this.carry_out_unasked(events, ctx);
                    });
                }
                Event::CheckerLost { .. } => self.handle.note_restart(),
                // They are facts for the log.
                Event::Transition { .. }
                | Event::NotProbed { .. }
                | Event::Ruled { .. }
                | Event::Drained { .. }
                | Event::Changed { .. }
                | Event::Added { .. }
                | Event::Removed { .. }
                | Event::MembershipOver { .. }
                | Event::Expired { .. }
                | Event::NoneIsUp { .. } => {}
            }
        }
        stopping
    }

    /// The same where nobody waits for the end of checkers.
    fn carry_out_unasked(&mut self, events: Vec<Event>, ctx: &mut Context<Self>) {
        let stopping = self.carry_out(events, ctx);
        // Lost only when the checker is gone, which is what is wanted.
        stopping.iter().for_each(|checker| checker.do_send(StopChecker));
    }

    fn publish(&mut self) {
        let begun = Instant::now();
        let previous = self.handle.snapshot_full();
        self.handle.publish(self.roster.snapshot(Some(&previous)));
        self.publishing = Publishing {
            scheduled: false,
            last: Some((Instant::now(), begun.elapsed())),
        };
    }

    /// Publishes now, or a moment later if the last publication was a moment ago: thousands of backends must not make
    /// thousands of snapshots.
    fn publish_soon(&mut self, ctx: &mut Context<Self>) {
        match self.publishing.wait() {
            _ if self.publishing.scheduled => {}
            Duration::ZERO => self.publish(),
            wait => {
                self.publishing.scheduled = true;
                ctx.run_later(wait, |this, _| this.publish());
            }
        }
    }

    fn start_checker(&mut self, backend: Arc<Backend>, check: Option<Arc<HealthCheck>>, ctx: &Context<Self>) {
        let (id, registry) = (backend.id(), ctx.address());
        let guard = EndGuard::new(move || registry.do_send(CheckerEnded { backend: id }));
        let checker = HealthChecker::new(Checking {
            backend,
            check,
            prober: Rc::clone(&self.prober),
            gate: Rc::clone(&self.gate),
            registry: ctx.address(),
            guard,
        });
        self.checkers.insert(id, checker.start());
    }
}

/// The clock of actors is tokio's, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// When the last snapshot was published, and how long it took to build.
#[derive(Default)]
struct Publishing {
    scheduled: bool,
    last: Option<(Instant, Duration)>,
}

impl Publishing {
    /// How long to wait for the next one: building snapshots takes a fifth of the time, unless one takes very long.
    fn wait(&self) -> Duration {
        let Some((at, took)) = self.last else {
            return Duration::ZERO;
        };
        (took * 4)
            .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
            .saturating_sub(at.elapsed())
    }
}

impl Actor for BackendRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let events = self.roster.start_checkers();
        self.carry_out_unasked(events, ctx);
        ctx.run_interval(TICK, |this, ctx| {
            let events = this.roster.tick(now());
            this.carry_out_unasked(events, ctx);
        });
    }
}

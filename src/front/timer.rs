//! Deadlines without a timer each: connections note when their time is up, and one sweep a worker looks at them all
//! every [`TICK`]. A timer in the runtime for each request would cost more than the request's own parsing.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use lb_core::running::RunningClock;
use slab::Slab;

/// How late a deadline may be noticed, at most.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// All timers of one worker, and its clock, which stands still while the process does not run.
#[derive(Debug)]
pub(crate) struct Timers {
    now: Cell<Instant>,
    clock: Cell<RunningClock>,
    all: RefCell<Slab<Rc<Shared>>>,
}

#[derive(Debug)]
struct Shared {
    deadline: Cell<Option<Instant>>,
    /// Wakes at the next sweep whatever the deadline, while the connection is idle and the worker drains.
    idle: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// The timer of one connection.
#[derive(Debug)]
pub(crate) struct Timer {
    shared: Rc<Shared>,
    timers: Rc<Timers>,
    key: usize,
}

/// Waits until the next sweep is due. What is ready wins over timers: the runtime looks at sockets, and whoever they wake runs
/// before this goes on.
pub(crate) async fn tick() {
    tokio::time::sleep(TICK).await;
    tokio::task::yield_now().await;
}

impl Timers {
    pub(crate) fn new() -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            now: Cell::new(now),
            clock: Cell::new(RunningClock::new(now)),
            all: RefCell::default(),
        })
    }

    /// The time of the last sweep, at most [`TICK`] ago unless the worker is overloaded.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// What the clock shows when the real one shows this.
    pub(crate) fn at(&self, real: Instant) -> Instant {
        self.clock.get().at(real)
    }

    /// The time of the last sweep on the real clock: for what goes on while the process is stopped, as idle connections do.
    pub(crate) fn real(&self) -> Instant {
        self.clock.get().last_read()
    }

    /// Whether the process has run all the time from then to `now`, both on the real clock.
    pub(crate) fn has_run(&self, from: Instant, now: Instant) -> bool {
        self.clock.get().has_run(from, now, TICK)
    }

    /// A deadline that is certainly no earlier than `after` from now.
    pub(crate) fn after(&self, after: Duration) -> Instant {
        self.now.get() + after + TICK
    }

    /// Wakes those whose time is up, and all idle ones when `draining`.
    pub(crate) fn sweep(&self, draining: bool) {
        let mut clock = self.clock.get();
        let now = clock.read(Instant::now(), TICK);
        self.clock.set(clock);
        self.now.set(now);
        for (_, timer) in &*self.all.borrow() {
            let due = timer.deadline.get().is_some_and(|deadline| deadline <= now);
            if (due || (draining && timer.idle.get()))
                && let Some(waker) = timer.waker.borrow_mut().take()
            {
                waker.wake();
            }
        }
    }

    /// A timer that is not set.
    pub(crate) fn timer(self: &Rc<Self>) -> Timer {
        let shared = Rc::new(Shared {
            deadline: Cell::new(None),
            idle: Cell::new(false),
            waker: RefCell::new(None),
        });
        let key = self.all.borrow_mut().insert(Rc::clone(&shared));
        Timer {
            shared,
            timers: Rc::clone(self),
            key,
        }
    }
}

impl Timer {
    /// The worker's clock.
    pub(crate) fn clock(&self) -> &Rc<Timers> {
        &self.timers
    }

    /// Asks to be woken at `deadline`, or no more.
    pub(crate) fn arm(&self, cx: &Context<'_>, deadline: Option<Instant>, idle: bool) {
        self.shared.deadline.set(deadline);
        self.shared.idle.set(idle);
        let mut waker = self.shared.waker.borrow_mut();
        match &*waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => *waker = Some(cx.waker().clone()),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.timers.all.borrow_mut().try_remove(self.key);
    }
}

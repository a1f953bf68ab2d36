//! Signals, as a thread of its own that turns them into messages. A thread, because signals must get through when the
//! actors' thread is busy, and a second request to stop must end the process even if everything else hangs.

use std::{io, thread};

use rustix::process::WaitOptions;
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::{Handle, Signals},
};

use crate::{
    config_watcher::WatcherHandle,
    messages::{Reload, ReloadMode, Stop},
};

/// The exit code of a forced end.
const FORCED: i32 = 1;

/// The first process of a container, which inherits those whose parents have ended.
const INIT: u32 = 1;

/// Takes the exit codes of processes that have ended; nobody else asks for them, as the balancer starts no program. Left alone, they
/// would fill the container's table of processes.
fn reap() {
    while let Ok(Some(_ended)) = rustix::process::wait(WaitOptions::NOHANG) {}
}

/// Listens until it is dropped, which should be when nothing is left to wait for: a signal that nobody hears is lost.
pub struct SignalListener {
    handle: Handle,
}

impl SignalListener {
    /// `reopen` opens files again that somebody has moved away: SIGUSR1 asks for it.
    ///
    /// # Errors
    /// When the system refuses handlers or a thread.
    pub(crate) fn start(watcher: WatcherHandle, reopen: impl Fn() + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1])?;
        if std::process::id() == INIT {
            signals.add_signal(SIGCHLD)?;
            reap();
        }
        let handle = signals.handle();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            // Also where the first request was none of a signal, as that of `--stop`.
            let stop = watcher.stop_requested();
            let mut stopping = false;
            for signal in signals.forever() {
                match signal {
                    SIGCHLD => reap(),
                    SIGUSR1 => reopen(),
                    SIGHUP => {
                        let mode = ReloadMode::Apply;
                        watcher.signal(Reload { mode }, "SIGHUP");
                    }
                    _ if stopping || stop.borrow().is_some() => {
                        log::error!("second request to stop, by a signal: exiting now");
                        // Waits for the log's reader, but only for a moment.
                        log::logger().flush();
                        signal_hook::low_level::exit(FORCED);
                    }
                    _ => {
                        stopping = true;
                        let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
                        watcher.signal(
                            Stop {
                                reason: name.to_owned(),
                            },
                            name,
                        );
                    }
                }
            }
        })?;
        Ok(Self { handle })
    }
}

impl Drop for SignalListener {
    fn drop(&mut self) {
        self.handle.close();
    }
}

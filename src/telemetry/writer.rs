//! Lines on their way to a sink that may be slow or stopped, without anybody waiting for it.
//!
//! A line is put into a bounded buffer, and a thread of its own hands the buffer to the sink. When the sink takes nothing
//! (a pipe that nobody reads, a terminal stopped by Ctrl-S, a full disk), the buffer fills; further lines are dropped and
//! counted. HAProxy does the same with its ring buffers; nginx blocks the worker.
//!
//! The sink is a parameter and used by that thread alone. It gets whole lines, many in one write, so a sink that is a file can
//! be opened again or rotated between two writes.

use std::{
    io::{self, ErrorKind, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Some five thousand lines: more than a reader that is busy for a moment misses, and little memory. As much again can be
/// with the sink.
const CAPACITY: usize = 1024 * 1024;

/// A buffer that a burst has made larger than this is given back.
const KEPT: usize = 64 * 1024;

/// Between two attempts at a sink that does not block, as a terminal that another program has set so.
const RETRY: Duration = Duration::from_millis(10);

/// A way to the sink, for any thread. When the last clone is dropped, what is buffered is written, and the thread ends.
#[derive(Debug, Clone)]
pub(super) struct LineWriter {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    /// There are lines, or the last handle is gone.
    filled: Condvar,
    /// The sink has taken a buffer.
    taken: Condvar,
    /// Lines that never reached the sink, since the start.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<u8>,
    /// Dropped after the last of these lines.
    dropped: u64,
    /// Bytes put in, since the start.
    put: u64,
    /// Of these, bytes that are through: written or lost.
    through: u64,
    /// Whether the writer's thread sleeps; to wake it is a system call.
    sleeps: bool,
    closed: bool,
}

/// Lines that never reached the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Since the last such report.
    pub(super) now: u64,
    /// Since the start.
    pub(super) total: u64,
}

impl LineWriter {
    /// Starts the thread, `name`. `report` is called on it when lines were dropped and the sink takes some again; what it
    /// puts into this writer stands where the dropped lines would have stood.
    ///
    /// # Errors
    /// When there are no more threads.
    pub(super) fn start(
        name: &str,
        sink: impl Write + Send + 'static,
        report: impl Fn(Dropped) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || own.run(sink, report))?;
        let handle = Arc::new(Handle(shared));
        Ok(Self { handle })
    }

    /// Puts a line, with its end, into the buffer, or drops it if there is no room. Never waits for the sink.
    pub(super) fn put(&self, line: &[u8]) {
        let shared = &self.handle.0;
        let mut buffer = shared.lock();
        if buffer.lines.len() + line.len() > CAPACITY {
            let lines = count_lines(line).max(1);
            buffer.dropped += lines;
            shared.dropped.fetch_add(lines, Relaxed);
            return;
        }
        buffer.lines.extend_from_slice(line);
        buffer.put += line.len() as u64;
        if mem::take(&mut buffer.sleeps) {
            drop(buffer);
            shared.filled.notify_one();
        }
    }

    /// Waits until the sink has what was put before, but no longer than that. Whether it has.
    pub(super) fn flush(&self, longest: Duration) -> bool {
        let shared = &self.handle.0;
        let deadline = Instant::now() + longest;
        let mut buffer = shared.lock();
        let put = buffer.put;
        while buffer.through < put {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = shared.taken.wait_timeout(buffer, left);
            buffer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Lines that never reached the sink, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.handle.0.dropped.load(Relaxed)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.filled.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        // No code that could panic runs while it is held.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut sink: impl Write, report: impl Fn(Dropped)) {
        let (mut lines, mut untold, mut flows) = (Vec::new(), 0, true);
        let mut torn = false;
        while let Some(dropped) = self.take(&mut lines) {
            untold += dropped;
            // Into the buffer that has just been emptied: behind the lines that are written now.
            if untold > 0 && flows {
                let total = self.dropped.load(Relaxed);
                let now = mem::take(&mut untold);
                report(Dropped { now, total });
            }
            let lost = write_all(&mut sink, &lines, &mut torn);
            flows = lost == 0;
            untold += lost;
            self.dropped.fetch_add(lost, Relaxed);
            self.lock().through += lines.len() as u64;
            self.taken.notify_all();
            lines.clear();
            lines.shrink_to(KEPT);
        }
    }

    /// Waits for lines and swaps them with `empty`. Returns how many were dropped behind them; `None` at the end.
    fn take(&self, empty: &mut Vec<u8>) -> Option<u64> {
        let mut buffer = self.lock();
        while buffer.lines.is_empty() {
            if buffer.closed {
                return None;
            }
            buffer.sleeps = true;
            buffer = self.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
        buffer.sleeps = false;
        mem::swap(&mut buffer.lines, empty);
        Some(mem::take(&mut buffer.dropped))
    }
}

/// Writes all of it, however long that takes; returns how many lines were lost to an error. `torn` is whether the sink ends
/// within a line that an error cut off, as a full disk does: what comes next then begins on a line of its own.
fn write_all(sink: &mut impl Write, mut lines: &[u8], torn: &mut bool) -> u64 {
    let mut within = *torn;
    while !lines.is_empty() {
        let outcome = match *torn {
            true => sink.write(b"\n"),
            false => sink.write(lines),
        };
        match outcome {
            Ok(written) if *torn && written > 0 => (*torn, within) = (false, false),
            Ok(written) if written > 0 => {
                within = lines[written - 1] != b'\n';
                lines = &lines[written..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            // There is nobody to tell: it is told with the next lines that are written.
            Ok(_) | Err(_) => {
                *torn = within;
                return count_lines(lines);
            }
        }
    }
    // Sinks that have a buffer of their own lose their lines here, if they do.
    match sink.flush() {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests;

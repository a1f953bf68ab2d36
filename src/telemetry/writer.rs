//! Lines on their way to a sink that may be slow or stopped, without anybody waiting for it.
//!
//! A line is put into a bounded buffer, and a thread of its own hands the buffer to the sink. When the sink takes nothing
//! (a pipe that nobody reads, a terminal stopped by Ctrl-S, a full disk), the buffer fills; further lines are dropped and
//! counted. HAProxy does the same with its ring buffers; nginx blocks the worker.
//!
//! The sink is a parameter and used by that thread alone. It gets whole lines, many in one write, so a sink that is a file can
//! be opened again or rotated between two writes. To wake the thread is a system call; where lines are many and nobody waits for
//! one of them, they are collected for a moment ([`Batch`]).

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Of the log: some five thousand lines, more than a reader that is busy for a moment misses, and little memory. As much again
/// can be with the sink.
pub(super) const CAPACITY: usize = 1024 * 1024;

/// A buffer that a burst has made larger than this is given back.
const KEPT: usize = 64 * 1024;

/// Between two attempts at a sink that does not block, as a terminal that another program has set so.
const RETRY: Duration = Duration::from_millis(10);

/// How often such a sink is tried when nobody has the writer any more.
const LAST_TRIES: u32 = 100;

/// Where lines go.
pub(super) trait Sink: Write + Send + 'static {
    /// Runs before each write, and when the writer is woken for it: nothing is half written.
    fn between_writes(&mut self) {}
}

impl Sink for File {}

/// Who is told what becomes of lines. On the writer's thread, but for [`Reports::full`].
pub(super) trait Reports: Send + Sync + 'static {
    /// The buffer is full: from this line on they are dropped. Runs on the thread that has put it, and must not wait.
    fn full(&self) {}
    /// The sink refuses lines, for this reason, and did not before.
    fn failing(&self, _error: &io::Error) {}
    /// Lines were dropped, and the sink takes some again. What is put into the writer here stands where the dropped lines would
    /// have stood.
    fn recovered(&self, dropped: Dropped);
}

/// How lines are collected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    /// So many bytes are written at once ...
    pub(super) bytes: usize,
    /// ... or what there is so long after the first line.
    pub(super) longest: Duration,
}

/// A writer's buffer.
#[derive(Debug, Clone)]
pub(super) struct Buffering {
    /// The most bytes that wait.
    pub(super) capacity: usize,
    /// `None`: each line is written as soon as it can be.
    pub(super) batch: Option<Batch>,
    /// Where lines are counted.
    pub(super) totals: Arc<Totals>,
}

/// A way to the sink, for any thread. When the last clone is dropped, what is buffered is written, and the thread ends.
#[derive(Debug, Clone)]
pub(super) struct LineWriter {
    handle: Arc<Handle>,
}

struct Handle(Arc<Shared>);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

struct Shared {
    buffering: Buffering,
    reports: Box<dyn Reports>,
    buffer: Mutex<Buffer>,
    /// There are lines, or the last handle is gone.
    filled: Condvar,
    /// The sink has taken a buffer.
    taken: Condvar,
    totals: Arc<Totals>,
}

/// What became of lines since the start, of one writer or of several.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Lines that the sink took.
    pub(super) written: AtomicU64,
    /// Lines that never reached it.
    pub(super) dropped: AtomicU64,
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
    /// What the writer's thread waits for; to wake it is a system call.
    waits: Waits,
    /// The thread is to go on with what there is.
    hurry: bool,
    /// Nothing has left the buffer since it was full.
    full: bool,
    closed: bool,
}

/// What a writer's thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Waits {
    /// Nothing: it is at work.
    #[default]
    Not,
    /// The first line.
    Line,
    /// A whole batch.
    Batch,
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
    /// Starts the thread, `name`.
    ///
    /// # Errors
    /// When there are no more threads.
    pub(super) fn start(
        name: &str,
        sink: impl Sink,
        (buffering, reports): (Buffering, impl Reports),
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            totals: Arc::clone(&buffering.totals),
            buffering,
            reports: Box::new(reports),
            buffer: Mutex::default(),
            filled: Condvar::new(),
            taken: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || own.run(sink))?;
        let handle = Arc::new(Handle(shared));
        Ok(Self { handle })
    }

    /// Puts a line, with its end, into the buffer, or drops it if there is no room. Never waits for the sink.
    pub(super) fn put(&self, line: &[u8]) {
        let shared = &self.handle.0;
        let mut buffer = shared.lock();
        if buffer.lines.len() + line.len() > shared.buffering.capacity {
            let lines = count_lines(line).max(1);
            buffer.dropped += lines;
            shared.totals.dropped.fetch_add(lines, Relaxed);
            let first = !mem::replace(&mut buffer.full, true);
            drop(buffer);
            if first {
                shared.reports.full();
            }
            return;
        }
        buffer.lines.extend_from_slice(line);
        buffer.put += line.len() as u64;
        let wakes = match buffer.waits {
            Waits::Not => false,
            Waits::Line => true,
            Waits::Batch => shared.is_whole_batch(buffer.lines.len()),
        };
        if wakes {
            buffer.waits = Waits::Not;
            drop(buffer);
            shared.filled.notify_one();
        }
    }

    /// Has the thread look at its sink, and write what there is.
    pub(super) fn wake(&self) {
        let shared = &self.handle.0;
        shared.lock().hurry = true;
        shared.filled.notify_one();
    }

    /// Waits until the sink has what was put before, but no longer than that. Whether it has.
    pub(super) fn flush(&self, longest: Duration) -> bool {
        let shared = &self.handle.0;
        let deadline = Instant::now() + longest;
        let mut buffer = shared.lock();
        let put = buffer.put;
        if buffer.through < put {
            buffer.hurry = true;
            shared.filled.notify_one();
        }
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
        self.handle.0.totals.dropped.load(Relaxed)
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

    fn is_whole_batch(&self, length: usize) -> bool {
        self.buffering.batch.is_none_or(|batch| length >= batch.bytes)
    }

    fn run(&self, mut sink: impl Sink) {
        let (mut lines, mut untold, mut flows) = (Vec::new(), 0, true);
        let mut torn = false;
        while let Some(dropped) = self.take(&mut lines) {
            untold += dropped;
            // Into the buffer that has just been emptied: behind the lines that are written now.
            if untold > 0 && flows {
                let total = self.totals.dropped.load(Relaxed);
                let now = mem::take(&mut untold);
                self.reports.recovered(Dropped { now, total });
            }
            sink.between_writes();
            let (lost, error) = self.write_all(&mut sink, &lines, &mut torn);
            if let Some(error) = error.filter(|_| flows) {
                self.reports.failing(&error);
            }
            // A writer that was woken without lines has learnt nothing of its sink.
            flows = lost == 0 && (flows || !lines.is_empty());
            untold += lost;
            self.totals.dropped.fetch_add(lost, Relaxed);
            let written = count_lines(&lines).saturating_sub(lost);
            self.totals.written.fetch_add(written, Relaxed);
            self.lock().through += lines.len() as u64;
            self.taken.notify_all();
            lines.clear();
            lines.shrink_to(KEPT);
        }
    }

    /// Waits for lines and swaps them with `empty`. Returns how many were dropped behind them; `None` at the end.
    fn take(&self, empty: &mut Vec<u8>) -> Option<u64> {
        let mut buffer = self.lock();
        while buffer.lines.is_empty() && !buffer.hurry {
            if buffer.closed {
                return None;
            }
            buffer.waits = Waits::Line;
            buffer = self.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(batch) = self.buffering.batch {
            let deadline = Instant::now() + batch.longest;
            while buffer.lines.len() < batch.bytes && !buffer.hurry && !buffer.closed {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                buffer.waits = Waits::Batch;
                let waited = self.filled.wait_timeout(buffer, left);
                buffer = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        buffer.waits = Waits::Not;
        (buffer.hurry, buffer.full) = (false, false);
        mem::swap(&mut buffer.lines, empty);
        Some(mem::take(&mut buffer.dropped))
    }

    /// Writes all of it, however long that takes; returns how many lines were lost to which error. `torn` is whether the sink
    /// ends within a line that an error cut off, as a full disk does: what comes next then begins on a line of its own.
    fn write_all(&self, sink: &mut impl Sink, mut lines: &[u8], torn: &mut bool) -> (u64, Option<io::Error>) {
        let mut within = *torn;
        let mut last_tries = LAST_TRIES;
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
                Err(error) if error.kind() == ErrorKind::WouldBlock && last_tries > 0 => {
                    thread::sleep(RETRY);
                    last_tries -= u32::from(self.lock().closed);
                }
                Ok(_) => {
                    *torn = within;
                    return (count_lines(lines), Some(ErrorKind::WriteZero.into()));
                }
                Err(error) => {
                    *torn = within;
                    return (count_lines(lines), Some(error));
                }
            }
        }
        // Sinks that have a buffer of their own lose their lines here, if they do.
        match sink.flush() {
            Ok(()) => (0, None),
            Err(error) => (1, Some(error)),
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests;

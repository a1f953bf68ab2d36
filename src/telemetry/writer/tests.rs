#![allow(clippy::unwrap_used)]

use std::sync::mpsc::{self, Receiver, Sender};

use super::*;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(20);

/// A sink that writes when it is let, and then as it is told.
struct Gate {
    reached: Sender<()>,
    turns: Receiver<io::Result<()>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nobody may be interested.
        let _heard = self.reached.send(());
        // A gate that is gone lets everything through.
        self.turns.recv().unwrap_or(Ok(()))?;
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Gate {}

/// Reports by a function, of what matters to most tests.
struct Told<F>(F);

impl<F: Fn(Dropped) + Send + Sync + 'static> Reports for Told<F> {
    fn recovered(&self, dropped: Dropped) {
        (self.0)(dropped);
    }
}

/// As the log has it.
fn at_once() -> Buffering {
    Buffering {
        capacity: CAPACITY,
        batch: None,
        totals: Arc::default(),
    }
}

/// A writer whose reports go into itself, as the log's do.
struct Scene {
    writer: LineWriter,
    /// The sink has been called.
    reached: Receiver<()>,
    turns: Option<Sender<io::Result<()>>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Scene {
    fn new() -> Self {
        let (turns, gate) = mpsc::channel();
        let (reach, reached) = mpsc::channel();
        let written = Arc::default();
        let sink = Gate {
            reached: reach,
            turns: gate,
            written: Arc::clone(&written),
        };
        let own: Arc<Mutex<Option<LineWriter>>> = Arc::default();
        let reporter = Arc::clone(&own);
        let report = move |Dropped { now, total }: Dropped| {
            let writer = reporter.lock().unwrap().clone().unwrap();
            writer.put(format!("dropped {now} of {total}\n").as_bytes());
        };
        let writer = LineWriter::start("test", sink, (at_once(), Told(report))).unwrap();
        *own.lock().unwrap() = Some(writer.clone());
        Self {
            writer,
            reached,
            turns: Some(turns),
            written,
        }
    }

    fn put(&self, line: &str) {
        self.writer.put(line.as_bytes());
    }

    /// Lets one write happen.
    fn turn(&self, result: io::Result<()>) {
        self.turns.as_ref().unwrap().send(result).unwrap();
    }

    /// From now on everything is written at once.
    fn open(&mut self) {
        self.turns = None;
    }

    fn written(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }
}

#[test]
fn lines_arrive_in_order_and_a_flush_waits_for_them() {
    let mut scene = Scene::new();
    scene.open();
    let lines: String = (0..10_000).map(|number| format!("line {number}\n")).collect();
    lines.split_inclusive('\n').for_each(|line| scene.put(line));
    assert!(scene.writer.flush(LONG));
    assert_eq!(scene.written(), lines);
    assert_eq!(scene.writer.dropped(), 0);
}

#[test]
fn a_sink_that_is_stopped_costs_lines_which_are_counted_and_told_where_they_are_missing() {
    let mut scene = Scene::new();
    scene.put("first\n");
    scene.reached.recv_timeout(LONG).unwrap();
    let line = format!("{}\n", "x".repeat(1023));
    let room = CAPACITY / line.len();
    // Three times what there is room for, and nobody waits.
    for _ in 0..3 * room {
        scene.put(&line);
    }
    let dropped = scene.writer.dropped();
    assert_eq!(dropped, 2 * room as u64);
    assert!(!scene.writer.flush(Duration::from_millis(1)), "it is not through");
    scene.open();
    assert!(scene.writer.flush(LONG));
    scene.put("last\n");
    assert!(scene.writer.flush(LONG));
    let told = format!("dropped {dropped} of {dropped}\n");
    assert!(scene.written() == format!("first\n{}{told}last\n", line.repeat(room)));
    assert_eq!(scene.writer.dropped(), dropped);
}

#[test]
fn lines_lost_to_an_error_are_told_when_the_sink_works_again() {
    let mut scene = Scene::new();
    let full = || Err(io::Error::from(ErrorKind::StorageFull));
    scene.put("lost\n");
    scene.turn(full());
    assert!(scene.writer.flush(LONG), "an error is an end, too");
    assert_eq!(scene.writer.dropped(), 1);
    scene.put("kept\n");
    scene.turn(Ok(()));
    assert!(scene.writer.flush(LONG));
    scene.open();
    scene.put("more\n");
    assert!(scene.writer.flush(LONG));
    let told = "dropped 1 of 1\n";
    wait_for(|| scene.written().contains(told));
    assert_eq!(scene.written().replace(told, ""), "kept\nmore\n");
}

#[test]
fn a_sink_that_does_not_block_is_tried_again() {
    let mut scene = Scene::new();
    scene.turn(Err(io::Error::from(ErrorKind::WouldBlock)));
    scene.turn(Err(io::Error::from(ErrorKind::Interrupted)));
    scene.put("late\n");
    scene.open();
    assert!(scene.writer.flush(LONG));
    assert_eq!((scene.written().as_str(), scene.writer.dropped()), ("late\n", 0));
}

#[test]
fn a_line_that_is_larger_than_the_buffer_is_dropped() {
    let mut scene = Scene::new();
    scene.open();
    scene.put(&"x".repeat(CAPACITY + 1));
    assert_eq!(scene.writer.dropped(), 1);
}

#[test]
fn the_thread_ends_with_the_last_handle_and_writes_what_is_left() {
    let (ended, end) = mpsc::channel();
    struct Last(Sender<Vec<u8>>, Vec<u8>);
    impl Sink for Last {}
    impl Write for Last {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.send(mem::take(&mut self.1)).unwrap();
        }
    }
    let writer = LineWriter::start("test", Last(ended, Vec::new()), (at_once(), Told(|_| {}))).unwrap();
    let other = writer.clone();
    writer.put(b"one\n");
    drop(writer);
    other.put(b"two\n");
    drop(other);
    assert_eq!(end.recv_timeout(LONG).unwrap(), b"one\ntwo\n");
}

fn wait_for(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

/// Takes so many bytes, then none, until it is given room.
struct Disk {
    room: usize,
    content: Vec<u8>,
}

impl Sink for Disk {}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        self.content.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_a_full_disk_tore_stays_alone() {
    let mut torn = false;
    let shared = Shared {
        buffering: at_once(),
        reports: Box::new(Told(|_| {})),
        buffer: Mutex::default(),
        filled: Condvar::new(),
        taken: Condvar::new(),
        totals: Arc::default(),
    };
    let write_all = |disk: &mut Disk, lines: &[u8], torn: &mut bool| shared.write_all(disk, lines, torn).0;
    let mut disk = Disk {
        room: 6,
        content: Vec::new(),
    };
    assert_eq!(write_all(&mut disk, b"one\ntwo\n", &mut torn), 1);
    assert_eq!(write_all(&mut disk, b"three\n", &mut torn), 1);
    disk.room = 100;
    assert_eq!(write_all(&mut disk, b"four\n", &mut torn), 0);
    assert_eq!(write_all(&mut disk, b"five\n", &mut torn), 0);
    assert_eq!(String::from_utf8_lossy(&disk.content), "one\ntw\nfour\nfive\n");
}

#[test]
fn lines_of_a_batch_are_written_together_or_after_a_moment() {
    let (turns, gate) = mpsc::channel();
    let (reach, reached) = mpsc::channel();
    let written = Arc::default();
    let sink = Gate {
        reached: reach,
        turns: gate,
        written: Arc::clone(&written),
    };
    drop(turns);
    let totals = Arc::new(Totals::default());
    let batch = |longest| Buffering {
        capacity: CAPACITY,
        batch: Some(Batch { bytes: 10, longest }),
        totals: Arc::clone(&totals),
    };
    let writer = LineWriter::start("test", sink, (batch(LONG), Told(|_| {}))).unwrap();
    writer.put(b"1234\n");
    writer.put(b"567\n");
    assert!(reached.try_recv().is_err(), "less than a batch");
    writer.put(b"8\n");
    reached.recv_timeout(LONG).unwrap();
    writer.put(b"9\n");
    writer.wake();
    reached.recv_timeout(LONG).unwrap();
    writer.put(b"10\n");
    assert!(writer.flush(LONG), "a flush does not wait for a batch");
    assert_eq!(written.lock().unwrap().as_slice(), b"1234\n567\n8\n9\n10\n");
    assert_eq!(totals.written.load(Relaxed), 5);
    drop(writer);
    let (ended, end) = mpsc::channel();
    let soon = batch(Duration::from_millis(1));
    let sink = Gate {
        reached: ended,
        turns: mpsc::channel().1,
        written: Arc::default(),
    };
    let writer = LineWriter::start("test", sink, (soon, Told(|_| {}))).unwrap();
    writer.put(b"a\n");
    end.recv_timeout(LONG).unwrap();
}

#[test]
fn a_full_buffer_and_a_sink_that_fails_are_told_once_each_time() {
    struct Counting(Arc<Mutex<Vec<String>>>);
    impl Reports for Counting {
        fn full(&self) {
            self.0.lock().unwrap().push("full".to_owned());
        }
        fn failing(&self, error: &io::Error) {
            self.0.lock().unwrap().push(format!("{:?}", error.kind()));
        }
        fn recovered(&self, dropped: Dropped) {
            self.0.lock().unwrap().push(format!("{} dropped", dropped.now));
        }
    }
    let (turns, gate) = mpsc::channel();
    let (reach, reached) = mpsc::channel();
    let sink = Gate {
        reached: reach,
        turns: gate,
        written: Arc::default(),
    };
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let small = Buffering {
        capacity: 4,
        batch: None,
        totals: Arc::default(),
    };
    let writer = LineWriter::start("test", sink, (small, Counting(Arc::clone(&told)))).unwrap();
    writer.put(b"1\n");
    reached.recv_timeout(LONG).unwrap();
    for _ in 0..4 {
        writer.put(b"2\n");
    }
    let full = || Err(io::Error::from(ErrorKind::StorageFull));
    turns.send(full()).unwrap();
    reached.recv_timeout(LONG).unwrap();
    turns.send(full()).unwrap();
    assert!(writer.flush(LONG));
    drop(turns);
    for _ in 0..2 {
        writer.put(b"3\n");
        assert!(writer.flush(LONG));
    }
    wait_for(|| told.lock().unwrap().len() == 3);
    assert_eq!(*told.lock().unwrap(), ["full", "StorageFull", "5 dropped"]);
}

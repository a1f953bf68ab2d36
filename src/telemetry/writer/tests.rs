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
        let writer = LineWriter::start("test", sink, report).unwrap();
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
    struct Sink(Sender<Vec<u8>>, Vec<u8>);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Drop for Sink {
        fn drop(&mut self) {
            self.0.send(mem::take(&mut self.1)).unwrap();
        }
    }
    let writer = LineWriter::start("test", Sink(ended, Vec::new()), |_| {}).unwrap();
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

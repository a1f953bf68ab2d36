//! The log: env_logger, which filters and formats, on a [`LineWriter`] to stderr, which nobody waits for. Level and format are
//! the configuration's and change with a reload; `RUST_LOG`, if it is set, decides about the level and stays. A person can set another
//! level for a while ([`change_log_level`]). Where stderr is the journal, lines have a priority instead of a time and a level.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use env_logger::{Builder, Env, Logger, Target, WriteStyle};
use lb_core::config::{LogConfig, LogFormat, LogLevel};
use log::{LevelFilter, Log, Metadata, Record};

use super::{
    access_log::{clock, escape},
    journal::{prefixed, stderr_is_the_journal},
    repeats::WithoutRepeats,
    writer::{Buffering, CAPACITY, Dropped, LineWriter, Reports},
};

/// How long the end of the process waits for a reader of the log. One that reads needs milliseconds for all that is
/// buffered; one that does not must keep nobody from ending.
const FLUSH: Duration = Duration::from_millis(500);

/// The modules whose lines are ours.
const OWN: [&str; 3] = ["simple_lb", "lb_actors", "lb_core"];

/// Whether `RUST_LOG` decides.
static FIXED: OnceLock<bool> = OnceLock::new();

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::Off,
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Trace => LevelFilter::Trace,
    }
}

/// The log's way to stderr.
static WRITER: OnceLock<LineWriter> = OnceLock::new();

/// The formatter's way to the writer: one call a record.
struct Records(LineWriter);

impl Write for Records {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.0.put(record);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether lines are objects.
static JSON: AtomicBool = AtomicBool::new(false);

/// The level, as far as `RUST_LOG` does not decide.
static LEVEL: Mutex<Level> = Mutex::new(Level {
    configured: LogLevel::Info,
    changed: None,
    changes: 0,
});

struct Level {
    configured: LogLevel,
    /// What a person has set, and until when.
    changed: Option<(LogLevel, Option<Instant>)>,
    /// How often somebody has: an older change's end is none of a newer one.
    changes: u64,
}

/// `RUST_LOG` decides about the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable RUST_LOG decides about the level, as long as the process runs")]
pub struct LevelIsFixed;

/// env_logger with both formats, whose `flush` waits for the writer, but never long.
struct Buffered {
    text: Logger,
    json: Logger,
    writer: LineWriter,
}

impl Log for Buffered {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.text.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        match JSON.load(Relaxed) {
            true => self.json.log(record),
            false => self.text.log(record),
        }
    }

    fn flush(&self) {
        self.writer.flush(FLUSH);
    }
}

/// A person may watch the log.
fn at_once() -> Buffering {
    Buffering {
        capacity: CAPACITY,
        batch: None,
        totals: Arc::default(),
    }
}

/// What the log says of itself: it can say only afterwards.
struct OwnReports;

impl Reports for OwnReports {
    fn recovered(&self, Dropped { now, total }: Dropped) {
        log::warn!(
            "{now} log lines were dropped here, {total} since the start: nobody read the log, or it could not be written"
        );
    }
}

/// Lines of the log that were dropped since the start.
pub fn dropped_log_lines() -> u64 {
    WRITER.get().map_or(0, LineWriter::dropped)
}

/// Starts logging. A second call changes level and format only.
///
/// # Errors
/// When there is no thread or no descriptor for the log.
pub fn start_logging(config: LogConfig) -> io::Result<()> {
    if WRITER.get().is_none() {
        // A descriptor of its own: a thread that hangs in writing to `io::stderr` would hold its lock.
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let writer = LineWriter::start("log", stderr, (at_once(), OwnReports))?;
        install(WRITER.get_or_init(|| writer).clone());
    }
    configure_logging(config);
    Ok(())
}

fn install(writer: LineWriter) {
    FIXED.get_or_init(|| {
        let fixed = std::env::var_os("RUST_LOG").is_some_and(|value| !value.is_empty());
        let mut builder = builder(fixed, &writer);
        // env_logger decides about colours by its target, which is not a terminal here: the same decision, for stderr.
        let named = std::env::var_os("RUST_LOG_STYLE").is_some_and(|style| style != "auto");
        if !(fixed && named) {
            builder.write_style(WriteStyle::from(anstream::AutoStream::choice(&io::stderr())));
        }
        if stderr_is_the_journal() {
            builder.format(|line, record| {
                let text = format!("{}: {}", record.target(), record.args());
                writeln!(line, "{}", prefixed(record.level(), &text))
            });
        } else {
            builder.format_timestamp_millis();
        }
        let logger = Buffered {
            text: builder.build(),
            json: json(fixed, &writer),
            writer,
        };
        let most = logger.text.filter();
        // Fails when a logger is there already, as in tests; that one serves too.
        if log::set_boxed_logger(Box::new(WithoutRepeats::new(logger, &OWN))).is_ok() {
            log::set_max_level(most);
        }
        fixed
    });
}

/// A logger without a format: what is shown, and where it goes.
fn builder(fixed: bool, writer: &LineWriter) -> Builder {
    let mut builder = Builder::new();
    if fixed {
        builder.parse_env(Env::default());
    } else {
        // Our own lines at every level, so that the level that is set alone decides; those of the framework from warn.
        builder.filter_level(LevelFilter::Warn);
        // It logs each malformed request and each broken answer as an error of its own, without limit; the first
        // is the client's fault, the second has a line of ours.
        builder.filter_module("actix_http", LevelFilter::Off);
        for module in OWN {
            builder.filter_module(module, LevelFilter::Trace);
        }
    }
    builder.target(Target::Pipe(Box::new(Records(writer.clone()))));
    builder
}

/// The logger of objects.
fn json(fixed: bool, writer: &LineWriter) -> Logger {
    let mut builder = builder(fixed, writer);
    let journal = stderr_is_the_journal();
    builder.write_style(WriteStyle::Never);
    builder.format(move |line, record| {
        let object = object(record, &clock::now());
        match journal {
            true => writeln!(line, "{}", prefixed(record.level(), &object)),
            false => writeln!(line, "{object}"),
        }
    });
    builder.build()
}

/// A record as an object, without control characters.
fn object(record: &Record<'_>, time: &str) -> String {
    let mut object = String::from("{");
    let level = record.level().as_str().to_ascii_lowercase();
    let message = record.args().to_string();
    for (name, value) in [
        ("time", time),
        ("level", &*level),
        ("target", record.target()),
        ("message", &*message),
    ] {
        if object.len() > 1 {
            object.push(',');
        }
        let mut escaped = Vec::new();
        escape::json(value.as_bytes(), &mut escaped);
        object.push_str(&format!("\"{name}\":\"{}\"", String::from_utf8_lossy(&escaped)));
    }
    object.push('}');
    object
}

/// Puts what a configuration says into force; what a person has set ends with it.
pub fn configure_logging(config: LogConfig) {
    JSON.store(config.format == LogFormat::Json, Relaxed);
    let mut level = level();
    (level.configured, level.changed) = (config.level, None);
    level.apply();
}

/// Sets another level until the next reload, or for that time if it is shorter. Needs a runtime on this thread.
///
/// # Errors
/// When `RUST_LOG` decides.
pub fn change_log_level(to: LogLevel, lasts: Option<Duration>) -> Result<(), LevelIsFixed> {
    if FIXED.get() == Some(&true) {
        return Err(LevelIsFixed);
    }
    let mut level = level();
    level.changed = Some((to, lasts.map(|lasts| Instant::now() + lasts)));
    level.changes += 1;
    level.apply();
    let change = level.changes;
    drop(level);
    if let Some(lasts) = lasts {
        actix_rt::spawn(async move {
            tokio::time::sleep(lasts).await;
            end_change(change);
        });
    }
    Ok(())
}

/// The level that is in force, and until when, if a person has set it for a while. `RUST_LOG` may let more or less through.
pub fn log_level() -> (LogLevel, Option<Instant>) {
    let level = level();
    level.changed.unwrap_or((level.configured, None))
}

fn end_change(change: u64) {
    let mut level = level();
    if level.changes == change && level.changed.take().is_some() {
        level.apply();
    }
}

fn level() -> std::sync::MutexGuard<'static, Level> {
    LEVEL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Level {
    fn apply(&self) {
        let (level, _) = self.changed.unwrap_or((self.configured, None));
        if FIXED.get() != Some(&true) {
            log::set_max_level(filter(level));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_one_line_whatever_a_message_holds() {
        let record = Record::builder()
            .args(format_args!("two\nlines and \"quotes\" \u{1b}"))
            .level(log::Level::Warn)
            .target("simple_lb")
            .build();
        assert_eq!(
            object(&record, "1970-01-01T00:00:00.000Z"),
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\",\"target\":\"simple_lb\",\
             \"message\":\"two\\u000alines and \\\"quotes\\\" \\u001b\"}"
        );
    }

    /// One test, as there is one level.
    #[test]
    fn a_level_that_a_person_sets_ends_with_its_time_or_a_reload() {
        actix_rt::System::new().block_on(levels_come_and_go());
    }

    async fn levels_come_and_go() {
        let config = |level| LogConfig {
            level,
            ..LogConfig::default()
        };
        configure_logging(config(LogLevel::Info));
        assert_eq!(change_log_level(LogLevel::Debug, None), Ok(()));
        assert_eq!(log_level(), (LogLevel::Debug, None));
        configure_logging(config(LogLevel::Warn));
        assert_eq!(log_level(), (LogLevel::Warn, None), "a reload");
        let soon = Some(Duration::from_millis(5));
        assert_eq!(change_log_level(LogLevel::Trace, soon), Ok(()));
        assert!(log_level().1.is_some());
        let began = Instant::now();
        while log_level().0 != LogLevel::Warn {
            assert!(began.elapsed() < Duration::from_secs(20));
            tokio::task::yield_now().await;
        }
        assert_eq!(change_log_level(LogLevel::Trace, soon), Ok(()));
        assert_eq!(change_log_level(LogLevel::Error, None), Ok(()));
        end_change(1);
        assert_eq!(log_level().0, LogLevel::Error, "an older change's end");
        configure_logging(config(LogLevel::Info));
    }
}

//! The log: env_logger, which filters and formats, on a [`LineWriter`] to stderr, which nobody waits for. The level is
//! the configuration's and changes with a reload; `RUST_LOG`, if it is set, wins and stays. Where stderr is the journal, lines have
//! a priority instead of a time and a level.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    sync::OnceLock,
    time::Duration,
};

use env_logger::{Builder, Env, Logger, Target, WriteStyle};
use lb_core::config::LogLevel;
use log::{LevelFilter, Log, Metadata, Record};

use super::{
    journal::{prefixed, stderr_is_the_journal},
    repeats::WithoutRepeats,
    writer::{Dropped, LineWriter},
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

/// env_logger, whose `flush` waits for the writer, but never long.
struct Buffered {
    logger: Logger,
    writer: LineWriter,
}

impl Log for Buffered {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.logger.log(record);
    }

    fn flush(&self) {
        self.writer.flush(FLUSH);
    }
}

fn report_dropped(Dropped { now, total }: Dropped) {
    log::warn!(
        "{now} log lines were dropped here, {total} since the start: nobody read the log, or it could not be written"
    );
}

/// Lines of the log that were dropped since the start.
pub fn dropped_log_lines() -> u64 {
    WRITER.get().map_or(0, LineWriter::dropped)
}

/// Starts logging. A second call changes the level only.
///
/// # Errors
/// When there is no thread or no descriptor for the log.
pub fn start_logging(level: LogLevel) -> io::Result<()> {
    if WRITER.get().is_none() {
        // A descriptor of its own: a thread that hangs in writing to `io::stderr` would hold its lock.
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let writer = LineWriter::start("log", stderr, report_dropped)?;
        install(WRITER.get_or_init(|| writer).clone());
    }
    set_log_level(level);
    Ok(())
}

fn install(writer: LineWriter) {
    FIXED.get_or_init(|| {
        let fixed = std::env::var_os("RUST_LOG").is_some_and(|value| !value.is_empty());
        let mut builder = Builder::new();
        if fixed {
            builder.parse_env(Env::default());
        } else {
            // Our own lines at every level, so that `set_log_level` alone decides; those of the framework from warn.
            builder.filter_level(LevelFilter::Warn);
            // It logs each malformed request and each broken answer as an error of its own, without limit; the first
            // is the client's fault, the second has a line of ours.
            builder.filter_module("actix_http", LevelFilter::Off);
            for module in OWN {
                builder.filter_module(module, LevelFilter::Trace);
            }
        }
        // env_logger decides about colours by its target, which is not a terminal here: the same decision, for stderr.
        let named = std::env::var_os("RUST_LOG_STYLE").is_some_and(|style| style != "auto");
        if !(fixed && named) {
            builder.write_style(WriteStyle::from(anstream::AutoStream::choice(&io::stderr())));
        }
        builder.target(Target::Pipe(Box::new(Records(writer.clone()))));
        if stderr_is_the_journal() {
            builder.format(|line, record| {
                let text = format!("{}: {}", record.target(), record.args());
                writeln!(line, "{}", prefixed(record.level(), &text))
            });
        } else {
            builder.format_timestamp_millis();
        }
        let logger = builder.build();
        let most = logger.filter();
        let logger = Buffered { logger, writer };
        // Fails when a logger is there already, as in tests; that one serves too.
        if log::set_boxed_logger(Box::new(WithoutRepeats::new(logger, &OWN))).is_ok() {
            log::set_max_level(most);
        }
        fixed
    });
}

/// Changes the level of a running process, unless `RUST_LOG` decides.
pub fn set_log_level(level: LogLevel) {
    if FIXED.get() != Some(&true) {
        log::set_max_level(filter(level));
    }
}

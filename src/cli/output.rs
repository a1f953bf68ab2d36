//! Printing, and whether it arrived: a command whose output cannot be written has not done its work. A reader who has left, as
//! that of `simple-lb status | head -1` has, is not complained about.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
    sync::OnceLock,
};

use log::Level;

use super::exit;
use crate::telemetry::{prefixed, stderr_is_the_journal};

/// The first error of writing to stdout.
static FAILED: OnceLock<ErrorKind> = OnceLock::new();

fn note(result: io::Result<()>) {
    if let Err(error) = result {
        let kind = error.kind();
        if FAILED.set(kind).is_ok() && kind != ErrorKind::BrokenPipe {
            error_line(format_args!("cannot write the output: {error}"));
        }
    }
}

/// A line on stdout. That it could not be written shows in the [exit code](exit_code).
pub(super) fn line(text: impl Display) {
    note(writeln!(io::stdout(), "{text}"));
}

/// A line on stderr. There is no other place to tell that it cannot be written.
pub(super) fn error_line(text: impl Display) {
    let _nobody_reads = match stderr_is_the_journal() {
        true => writeln!(io::stderr(), "{}", prefixed(Level::Error, &text.to_string())),
        false => writeln!(io::stderr(), "{text}"),
    };
}

/// Writes what is still buffered.
pub(super) fn flush() {
    note(io::stdout().flush());
}

/// The exit code of a command that has printed all it has to: its own, or that of a failure where what it printed did
/// not arrive.
pub(super) fn exit_code(code: u8) -> u8 {
    flush();
    match FAILED.get() {
        Some(_) if code == exit::DONE => exit::FAILED,
        _ => code,
    }
}

/// A value as indented JSON.
pub(super) fn json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(text),
        Err(error) => note(Err(error.into())),
    }
}

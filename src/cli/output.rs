//! Printing, and whether it arrived: a command whose output cannot be written has not done its work. A reader who has left, as
//! that of `simple-lb status | head -1` has, is not complained about.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
    mem,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use lb_core::config::shown_text;
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

/// A line on stdout, whose names, which a configuration or a client may have chosen, disturb no terminal. That it could not be
/// written shows in the [exit code](exit_code).
pub(super) fn line(text: impl Display) {
    print(&for_people(&text.to_string()));
}

fn print(text: &str) {
    note(writeln!(io::stdout(), "{text}"));
}

/// The same on stderr. There is no other place to tell that it cannot be written.
pub(super) fn error_line(text: impl Display) {
    let text = for_people(&text.to_string());
    let _nobody_reads = match stderr_is_the_journal() {
        true => writeln!(io::stderr(), "{}", prefixed(Level::Error, &text)),
        false => writeln!(io::stderr(), "{text}"),
    };
    ERRORS.lock().unwrap_or_else(PoisonError::into_inner).push(text);
}

/// What errors were, for who asked for JSON.
static ERRORS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Whether JSON was printed.
static PRINTED: AtomicBool = AtomicBool::new(false);

/// One or more lines, of which tabs and ends stay.
fn for_people(text: &str) -> String {
    let parts = text.split_inclusive(['\n', '\t']);
    let shown = parts.map(|part| match part.strip_suffix(['\n', '\t']) {
        Some(content) => shown_text(content) + &part[content.len()..],
        None => shown_text(part),
    });
    shown.collect()
}

/// Prints why a command failed, if it has printed no JSON yet.
pub(super) fn errors_as_json(code: u8) {
    if code == exit::DONE || PRINTED.load(Relaxed) {
        return;
    }
    let errors = mem::take(&mut *ERRORS.lock().unwrap_or_else(PoisonError::into_inner));
    json(&serde_json::json!({ "errors": errors, "exit_code": code }));
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
        Ok(text) => {
            PRINTED.store(true, Relaxed);
            print(&text);
        }
        Err(error) => note(Err(error.into())),
    }
}

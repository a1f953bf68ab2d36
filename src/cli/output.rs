//! Printing that survives a reader who has left, as `simple-lb status | head -1` has.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// A line on stdout. An error means that nobody reads it, which is no reason to fail.
pub(super) fn line(text: impl Display) {
    let _nobody_reads = writeln!(io::stdout(), "{text}");
}

/// A line on stderr.
pub(super) fn error_line(text: impl Display) {
    let _nobody_reads = writeln!(io::stderr(), "{text}");
}

/// What is still buffered.
pub(super) fn flush() {
    let _nobody_reads = io::stdout().flush();
}

/// A value as indented JSON.
pub(super) fn json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(text),
        Err(error) => error_line(format_args!("cannot be written as JSON: {error}")),
    }
}

//! The black-box tests: the real program, real sockets, one binary.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

/// Starts the program and backends, talks HTTP to them as bytes, waits without sleeping.
mod harness;

/// Which backend gets which request.
mod distribution;

//! The black-box tests: the real program, real sockets, one binary.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs, unreachable_pub)]

/// Starts the program and backends, talks HTTP to them as bytes, waits without sleeping.
mod harness;

/// Which backend gets which request.
mod distribution;
/// Answers that awc alone would mistake, through the handler lane.
mod handler_lane;
/// Backends that go down and come back, and what clients notice of it.
mod health;
/// Changing the configuration under load.
mod reload;
/// Stopping without cutting anybody off.
mod stop;
/// The four commands of the README, typed as they stand there.
mod verbatim;

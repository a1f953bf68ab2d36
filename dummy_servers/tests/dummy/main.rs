//! The servers seen from outside, over raw sockets: what is promised must be what is on the wire.

#![allow(clippy::unwrap_used)]

/// A client of raw bytes, and waiting with a deadline.
mod client;

/// Each behaviour, byte by byte.
mod behaviours;
/// The program: flags, lines, exit codes.
mod binary;
/// Start, kill, revive, drop, and what is counted meanwhile.
mod life;
/// Each path.
mod routes;

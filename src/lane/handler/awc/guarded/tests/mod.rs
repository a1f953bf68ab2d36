//! The real awc client through the guard, against a backend that says byte for byte what a test wants said.

#![allow(clippy::unwrap_used)]

mod answers;
mod endings;
mod harness;
mod splits;
mod uploads;

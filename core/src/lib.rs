//! The pure part of simple-lb: what a configuration means, which backend is next, when a backend counts as down.
//!
//! Nothing here does I/O, reads a clock, draws a random number, logs or awaits: functions take `now` and return
//! facts, and the packages around this one act on them. That is what makes the balancer's decisions testable
//! without a network and repeatable to the last bit. `clippy.toml` in this folder bans the alternatives.

pub mod access_log;
pub mod attempts;
pub mod config;
pub mod health;
pub mod kernel;
pub mod listening;
pub mod live;
pub mod pool;
pub mod roster;
pub mod route;
pub mod running;
pub mod status;
pub mod sticky;
pub mod strategy;
pub mod token;

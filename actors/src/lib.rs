//! The control plane of simple-lb: three kinds of actors on one thread that hold what the balancer knows.
//!
//! [`BackendRegistry`](registry::BackendRegistry) is the only writer of pool state. It publishes immutable
//! snapshots, and hands out [`RegistryHandle`], through which the request path asks for a backend without a message.
//! [`HealthChecker`](health_checker::HealthChecker) actors probe, one a backend, and report; they judge nothing.
//! [`ConfigWatcher`](config_watcher::ConfigWatcher) turns signals and commands into reloads and stops.
//! [`control_plane`] starts them, and starts them again when one ends that should not.

pub mod config_watcher;
pub mod control_plane;
mod files;
mod first_probes;
mod gate;
mod guard;
mod handle;
pub mod health_checker;
mod kept;
mod marks;
pub mod messages;
pub mod probe;
mod random;
pub mod registry;
mod resolver;
mod signals;
mod sticky_key;
mod tokens;

#[cfg(test)]
mod tests;

pub use first_probes::first_probes;
pub use handle::RegistryHandle;

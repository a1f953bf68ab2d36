//! How a running instance is found and talked to: files in a runtime folder, and HTTP with JSON over a Unix socket.

mod claim;
mod client;
mod folders;
mod identity;
mod instance;
mod keeper;
mod server;

pub use claim::{Claim, ClaimError, InstanceInfo};
pub use client::{ControlClient, ControlError};
pub use folders::RelativeFolder;
pub use identity::{absolute, identity};
pub use instance::{Found, Purpose, Unclear, find, is_running};
pub use keeper::Control;
pub use server::ControlServer;

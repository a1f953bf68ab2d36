//! How a running instance is found and talked to: files in a runtime folder, and HTTP with JSON over a Unix socket.

mod client;
mod instance;
mod server;

pub use client::{ControlClient, ControlError};
pub use instance::{Claim, ClaimError, Found, InstanceInfo, find, identity, running};
pub use server::{ControlServer, ControlState};

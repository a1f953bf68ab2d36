//! The lanes that carry HTTP/1.1. No lane imports another; what they share is in `proxy` and `upstream`.

pub mod handler;
pub mod wire;

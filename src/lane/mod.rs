//! The lanes that carry requests to backends. No lane imports another; what they share is in `front`, `proxy` and `upstream`.

pub mod handler;
pub mod wire;

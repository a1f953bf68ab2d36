//! What comes out for what went in, byte by byte.

mod request;
mod response;

//! What comes out for what went in, byte by byte.

mod edits;
mod request;
mod response;

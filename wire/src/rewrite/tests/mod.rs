//! What comes out for what went in, byte by byte.

mod edits;
mod plain;
mod request;
mod response;

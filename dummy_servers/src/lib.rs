//! Backends to try a load balancer with.
//!
//! They answer, count what reaches them, and on request are slow, fail, hang, reset or cut, changed while they
//! run. The binary starts three for people; [`DummyServer`] is one for tests: it lives on a thread of its own, so
//! that a synchronous test needs no runtime.
//!
//! ```
//! use dummy_servers::{Behaviour, DummyServer};
//!
//! let backend = DummyServer::start("Server 1")?;
//! backend.set_behaviour(Behaviour::Reset);
//! assert_eq!(backend.hits(), 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! HTTP/1.1 is spoken by code of this crate over `httparse`, not by actix-http: a header map loses the order and the
//! case of the header lines that `/echo` has to show, and what goes over the wire must be exactly what a behaviour
//! promises. Answers carry no `Date`, so that two of them can be compared byte by byte. Loopback only.

mod answer;
mod behaviour;
mod body;
mod connection;
mod hits;
mod listeners;
mod name_server;
mod options;
mod request;
mod route;
mod routes;
mod server;
mod shared;
mod text;
mod worker;

pub use behaviour::{Behaviour, Percent, WrongBehaviour, parse_duration};
pub use connection::body_byte;
pub use hits::RecordedRequest;
pub use name_server::NameServer;
pub use options::Options;
pub use server::DummyServer;
pub use text::{Lang, UnknownLang, ready_line, request_line};

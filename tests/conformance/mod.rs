//! HTTP/1.1 by the text of its RFCs: raw sockets on both sides, and every byte looked at. `docs/conformance.md` has the
//! rules, their sections, and the name of the test of each.

/// What an ambiguous request comes to.
mod ambiguous;
/// Whoever is too slow.
mod deadlines;
/// The documentation names them all.
mod documented;
/// A client, a backend, and what they say to each other.
pub mod exchange;
/// What a backend is told of where a request comes from.
mod forwarded;
/// Generated requests, whole and broken.
mod generated;
/// 1xx, and bodies that wait to be asked for.
mod interim;
/// Clients that break their connection while nobody reads from it.
mod leaving;
/// What clients may take up.
mod limits;
/// Every form that a message may have.
mod message_forms;
/// Several requests over one connection.
mod pipelining;
/// Names, values, `Host`, sizes.
mod request_fields;
/// Where a request's body ends.
mod request_framing;
/// Method, target, version, line endings.
mod request_line;
/// Answers that leave something in doubt.
mod response_framing;
/// Requests that a backend loses.
mod stale;
/// Messages that take their time.
mod streams;
/// Trailers, and which of them end here.
mod trailers;
/// Tunnels carry any bytes.
mod tunnel_property;
/// Switching protocols.
mod upgrade;
/// Large bodies, many connections, slow ones beside quick ones.
mod volume;

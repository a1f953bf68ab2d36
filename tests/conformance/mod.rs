//! HTTP/1.1 by the text of its RFCs: raw sockets on both sides, and every byte looked at. `docs/conformance.md` has the
//! rules, their sections, and the name of the test of each.

/// What an ambiguous request comes to.
mod ambiguous;
/// Names, values, `Host`, sizes.
mod request_fields;
/// Where a request's body ends.
mod request_framing;
/// Method, target, version, line endings.
mod request_line;

//! Which headers of a response pass, and what a route changes of a head. (Those of requests are written by lb-wire.)
//!
//! Headers of one connection (RFC 9110 section 7.6.1) end here, those that `Connection` names among them. Repeated
//! headers are copied one by one, in their order. `Content-Length` is not copied: each side's framing is written
//! from what is really sent.

use actix_http::{
    StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};

use lb_wire::{Name, is_lookalike, rules::Action};

use super::awc::{OFFERED_UPGRADE, OMITTED_LENGTH};
use crate::proxy::LineChanges;

/// What speaks of one connection only, beside what [`rules`](lb_wire::rules) drops in either direction.
const HOP_BY_HOP: [HeaderName; 5] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A `Connection` header must not be able to strip what the other side relies on: `lb_wire::rules`.
fn is_protected(name: &str) -> bool {
    !Name::classify(name.as_bytes()).is_free()
}

/// The names that `Connection` lists.
struct Named<'a>(Vec<&'a str>);

impl<'a> Named<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let values = headers
            .get_all(header::CONNECTION)
            .filter_map(|value| value.to_str().ok());
        let names = values.flat_map(|value| value.split(',')).map(str::trim);
        Self(
            names
                .filter(|name| !name.is_empty() && !is_protected(name))
                .collect(),
        )
    }

    fn contains(&self, name: &HeaderName) -> bool {
        self.0
            .iter()
            .any(|named| named.eq_ignore_ascii_case(name.as_str()))
    }
}

fn is_end_to_end(name: &HeaderName, named: &Named<'_>) -> bool {
    !HOP_BY_HOP.contains(name) && *name != header::CONTENT_LENGTH && !named.contains(name)
}

/// Copies the headers of an answer with this status for the client.
pub(super) fn copy_response(status: StatusCode, from: &HeaderMap, to: &mut HeaderMap) {
    let named = Named::of(from);
    for (name, value) in from {
        let dropped = Name::classify(name.as_str().as_bytes()).on_response() == Action::Drop;
        // A 407 must have it (RFC 9110 section 15.5.8); in others it would speak of this hop.
        let misplaced =
            *name == header::PROXY_AUTHENTICATE && status != StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        if *name == OFFERED_UPGRADE && status == StatusCode::UPGRADE_REQUIRED {
            to.append(header::UPGRADE, value.clone());
        } else if is_end_to_end(name, &named) && !dropped && !misplaced && *name != OMITTED_LENGTH {
            to.append(name.clone(), value.clone());
        }
    }
}

/// Changes a head as its route wants. Names and values have been checked; one that is none is left out.
pub(super) fn change(changes: &LineChanges, headers: &mut HeaderMap) {
    for name in &*changes.dropped {
        let is_dropped = |present: &&HeaderName| is_lookalike(present.as_str().as_bytes(), name.as_bytes());
        let present: Vec<HeaderName> = headers.keys().filter(is_dropped).cloned().collect();
        for present in present {
            headers.remove(present);
        }
    }
    for (name, value) in &changes.added {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value),
        ) {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn repeated_answer_headers_pass_and_framing_does_not() {
        let from = map(&[
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
        ]);
        let mut to = HeaderMap::new();
        copy_response(StatusCode::OK, &from, &mut to);
        let lines: Vec<_> = to
            .iter()
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        assert_eq!(lines, ["set-cookie: \"a=1\"", "set-cookie: \"b=2\""]);
    }
}

//! Which headers pass, in both directions.
//!
//! Headers of one connection (RFC 9110 section 7.6.1) end here, those that `Connection` names among them. Repeated
//! headers are copied one by one, in their order. `Content-Length` is not copied: each side's framing is written
//! from what is really sent.

use actix_http::{
    StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};

use lb_wire::{Name, rules::Action};

use crate::{
    proxy::{Client, LineChanges, RequestId},
    upstream::OMITTED_LENGTH,
};

/// What speaks of one connection only, beside what [`rules`](lb_wire::rules) drops in either direction.
const HOP_BY_HOP: [HeaderName; 5] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// A `Connection` header must not be able to strip what the other side relies on: `lb_wire::rules`.
fn is_protected(name: &str) -> bool {
    !Name::classify(name.as_bytes()).is_free()
}

fn is_x_forwarded(name: &str) -> bool {
    name.get(..12)
        .is_some_and(|start| start.eq_ignore_ascii_case("x-forwarded-"))
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

/// Copies a request's headers for the backend.
///
/// `X-Forwarded-For`, `-Proto` and `-Host` are appended to or kept if the client is a trusted proxy, else replaced;
/// an untrusted client's `Forwarded`, `X-Real-IP` and other `X-Forwarded-*` are dropped. `Expect` is dropped, because
/// the server has answered it already.
pub(super) fn copy_request(
    from: &HeaderMap,
    host: Option<&HeaderValue>,
    (client, id): (Client, &RequestId),
    to: &mut HeaderMap,
) {
    let named = Named::of(from);
    for (name, value) in from {
        let spoofable = !client.trusted
            && (is_x_forwarded(name.as_str()) || *name == header::FORWARDED || name.as_str() == "x-real-ip");
        let dropped = Name::classify(name.as_str().as_bytes()).on_request() == Action::Drop;
        let ours = *name == header::HOST || *name == header::EXPECT || *name == X_REQUEST_ID;
        if is_end_to_end(name, &named) && !dropped && !spoofable && !ours && *name != X_FORWARDED_FOR {
            to.append(name.clone(), value.clone());
        }
    }
    if let Some(host) = host {
        to.insert(header::HOST, host.clone());
        if !to.contains_key(X_FORWARDED_HOST) {
            to.insert(X_FORWARDED_HOST, host.clone());
        }
    }
    if !to.contains_key(X_FORWARDED_PROTO) {
        to.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    insert_text(to, X_FORWARDED_FOR, &forwarded_for(from, client));
    insert_text(to, X_REQUEST_ID, id.as_str());
}

fn forwarded_for(from: &HeaderMap, client: Client) -> String {
    let mut list = String::new();
    if client.trusted {
        for value in from
            .get_all(X_FORWARDED_FOR)
            .filter_map(|value| value.to_str().ok())
        {
            list.push_str(value);
            list.push_str(", ");
        }
    }
    list.push_str(&client.address.to_string());
    list
}

fn insert_text(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // The texts are made of characters that a value may hold; a value that is not would be left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Copies the headers of an answer with this status for the client.
pub(super) fn copy_response(status: StatusCode, from: &HeaderMap, to: &mut HeaderMap) {
    let named = Named::of(from);
    for (name, value) in from {
        let dropped = Name::classify(name.as_str().as_bytes()).on_response() == Action::Drop;
        // A 407 must have it (RFC 9110 section 15.5.8); in others it would speak of this hop.
        let misplaced =
            *name == header::PROXY_AUTHENTICATE && status != StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        if is_end_to_end(name, &named) && !dropped && !misplaced && *name != OMITTED_LENGTH {
            to.append(name.clone(), value.clone());
        }
    }
}

/// Changes a head as its route wants. Names and values have been checked; one that is none is left out.
pub(super) fn change(changes: &LineChanges, headers: &mut HeaderMap) {
    for name in &*changes.dropped {
        headers.remove(&**name);
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

    fn forwarded(lines: &[(&str, &str)], trusted: bool) -> Vec<String> {
        let from = map(lines);
        let client = Client {
            address: [192, 0, 2, 7].into(),
            trusted,
        };
        let mut to = HeaderMap::new();
        copy_request(
            &from,
            from.get("host"),
            (client, &RequestId::new(Some(b"id"), 0)),
            &mut to,
        );
        let mut lines: Vec<_> = to
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn headers_of_one_connection_end_here() {
        let lines = forwarded(
            &[
                ("host", "example.com"),
                ("connection", "keep-alive, X-Private, Host, x-forwarded-for"),
                ("keep-alive", "timeout=5"),
                ("x-private", "1"),
                ("te", "trailers"),
                ("upgrade", "h2c"),
                ("proxy-authorization", "Basic x"),
                ("proxy", "http://evil"),
                ("x_forwarded_for", "10.0.0.1"),
                ("content-length", "3"),
                ("expect", "100-continue"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
            ],
            false,
        );
        assert_eq!(
            lines,
            [
                "cookie: a=1",
                "cookie: b=2",
                "host: example.com",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: example.com",
                "x-forwarded-proto: http",
                "x-request-id: id",
            ]
        );
    }

    #[test]
    fn what_an_untrusted_client_says_of_its_origin_is_replaced() {
        let claims = [
            ("host", "example.com"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "bank.example"),
            ("x-forwarded-port", "443"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
        ];
        assert_eq!(
            forwarded(&claims, false),
            [
                "host: example.com",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: example.com",
                "x-forwarded-proto: http",
                "x-request-id: id",
            ]
        );
        assert_eq!(
            forwarded(&claims, true),
            [
                "forwarded: for=10.0.0.1",
                "host: example.com",
                "x-forwarded-for: 10.0.0.1, 192.0.2.7",
                "x-forwarded-host: bank.example",
                "x-forwarded-port: 443",
                "x-forwarded-proto: https",
                "x-real-ip: 10.0.0.1",
                "x-request-id: id",
            ]
        );
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

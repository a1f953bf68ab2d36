//! The names of what is known of a request, in the access log and wherever else a request is described. One file: people search for
//! these names, and programs read them. They are added to, never renamed.

use std::sync::Arc;

/// A fact of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the tables below say what each is")]
pub enum LogField {
    Time,
    Id,
    Client,
    Peer,
    Method,
    Host,
    Path,
    Protocol,
    Status,
    BytesReceived,
    BytesSent,
    Route,
    Pool,
    Backend,
    Attempts,
    Retried,
    QueueMs,
    ConnectMs,
    FirstByteMs,
    TotalMs,
    Outcome,
    Responder,
    Fault,
    Reason,
    Tunnel,
    Lane,
    Tls,
    TraceId,
    CommonTime,
    Authority,
    Query,
    Target,
    Scheme,
    Referer,
    /// A header field of the request, by its name in lower case.
    Header(Arc<str>),
    /// A header field of the backend's response, by its name in lower case.
    ResponseHeader(Arc<str>),
}

/// The fields of a JSON line in their order: name, field and meaning.
pub const FIELDS: [(&str, LogField, &str); 28] = [
    (
        "time",
        LogField::Time,
        "When the request's head was read: UTC, RFC 3339 with milliseconds",
    ),
    (
        "id",
        LogField::Id,
        "The request id; `null` where no head could be read",
    ),
    (
        "client",
        LogField::Client,
        "The client's address, as `trusted_proxies` determine",
    ),
    (
        "peer",
        LogField::Peer,
        "Address and port of the connection's other end",
    ),
    ("method", LogField::Method, "The method"),
    ("host", LogField::Host, "The requested host, without port"),
    ("path", LogField::Path, "The raw path, without the query"),
    (
        "protocol",
        LogField::Protocol,
        "`HTTP/1.1` or `HTTP/1.0`, the client's",
    ),
    (
        "status",
        LogField::Status,
        "The status code that the client was sent; `null`: none",
    ),
    (
        "bytes_received",
        LogField::BytesReceived,
        "Content from the client; of a tunnel, all bytes",
    ),
    (
        "bytes_sent",
        LogField::BytesSent,
        "Content of the response; of a tunnel, all bytes",
    ),
    (
        "route",
        LogField::Route,
        "The route: its name, else its conditions",
    ),
    ("pool", LogField::Pool, "The pool"),
    ("backend", LogField::Backend, "The backend of the last attempt"),
    ("attempts", LogField::Attempts, "Backends that it was sent to"),
    ("retried", LogField::Retried, "Why it was retried last, see below"),
    ("queue_ms", LogField::QueueMs, "Time in queues"),
    (
        "connect_ms",
        LogField::ConnectMs,
        "Time to open the last connection; `null` over a kept one",
    ),
    (
        "first_byte_ms",
        LogField::FirstByteMs,
        "Time to the head of the response",
    ),
    ("total_ms", LogField::TotalMs, "Time to the end"),
    (
        "outcome",
        LogField::Outcome,
        "`complete`, `broken_off`, `client_gone` or `cut`",
    ),
    (
        "responder",
        LogField::Responder,
        "The sender of the response: `backend`, `balancer`, or `null`",
    ),
    (
        "fault",
        LogField::Fault,
        "`client`, `backend` or `balancer`; `null` where all went well",
    ),
    (
        "reason",
        LogField::Reason,
        "The error in words, as clients are told it",
    ),
    ("tunnel", LogField::Tunnel, "Whether it became a tunnel"),
    ("lane", LogField::Lane, "`wire` or `handler`"),
    ("tls", LogField::Tls, "`null`: a later version has TLS"),
    (
        "trace_id",
        LogField::TraceId,
        "`null`: a later version has traces",
    ),
];

/// What patterns know beside the fields. Where another name means a field, it is that of `docs/routing.md`.
pub const VARIABLES: [(&str, LogField, &str); 8] = [
    ("client_ip", LogField::Client, "The same as `client`"),
    ("request_id", LogField::Id, "The same as `id`"),
    (
        "authority",
        LogField::Authority,
        "The requested host with its port, if it names one",
    ),
    ("query", LogField::Query, "The raw query without `?`"),
    ("target", LogField::Target, "Path and query"),
    (
        "scheme",
        LogField::Scheme,
        "`http`; `https` where a trusted proxy says so",
    ),
    (
        "referer",
        LogField::Referer,
        "The page that the request names in `Referer`, without its query",
    ),
    (
        "common_time",
        LogField::CommonTime,
        "`time` as common log formats have it: `30/Nov/2026:09:30:00 +0000`",
    ),
];

impl LogField {
    /// The field or variable of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = FIELDS.iter().chain(&VARIABLES);
        let found = all.into_iter().find(|(known, ..)| *known == name)?;
        Some(found.1.clone())
    }

    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().chain(&VARIABLES).map(|(name, ..)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/observability.md");

    #[test]
    fn the_document_lists_all_in_their_order() {
        let mut rest = DOCUMENT;
        for (name, _, meaning) in FIELDS.iter().chain(&VARIABLES) {
            let row = format!("| `{name}` | {meaning} |\n");
            let Some((_, after)) = rest.split_once(&row) else {
                panic!("docs/observability.md lacks, or has elsewhere: {row}");
            };
            rest = after;
        }
    }
}

//! What a client sees when its request failed: a status, one sentence, the request's id. Never a backend's address.

use actix_http::StatusCode;

use super::{ProxyError, RequestId};

/// An answer that the balancer gives itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The status code.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The body, complete.
    pub body: String,
}

impl ErrorAnswer {
    /// The answer to a request that failed with `error`; JSON if the client would rather have that.
    pub fn new(error: &ProxyError, id: &RequestId, json: bool) -> Self {
        Self::with_reason(error.status(), error.reason(), id, json)
    }

    /// An answer of this status that says `reason`.
    pub fn with_reason(status: u16, reason: &str, id: &RequestId, json: bool) -> Self {
        if json {
            let body = serde_json::json!({ "status": status, "error": reason, "request_id": id.as_str() });
            return Self {
                status,
                content_type: "application/json",
                body: format!("{body}\n"),
            };
        }
        let body = format!("{status} {}: {reason}\nrequest id: {id}\n", title(status));
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body,
        }
    }

    /// The reason phrase of its status.
    pub fn title(&self) -> &'static str {
        title(self.status)
    }
}

fn title(status: u16) -> &'static str {
    StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
}

/// Whether an `Accept` header prefers JSON to text (RFC 9110 section 12.5.1): the type with the higher quality wins,
/// and text wins a draw, except that `application/json` (or `+json`) named without any text is taken at its word.
pub fn wants_json(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return false };
    let (mut json, mut text) = (0.0_f32, 0.0_f32);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0));
        if media == "application/json" || media.ends_with("+json") {
            json = json.max(quality);
        } else if media.starts_with("text/") {
            text = text.max(quality);
        }
    }
    json > text
}

#[cfg(test)]
mod tests {
    use lb_core::pool::NoBackend;

    use super::*;

    #[test]
    fn text_by_default_and_json_for_those_who_ask() {
        for (accept, json) in [
            (None, false),
            (Some("*/*"), false),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), false),
            (Some("application/json"), true),
            (Some("application/problem+json, text/plain;q=0.5"), true),
            (Some("application/json;q=0.1, text/plain"), false),
            (Some("application/json;q=0"), false),
            (Some(";;,,q="), false),
        ] {
            assert_eq!(wants_json(accept), json, "{accept:?}");
        }
    }

    #[test]
    fn says_what_happened_and_which_request_it_was() {
        let (error, id) = (
            ProxyError::NoBackend(NoBackend::NoneEligible),
            RequestId::new(Some(b"r1"), 0),
        );
        let text = ErrorAnswer::new(&error, &id, false);
        assert_eq!(
            text.body,
            "503 Service Unavailable: no backend is ready for requests\nrequest id: r1\n"
        );
        let json = ErrorAnswer::new(&error, &id, true);
        assert_eq!(
            json.body,
            "{\"error\":\"no backend is ready for requests\",\"request_id\":\"r1\",\"status\":503}\n"
        );
    }
}

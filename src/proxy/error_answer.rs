//! What a client sees when its request failed: a status, one sentence, the request's id. Never a backend's address.

use std::{io::Write as _, sync::Arc};

use actix_http::StatusCode;
use lb_core::config::Config;

use super::{RequestId, error_page::PageKind};

/// What we pass on: 405 and the answer to OPTIONS have to say it (RFC 9110 sections 9.3.7 and 15.5.6).
const ALLOW: &str = "Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n";

/// The same with `trace: on`.
const ALLOW_TRACE: &str = "Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE\r\n";

/// What OPTIONS is told that may go no further.
pub const NO_FURTHER: &str = "the request goes no further (Max-Forwards)";

/// The request that an answer of the balancer's own is for.
#[derive(Debug, Clone, Copy)]
pub struct ReplyTo<'a> {
    /// Its id.
    pub id: &'a RequestId,
    /// Its sender wants errors as JSON.
    pub json: bool,
}

/// What a client is told.
#[derive(Debug, Clone, Copy)]
pub struct ErrorText<'a> {
    /// The status code.
    pub status: u16,
    /// One sentence.
    pub reason: &'a str,
    /// The request's.
    pub id: &'a RequestId,
    /// In how many seconds it is worth to ask again.
    pub retry_after: Option<u32>,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy)]
pub struct AnswerForm<'a> {
    /// The request's.
    pub id: &'a RequestId,
    /// Without its body, as the answer to HEAD.
    pub is_head: bool,
    /// As the last one of its connection.
    pub close: bool,
}

/// An answer that the balancer gives itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The status code.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The body, complete.
    pub body: Arc<[u8]>,
    /// TRACE is among what is passed on.
    pub allows_trace: bool,
    /// The value of `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
}

impl ErrorAnswer {
    /// The configured page for this status, else a response that says `reason`, as JSON if the client would rather
    /// have that. Such a client gets a page only if it is JSON, too.
    pub fn new(config: &Config, text: ErrorText<'_>, json: bool) -> Self {
        let ErrorText {
            status, reason, id, ..
        } = text;
        let page = config
            .error_pages
            .get(&status)
            .map(|page| (page, PageKind::of(&page.path)));
        if let Some((page, kind)) = page.filter(|(_, kind)| !json || *kind == PageKind::Json) {
            return Self {
                status,
                content_type: kind.content_type(),
                body: kind.filled_in(&page.content, text),
                allows_trace: config.allow_trace,
                retry_after: text.retry_after,
            };
        }
        let (content_type, body) = if json {
            let body = serde_json::json!({ "status": status, "error": reason, "request_id": id.as_str() });
            ("application/json", format!("{body}\n"))
        } else {
            let body = format!("{status} {}: {reason}\nrequest id: {id}\n", reason_phrase(status));
            ("text/plain; charset=utf-8", body)
        };
        Self {
            status,
            content_type,
            body: body.into_bytes().into(),
            allows_trace: config.allow_trace,
            retry_after: text.retry_after,
        }
    }

    /// The answer to TRACE: what came (RFC 9110 section 9.3.8).
    pub fn trace(came: Vec<u8>) -> Self {
        Self {
            status: 200,
            content_type: "message/http",
            body: came.into(),
            allows_trace: true,
            retry_after: None,
        }
    }

    /// Writes it as a message, at this `date`.
    pub fn write(&self, form: AnswerForm<'_>, date: &[u8], out: &mut Vec<u8>) {
        let id = form.id;
        let retry_after = self
            .retry_after
            .map_or(String::new(), |seconds| format!("Retry-After: {seconds}\r\n"));
        // Writing to memory cannot fail.
        let _ = write!(
            out,
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Request-Id: {id}\r\nDate: {}\r\n{}{}\r\n",
            self.status,
            reason_phrase(self.status),
            self.content_type,
            self.body.len(),
            String::from_utf8_lossy(date),
            match self.status {
                200 | 405 if self.allows_trace => ALLOW_TRACE,
                200 | 405 => ALLOW,
                _ => &retry_after,
            },
            if form.close { "Connection: close\r\n" } else { "" },
        );
        if !form.is_head {
            out.extend_from_slice(&self.body);
        }
    }
}

/// What a status is called (RFC 9110 section 15).
pub fn reason_phrase(status: u16) -> &'static str {
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
    #![allow(clippy::unwrap_used)]

    use lb_core::config;

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
    fn says_what_happened_and_which_request_it_was_or_what_the_page_says() {
        let text = "port: 1\nbackends: [http://a]\nerror_pages: {503: down.html}";
        let mut config = config::load(text, "config.yaml", &|_| None).unwrap();
        let id = RequestId::new(Some(b"r1"), 0);
        let failure = |status, reason| ErrorText {
            status,
            reason,
            id: &id,
            retry_after: None,
        };
        let none = failure(502, "no backend answered");
        let text = ErrorAnswer::new(&config, none, false);
        assert_eq!(
            &*text.body,
            b"502 Bad Gateway: no backend answered\nrequest id: r1\n"
        );
        let json = ErrorAnswer::new(&config, none, true);
        assert_eq!(
            &*json.body,
            b"{\"error\":\"no backend answered\",\"request_id\":\"r1\",\"status\":502}\n"
        );
        config.error_pages.get_mut(&503).unwrap().content = Arc::from(&b"<h1>"[..]);
        let page = ErrorAnswer::new(&config, failure(503, "none"), false);
        assert_eq!(
            (page.content_type, &*page.body),
            ("text/html; charset=utf-8", &b"<h1>"[..])
        );
        let page = ErrorAnswer::new(&config, failure(503, "none"), true);
        assert_eq!(
            page.content_type, "application/json",
            "a page for people is none for programs"
        );
    }
}

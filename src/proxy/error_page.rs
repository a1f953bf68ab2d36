//! Error pages of the configuration: what kind of page a file is, and what is filled in.

use std::sync::Arc;

use super::ErrorText;

/// What an error page is, by the ending of its file's name, whose case does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Html,
    Xhtml,
    Svg,
    Xml,
    Json,
    Text,
    Other,
}

impl PageKind {
    /// By the name of its file.
    pub(super) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let kinds = [
            ("html", Self::Html),
            ("htm", Self::Html),
            ("xhtml", Self::Xhtml),
            ("svg", Self::Svg),
            ("xml", Self::Xml),
            ("json", Self::Json),
            ("txt", Self::Text),
        ];
        let found = kinds.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known));
        found.map_or(Self::Other, |(_, kind)| *kind)
    }

    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Xhtml => "application/xhtml+xml; charset=utf-8",
            Self::Svg => "image/svg+xml",
            Self::Xml => "application/xml",
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Other => "application/octet-stream",
        }
    }

    /// A text as this kind of page can hold it: an id is the client's, and markup in it must stay text.
    fn escaped(self, text: &str) -> String {
        match self {
            Self::Html | Self::Xhtml | Self::Svg | Self::Xml => text
                .chars()
                .map(|character| match character {
                    '&' => "&amp;".to_owned(),
                    '<' => "&lt;".to_owned(),
                    '>' => "&gt;".to_owned(),
                    '"' => "&quot;".to_owned(),
                    '\'' => "&#39;".to_owned(),
                    other => other.to_string(),
                })
                .collect(),
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Text | Self::Other => text.to_owned(),
        }
    }

    /// A page with `{status}`, `{reason}` and `{request_id}` filled in. A page of another kind than text stays as it is, and so
    /// does one without these.
    pub(super) fn filled_in(self, page: &Arc<[u8]>, with: ErrorText<'_>) -> Arc<[u8]> {
        let text = match std::str::from_utf8(page) {
            Ok(text) if self != Self::Other && text.contains('{') => text,
            _ => return Arc::clone(page),
        };
        let values = [
            ("{status}", with.status.to_string()),
            ("{reason}", self.escaped(with.reason)),
            ("{request_id}", self.escaped(with.id.as_str())),
        ];
        let mut out = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let known = |(name, value): &(&str, String)| Some((from.strip_prefix(name)?, value.clone()));
            let (behind, filled) = values
                .iter()
                .find_map(known)
                .unwrap_or((&from[1..], "{".to_owned()));
            out.push_str(&filled);
            rest = behind;
        }
        out.push_str(rest);
        out.into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::proxy::RequestId;

    #[test]
    fn pages_are_filled_in_and_stay_what_they_are() {
        let id = RequestId::new(Some(b"<b>&1"), 0);
        let fill = |path: &str, page: &str| {
            let page = Arc::from(page.as_bytes());
            let text = ErrorText {
                status: 503,
                reason: "all backends are busy",
                id: &id,
                retry_after: Some(1),
            };
            let body = PageKind::of(path).filled_in(&page, text);
            String::from_utf8(body.to_vec()).unwrap()
        };
        assert_eq!(
            fill("a.HTML", "<p>{status} {reason}: {request_id} {other} {"),
            "<p>503 all backends are busy: &lt;b&gt;&amp;1 {other} {"
        );
        assert_eq!(
            fill("a.json", "{\"id\": \"{request_id}\"}"),
            "{\"id\": \"<b>&1\"}"
        );
        assert_eq!(fill("a.txt", "{request_id}"), "<b>&1");
        assert_eq!(fill("a.bin", "{request_id}"), "{request_id}");
    }

    #[test]
    fn the_ending_of_the_name_says_what_a_page_is_whatever_its_case() {
        for (path, expected) in [
            ("pages/Down.HTM", "text/html; charset=utf-8"),
            ("a.xhtml", "application/xhtml+xml; charset=utf-8"),
            ("a.SVG", "image/svg+xml"),
            ("a.xml", "application/xml"),
            ("a.Json", "application/json"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("pages.html/down", "application/octet-stream"),
            ("html", "application/octet-stream"),
        ] {
            assert_eq!(PageKind::of(path).content_type(), expected, "{path}");
        }
    }
}

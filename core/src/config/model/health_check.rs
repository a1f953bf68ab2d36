//! How a backend is probed.

use std::{fmt, sync::Arc, time::Duration};

use super::{Share, StatusRanges};
use crate::config::{ByteSize, Masked};

/// How a backend is probed.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthCheck {
    /// What a probe is.
    pub kind: CheckKind,
    /// The port to connect to; `None`: that of the backend's URL.
    pub port: Option<u16>,
    /// The method of an HTTP probe.
    pub method: CheckMethod,
    /// Path and query of the probe; begins with `/`.
    pub path: Masked,
    /// The `Host` of the probe; `None`: the backend's.
    pub host: Option<Arc<str>>,
    /// More header lines, each a name and a value.
    pub headers: Arc<[(Arc<str>, Masked)]>,
    /// From the end of one probe to the start of the next.
    pub interval: Duration,
    /// The same while the backend's state is about to change: some probes in a row have disagreed with it.
    /// Never longer than `interval`.
    pub fast_interval: Duration,
    /// How long a probe may take in all: resolve, connect, answer.
    pub timeout: Duration,
    /// Good probes in a row that bring a backend back; at least 1.
    pub rise: u32,
    /// Bad probes in a row that take it out; at least 1.
    pub fall: u32,
    /// Answers that count as alive.
    pub status: StatusRanges,
    /// What the body of such an answer must hold; `None`: it is not read.
    pub body: Option<BodyMatch>,
    /// How much of the body is read at most.
    pub max_body: ByteSize,
    /// Each pause is longer or shorter by a random part of at most this share, so that probes spread out.
    pub jitter: Share,
}

impl Default for HealthCheck {
    /// Without `health_check`: `GET /` every 5 s, and any answer below 500 is alive.
    fn default() -> Self {
        Self {
            kind: CheckKind::Http,
            port: None,
            method: CheckMethod::Get,
            path: "/".into(),
            host: None,
            headers: Arc::new([]),
            interval: Duration::from_secs(5),
            fast_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            status: StatusRanges::new(vec![(100, 499)]).unwrap_or_default(),
            body: None,
            // Health pages are short; what is longer is a page for people, and says early what it has to say.
            max_body: ByteSize::kib(64),
            jitter: Share::percent(10).unwrap_or_default(),
        }
    }
}

/// What a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// A request over a new connection.
    Http,
    /// A connection, nothing more.
    Tcp,
}

/// The method of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckMethod {
    /// GET
    Get,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
    /// POST, without a body
    Post,
}

impl CheckMethod {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
        }
    }
}

impl fmt::Display for CheckMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a body must hold. Two are the same if they were written the same.
#[derive(Debug, Clone)]
pub struct BodyMatch {
    text: Masked,
    is_regex: bool,
    regex: regex::bytes::Regex,
}

/// A compiled expression of a health check may take this much memory; no sensible one comes near.
const REGEX_SIZE: usize = 1024 * 1024;

impl BodyMatch {
    /// A text that must be in it.
    ///
    /// # Errors
    /// When it is far too long.
    pub fn contains(text: &str) -> Result<Self, regex::Error> {
        Self::build(text, false, &regex::escape(text))
    }

    /// An expression that must match somewhere in it.
    ///
    /// # Errors
    /// When it is none, or needs too much memory.
    pub fn regex(text: &str) -> Result<Self, regex::Error> {
        Self::build(text, true, text)
    }

    fn build(text: &str, is_regex: bool, expression: &str) -> Result<Self, regex::Error> {
        let regex = regex::bytes::RegexBuilder::new(expression)
            .size_limit(REGEX_SIZE)
            .build()?;
        Ok(Self {
            text: text.into(),
            is_regex,
            regex,
        })
    }

    /// The same, which is shown as this text, if there is one.
    pub(in crate::config) fn shown_as(self, mark: Option<Arc<str>>) -> Self {
        let text = Masked::new(&self.text, mark);
        Self { text, ..self }
    }

    /// Whether a body holds it.
    pub fn is_in(&self, body: &[u8]) -> bool {
        self.regex.is_match(body)
    }
}

impl PartialEq for BodyMatch {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.is_regex) == (&other.text, other.is_regex)
    }
}

impl fmt::Display for BodyMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.is_regex { "regex" } else { "contains" };
        write!(f, "{{{key}: {:?}}}", self.text)
    }
}

/// Header lines for a person.
pub(in crate::config) fn shown_headers(headers: &[(Arc<str>, Masked)]) -> String {
    if headers.is_empty() {
        return "none".to_owned();
    }
    let shown = headers.iter().map(|(name, value)| format!("{name}: {value:?}"));
    format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
}

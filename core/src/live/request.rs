//! A live change as it is asked for over the control socket.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{Refusal, Weight, parse_duration};

/// What a person wants of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// No new requests; those in flight finish.
    Drain,
    /// No requests and no probes.
    Maintenance,
    /// In service again, even if the file says otherwise.
    Serve,
    /// This weight instead of the file's.
    Weight(Weight),
    /// The file's weight.
    FileWeight,
}

/// `{"url": "http://localhost:9002", "change": "drain", "for": "10m"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveRequest {
    /// The backend.
    pub url: String,
    /// Only in this pool; else in every pool that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What to change; `None`: nothing, only tell how it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Wish>,
    /// For how long, as the file writes durations; `None`: until somebody takes it back.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
}

impl LiveRequest {
    /// How long the change lasts.
    ///
    /// # Errors
    /// When that is no duration, or none at all.
    pub fn duration(&self) -> Result<Option<Duration>, Refusal> {
        self.lasts.as_deref().map(Self::parse_lasts).transpose()
    }

    /// Reads how long a change shall last.
    ///
    /// # Errors
    /// When the text is no duration, or one that is over at once.
    pub fn parse_lasts(text: &str) -> Result<Duration, Refusal> {
        match parse_duration(text)? {
            Duration::ZERO => Err(Refusal::new("must be above 0s")),
            lasts => Ok(lasts),
        }
    }
}

//! The log of what happens, and the log of requests.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::Share;
use crate::{
    access_log::LogPattern,
    config::{ByteSize, Masked},
};

/// What is written to the log: this level and the more severe ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What needs a person.
    Error,
    /// What a person should know.
    Warn,
    /// Changes of state.
    Info,
    /// For the search of a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// As it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The log of what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// What is written: this level and the more severe ones.
    pub level: LogLevel,
    /// How.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
        }
    }
}

/// The form of a log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// A line for each request.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessLogConfig {
    /// Where it is written.
    pub path: LogTarget,
    /// The form of its lines.
    pub format: AccessLogFormat,
    /// The share of requests that are written, beside those that went wrong or were slow.
    pub sample: Share,
    /// Slower requests are always written; `None`: none for that.
    pub slow: Option<Duration>,
    /// When a file is begun anew; `None`: never by itself.
    pub rotate: Option<LogRotation>,
}

impl Default for AccessLogConfig {
    /// All requests, as JSON, to stdout.
    fn default() -> Self {
        Self {
            path: LogTarget::Stdout,
            format: AccessLogFormat::Json,
            sample: Share::percent(100).unwrap_or_default(),
            slow: Some(Duration::from_secs(1)),
            rotate: None,
        }
    }
}

/// Where lines are written.
#[derive(Debug, Clone, PartialEq)]
pub enum LogTarget {
    /// To stdout.
    Stdout,
    /// To a file; a relative path begins in the configuration's folder.
    File(Masked),
}

impl LogTarget {
    /// As it is shown.
    pub fn shown(&self) -> &str {
        match self {
            Self::Stdout => "-",
            Self::File(path) => path.shown(),
        }
    }
}

/// The form of a request's line.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessLogFormat {
    /// An object with all fields.
    Json,
    /// As web servers write it.
    Combined,
    /// For people.
    Text,
    /// A form of one's own.
    Pattern(LogPattern),
}

/// When a file is begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRotation {
    /// When it is so large.
    pub size: ByteSize,
    /// Old files that are kept.
    pub keep: u32,
}

impl Default for LogRotation {
    fn default() -> Self {
        Self {
            size: ByteSize::new(100 * 1024 * 1024),
            keep: 5,
        }
    }
}

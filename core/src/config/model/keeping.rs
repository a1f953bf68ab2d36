//! What a pool keeps: requests that wait for a place, and clients at the backend that served them before.

use std::{fmt, sync::Arc, time::Duration};

use super::super::units::format_duration;
use crate::sticky::StickyKey;

/// Requests that wait while every backend has as many as its `max_connections` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    /// So many at most; 0: none waits.
    pub size: u32,
    /// So long at most.
    pub timeout: Duration,
}

impl Default for QueueConfig {
    /// As many as a burst brings; longer than people wait for nothing.
    fn default() -> Self {
        Self {
            size: 1024,
            timeout: Duration::from_secs(5),
        }
    }
}

/// A cookie that brings a client back to its backend. Displays without its key.
#[derive(Debug, Clone, PartialEq)]
pub struct StickyConfig {
    /// Its name, a token.
    pub cookie: Arc<str>,
    /// Browsers send it over TLS only.
    pub secure: bool,
    /// Scripts do not see it.
    pub http_only: bool,
    /// Whether it comes with requests that other sites cause.
    pub same_site: SameSite,
    /// How long browsers keep it; `None`: as long as they run.
    pub ttl: Option<Duration>,
    /// What its values are made with; `None`: the key in `state_dir`.
    pub key: Option<StickyKey>,
}

impl Default for StickyConfig {
    fn default() -> Self {
        Self {
            cookie: Self::DEFAULT_COOKIE.into(),
            secure: false,
            http_only: true,
            same_site: SameSite::Lax,
            ttl: None,
            key: None,
        }
    }
}

impl StickyConfig {
    /// The name of the cookie where none is written.
    pub const DEFAULT_COOKIE: &str = "simple_lb";
}

impl fmt::Display for StickyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cookie,
            secure,
            http_only,
            same_site,
            ttl,
            key: _,
        } = self;
        write!(
            f,
            "{{cookie: {cookie}, secure: {secure}, http_only: {http_only}, same_site: {same_site}, ttl: "
        )?;
        match ttl {
            Some(ttl) => write!(f, "{}}}", format_duration(*ttl)),
            None => f.write_str("none}"),
        }
    }
}

/// `SameSite` of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Not with what other sites cause.
    Strict,
    /// With a link from another site.
    Lax,
    /// Always; browsers want `secure` with it.
    None,
}

impl fmt::Display for SameSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::Lax => "lax",
            Self::None => "none",
        })
    }
}

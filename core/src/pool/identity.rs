//! What tells one backend from all others, over reloads and restarts of the registry.

use std::{fmt, sync::Arc};

use crate::config::BackendUrl;

/// A backend's identity: its pool and its URL. What is known of a backend belongs to this.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The name of its pool.
    pub pool: Arc<str>,
    /// Scheme, host and port, as the file has them.
    pub url: BackendUrl,
}

impl Identity {
    /// The backend of this URL in this pool.
    pub fn new(pool: &Arc<str>, url: &BackendUrl) -> Self {
        Self {
            pool: Arc::clone(pool),
            url: url.clone(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backend {} of pool {}", self.url, self.pool)
    }
}

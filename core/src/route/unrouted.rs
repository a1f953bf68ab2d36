//! Why a request has no route.

use super::ambiguity::Ambiguity;

/// Why there is no route for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unrouted {
    /// None is meant for it.
    #[error("no route matches the request")]
    NoMatch,
    /// A backend may read its path differently than the routes do.
    #[error("the request's path is ambiguous: {0:?}")]
    AmbiguousPath(Ambiguity),
    /// A backend may read its host differently than the routes do.
    #[error("the request's host can be read in two ways")]
    AmbiguousHost,
}

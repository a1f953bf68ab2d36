//! Sticky cookies: which backend a request asks to come back to, and what it is told.

use std::fmt::Write as _;

use lb_core::{
    pool::{Backend, Pool},
    sticky::StickyId,
};

use super::Incoming;

/// The backend of this pool that a request's cookie means, if the pool sticks. Cookies of the same name that mean none of its
/// backends are another balancer's, or of an earlier configuration.
pub(super) fn asked_for(pool: &Pool, incoming: &Incoming<'_>) -> Option<StickyId> {
    let sticky = pool.config().sticky.as_ref()?;
    let mut found = None;
    incoming.headers.any("cookie", &mut |field| {
        found = StickyId::all(field, &sticky.cookie).find(|id| pool.keeps_clients(*id));
        found.is_some()
    });
    found
}

/// The value of `Set-Cookie` for a client that this backend has served and that does not know it yet. Who asked for a
/// backend that still serves its clients, and only had no place for this one, keeps that.
pub fn sticky_cookie(pool: &Pool, backend: &Backend, asked: Option<StickyId>) -> Option<String> {
    let sticky = pool.config().sticky.as_ref()?;
    if asked.is_some_and(|asked| pool.keeps_clients(asked)) {
        return None;
    }
    let id = pool.sticky_id(backend)?;
    let mut text = format!("{}={id}; Path=/", sticky.cookie);
    if let Some(ttl) = sticky.ttl {
        // Writing to a string cannot fail.
        let _ = write!(text, "; Max-Age={}", ttl.as_secs());
    }
    if sticky.secure {
        text.push_str("; Secure");
    }
    if sticky.http_only {
        text.push_str("; HttpOnly");
    }
    text.push_str(match sticky.same_site {
        lb_core::config::SameSite::Strict => "; SameSite=Strict",
        lb_core::config::SameSite::Lax => "; SameSite=Lax",
        lb_core::config::SameSite::None => "; SameSite=None",
    });
    Some(text)
}

//! What a pool keeps: waiting requests and sticky clients.

use std::sync::Arc;

use super::{Checker, duration, health_check::flag, one_of, strategy::is_token_byte, timeout, whole};
use crate::{
    config::{
        model::*,
        problem::Refusal,
        raw::{RawQueue, RawSticky, Written},
    },
    sticky::StickyKey,
};

/// More would wait for longer than any timeout.
const MAX_QUEUE: u32 = 1_000_000;
/// Shorter secrets can be guessed.
const MIN_SECRET: usize = 16;
/// Names go into every request and answer.
const MAX_COOKIE: usize = 64;

/// What names begin with that browsers take from secure cookies only (RFC 6265bis section 4.1.3). `__Host-` also wants
/// `Path=/` and no `Domain`, and ours are always so.
const SECURE_PREFIXES: [&str; 2] = ["__Host-", "__Secure-"];

impl Checker<'_> {
    pub(super) fn queue(&mut self, raw: &RawQueue) -> QueueConfig {
        let default = QueueConfig::default();
        QueueConfig {
            size: self.value(&raw.size, queue_size).unwrap_or(default.size),
            timeout: self.value(&raw.timeout, timeout).unwrap_or(default.timeout),
        }
    }

    pub(super) fn sticky(&mut self, raw: &RawSticky) -> Option<StickyConfig> {
        let switch = raw.cookie.as_ref().and_then(Written::as_bool);
        match (&raw.cookie, switch) {
            (None, _) if !raw.is_mapping => return None,
            (_, Some(false)) => return None,
            _ => {}
        }
        let cookie = match switch {
            Some(_) => None,
            None => self.value(&raw.cookie, cookie_name),
        };
        let secure = self.value(&raw.secure, flag).unwrap_or(false);
        let same_site = self.value(&raw.same_site, same_site).unwrap_or(SameSite::Lax);
        if let (SameSite::None, false, Some(written)) = (same_site, secure, &raw.same_site) {
            let refusal =
                Refusal::new("must be strict or lax without `secure: true`: browsers refuse such a cookie");
            self.refuse(written, refusal.hint("add `secure: true`, or write lax"));
        }
        if let (Some(cookie), false, Some(written)) = (&cookie, secure, &raw.cookie)
            && let Some(prefix) = SECURE_PREFIXES.iter().find(|prefix| begins_with(cookie, prefix))
        {
            let refusal = Refusal::new(format!(
                "must not begin with {prefix} without `secure: true`: browsers refuse such a cookie"
            ));
            let hint = format!("write `{{cookie: {cookie}, secure: true}}`, or another name");
            self.refuse(written, refusal.hint(hint));
        }
        Some(StickyConfig {
            cookie: cookie.unwrap_or_else(|| StickyConfig::DEFAULT_COOKIE.into()),
            secure,
            http_only: self.value(&raw.http_only, flag).unwrap_or(true),
            same_site,
            ttl: self.value(&raw.ttl, ttl).flatten(),
            key: self.value(&raw.key, secret),
        })
    }
}

/// Browsers compare these without case.
fn begins_with(cookie: &str, prefix: &str) -> bool {
    let start = cookie.get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn queue_size(written: &Written) -> Result<u32, Refusal> {
    match (written.text(), written.as_bool()) {
        ("off" | "none", _) | (_, Some(false)) => Ok(0),
        _ => whole(written, 0, MAX_QUEUE),
    }
}

fn same_site(written: &Written) -> Result<SameSite, Refusal> {
    let text = written.text().to_ascii_lowercase();
    one_of(
        &text,
        [
            ("strict", SameSite::Strict),
            ("lax", SameSite::Lax),
            ("none", SameSite::None),
        ],
    )
}

fn ttl(written: &Written) -> Result<Option<std::time::Duration>, Refusal> {
    if written.text() == "none" {
        return Ok(None);
    }
    let ttl = duration(written)?;
    if ttl.as_secs() == 0 {
        return Err(Refusal::new("must be none or at least 1s").hint("write for example 8h"));
    }
    Ok(Some(ttl))
}

fn cookie_name(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    if (1..=MAX_COOKIE).contains(&name.len()) && name.bytes().all(is_token_byte) {
        return Ok(name.into());
    }
    let rule =
        format!("must be the name of a cookie: at most {MAX_COOKIE} letters, digits, `-`, `_` and `.`");
    Err(Refusal::new(rule).hint(format!("write for example `{}`", StickyConfig::DEFAULT_COOKIE)))
}

fn secret(written: &Written) -> Result<StickyKey, Refusal> {
    let secret = written.text();
    // White space is what a variable or a file has around it, and nothing that would have to be guessed.
    if secret.trim().len() < MIN_SECRET {
        let refusal = Refusal::new(format!(
            "must have at least {MIN_SECRET} characters, without white space around them"
        ));
        return Err(refusal.hint("make one with `openssl rand -hex 32` and give it as ${STICKY_KEY}"));
    }
    Ok(StickyKey::from_secret(secret.as_bytes()))
}

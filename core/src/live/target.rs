//! Which backends a person means, by the URL and perhaps the pool that were typed.

use std::{fmt, sync::Arc};

use crate::{
    config::{BackendUrl, closest, shown},
    pool::Identity,
};

/// Of ten thousand backends nobody reads a list.
const MOST_LISTED: usize = 20;

/// What was typed is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTarget {
    typed: String,
    what: &'static str,
    meant: Option<String>,
    known: Vec<String>,
    count: usize,
}

/// The backends with this URL, whose scheme may be left out, of all that there are: one in each pool that has it.
///
/// # Errors
/// [`UnknownTarget`] when there is none; it lists those that there are.
pub fn find(url: &str, pool: Option<&str>, all: &[Identity]) -> Result<Vec<Identity>, UnknownTarget> {
    let mut pools: Vec<Arc<str>> = all.iter().map(|known| Arc::clone(&known.pool)).collect();
    pools.dedup();
    if let Some(pool) = pool {
        find_pool(pool, &pools)?;
    }
    let wanted = |known: &&Identity| pool.is_none_or(|pool| *pool == *known.pool);
    let here: Vec<&Identity> = all.iter().filter(wanted).collect();
    let with_scheme = || format!("http://{url}").parse().ok();
    let parsed: Option<BackendUrl> = url.parse().ok().or_else(with_scheme);
    let in_full = parsed.as_ref().map(ToString::to_string);
    let found = |known: &&&Identity| Some(&known.url) == parsed.as_ref();
    let found: Vec<Identity> = here.iter().filter(found).map(|&known| known.clone()).collect();
    if found.is_empty() {
        let mut urls: Vec<String> = here.iter().map(|known| known.url.to_string()).collect();
        urls.sort_unstable();
        urls.dedup();
        return Err(unknown("backend", url, in_full.as_deref().unwrap_or(url), urls));
    }
    Ok(found)
}

/// The pool of this name, of all that there are.
///
/// # Errors
/// [`UnknownTarget`] when there is none; it lists those that there are.
pub fn find_pool(name: &str, pools: &[Arc<str>]) -> Result<Arc<str>, UnknownTarget> {
    if let Some(pool) = pools.iter().find(|pool| &***pool == name) {
        return Ok(Arc::clone(pool));
    }
    let mut known: Vec<String> = pools.iter().map(ToString::to_string).collect();
    known.sort_unstable();
    known.dedup();
    Err(unknown("pool", name, name, known))
}

/// `full` is what was typed with what it leaves out, as the known ones have it.
fn unknown(what: &'static str, typed: &str, full: &str, mut known: Vec<String>) -> UnknownTarget {
    let nearest = |known: &mut dyn Iterator<Item = &String>| {
        closest(without_scheme(full), known.map(|known| without_scheme(known))).map(str::to_owned)
    };
    // Of several that are as near, nobody knows which was meant.
    let (first, last) = (nearest(&mut known.iter()), nearest(&mut known.iter().rev()));
    let meant = first.filter(|first| last.as_ref() == Some(first));
    let meant = meant.and_then(|meant| known.iter().find(|known| without_scheme(known) == meant));
    let (meant, count) = (meant.cloned(), known.len());
    known.truncate(MOST_LISTED);
    UnknownTarget {
        typed: shown(typed),
        what,
        meant,
        known,
        count,
    }
}

/// What all have in common makes nothing similar.
fn without_scheme(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

impl UnknownTarget {
    /// For a person, line by line: what is wrong, and what there is.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.to_string(), format!("the {}s are:", self.what)];
        lines.extend(self.known.iter().map(|known| format!("  {known}")));
        let more = self.count - self.known.len();
        lines.extend((more > 0).then(|| format!("  and {more} more; `simple-lb status` shows them")));
        lines
    }
}

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            typed, what, meant, ..
        } = self;
        write!(f, "there is no {what} {typed}")?;
        match meant {
            Some(meant) => write!(f, "; did you mean `{meant}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownTarget {}

//! Regular expressions of a configuration: over bytes, in time linear in what they look at (the crate `regex` has no
//! backtracking), and bounded in memory, since each worker keeps a cache for each of them.

use std::{fmt, sync::Arc};

use regex::bytes::{Captures, Regex, RegexBuilder};

/// Characters of a pattern: longer ones are no longer read by anybody.
const MAX_PATTERN: usize = 2048;
/// Bytes that a compiled pattern may take. Counted repetitions of classes reach it, ordinary patterns take a hundredth.
const MAX_COMPILED: usize = 256 * 1024;
/// Bytes of the cache of states that a worker keeps for a pattern; when it is full it begins anew.
const MAX_CACHE: usize = 256 * 1024;

/// A compiled regular expression; two of the same text are equal. `.`, `\d`, `\w` and the like mean ASCII: paths and most
/// header values hold nothing else.
#[derive(Clone)]
pub struct Pattern(Regex, Option<Arc<str>>);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It is too long.
    #[error("must be a regular expression of at most {MAX_PATTERN} characters")]
    TooLong,
    /// It is too large when compiled.
    #[error("must be a smaller regular expression: compiled it takes more than 256 KiB")]
    TooLarge,
    /// It is none.
    #[error("must be a regular expression: {0}")]
    Syntax(String),
}

impl Pattern {
    /// Compiles a pattern. It is searched for anywhere; `^` and `$` bind it to both ends.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the crate.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text.chars().count() > MAX_PATTERN {
            return Err(BadPattern::TooLong);
        }
        let compiled = RegexBuilder::new(text)
            .unicode(false)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_CACHE)
            .nest_limit(50)
            .build();
        compiled
            .map(|regex| Self(regex, None))
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => BadPattern::TooLarge,
                // Its last line says what is wrong, those before it draw an arrow.
                other => {
                    let text = other.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    BadPattern::Syntax(last.trim_start_matches("error: ").to_owned())
                }
            })
    }

    /// The same, which is shown as this text, if there is one.
    pub fn shown_as(self, mark: Option<Arc<str>>) -> Self {
        Self(self.0, mark)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is found in these bytes.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.0.is_match(bytes)
    }

    /// The first place where it is found, with its groups.
    pub(super) fn captures<'b>(&self, bytes: &'b [u8]) -> Option<Captures<'b>> {
        self.0.captures(bytes)
    }

    /// How many groups there are, the whole match among them.
    pub(super) fn groups(&self) -> usize {
        self.0.captures_len()
    }

    /// The number of a named group.
    pub(super) fn group(&self, name: &str) -> Option<usize> {
        self.0.capture_names().position(|other| other == Some(name))
    }

    /// Whether every match begins where the text begins, and whether it ends where that ends; `false` where that is not
    /// certain.
    pub(crate) fn bound(&self) -> (bool, bool) {
        let text = self.as_str();
        let sure = !text.contains('|');
        let begins = text
            .strip_prefix('^')
            .is_some_and(|rest| !rest.starts_with(['*', '?', '{']));
        (
            sure && begins,
            sure && text.ends_with('$') && !text.ends_with("\\$"),
        )
    }

    /// What every match begins with: the letters between `^` and the first character that means something else. Empty
    /// where that is not certain.
    pub fn literal_start(&self) -> &str {
        let text = self.as_str();
        let Some(rest) = text.strip_prefix('^').filter(|rest| !rest.contains(['|', '\\'])) else {
            return "";
        };
        let end = rest
            .find(|c: char| !c.is_ascii() || ".^$*+?()[]{}".contains(c))
            .unwrap_or(rest.len());
        let repeated = rest[end..].starts_with(['*', '?', '{']);
        &rest[..end.saturating_sub(usize::from(repeated))]
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1.as_deref().unwrap_or(self.as_str()))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn says_what_is_wrong_in_one_line() {
        assert_eq!(
            Pattern::new("a("),
            Err(BadPattern::Syntax("unclosed group".into()))
        );
        assert_eq!(Pattern::new("((a{100}){100}){100}"), Err(BadPattern::TooLarge));
        assert_eq!(Pattern::new(&"a".repeat(3000)), Err(BadPattern::TooLong));
        assert!(matches!(Pattern::new(r"\pL"), Err(BadPattern::Syntax(_))));
    }

    #[test]
    fn a_pattern_is_bound_only_where_all_its_matches_are() {
        for (text, bound) in [
            ("^/a$", (true, true)),
            ("^/a", (true, false)),
            ("/a$", (false, true)),
            (r"^/a\$", (true, false)),
            ("^/a$|b", (false, false)),
            ("^*a$?", (false, false)),
        ] {
            assert_eq!(Pattern::new(text).unwrap().bound(), bound, "{text}");
        }
    }

    #[test]
    fn a_literal_start_is_only_what_every_match_begins_with() {
        for (text, start) in [
            ("^/api/v[0-9]+", "/api/v"),
            ("^/api$", "/api"),
            ("^/apis?", "/api"),
            ("^/a{2}", "/"),
            ("^/ab+", "/ab"),
            ("/api", ""),
            ("^/a|/b", ""),
            (r"^/a\.b", ""),
            ("^(/a)", ""),
        ] {
            assert_eq!(Pattern::new(text).unwrap().literal_start(), start, "{text}");
        }
    }
}

//! What is wrong with a file, said so that a person can mend it: where, which rule, which value, what to do.
//!
//! A file's problems are collected and reported together; stopping at the first would make mending a long file a
//! long conversation. What a message repeats of the file is cut, freed of control characters (it may end up in a
//! terminal) and of passwords in URLs (it may end up in a log).

use std::{collections::HashSet, fmt};

use serde::Serialize;

use super::secrets::Secrets;

/// The longest part of a value or key that a message repeats: enough to find it again in the file, and to leave
/// the message on one line.
const SHOWN_CHARS: usize = 80;

/// Shorter words of a secret say nothing, and stand in every message.
const SHORTEST_SECRET: usize = 4;

/// A place in the file, counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character within it.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong. Displays on one line:
/// `config.yaml:5:13: backends[1].weight: must be a whole number from 1 to 256, got "0"; leave the backend out …`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Problem {
    /// The file's name as it was given to [`load`](super::load).
    pub file: String,
    /// Where in it; `None` for what concerns the whole file.
    pub position: Option<Position>,
    /// Which setting, as a path such as `backends[1].weight`; empty for what concerns the whole file.
    pub field: String,
    /// The rule that is broken.
    pub rule: String,
    /// The value as written, if one was.
    pub value: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of a file as a whole.
    pub fn of_file(file: &std::path::Path, rule: impl Into<String>) -> Self {
        Self {
            file: shown_path(file),
            position: None,
            field: String::new(),
            rule: rule.into(),
            value: None,
            hint: None,
        }
    }

    /// The same about this setting.
    pub fn field(self, field: impl Into<String>) -> Self {
        let field = field.into();
        Self { field, ..self }
    }

    /// The same with what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self { hint, ..self }
    }

    /// The rule and the value that breaks it, as a sentence without its place.
    pub fn message(&self) -> String {
        match &self.value {
            Some(value) => format!("{}, got \"{value}\"", self.rule),
            None => self.rule.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.message())?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a file, in its order; at least one problem. Displays one line a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// The problems.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Why a single value is refused, without the place it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that it breaks: `must be …`.
    pub rule: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(rule: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same without the words of a value that is not to be shown, but for those that stand in a text that may be.
    pub(super) fn without(self, value: &str, shown: &str) -> Self {
        let words = value.split(|letter: char| !letter.is_alphanumeric());
        let secret = |word: &&str| word.chars().count() >= SHORTEST_SECRET && !shown.contains(word);
        let without = |text: String| {
            let secret = words.clone().filter(secret);
            secret.fold(text, |text, word| text.replace(word, "***"))
        };
        Self {
            rule: without(self.rule),
            hint: self.hint.map(without),
        }
    }

    /// The same with a hint `did you mean …?`, if there is a better spelling.
    pub(super) fn did_you_mean(self, spelling: Option<impl fmt::Display>) -> Self {
        match spelling {
            Some(spelling) => self.hint(format!("did you mean `{}`?", shown(&spelling.to_string()))),
            None => self,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.rule),
            None => f.write_str(&self.rule),
        }
    }
}

impl std::error::Error for Refusal {}

/// Collects the problems of one file.
#[derive(Debug)]
pub(super) struct Problems {
    file: String,
    pub(super) secrets: Secrets,
    found: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            secrets: Secrets::default(),
            found: Vec::new(),
        }
    }

    /// `field` and `value` may hold anything; what is kept of them is safe to print.
    pub(super) fn add(
        &mut self,
        position: Option<Position>,
        field: &str,
        refusal: Refusal,
        value: Option<&str>,
    ) {
        let (refusal, value) = match value {
            Some(secret) if self.secrets.holds(field) => (refusal.without(secret, ""), Some("***")),
            value => (refusal, value),
        };
        self.found.push(Problem {
            file: self.file.clone(),
            position,
            field: field.to_owned(),
            rule: refusal.rule,
            value: value.map(shown),
            hint: refusal.hint,
        });
    }

    /// The result if there was no problem; else all of them, from the top of the file to its end. (Without a
    /// result there is one.)
    pub(super) fn finish<T>(self, result: Option<T>) -> Result<T, ConfigError> {
        match result {
            Some(result) if self.found.is_empty() => Ok(result),
            _ => Err(ConfigError {
                problems: self.sorted(),
            }),
        }
    }

    /// All of them, from the top of the file to its end.
    pub(super) fn sorted(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| problem.position);
        // What pools take over from the top of the file is judged for each of them.
        let mut seen = HashSet::new();
        self.found.retain(|problem| seen.insert(problem.clone()));
        self.found
    }
}

/// What a message repeats of a text from the file: short, on one line, without passwords.
pub(crate) fn shown(text: &str) -> String {
    safe(&without_userinfo(text), SHOWN_CHARS)
}

/// A file's name, none of whose characters could disturb a terminal or a log.
pub fn shown_path(path: &std::path::Path) -> String {
    shown_text(&path.to_string_lossy())
}

/// A text, none of whose characters could disturb a terminal or a log, nor show another text than it is.
pub fn shown_text(text: &str) -> String {
    safe(text, usize::MAX)
}

/// At most so many characters of a text, none of which could disturb a terminal or a log.
pub(super) fn safe(text: &str, most: usize) -> String {
    let mut safe = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == most {
            safe.push('…');
            break;
        }
        if character.is_control() || turns_direction(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// `http://user:password@host` as `http://***@host`.
fn without_userinfo(text: &str) -> String {
    let start = text.find("://").map_or(0, |scheme_end| scheme_end + 3);
    match text.rfind('@') {
        Some(end) if end > start => format!("{}***{}", &text[..start], &text[end..]),
        _ => text.to_owned(),
    }
}

/// Characters with which a text could show a terminal another message than it holds: those that turn its direction, and those
/// that are not seen.
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

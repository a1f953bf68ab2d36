//! What is no YAML at all: characters that have no place in it, and the parsers' messages in readable words.

use super::{
    document::MAX_DEPTH,
    problem::{Position, Refusal, safe},
};

/// How much is shown of a parser's message, which may repeat a value.
const SHOWN_OF_MESSAGE: usize = 200;

/// Refuses what YAML calls not printable, and the three line breaks that one parser takes for such and the other
/// for letters: with these, a comment could end where no editor shows it.
pub(super) fn refuse_invisible(text: &str) -> Result<(), (Position, Refusal)> {
    let legal = |character: char| {
        matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}'
            | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
    };
    let Some((at, character)) = text.char_indices().find(|&(_, character)| !legal(character)) else {
        return Ok(());
    };
    let before = text[..at].replace("\r\n", "\n").replace('\r', "\n");
    let last_line = before.rsplit('\n').next().unwrap_or_default();
    let position = Position {
        line: before.matches('\n').count() + 1,
        column: last_line.chars().count() + 1,
    };
    let rule = format!(
        "holds the invisible character U+{:04X}, which is not allowed in YAML",
        u32::from(character)
    );
    Err((position, Refusal::new(rule).hint("delete it")))
}

/// Said of a `:` behind what cannot be a key, for example since it began a line before.
const NO_MAPPING_HERE: &str = "mapping values are not allowed";

/// Said behind a text that could only be a key.
const NO_COLON: &str = "could not find expected ':'";

/// What parsers make of a text, a comment and a mapping.
const ANOTHER_DOCUMENT: &str = "more than one document";

/// The line in which a colon is missing. Parsers read it together with the next one and blame that, or, where a comment follows,
/// blame none.
pub(super) fn missing_colon(message: &str, text: &str, number: usize) -> Option<(Position, Refusal)> {
    let (at, line) = if message.contains(NO_MAPPING_HERE) || message.contains(NO_COLON) {
        let here = text.lines().nth(number.saturating_sub(1))?;
        written_before(text, number).filter(|(_, line)| indent(line) == indent(here))?
    } else if message.contains(ANOTHER_DOCUMENT) && !text.lines().any(is_marker) {
        let first = (1..).zip(text.lines()).find(|(_, line)| is_written(line))?;
        Some(first).filter(|(_, line)| indent(line) == 0)?
    } else {
        return None;
    };
    let (key, value) = line.trim().split_once(' ')?;
    let is_key = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !is_key || line.contains(':') {
        return None;
    }
    let position = Position {
        line: at,
        column: indent(line) + 1,
    };
    let refusal = Refusal::new("is not valid YAML: a colon is missing");
    let value = safe(value.trim(), SHOWN_OF_MESSAGE);
    Some((position, refusal.hint(format!("did you mean `{key}: {value}`?"))))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a line holds more than a comment.
fn is_written(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
}

/// Whether a line begins or ends a document.
fn is_marker(line: &str) -> bool {
    line.starts_with("---") || line.starts_with("...")
}

/// The last line before this one that holds more than a comment, with its number.
fn written_before(text: &str, number: usize) -> Option<(usize, &str)> {
    let before = (1..).zip(text.lines()).take(number.saturating_sub(1));
    before.filter(|(_, line)| is_written(line)).last()
}

/// `- http://a`
fn is_bare_item((_, line): (usize, &str)) -> bool {
    let item = line.trim_start().strip_prefix("- ");
    item.is_some_and(|item| item.contains("://") && !item.contains(": "))
}

/// A parser's message in this project's words, as far as there are better ones.
pub(super) fn reworded(message: &str, text: &str, number: usize) -> Refusal {
    let line = text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    // The first place is the problem's own; a second one (`while parsing a list at line 3`) says more.
    let (what, context) = message
        .split_once(", while ")
        .map_or((message, ""), |(what, context)| (what, context));
    let what = what.split_once(" at line ").map_or(what, |(what, _)| what);
    let context = if context.is_empty() {
        String::new()
    } else {
        format!(" while {context}")
    };
    let refusal = Refusal::new(format!(
        "is not valid YAML: {}",
        safe(&format!("{what}{context}"), SHOWN_OF_MESSAGE)
    ));
    if message.contains("recursion limit") {
        return Refusal::new(format!(
            "is nested deeper than {MAX_DEPTH} levels, or contains itself"
        ));
    }
    if indent.contains('\t') {
        return refusal.hint("indent with spaces, not with tabs");
    }
    if line.contains("${") && message.contains("expected ',' or") {
        return refusal.hint("within [ ] and { }, put quotes around \"${NAME}\"");
    }
    if message.contains(NO_MAPPING_HERE) && written_before(text, number).is_some_and(is_bare_item) {
        return refusal
            .hint("a backend with settings begins with `- url: `, and its settings stand below `url`");
    }
    if message.contains(NO_MAPPING_HERE) || message.contains(NO_COLON) {
        return refusal.hint("check the indentation, and put quotes around a value that contains `: `");
    }
    if message.contains("cannot start any token") {
        return refusal.hint("put quotes around a value that begins with @, ` or %");
    }
    if message.contains("did not find expected") || message.contains("could not find expected") {
        return refusal.hint("check the indentation, and that each quote and bracket is closed");
    }
    refusal
}

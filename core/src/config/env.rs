//! `${NAME}` and `${NAME:-default}`: environment variables in the values of a file.
//!
//! They are replaced after parsing, within one scalar each, so that no variable's content can add a key, an item or
//! a comment; what type the result has is up to the setting (`port: ${PORT}` is a number). As in a shell, `:-` also
//! stands in for a variable that is empty. `$${` is a literal `${`. Keys are left alone.

use std::env::VarError;

use super::{
    node::{Node, Value, item_path, key_path},
    problem::{Problems, Refusal},
    secrets::{HIDDEN, Masked, Outside, marked},
};

/// Looks up environment variables.
pub(super) type Lookup<'l> = &'l dyn Fn(&str) -> Result<String, VarError>;

/// Replaces the variables in all values below `node`, whose path is `path`.
pub(super) fn replace(node: &mut Node, path: &str, outside: &Outside<'_>, problems: &mut Problems) {
    match &mut node.value {
        Value::Text(text) if text.contains("${") => match replaced(text, outside) {
            Ok(value) => node.value = value,
            Err(refusals) => {
                for refusal in refusals {
                    problems.add(node.position, path, refusal, Some(&node.written));
                }
                node.value = Value::Broken;
            }
        },
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                replace(item, &item_path(path, index), outside, problems);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                replace(&mut entry.value, &key_path(path, &entry.key), outside, problems);
            }
        }
        _ => {}
    }
}

fn replaced(text: &str, outside: &Outside<'_>) -> Result<Value, Vec<Refusal>> {
    let (mut result, mut refusals, mut any) = (Both::default(), Vec::new(), false);
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        result.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("$${") {
            result.push_str("${");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let Some((expression, after)) = after.split_once('}') else {
                refusals
                    .push(Refusal::new("has a `${` without its `}`").hint("write `$${` for a literal `${`"));
                return Err(refusals);
            };
            match variable(expression, outside.env) {
                Ok(value) => result.replace(&value),
                Err(refusal) => refusals.push(refusal),
            }
            any = true;
            rest = after;
        } else {
            result.push('$');
            rest = &rest[1..];
        }
    }
    result.push_str(rest);
    match (refusals.is_empty(), any) {
        (false, _) => Err(refusals),
        (true, true) => Ok(Value::Replaced(result.masked(outside))),
        (true, false) => Ok(Value::Text(result.text)),
    }
}

/// A text with its variables replaced, and the same for people.
#[derive(Default)]
struct Both {
    text: String,
    shown: String,
}

impl Both {
    fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
        self.shown.push_str(text);
    }

    fn push(&mut self, character: char) {
        self.text.push(character);
        self.shown.push(character);
    }

    /// Adds what a variable stands for. Nobody sees it, its default included: which of the two it is would tell something.
    fn replace(&mut self, value: &str) {
        self.text.push_str(value);
        self.shown.push_str(HIDDEN);
    }

    fn masked(self, outside: &Outside<'_>) -> Masked {
        let mark = marked(&self.shown, &self.text, outside.key.as_ref());
        Masked::new(&self.text, Some(mark))
    }
}

/// The value of `NAME` or `NAME:-default`.
fn variable(expression: &str, env: Lookup<'_>) -> Result<String, Refusal> {
    let (name, default) = match expression.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (expression, None),
    };
    let mut letters = name.chars();
    let first = letters
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    if !first || !letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        return Err(
            Refusal::new("must name an environment variable as `${NAME}` or `${NAME:-default}`")
                .hint("a name has letters, digits and _; write `$${` for a literal `${`"),
        );
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(Refusal::new("must not nest a variable in the default of another"));
    }
    match (env(name), default) {
        (Ok(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Ok(value), _) => Ok(value),
        // What is set and cannot be read is no reason for a default.
        (Err(VarError::NotUnicode(_)), _) => Err(Refusal::new(format!(
            "needs the environment variable {name}, whose value is not UTF-8 text"
        ))
        .hint("set it to a text in UTF-8")),
        (Err(VarError::NotPresent), Some(default)) => Ok(default.to_owned()),
        (Err(VarError::NotPresent), None) => Err(Refusal::new(format!(
            "needs the environment variable {name}, which is not set"
        ))
        .hint(format!("set it, or write a default: `${{{name}:-default}}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Result<String, VarError> {
        match name {
            "PORT" => Ok("8000".into()),
            "EMPTY" => Ok(String::new()),
            "MONEY" => Ok("${PORT}".into()),
            "LATIN" => Err(VarError::NotUnicode("?".into())),
            _ => Err(VarError::NotPresent),
        }
    }

    fn text(of: &str) -> Value {
        match replaced(of, &outside()) {
            Ok(Value::Replaced(text)) => Value::Replaced((&*text).into()),
            Ok(value) => value,
            Err(_) => Value::Broken,
        }
    }

    fn outside() -> Outside<'static> {
        Outside { env: &env, key: None }
    }

    #[test]
    fn shows_what_the_file_itself_says() {
        let text = replaced("/a/${PORT}?b=${NONE:-secret}", &outside());
        let Ok(Value::Replaced(text)) = text else {
            panic!("{text:?}")
        };
        assert_eq!((&*text, text.shown()), ("/a/8000?b=secret", "/a/***?b=***"));
    }

    #[test]
    fn replaces_variables_and_their_defaults() {
        for (written, meant) in [
            ("${PORT}", "8000"),
            (":${PORT}", ":8000"),
            ("${PORT}${PORT}", "80008000"),
            ("${PORT:-1}", "8000"),
            ("${NONE:-1}", "1"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b}", "a:-b"),
            ("${EMPTY:-1}", "1"),
            ("[${EMPTY}]", "[]"),
            ("$5 ${PORT}$", "$5 8000$"),
            ("$$${PORT}", "$${PORT}"),
        ] {
            let expected = if written.starts_with("$$") {
                Value::Text(meant.into())
            } else {
                Value::Replaced(meant.into())
            };
            assert_eq!(text(written), expected, "{written}");
        }
    }

    #[test]
    fn replaces_once_only() {
        assert_eq!(text("${MONEY}"), Value::Replaced("${PORT}".into()));
    }

    #[test]
    fn a_value_that_is_no_text_is_not_called_missing() {
        for written in ["${LATIN}", "${LATIN:-1}"] {
            let refusals = replaced(written, &outside()).expect_err(written);
            let said = refusals[0].to_string();
            assert!(said.contains("LATIN, whose value is not UTF-8 text"), "{said}");
        }
    }

    #[test]
    fn leaves_an_escaped_variable_as_text() {
        assert_eq!(text("$${PORT}"), Value::Text("${PORT}".into()));
    }

    #[test]
    fn refuses_what_is_no_variable() {
        for written in [
            "${",
            "a ${PORT",
            "${}",
            "${ PORT }",
            "${1A}",
            "${PORT-1}",
            "${:-x}",
            "${A:-${PORT}}",
            "${NONE}",
        ] {
            assert_eq!(text(written), Value::Broken, "{written}");
        }
    }
}

//! A single value as it was written: its place, its text, and what YAML or the environment made of it.

use std::sync::Arc;

use super::{
    node::{Node, Value},
    problem::{Position, Problems, Refusal, shown},
    secrets::Masked,
};

/// A single value with its place.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) field: String,
    pub(super) position: Option<Position>,
    /// As the file has it.
    pub(super) written: String,
    pub(super) value: Scalar,
}

/// What YAML, or the environment, made of a single value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Bool(bool),
    Int(i128),
    Float,
    Text(String),
    /// Text with variables replaced, which may stand for any of the others.
    Replaced(Masked),
}

impl Written {
    /// A node that is a single value.
    pub(super) fn of(node: &Node, path: &str) -> Option<Self> {
        let value = match &node.value {
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Int(value) => Scalar::Int(*value),
            Value::Float(_) => Scalar::Float,
            Value::Text(text) => Scalar::Text(text.clone()),
            Value::Replaced(text) => Scalar::Replaced(text.clone()),
            Value::Broken | Value::Null | Value::List(_) | Value::Mapping(_) => return None,
        };
        Some(Self {
            field: path.to_owned(),
            position: node.position,
            written: node.written.clone(),
            value,
        })
    }

    /// Whether it is text, and no number or boolean.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.value, Scalar::Text(_) | Scalar::Replaced(_))
    }

    /// The value as text; what is no text, as it is written.
    pub(super) fn text(&self) -> &str {
        match &self.value {
            Scalar::Text(text) => text,
            Scalar::Replaced(text) => text,
            _ => &self.written,
        }
    }

    /// What is shown instead of its text, if the environment took part in it.
    pub(super) fn mark(&self) -> Option<Arc<str>> {
        match &self.value {
            Scalar::Replaced(text) => text.mark(),
            _ => None,
        }
    }

    /// What a setting makes of its text: a part of it, or all of it.
    pub(super) fn masked(&self, text: &str) -> Masked {
        Masked::new(text, self.mark())
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        match &self.value {
            Scalar::Bool(value) => Some(*value),
            Scalar::Replaced(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A whole number, also from quotes; without zeros before it, which elsewhere would make it octal.
    pub(super) fn as_whole(&self) -> Option<i128> {
        match &self.value {
            Scalar::Int(value) => Some(*value),
            Scalar::Text(_) | Scalar::Replaced(_) => {
                let text = self.text();
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse()
                    .ok()
                    .filter(|_| digits && (text == "0" || !text.starts_with('0')))
            }
            _ => None,
        }
    }
}

impl Problems {
    /// A problem of a single value. If variables took part in it, the message says so, and not what they stand for.
    pub(super) fn add_written(&mut self, written: &Written, refusal: Refusal) {
        let refusal = match &written.value {
            Scalar::Replaced(text) => {
                let length = text.chars().count();
                let replaced = format!(
                    "with its variables it is {}, {length} characters",
                    shown(text.shown())
                );
                let refusal = refusal.without(text, &written.written);
                let hint = refusal
                    .hint
                    .iter()
                    .fold(replaced, |all, hint| format!("{all}; {hint}"));
                Refusal::new(refusal.rule).hint(hint)
            }
            _ => refusal,
        };
        self.add(written.position, &written.field, refusal, Some(&written.written));
    }
}

//! What a setting may be, without its type: what the reference and the schema are made of.

use std::time::Duration;

use super::About;
use crate::config::{
    size::ByteSize,
    units::{MAX_DURATION, format_duration},
};

/// A row of a mapping.
#[derive(Debug, Clone)]
pub(in crate::config) struct Entry {
    pub(in crate::config) about: About,
    pub(in crate::config) shape: Shape,
    /// Its default as a person reads it; `None` where there is none of its own.
    pub(in crate::config) default: Option<String>,
}

/// What may stand there.
#[derive(Debug, Clone)]
pub(in crate::config) enum Shape {
    /// A single value.
    One(Scalar),
    /// A list of single values, or one of them.
    List {
        /// Each of them.
        item: Scalar,
        /// Whether it must hold at least one.
        filled: bool,
    },
    /// A mapping with these keys.
    Mapping(Mapping),
    /// A mapping of names to values.
    Named {
        /// The names.
        name: Scalar,
        /// Each value.
        value: Box<Shape>,
        /// Whether it must hold at least one.
        filled: bool,
    },
    /// A list with at least one item.
    Items(Box<Shape>),
    /// One of these.
    Either(Vec<Shape>),
}

/// A mapping with known keys.
#[derive(Debug, Clone)]
pub(in crate::config) struct Mapping {
    pub(in crate::config) entries: Vec<Entry>,
    /// What may stand in its place, and which of its settings that sets, if it sets one.
    pub(in crate::config) single: Option<(Scalar, Option<&'static str>)>,
    /// Keys of which exactly one must be there; may be empty.
    pub(in crate::config) one_of: Vec<&'static str>,
}

impl Mapping {
    /// Keys with their shape and text, for mappings that are read by code of their own.
    pub(in crate::config) fn of(keys: Vec<(&'static str, Shape, &'static str)>) -> Self {
        let entry = |(key, shape, text)| Entry {
            about: About::new(key, text),
            shape,
            default: None,
        };
        Self::new(keys.into_iter().map(entry).collect())
    }

    /// The same of which exactly one must be there.
    pub(in crate::config) fn of_one(keys: Vec<(&'static str, Shape)>) -> Self {
        let one_of = keys.iter().map(|(key, _)| *key).collect();
        let keys = keys.into_iter().map(|(key, shape)| (key, shape, ""));
        Self {
            one_of,
            ..Self::of(keys.collect())
        }
    }

    /// The same with a key that must be there.
    pub(in crate::config) fn requiring(mut self, key: &str) -> Self {
        let entries = self.entries.iter_mut();
        entries
            .filter(|entry| entry.about.key == key)
            .for_each(|entry| entry.about.required = true);
        self
    }

    pub(in crate::config) fn new(entries: Vec<Entry>) -> Self {
        Self {
            entries,
            single: None,
            one_of: Vec::new(),
        }
    }
}

/// A single value: one of these kinds.
#[derive(Debug, Clone)]
pub(in crate::config) struct Scalar(pub(in crate::config) Vec<Kind>);

/// A kind of single values.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) enum Kind {
    /// A whole number, both ends included.
    Whole(u32, u32),
    /// A duration of at least this, and more than zero unless this is zero.
    Duration(Duration),
    /// A size, both ends included.
    Size(ByteSize, ByteSize),
    /// A percentage up to this.
    Share(u8),
    /// A number.
    Number {
        /// In words.
        range: &'static str,
        /// The smallest.
        least: f64,
        /// The largest.
        most: f64,
        /// Whether it may be written as a percentage.
        percent: bool,
    },
    /// One of these words.
    Words(Vec<&'static str>),
    /// One of these numbers.
    Numbers(&'static [u32]),
    /// `on` or `off`, `true` or `false`.
    Switch,
    /// Status codes and ranges of them, within this range.
    Statuses(u16, u16),
    /// Text: what it is, and an ECMA 262 regular expression for it, which may be empty.
    Text(&'static str, &'static str),
    /// Text that may also look like a number or a boolean: what it is, and an expression for it, which may be empty.
    AnyText(&'static str, &'static str),
}

impl Scalar {
    /// In words: `a duration of more than 0s, up to 365d, or none`.
    pub(in crate::config) fn words(&self) -> String {
        let words: Vec<_> = self.0.iter().map(Kind::words).collect();
        words.join(", or ")
    }
}

impl Kind {
    fn words(&self) -> String {
        match self {
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Duration(Duration::ZERO) => {
                format!("a duration up to {}", format_duration(MAX_DURATION))
            }
            Self::Duration(least) if *least <= Duration::from_millis(1) => {
                format!(
                    "a duration of more than 0s, up to {}",
                    format_duration(MAX_DURATION)
                )
            }
            Self::Duration(least) => format!(
                "a duration from {} to {}",
                format_duration(*least),
                format_duration(MAX_DURATION)
            ),
            Self::Size(least, most) => format!("a size from {least} to {most}"),
            Self::Share(most) => format!("a percentage from 0% to {most}%"),
            Self::Number { range, .. } => (*range).to_owned(),
            Self::Words(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                quoted.join(", ")
            }
            Self::Numbers(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
                numbers.join(", ")
            }
            Self::Switch => "`on` or `off` (also `true` or `false`)".to_owned(),
            Self::Statuses(first, last) => {
                format!(
                    "status codes from {first} to {last}: a code or a range such as `{last}` or `\"{first}-{last}\"`"
                )
            }
            Self::Text(what, _) | Self::AnyText(what, _) => (*what).to_owned(),
        }
    }
}

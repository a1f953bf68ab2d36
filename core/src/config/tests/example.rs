//! The documented example at the repository's root.

use super::*;
use crate::config::settings::{Entry, Shape, tree};

const EXAMPLE: &str = include_str!("../../../../config.yaml");

/// `#key:` and `#  key:` are settings, everything else after a `#` is text.
fn is_setting(line: &str) -> bool {
    let Some(rest) = line.strip_prefix('#') else {
        return false;
    };
    let key = rest
        .strip_prefix("  ")
        .unwrap_or(rest)
        .split(':')
        .next()
        .unwrap_or_default();
    rest.contains(':') && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn the_example_is_the_three_key_file() {
    let three_keys = "port: 8000\nstrategy: \"round-robin\"\nbackends:\n  - \"http://localhost:9001\"\n  \
                      - \"http://localhost:9002\"\n  - \"http://localhost:9003\"\n";
    assert_eq!(config(EXAMPLE), config(three_keys));
}

#[test]
fn its_commented_settings_are_the_defaults() {
    let uncommented: Vec<_> = EXAMPLE
        .lines()
        .map(|line| if is_setting(line) { &line[1..] } else { line })
        .collect();
    assert_eq!(config(&uncommented.join("\n")), config(EXAMPLE));
}

/// Each row, those of mappings and lists, too, is shown: as a setting, or at least as `key:`.
#[test]
fn it_shows_every_key() {
    let mut missing = Vec::new();
    tree().iter().for_each(|entry| find(entry, "", &mut missing));
    assert_eq!(missing, Vec::<String>::new());
}

fn find(entry: &Entry, parent: &str, missing: &mut Vec<String>) {
    let key = entry.about.key;
    if !EXAMPLE.contains(&format!("{key}:")) {
        missing.push(format!("{parent}{key}"));
    }
    let mapping = match &entry.shape {
        Shape::Mapping(mapping) => mapping,
        Shape::Items(item) => match &**item {
            Shape::Mapping(mapping) => mapping,
            _ => return,
        },
        _ => return,
    };
    let path = format!("{parent}{key}.");
    let entries = mapping.entries.iter();
    entries.for_each(|entry| find(entry, &path, missing));
}

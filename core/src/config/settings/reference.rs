//! The reference: an entry a setting, made from the rows. `docs/configuration.md` is one form of it, a manual page another.

use std::fmt::Write;

use super::{About, Entry, Mapping, Place, Shape, tree};

/// The width of a line of prose.
const WIDTH: usize = 100;

/// Where the page comes from.
const TITLE: &str = "\
# Configuration

<!-- Made by `simple-lb schema --reference`; edit the rows in core/src/config/settings/. -->
";

const INTRODUCTION: &str = "\
Every setting of the configuration file, in the file's order. Three are enough: `port`, `strategy` and `backends`.

Durations have a unit: `250ms`, `5s`, `10m`, `1h`, `1d`, also `1h30m`. Sizes have one, too: `512B`, `64KiB`, `10MiB`, `1GiB` (of \
1024 each), `10KB`, `10MB`, `1GB` (of 1000 each). Switches are `on` or `off`; `true` and `false` mean the same. In each value, \
`${NAME}` and `${NAME:-default}` are replaced by environment variables, and `$${` is a literal `${`. A key without a value is as \
good as not written. Unknown keys are errors, but for those at the top that begin with `x-`: a place for shared anchors.

What stands at the top of the file is the default of all pools, setting by setting, and what a pool says is the default of its \
routes. Where a setting is a mapping, a single value in its place sets the setting that its entry names.

A reload applies a changed file without dropping a request. A setting that does not change live needs a restart; a reload that \
changes one is refused, and names it. [config.schema.json](config.schema.json) is the same for editors.
";

/// The reference before it has the form of a page. Texts are Markdown of one line: code, and links within `docs/`.
#[derive(Debug)]
pub struct Reference {
    /// What holds for all settings, by paragraph.
    pub introduction: Vec<&'static str>,
    /// The settings, in the file's order, each before those below it.
    pub settings: Vec<ReferenceEntry>,
}

/// What the reference says of one setting.
#[derive(Debug)]
pub struct ReferenceEntry {
    /// Its place in the file: `timeouts.connect`, `backends[].weight`.
    pub path: String,
    /// What it does.
    pub text: &'static str,
    /// Type, default and the like, by name.
    pub facts: Vec<(&'static str, String)>,
    /// How it may be written; may be empty.
    pub example: &'static str,
}

impl Reference {
    /// Of all settings.
    pub fn of_all_settings() -> Self {
        let mut settings = Vec::new();
        for entry in &tree() {
            collect(&mut settings, entry, "");
        }
        Self {
            introduction: INTRODUCTION.trim_end().split("\n\n").collect(),
            settings,
        }
    }
}

/// The text of `docs/configuration.md`.
pub fn reference() -> String {
    let Reference {
        introduction,
        settings,
    } = Reference::of_all_settings();
    let mut text = TITLE.to_owned();
    for paragraph in introduction {
        text.push('\n');
        wrap(&mut text, paragraph, "");
    }
    let is_top = |entry: &&ReferenceEntry| !entry.path.contains('.');
    let names: Vec<_> = settings
        .iter()
        .filter(is_top)
        .map(|entry| format!("[`{0}`](#{0})", entry.path))
        .collect();
    text.push('\n');
    wrap(&mut text, &format!("{}.", names.join(", ")), "");
    for entry in &settings {
        let level = if is_top(&entry) { "##" } else { "###" };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n{level} {}\n\n", entry.path);
        wrap(&mut text, entry.text, "");
        text.push('\n');
        for (name, value) in &entry.facts {
            wrap(&mut text, &format!("- **{name}**: {value}"), "  ");
        }
        if !entry.example.is_empty() {
            let _ = write!(text, "\n```yaml\n{}\n```\n", entry.example);
        }
    }
    text
}

/// Appends an entry and those below it.
fn collect(all: &mut Vec<ReferenceEntry>, entry: &Entry, parent: &str) {
    let About { key, .. } = entry.about;
    let path = format!("{parent}{key}");
    all.push(ReferenceEntry {
        facts: facts(entry, &path),
        path: path.clone(),
        text: entry.about.text,
        example: entry.about.example,
    });
    let (prefix, mapping) = match &entry.shape {
        Shape::Mapping(mapping) => (format!("{path}."), mapping),
        Shape::Items(item) => match &**item {
            Shape::Mapping(mapping) => (format!("{path}[]."), mapping),
            _ => return,
        },
        _ => return,
    };
    // Routes and backends say the same of theirs as pools do, and some mappings speak for themselves.
    let has_own = |entry: &&Entry| !entry.about.text.is_empty();
    let is_elsewhere = parent.ends_with("[].") && mapping.one_of.len() == mapping.entries.len()
        || parent.ends_with("[].") && tree_has(key);
    if !is_elsewhere {
        let entries = mapping.entries.iter().filter(has_own);
        entries.for_each(|entry| collect(all, entry, &prefix));
    }
}

/// Whether a setting of this name is described at the top.
fn tree_has(key: &str) -> bool {
    tree().iter().any(|entry| entry.about.key == key)
}

fn facts(entry: &Entry, path: &str) -> Vec<(&'static str, String)> {
    let about = &entry.about;
    let mut facts = vec![("Type", shape_words(&entry.shape))];
    let default = match &entry.default {
        Some(value) if about.default.is_empty() => format!("`{value}`"),
        _ => about.default.to_owned(),
    };
    if about.required {
        facts.push(("Required", "yes".to_owned()));
    } else if !default.is_empty() {
        facts.push(("Default", default));
    }
    facts.push(("Stands", places(about, path)));
    let live = if about.restart {
        "no, it needs a restart"
    } else {
        "yes"
    };
    facts.push(("Changes live", live.to_owned()));
    if !about.danger.is_empty() {
        facts.push(("Danger", about.danger.to_owned()));
    }
    facts.push(("Since", about.since.to_owned()));
    if !about.see.is_empty() {
        let see: Vec<_> = about.see.iter().map(|name| link(name)).collect();
        facts.push(("See also", see.join(", ")));
    }
    facts
}

/// A setting or a document, as a link within docs/.
fn link(name: &str) -> String {
    match name.strip_prefix("docs/") {
        Some(document) => format!("[{document}]({document})"),
        None => format!("[`{name}`](#{})", name.replace(['.', '[', ']'], "")),
    }
}

fn places(about: &About, path: &str) -> String {
    if path.starts_with("routes[]") {
        return "in routes".to_owned();
    }
    if path.starts_with("backends[]") {
        return "in backends".to_owned();
    }
    let name = |place: &Place| match place {
        Place::Top => "at the top",
        Place::Pool => "in pools",
        Place::Route => "in routes",
    };
    about.places.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn shape_words(shape: &Shape) -> String {
    match shape {
        Shape::One(scalar) => scalar.words(),
        Shape::List { item, .. } => format!("{}, or a list of these", item.words()),
        Shape::Mapping(mapping) => mapping_words(mapping),
        Shape::Named { name, value, .. } => {
            format!("a mapping of {} to {}", name.words(), shape_words(value))
        }
        Shape::Items(item) => format!("a list; each item is {}", shape_words(item)),
        Shape::Either(shapes) => {
            let words: Vec<_> = shapes.iter().map(shape_words).collect();
            words.join(", or ")
        }
    }
}

fn mapping_words(mapping: &Mapping) -> String {
    let keys: Vec<_> = mapping
        .entries
        .iter()
        .map(|entry| format!("`{}`", entry.about.key))
        .collect();
    let one = if mapping.one_of.len() == keys.len() {
        "one of "
    } else {
        ""
    };
    let words = format!("a mapping with {one}{}", keys.join(", "));
    match &mapping.single {
        None => words,
        Some((scalar, None)) => format!("{}, or {words}", scalar.words()),
        Some((scalar, Some(short))) => {
            format!(
                "{words}; a single value, which is {}, sets `{short}`",
                scalar.words()
            )
        }
    }
}

/// Breaks a paragraph into lines, those behind the first one indented.
fn wrap(text: &mut String, paragraph: &str, indent: &str) {
    let mut column = 0;
    for word in paragraph.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(indent);
            column = indent.len();
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

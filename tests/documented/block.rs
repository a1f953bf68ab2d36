//! Blocks of output in the documents, which a test makes anew: compared, or rewritten where `REFRESH_DOCS=1` is set.
//!
//! A block is a fenced one behind a line `<!-- output: NAME -->`. Several documents may show the same one.

// Unit tests of the library include this file, too.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Set to `1`, the blocks are rewritten instead of compared: `docs/refresh`.
const REFRESH: &str = "REFRESH_DOCS";

/// One at a time reads and writes documents.
static WRITING: Mutex<()> = Mutex::new(());

/// How much of a block has to be the same in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// Every byte.
    Bytes,
    /// Everything but figures, ids, times and the width of columns.
    Words,
}

/// The folder of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The documents: those at the root and those of `docs/`.
pub fn documents() -> Vec<PathBuf> {
    let of = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = of(root()).chain(of(root().join("docs"))).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    all.sort();
    all
}

/// The name in a line `<!-- output: NAME -->`.
pub fn named(line: &str) -> Option<&str> {
    line.strip_prefix("<!-- output: ")?.strip_suffix(" -->")
}

/// Holds every block of this name to what has just been made.
#[track_caller]
pub fn show(name: &str, made: &str, same: Same) {
    let refresh = env::var(REFRESH).as_deref() == Ok("1");
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let Some((before, shown, behind)) = split(&text, name) else {
            continue;
        };
        found += 1;
        if refresh {
            fs::write(&path, format!("{before}{}\n{behind}", made.trim_end())).unwrap();
            continue;
        }
        let (left, right) = match same {
            Same::Bytes => (shown.trim_end().to_owned(), made.trim_end().to_owned()),
            Same::Words => (words(shown), words(made)),
        };
        let document = Path::file_name(&path).unwrap().display();
        assert!(
            left == right,
            "{document}: `{name}` is out of date; `docs/refresh` rewrites it\n--- documented\n{shown}--- now\n{made}\
             \n--- compared\n{left}\n---\n{right}"
        );
    }
    assert!(found > 0, "no document shows `{name}`");
}

/// A document before, in and behind a block's content.
fn split<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str, &'t str)> {
    let marker = format!("<!-- output: {name} -->\n```");
    let start = text.find(&marker)? + marker.len();
    let start = start + text[start..].find('\n')? + 1;
    let end = start + text[start..].find("```\n")?;
    Some((&text[..start], &text[start..end], &text[end..]))
}

/// Without figures, ids and the width of columns.
fn words(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| {
        // A weekday and a month are figures, too.
        let line = if line.starts_with("Date: ") {
            "Date: #"
        } else {
            line
        };
        let words: Vec<_> = line.split_whitespace().map(word).collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One word; each part that begins with a digit is `#`, so that `9m49s` and `6s` are the same, and so is each id.
fn word(word: &str) -> String {
    let parts = word.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let without_ids = parts.map(|part| {
        let id = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id {
            part.replace(id, "0")
        } else {
            part.to_owned()
        }
    });
    let mut shape = String::new();
    let mut in_figure = false;
    for character in without_ids.collect::<String>().chars() {
        let goes_on =
            in_figure && (character.is_ascii_alphanumeric() || matches!(character, '.' | '%' | ','));
        let begins = character.is_ascii_digit() && !shape.ends_with(|c: char| c.is_ascii_alphabetic());
        in_figure = goes_on || begins;
        match (in_figure, shape.ends_with('#')) {
            (true, true) => {}
            (true, false) => shape.push('#'),
            (false, _) => shape.push(character),
        }
    }
    shape
}

#[test]
fn figures_and_columns_do_not_count_but_words_do() {
    let same = |a: &str, b: &str| assert_eq!(words(a), words(b));
    same("up   6s  50.0%", "up 9m49s   7.1%");
    same("took 0ms, 6s ago", "took 12ms, 1m05s ago");
    same(
        "id: 8799c50f4dd6de50be4b79757efa8751",
        "id: f2ade1b2224457c5329a8c842540475c",
    );
    same(
        "{\"id\":\"f8bc6a3e163ffa9593d332206237b094\",\"status\":502}",
        "{\"id\":\"17fe87fd08b4ec67afa30d4dea3b8163\",\"status\":502}",
    );
    assert_ne!(words("down 2s"), words("up 2s"));
    assert_ne!(words("weight 3"), words("weight"));
    assert_eq!(words("b2 http://localhost:9001"), "b2 http://localhost:#");
}

//! Links, lengths, and the two languages of the README.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::block::{documents, named, root};

/// What the README may have, in words.
const README_WORDS: usize = 1500;

/// Columns of a line of prose.
const WIDTH: usize = 100;

/// Pages whose older text is longer than [`WIDTH`].
const WIDE: [&str; 1] = ["CHANGELOG.md"];

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What links of a document lead to, outside of the web.
fn links(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in prose(text) {
        let ends = line
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        all.extend(ends.filter(|to| !to.contains("://")).map(str::to_owned));
    }
    all
}

/// The headings of a document as GitHub makes anchors of them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let to: PathBuf = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let good = to.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&to).unwrap()).contains(anchor));
            if !good {
                broken.push(format!("{}: {link}", name(&path)));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn the_index_has_every_page() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    let linked: BTreeSet<_> = links(&index).into_iter().collect();
    for path in documents() {
        let in_docs = path.parent() == Some(root().join("docs").as_path()) && name(&path) != "README.md";
        assert!(
            !in_docs || linked.contains(name(&path)),
            "docs/README.md: no link to {}",
            name(&path)
        );
    }
}

#[test]
fn lines_of_prose_are_short() {
    let mut long = Vec::new();
    for path in documents().into_iter().filter(|path| !WIDE.contains(&name(path))) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = prose(&text).filter(|line| !line.starts_with(['|', '!']));
        let lines = lines.filter(|line| line.chars().map(columns).sum::<usize>() > WIDTH);
        long.extend(lines.map(|line| format!("{}: {line}", name(&path))));
    }
    assert_eq!(long, Vec::<String>::new());
}

/// Korean letters take two.
fn columns(character: char) -> usize {
    if matches!(character, '\u{1100}'..='\u{11ff}' | '\u{3000}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}' | '\u{ff00}'..='\u{ff60}')
    {
        2
    } else {
        1
    }
}

#[test]
fn the_readme_is_short_and_both_languages_are_in_step() {
    let [english, korean] =
        ["README.md", "README.ko.md"].map(|name| fs::read_to_string(root().join(name)).unwrap());
    let words = english.split_whitespace().count();
    assert!(words <= README_WORDS, "{words} words");
    for text in [&english, &korean] {
        let comments = text.lines().filter(|line| line.contains("<!--"));
        assert!(
            comments.clone().all(|line| named(line).is_some()),
            "{:?}",
            comments.collect::<Vec<_>>()
        );
    }
    let shape = |text: &str| {
        let level = |line: &str| {
            line.starts_with('#')
                .then(|| line.split(' ').next().unwrap().len())
        };
        prose(text).filter_map(level).collect::<Vec<_>>()
    };
    assert_eq!(shape(&english), shape(&korean), "headings");
    let code = |text: &str| -> Vec<String> {
        let blocks = text.split("```").skip(1).step_by(2);
        // Comments in a block are translated.
        let without = blocks.map(|block| {
            block
                .lines()
                .map(|line| line.split('#').next().unwrap().trim_end())
                .collect::<Vec<_>>()
                .join("\n")
        });
        without.collect()
    };
    assert_eq!(code(&english), code(&korean), "blocks of code");
    let to = |text: &str| -> BTreeSet<String> {
        let pages = links(text).into_iter().filter(|link| !link.starts_with('#'));
        pages.filter(|link| !link.starts_with("README")).collect()
    };
    assert_eq!(to(&english), to(&korean), "links");
}

/// Lines of commands that are shown without being typed by a test, with the reason.
const NOT_TYPED: [(&str, &str); 28] = [
    ("cargo ", "builds, which every test run does"),
    (
        "git checkout config.yaml",
        "takes back what the reader has changed",
    ),
    ("git clone ", "has brought the reader here"),
    ("export PATH=", "of the reader's shell"),
    ("simple-lb demo", "tests/demo.rs"),
    ("simple-lb simulate", "src/cli/args.rs parses each"),
    ("simple-lb check", "tests/command_line.rs"),
    ("simple-lb --config", "the tour"),
    ("simple-lb --reload", "the tour"),
    ("simple-lb --stop", "the tour"),
    ("simple-lb status", "the tour"),
    ("simple-lb drain", "tests/live"),
    ("simple-lb undrain", "tests/live"),
    ("simple-lb maintenance", "tests/live"),
    ("simple-lb weight", "tests/live"),
    ("simple-lb completions", "tests/manual.rs"),
    ("simple-lb man", "tests/manual.rs"),
    ("curl ", "the tour"),
    (".ci/run", "the gate itself"),
    ("docs/refresh", "this test"),
    ("bench/", "takes minutes and other programs"),
    ("fuzz/run", "takes minutes and other programs"),
    ("PARTS=package release/build", "tests/long package"),
    ("release/build", "tests/long package"),
    ("sudo ", "tests/long package, in a chroot"),
    ("podman ", "tests/long container"),
    ("journalctl ", "systemd's"),
    ("tar ", "tests/long package"),
];

#[test]
fn every_command_that_is_shown_is_typed_or_known() {
    let mut unknown = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let mut made = false;
        let mut before = "";
        for line in text.lines() {
            if line.starts_with("```") {
                made = named(before).is_some();
            }
            before = line;
            let Some(command) = line.strip_prefix("$ ").filter(|_| !made) else {
                continue;
            };
            if !NOT_TYPED.iter().any(|(known, _)| command.starts_with(known)) {
                unknown.push(format!("{}: {command}", name(&path)));
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
}

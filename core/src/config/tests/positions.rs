//! Both parsers see the same: what one calls a value stands where the other says it does.

use proptest::prelude::*;

use crate::config::{
    document::{self, MAX_DEPTH},
    marks::{self, Kind, Mark},
    node::{Node, Value},
    problem::{Position, Problems},
};

/// Walks both trees and checks each scalar against the text. Returns how many it saw.
fn check(text: &str) -> usize {
    let mut problems = Problems::new("x");
    let root = document::parse(text, &mut problems);
    problems
        .finish(Some(()))
        .unwrap_or_else(|error| panic!("{text}\n{error}"));
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    let marks = marks::read(plain, MAX_DEPTH);
    assert_eq!(marks.failed, None, "{text}");
    assert!(marks.refused.is_none(), "{text}");
    match (root, marks.root) {
        (Some(root), Some(mark)) => compare(plain, &root, &mark),
        (root, _) => panic!("{text}: {root:?}"),
    }
}

fn compare(text: &str, node: &Node, mark: &Mark) -> usize {
    assert_eq!(node.position, Some(mark.position), "{text}");
    match (&node.value, &mark.kind) {
        (Value::List(items), Kind::List(marks)) => {
            assert_eq!(items.len(), marks.len(), "{text}");
            items
                .iter()
                .zip(marks)
                .map(|(item, mark)| compare(text, item, mark))
                .sum()
        }
        (Value::Mapping(entries), Kind::Mapping(marks)) => {
            let merges = marks
                .iter()
                .any(|(key, _)| matches!(&key.kind, Kind::Scalar(key) if key == "<<"));
            if merges {
                return 0;
            }
            assert_eq!(entries.len(), marks.len(), "{text}");
            let pairs = entries.iter().zip(marks);
            pairs
                .map(|(entry, (key, value))| {
                    assert_eq!(entry.position, Some(key.position), "{text}");
                    if let Kind::Scalar(written) = &key.kind {
                        assert_eq!(&entry.key, written, "{text}");
                        assert_begins(text, written, key.position);
                    }
                    compare(text, &entry.value, value)
                })
                .sum()
        }
        (_, Kind::Alias) => {
            assert!(rest(text, mark.position).starts_with('*'), "{text}");
            1
        }
        (value, Kind::Scalar(written)) => {
            if let Value::Text(decided) = value {
                assert_eq!(decided, written, "{text}");
            }
            if *value == Value::Null {
                assert!(
                    matches!(written.to_lowercase().as_str(), "" | "~" | "null"),
                    "{text}: {written}"
                );
            } else {
                assert_eq!(&node.written, written, "{text}");
                assert_begins(text, written, mark.position);
            }
            1
        }
        (value, kind) => panic!("{text}\n{value:?} {kind:?}"),
    }
}

fn rest(text: &str, position: Position) -> String {
    let text = text.replace("\r\n", "\n");
    let line = text.split('\n').nth(position.line - 1).unwrap_or_default();
    line.chars().skip(position.column - 1).collect()
}

/// At the position stands the scalar's first word, a quote, or (escaped, folded) at least something.
fn assert_begins(text: &str, written: &str, position: Position) {
    let rest = rest(text, position);
    let word = written.split_whitespace().next().unwrap_or_default();
    let begins = rest.starts_with(['"', '\'', '|', '>']) || rest.starts_with(word);
    assert!(begins, "{text}\n{position:?} {written:?} {rest:?}");
}

#[test]
fn both_parsers_agree_on_tricky_files() {
    for (text, scalars) in [
        ("a: 1\nb:\n  - x\n  - {c: 'd', \"e\": f}\n", 4),
        ("a: &x 1\nb: *x\n", 2),
        (
            "a: &x !!str 1\nb: !!int &y 2\nc: &z\n  d: *x\n&k e: &l [1, *y]\n",
            5,
        ),
        ("a: &x\n  - 1\nb: *x\n", 2),
        ("a: |\n  한글\n  world\nb: >-\n  fold\n  ed\nc: |+\n  x\n\n", 3),
        ("a: !!str |\n  x\nb: 1\n", 2),
        ("a:\n  multi\n  line\nb: \"dq\n  cont\"\nc: 'sq\n\n  cont'\n", 3),
        ("a: 1\r\nb:\r\n  - 2 # c\r\n  - \"3\"\r\n", 3),
        ("\u{feff}a: 1\n", 1),
        ("\u{feff}# 주석\na: 1\n", 1),
        ("# 로드\n포트: 8000 # 밸런서\n'마': 바 # 사\n", 2),
        ("---\na: 1\n...\n", 1),
        ("%YAML 1.2\n---\na: 1\n", 1),
        ("a:\nb: ~\nc: null\nd: Null\ne: \"\"\n", 5),
        ("? a\n: b\n? c\n: - d\n  - e\n", 3),
        ("[a: 1, b, {c}, \"d\": e]\n", 4),
        ("a:\n- x\n-\n- - y\n  - z\n", 4),
        (
            "a: 'it''s'\nb: \"\\u00e9\\n\\t\\x41\"\nc: x#y\nd: \"#z\"\ne: a:b\n",
            5,
        ),
        (
            "a: 0x1F\nb: 1_000\nc: 1e3\nd: .inf\ne: 0o17\nf: 08\ng: +1\nh: 99999999999999999999999\n",
            8,
        ),
        ("a: true\nb: True\nc: yes\nd: off\ne: \"true\"\n", 5),
        ("{a: 1,\n b: [2,\n  3], c: }\n", 4),
        ("a:   \t1  \t# x\nb: c\t\n", 2),
        ("a: http://localhost:9001 # x\nb: ${A:-b} c\n", 2),
        ("just text\n", 1),
        ("- - - x\n    - y\n", 2),
        ("\"a b\": 1\n\"c\\td\" : 2\n", 2),
        ("a: \"x \\\n  y\"\nb: 'p\n  q'\n", 2),
    ] {
        assert_eq!(check(text), scalars, "{text}");
    }
}

#[test]
fn values_of_merge_keys_and_aliases_stand_where_they_are_used() {
    let text = "a: &a {b: {c: 1}}\nd:\n  <<: *a\n  e: 2\n";
    let mut problems = Problems::new("x");
    let root = document::parse(text, &mut problems).map(|root| root.value);
    let Some(Value::Mapping(entries)) = root else {
        panic!("{root:?}")
    };
    let Value::Mapping(merged) = &entries[1].value.value else {
        panic!("{entries:?}")
    };
    let places: Vec<_> = merged
        .iter()
        .map(|entry| (entry.key.as_str(), entry.value.position))
        .collect();
    let place = |line, column| Some(Position { line, column });
    assert_eq!(places, [("e", place(4, 6)), ("b", place(3, 7))]);
}

/// A document to be written in some style.
#[derive(Debug, Clone)]
enum Doc {
    Scalar(String, u8),
    List(Vec<Doc>, bool),
    Mapping(Vec<(String, Doc)>, bool),
}

fn docs() -> impl Strategy<Value = Doc> {
    let scalar = (
        "[a-c0-9.:/#{}'\"$%,가-나 -]{0,12}|[0-9]{1,6}|true|null|~",
        any::<u8>(),
    );
    scalar
        .prop_map(|(text, style)| Doc::Scalar(text, style))
        .prop_recursive(4, 40, 5, |inner| {
            let list = (prop::collection::vec(inner.clone(), 0..5), any::<bool>());
            let mapping = (
                prop::collection::btree_map("[a-d가]{1,4}( [a-d])?", inner, 0..5),
                any::<bool>(),
            );
            prop_oneof![
                list.prop_map(|(items, flow)| Doc::List(items, flow)),
                mapping.prop_map(|(entries, flow)| Doc::Mapping(entries.into_iter().collect(), flow)),
            ]
        })
}

impl Doc {
    /// As the value of a key or item whose own indent is `indent`: begins with a space or a line break.
    fn block(&self, indent: usize, out: &mut String) {
        let inner = " ".repeat(indent + 2);
        match self {
            Self::Scalar(text, style) if style % 5 == 4 && literal(text) => {
                out.push_str(&format!(" |- # 주석\n{inner}{text}\n"));
            }
            Self::List(items, false) if !items.is_empty() => {
                out.push('\n');
                for item in items {
                    out.push_str(&format!("{inner}-"));
                    item.block(indent + 2, out);
                }
            }
            Self::Mapping(entries, false) if !entries.is_empty() => {
                out.push_str(" # 주석\n");
                for (key, value) in entries {
                    out.push_str(&format!("{inner}{key}:"));
                    value.block(indent + 2, out);
                }
            }
            other => {
                out.push(' ');
                other.flow(indent, out);
                out.push_str(if out.len().is_multiple_of(3) {
                    " # 주석: [x]\n"
                } else {
                    "\n"
                });
            }
        }
    }

    fn flow(&self, indent: usize, out: &mut String) {
        match self {
            Self::Scalar(text, style) => match style % 5 {
                0 if plain(text) => out.push_str(text),
                1 => out.push_str(&format!("'{}'", text.replace('\'', "''"))),
                2 if foldable(text) => {
                    let line_break = format!("\n{}", " ".repeat(indent + 3));
                    out.push_str(&format!(
                        "\"{}\"",
                        text.replace('"', "\\\"").replace(' ', &line_break)
                    ));
                }
                _ => out.push_str(&format!("\"{}\"", text.replace('"', "\\\""))),
            },
            Self::List(items, _) => {
                out.push('[');
                for item in items {
                    item.flow(indent, out);
                    out.push_str(", ");
                }
                out.push(']');
            }
            Self::Mapping(entries, _) => {
                out.push('{');
                for (key, value) in entries {
                    out.push_str(&format!("\"{key}\": "));
                    value.flow(indent, out);
                    out.push_str(", ");
                }
                out.push('}');
            }
        }
    }
}

fn plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '/'))
}

fn literal(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ')
}

/// Single spaces between words may be line breaks.
fn foldable(text: &str) -> bool {
    literal(text) && !text.contains("  ") && !text.contains('#')
}

proptest! {
    #[test]
    fn both_parsers_agree_on_generated_files(doc in docs(), crlf in any::<bool>(), bom in any::<bool>()) {
        let mut text = "root:".to_owned();
        doc.block(0, &mut text);
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if bom {
            text.insert(0, '\u{feff}');
        }
        check(&text);
    }
}

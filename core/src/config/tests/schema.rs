//! The schema beside the files of these tests: what is accepted validates, warnings or not, and each problem of a refused
//! file is seen by the schema at the same place or listed in `beyond`, and nothing else is refused.

mod beyond;

use std::{collections::HashSet, panic::Location, sync::LazyLock};

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value as Json;

use self::beyond::BEYOND_THE_SCHEMA;
use crate::config::{
    Problem, document,
    node::{Node, Value, item_path, key_path},
    problem::Problems,
    schema,
    settings::ACTIONS,
};

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&schema()).expect("the schema is one"));

/// A file as an editor reads it: its values before variables are replaced. `None`: it is no YAML.
fn json(text: &str) -> Option<Json> {
    document::parse(text, &mut Problems::new("config.yaml")).map(|root| value(&root))
}

fn value(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => match i64::try_from(*value) {
            Ok(value) => value.into(),
            Err(_) => (*value as f64).into(),
        },
        // JSON has no infinity, and no range of a setting either.
        Value::Float(value) => serde_json::Number::from_f64(*value).map_or(".inf".into(), Json::Number),
        Value::Text(text) => text.as_str().into(),
        Value::Replaced(text) => (&**text).into(),
        Value::List(items) => items.iter().map(value).collect(),
        Value::Mapping(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), value(&entry.value)))
            .collect(),
        // Its tag is refused, whatever it carries.
        Value::Broken => Json::Null,
    }
}

/// The places at which the schema refuses a file, as problems name them.
#[derive(Debug, Default, PartialEq)]
struct Refused {
    values: HashSet<String>,
    /// Keys that it asks for, and mappings of whose keys it asks for one.
    missing: HashSet<String>,
}

impl Refused {
    fn sees(&self, field: &str) -> bool {
        let mapping = field.rsplit_once('.').map_or("", |(mapping, _)| mapping);
        let missing = |field: &str| self.missing.contains(field);
        self.values.contains(field) || missing(field) || missing(mapping)
    }
}

fn refused(file: &Json) -> Refused {
    let mut places = Refused::default();
    for error in VALIDATOR.iter_errors(file) {
        blame(&error, file, &mut places);
    }
    places
}

fn blame(error: &ValidationError<'_>, file: &Json, places: &mut Refused) {
    let path = path(error, file);
    match error.kind() {
        Kind::AnyOf { context } => {
            // Of several forms the one is meant that fits, but for something within it.
            let within = |form: &&Vec<ValidationError<'_>>| {
                form.iter().all(|error| !is_other_form(error, file, &path))
            };
            let forms: Vec<_> = context.iter().filter(within).collect();
            if forms.is_empty() {
                places.values.insert(path);
            } else {
                forms
                    .iter()
                    .for_each(|form| form.iter().for_each(|error| blame(error, file, places)));
            }
        }
        Kind::AdditionalProperties { unexpected } => {
            places
                .values
                .extend(unexpected.iter().map(|key| key_path(&path, key)));
        }
        Kind::Required { property } => {
            places
                .missing
                .insert(key_path(&path, property.as_str().unwrap_or_default()));
        }
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => {
            places.missing.insert(path);
        }
        Kind::PropertyNames { error } => {
            places
                .values
                .insert(key_path(&path, error.instance().as_str().unwrap_or_default()));
        }
        _ => {
            places.values.insert(path);
        }
    }
}

/// Whether an error says that the value at the path is none of this form at all.
fn is_other_form(error: &ValidationError<'_>, file: &Json, path: &str) -> bool {
    let within = matches!(
        error.kind(),
        Kind::AnyOf { .. }
            | Kind::AdditionalProperties { .. }
            | Kind::Required { .. }
            | Kind::PropertyNames { .. }
            | Kind::MinItems { .. }
            | Kind::MinProperties { .. }
            | Kind::OneOfNotValid { .. }
            | Kind::OneOfMultipleValid { .. }
    );
    !within && self::path(error, file) == path
}

fn path(error: &ValidationError<'_>, file: &Json) -> String {
    let (mut at, mut path) = (file, String::new());
    for segment in error.instance_path() {
        let key = segment.to_string();
        (path, at) = match at {
            Json::Array(items) => {
                let index = key.parse().expect("an index");
                (item_path(&path, index), &items[index])
            }
            at => (key_path(&path, &key), &at[&key]),
        };
    }
    path
}

/// A problem without the name of its file, and without what to do.
fn said(problem: &Problem) -> String {
    let position = problem
        .position
        .map_or(String::new(), |position| position.to_string());
    format!("{position}: {}: {}", problem.field, problem.message())
}

/// Holds an accepted file to the schema.
pub(super) fn validates(text: &str) {
    let file = json(text).unwrap_or_else(|| panic!("no YAML, and accepted:\n{text}"));
    let refused = refused(&file);
    assert!(
        refused == Refused::default(),
        "the schema refuses {refused:?} of\n{text}\n{file:#}"
    );
}

/// Holds each problem of a refused file to the schema, and what the schema refuses to the problems.
#[track_caller]
pub(super) fn refuses(text: &str, problems: &[Problem]) {
    // What is no YAML has no values that a schema could judge.
    let Some(file) = json(text) else {
        return;
    };
    let refused = refused(&file);
    let test = Location::caller().file();
    for problem in problems {
        let said = said(problem);
        let listed = BEYOND_THE_SCHEMA.iter().any(|(name, _, problems)| {
            test.ends_with(&format!("/{name}")) && problems.contains(&said.as_str())
        });
        assert!(
            listed != refused.sees(&problem.field),
            "seen by the schema: {}, listed: {listed}\n{said}\n{text}",
            !listed
        );
    }
    let fields: HashSet<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    let more = refused
        .values
        .iter()
        .find(|place| !fields.contains(place.as_str()));
    assert_eq!(more, None, "the schema alone refuses it in\n{text}");
}

/// Whether the schema refuses the value at a place.
pub(super) fn refuses_at(text: &str, path: &str) -> bool {
    refused(&json(text).expect("YAML")).values.contains(path)
}

#[test]
fn what_is_listed_is_still_said() {
    let sources = [
        ("bad_routes.rs", include_str!("bad_routes.rs")),
        ("choosing.rs", include_str!("choosing.rs")),
        ("health.rs", include_str!("health.rs")),
        ("pools.rs", include_str!("pools.rs")),
        ("refuses.rs", include_str!("refuses.rs")),
    ];
    for (test, _, problems) in BEYOND_THE_SCHEMA {
        let (_, source) = sources.iter().find(|(name, _)| name == test).expect(test);
        for problem in *problems {
            let rule = problem.splitn(3, ": ").nth(2).expect(problem);
            let rule = rule.split(", got \"").next().expect(problem);
            assert!(source.contains(rule), "{test}: {problem}");
        }
    }
}

/// The YAML of the documents; what shows a part of a file stands in one with the required keys.
#[test]
fn the_documents_show_what_the_schema_accepts() {
    let documents = [
        include_str!("../../../../README.md"),
        include_str!("../../../../README.ko.md"),
        include_str!("../../../../docs/configuration.md"),
        include_str!("../../../../docs/configuration-file.md"),
        include_str!("../../../../docs/health.md"),
        include_str!("../../../../docs/routing.md"),
        include_str!("../../../../docs/strategies.md"),
        include_str!("../../../../docs/tour.md"),
    ];
    let mut shown = 0;
    for document in documents {
        let mut blocks = document.split("```yaml\n");
        let mut before = blocks.next().unwrap_or_default();
        for block in blocks {
            let (part, rest) = block.split_once("```").expect("an end");
            validates(&whole(&within(before, part)));
            before = rest;
            shown += 1;
        }
    }
    assert!(shown > 30, "{shown}");
    for example in [
        include_str!("../../../../config.yaml"),
        include_str!("../../../../examples/nginx/config.yaml"),
        include_str!("../../../../examples/haproxy/config.yaml"),
        include_str!("../../../../examples/envoy/config.yaml"),
    ] {
        validates(example);
    }
}

/// A block of the reference within the mappings that the heading before it names: `### strategy.key`.
fn within(before: &str, block: &str) -> String {
    let heading = before.lines().rev().find(|line| line.starts_with('#'));
    let path = heading
        .and_then(|line| line.strip_prefix("### "))
        .unwrap_or_default();
    let Some((parents, key)) = path.rsplit_once('.').filter(|_| !path.contains(' ')) else {
        return block.to_owned();
    };
    let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let mut block = match (parents, key) {
        ("strategy", key) if key != "name" => format!("{block}name: hash\n"),
        ("routes[]", key) if !ACTIONS.contains(&key) => format!("{block}pool: default\n"),
        _ => block.to_owned(),
    };
    for parent in parents.rsplit('.') {
        block = match parent.strip_suffix("[]") {
            Some(list) => format!("{list}:\n- {}", indented(&block).trim_start()),
            None => format!("{parent}:\n{}", indented(&block)),
        };
    }
    block
}

/// A part of a file with the keys that every file has.
fn whole(part: &str) -> String {
    let has = |key: &str| part.lines().any(|line| line.starts_with(key));
    let port = if has("port:") { "" } else { "port: 8000\n" };
    let backends = if has("backends:") || has("pools:") {
        ""
    } else {
        "backends: [http://a]\n"
    };
    format!("{port}{backends}{part}")
}

//! `docs/conformance.md` names every test of this folder and no other, and has every rule of the header table.

use std::{collections::BTreeSet, fs, path::Path};

use lb_wire::rules::{Action, RULES};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md")).unwrap()
}

/// The tests of the folder, such as `pipelining::requests_may_come_byte_by_byte`.
fn tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut tests = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = fs::read_to_string(&path).unwrap();
        let functions = source.split("#[test]\nfn ").skip(1);
        let names = functions.map(|function| function.split('(').next().unwrap());
        tests.extend(names.map(|name| format!("{module}::{name}")));
    }
    tests.retain(|name| !name.starts_with("documented::"));
    tests
}

#[test]
fn every_test_is_named_in_the_documentation() {
    let page = page();
    // Only tables, whose last column has the tests.
    let cells = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.trim_end_matches([' ', '|']).rsplit('|').next());
    let named: BTreeSet<String> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| name.contains("::"))
        .map(str::to_owned)
        .collect();
    let tests = tests();
    assert!(tests.len() > 100, "{tests:?}");
    let missing: Vec<_> = tests.difference(&named).collect();
    let gone: Vec<_> = named.difference(&tests).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not named: {missing:#?}; no such test: {gone:#?}"
    );
}

#[test]
fn every_rule_for_a_header_is_in_the_documentation() {
    let action = |action| match action {
        Action::Keep => "keep",
        Action::Drop => "drop",
        Action::Rewrite => "rewrite",
        Action::Combine => "combine",
    };
    let rows = RULES.iter().map(|rule| {
        format!(
            "| `{}` | {} | {} | {} | {} |\n",
            rule.name,
            action(rule.request),
            action(rule.response),
            rule.section,
            rule.note
        )
    });
    let table: String = rows.collect();
    assert!(page().contains(&table), "the table is:\n{table}");
}

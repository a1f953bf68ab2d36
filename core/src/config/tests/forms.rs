//! What every setting makes of every form of single values, by its row: nothing is taken for a name, a number or a switch
//! that is none.

use super::*;
use crate::config::settings::{Entry, Kind, Scalar, Shape, tree};

const PROBES: [&str; 12] = [
    "on", "off", "true", "false", "yes", "no", "none", "0", "1", "-1", "1.5", "{}",
];

/// Every setting that may be a single value: its path, a file in which it has this value, and what it accepts.
fn singles() -> Vec<(String, Scalar)> {
    let mut all = Vec::new();
    tree().iter().for_each(|entry| collect(entry, "", &mut all));
    all
}

fn collect(entry: &Entry, parent: &str, all: &mut Vec<(String, Scalar)>) {
    let path = format!("{parent}{}", entry.about.key);
    match &entry.shape {
        Shape::One(scalar) | Shape::List { item: scalar, .. } => all.push((path, scalar.clone())),
        Shape::Mapping(mapping) => {
            let single = mapping.single.iter();
            all.extend(single.map(|(scalar, _)| (path.clone(), scalar.clone())));
            let entries = mapping.entries.iter();
            entries.for_each(|entry| collect(entry, &format!("{path}."), all));
        }
        Shape::Items(item) => {
            if let Shape::Mapping(mapping) = &**item {
                let entries = mapping.entries.iter();
                entries.for_each(|entry| collect(entry, &format!("{path}[0]."), all));
            }
        }
        Shape::Named { .. } | Shape::Either(_) => {}
    }
}

/// A file in which the setting at this path has this value.
fn file(path: &str, value: &str) -> String {
    let nested = |path: &str| {
        let keys: Vec<_> = path.split('.').collect();
        let open = keys.join(": {");
        format!("{open}: {value}{}", "}".repeat(keys.len() - 1))
    };
    if let Some(own) = path.strip_prefix("admin.tokens[0].") {
        let name = if own == "name" { "" } else { "name: a, " };
        let source = if own == "file" { "" } else { ", file: a" };
        return format!(
            "port: 1\nbackends: [http://a]\nadmin: {{tokens: [{{{name}{}{source}}}]}}\n",
            nested(own)
        );
    }
    match (path.strip_prefix("backends[0]."), path.strip_prefix("routes[0].")) {
        (Some("url"), _) => format!("port: 1\nbackends: [{{url: {value}}}]\n"),
        (Some(own), _) => format!("port: 1\nbackends: [{{url: http://a, {}}}]\n", nested(own)),
        (_, Some("pool")) => format!("port: 1\nbackends: [http://a]\nroutes: [{{pool: {value}}}]\n"),
        (_, Some(own)) => format!(
            "port: 1\nbackends: [http://a]\nroutes: [{{pool: default, {}}}]\n",
            nested(own)
        ),
        _ if path == "port" => format!("port: {value}\nbackends: [http://a]\n"),
        _ => format!("port: 1\nbackends: [http://a]\n{}\n", nested(path)),
    }
}

/// Whether the row says that it takes this value; `None`: that depends on what the text means.
fn accepts(scalar: &Scalar, value: &str) -> Option<bool> {
    let is_switch = ["on", "off", "true", "false"].contains(&value);
    let number = value.parse::<f64>().ok();
    let is = |kind: &Kind| match kind {
        Kind::Switch => is_switch,
        Kind::Words(words) => words.contains(&value),
        Kind::Whole(least, most) => value
            .parse::<u32>()
            .is_ok_and(|number| (*least..=*most).contains(&number)),
        Kind::Number { least, most, .. } => {
            number.is_some_and(|number| number > 0.0 && number >= *least && number <= *most)
        }
        Kind::AnyText(..) => value != "{}",
        _ => false,
    };
    let is_text = |kind: &Kind| matches!(kind, Kind::Text(..));
    match scalar.0.iter().any(is) {
        true => Some(true),
        // What could be a name is none where there is a switch.
        false if scalar.0.iter().any(is_text) && !scalar.0.contains(&Kind::Switch) && number.is_none() => {
            None
        }
        false => Some(false),
    }
}

#[test]
fn every_setting_takes_the_single_values_that_its_row_says() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, scalar) in singles() {
        for value in PROBES {
            let text = file(&path, value);
            let Some(expected) = accepts(&scalar, value) else {
                continue;
            };
            // A mapping is another form, and what settings mean together is not asked here: stdout is not rotated.
            let is_other = value == "{}"
                || (path.ends_with("same_site") && value == "none")
                || path.starts_with("access_log.rotate")
                || ["admin", "admin.listen"].contains(&&*path);
            let is_elsewhere = ["strip_prefix", "pool", "body", "regex", "key", "to", "token"];
            if is_other || is_elsewhere.iter().any(|key| path.ends_with(key)) {
                continue;
            }
            let refused = load(&text, "config.yaml", &env).is_err_and(|error| {
                let mut problems = error.problems.iter();
                problems.any(|problem| problem.field == path)
            });
            let refused_by_schema = schema::refuses_at(&text, &path);
            if refused_by_schema == expected {
                wrong.push(format!(
                    "{path}: {value} is refused by the schema: {refused_by_schema}"
                ));
            }
            seen += 1;
            if refused == expected {
                wrong.push(format!("{path}: {value} is refused: {refused}"));
            }
        }
    }
    assert!(
        wrong.is_empty() && seen > 800,
        "{seen} seen\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_switch_that_is_misspelt_is_no_name() {
    for (written, meant) in [
        ("yes", "on"),
        ("no", "off"),
        ("1", "on"),
        ("0", "off"),
        ("No", "off"),
    ] {
        for setting in ["sticky", "via"] {
            let said = problems(&with(&format!("{setting}: {written}")));
            let hint = format!("got \"{written}\"; did you mean `{meant}`?");
            assert!(said.len() == 1 && said[0].ends_with(&hint), "{said:?}");
        }
    }
    assert_eq!(pool("sticky: off").sticky, None);
    assert_eq!(pool("sticky: on").sticky, pool("sticky: true").sticky);
    assert_eq!(pool("sticky: {cookie: off}").sticky, None);
    assert_eq!(pool("queue: on").queue, pool("").queue);
    assert_eq!(pool("slow_start: off").slow_start, std::time::Duration::ZERO);
    assert!(
        pool("health_check: off")
            .backends
            .iter()
            .all(|backend| !backend.probed)
    );
}

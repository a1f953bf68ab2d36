//! `simple-lb check`: is the file right, and what does it result in?

use std::path::Path;

use lb_actors::config_watcher::{Loaded, load_file};
use lb_core::{
    config::{Problem, shown_path},
    kernel::Hint,
};
use serde_json::json;

use super::{
    effective, exit,
    output::{error_line, json as print_json, line},
};
use crate::{app, kernel};

pub(super) fn check(path: &Path, json: bool) -> u8 {
    match load_file(path) {
        Ok(Loaded {
            config,
            warnings,
            origins,
            ..
        }) => {
            let settings = effective::settings(&config);
            let hints = kernel::hints(&config, app::raise_open_files_limit());
            let origin =
                |key: &str| (!key.starts_with(effective::LIMIT)).then(|| origins.of(key).to_string());
            if json {
                let values = |value: &dyn Fn(&str, &str) -> Option<String>| -> serde_json::Map<_, _> {
                    let values = settings.iter();
                    values
                        .filter_map(|(key, text)| Some((key.clone(), json!(value(key, text)?))))
                        .collect()
                };
                let warnings: Vec<_> = warnings.iter().map(described).collect();
                print_json(&json!({
                    "valid": true,
                    "problems": [],
                    "warnings": warnings,
                    "hints": hints.iter().map(hinted).collect::<Vec<_>>(),
                    "settings": values(&|_, value| Some(value.to_owned())),
                    "origins": values(&|key, _| origin(key)),
                }));
            } else {
                let width = settings.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
                for (key, value) in settings {
                    let origin = origin(&key).map_or(String::new(), |origin| format!("  ({origin})"));
                    line(format_args!("{key:width$}  {value}{origin}"));
                }
                for warning in warnings {
                    line(format_args!("warning: {warning}"));
                }
                for hint in hints {
                    line(format_args!("hint: {hint}"));
                }
                line(format_args!("{}: valid", shown_path(path)));
            }
            exit::DONE
        }
        Err(problems) => {
            if json {
                let problems: Vec<_> = problems.iter().map(described).collect();
                print_json(&json!({ "valid": false, "problems": problems }));
            } else {
                problems.iter().for_each(error_line);
                let count = problems.len();
                let noun = if count == 1 { "problem" } else { "problems" };
                error_line(format_args!("{}: {count} {noun}", shown_path(path)));
            }
            exit::INVALID_CONFIG
        }
    }
}

/// A limit of this machine for programs. It says nothing against the file.
fn hinted(hint: &Hint) -> serde_json::Value {
    json!({ "setting": hint.setting, "message": hint.message })
}

/// A problem for programs: an editor that marks the line, a pipeline that comments on it. `text` is what people get.
fn described(problem: &Problem) -> serde_json::Value {
    json!({
        "file": problem.file,
        "line": problem.position.map(|position| position.line),
        "column": problem.position.map(|position| position.column),
        "setting": problem.field,
        "message": problem.message(),
        "hint": problem.hint,
        "text": problem.to_string(),
    })
}

//! `simple-lb check`: is the file right, and what does it result in?

use std::path::Path;

use lb_actors::config_watcher::{Loaded, load_file};
use serde_json::json;

use super::{
    effective, exit,
    output::{error_line, json as print_json, line},
};

pub(super) fn check(path: &Path, json: bool) -> u8 {
    match load_file(path) {
        Ok(Loaded { config, warnings }) => {
            let settings = effective::settings(&config);
            if json {
                let settings: serde_json::Map<_, _> = settings
                    .into_iter()
                    .map(|(key, value)| (key, json!(value)))
                    .collect();
                print_json(
                    &json!({ "valid": true, "problems": [], "warnings": warnings, "settings": settings }),
                );
            } else {
                let width = settings.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
                for (key, value) in settings {
                    line(format_args!("{key:width$}  {value}"));
                }
                for warning in warnings {
                    line(format_args!("warning: {warning}"));
                }
                line(format_args!("{}: valid", path.display()));
            }
            exit::DONE
        }
        Err(problems) => {
            if json {
                print_json(&json!({ "valid": false, "problems": problems }));
            } else {
                problems.iter().for_each(error_line);
                let count = problems.len();
                let noun = if count == 1 { "problem" } else { "problems" };
                error_line(format_args!("{}: {count} {noun}", path.display()));
            }
            exit::INVALID_CONFIG
        }
    }
}

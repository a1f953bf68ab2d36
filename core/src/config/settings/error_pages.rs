//! `error_pages`: files in place of the balancer's own error messages.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Checker, Place, Shape, Single,
    field::{At, Change, Field},
    forms::Whole,
    shape::{Kind, Scalar},
};
use crate::config::{
    fields,
    model::{Config, ErrorPage},
    node::{Value, key_path},
    problem::Refusal,
    secrets::Masked,
    written::{Scalar as As, Written},
};

/// The longest path that Linux takes.
const MAX_FILE_PATH: usize = 4095;

/// Status codes with files.
pub(super) struct ErrorPages;

impl Field<Config> for ErrorPages {
    fn expects(&self) -> &'static str {
        "a mapping of status codes to files"
    }

    fn shape(&self, _place: Place, _default: &Config) -> Shape {
        Shape::Named {
            name: Scalar(vec![Kind::Whole(400, 599)]),
            value: Box::new(Shape::One(Scalar(vec![Kind::Text(
                "the path of a file",
                "^(?!.*://)(.*[^/])$",
            )]))),
            filled: false,
        }
    }

    fn value(&self, _of: &Config) -> Option<String> {
        Some("{}".to_owned())
    }

    /// As elsewhere, null is as good as not written.
    fn read(&self, to: &mut Config, (own, key): At<'_>, checker: &mut Checker<'_>) {
        let entries = own.entries(key, "error_pages: {502: 502.html}", checker.problems);
        let written = entries.unwrap_or_default().iter();
        for entry in written.filter(|entry| entry.value.value != Value::Null) {
            let path = key_path(&own.path_of(key), &entry.key);
            let file = fields::scalar(&entry.value, &path, "the path of a file", checker.problems);
            let status = checker.check(&fields::key(entry, &path), error_status);
            let file = checker.value(&file, file_path);
            to.error_pages.extend(status.zip(file).map(|(status, path)| {
                let content = Arc::default();
                (status, ErrorPage { path, content })
            }));
        }
    }

    fn lines(&self, key: &str, of: &Config) -> Vec<(String, String)> {
        if of.error_pages.is_empty() {
            return vec![(key.to_owned(), "{}".to_owned())];
        }
        let pages = of.error_pages.iter();
        pages
            .map(|(status, page)| (format!("{key}.{status}"), page.path.shown().to_owned()))
            .collect()
    }

    fn changes(&self, key: &str, from: &Config, to: &Config) -> Vec<Change<Config>> {
        let mut statuses: Vec<u16> = from
            .error_pages
            .keys()
            .chain(to.error_pages.keys())
            .copied()
            .collect();
        statuses.sort_unstable();
        statuses.dedup();
        let shown = |page: Option<&ErrorPage>| page.map_or("none".to_owned(), page_text);
        let change = |status: u16| {
            let page = |config: &Config| config.error_pages.get(&status).cloned();
            let (from, to) = (page(from), page(to));
            let (before, mut after) = (shown(from.as_ref()), shown(to.as_ref()));
            if before == after {
                after.push_str(", other content");
            }
            (from != to).then(|| Change {
                key: format!("{key}.{status}"),
                from: before,
                to: after,
                restart: false,
                make: Arc::new(move |config: &mut Config| match &to {
                    Some(page) => {
                        config.error_pages.insert(status, page.clone());
                    }
                    None => {
                        config.error_pages.remove(&status);
                    }
                }),
            })
        };
        statuses.into_iter().filter_map(change).collect()
    }

    fn put(&self, from: &Config, to: &mut Config) {
        to.error_pages = BTreeMap::clone(&from.error_pages);
    }
}

/// The path, and once the file was read its size, by which most changes of its content show.
fn page_text(page: &ErrorPage) -> String {
    if page.content.is_empty() {
        return page.path.shown().to_owned();
    }
    format!("{} ({} bytes)", page.path.shown(), page.content.len())
}

fn error_status(written: &Written) -> Result<u16, Refusal> {
    Whole(400, 599).parse(written).map_err(|_| {
        let refusal = Refusal::new("must be named by a status code from 400 to 599");
        let several = written.text().contains(['-', ',']) || written.text().ends_with("xx");
        if several {
            refusal.hint("write one line for each code")
        } else {
            refusal
        }
    })
}

fn file_path(written: &Written) -> Result<Masked, Refusal> {
    let path = written.text();
    let rule = match &written.value {
        As::Bool(_) | As::Int(_) | As::Float => "must be the path of a file",
        As::Text(_) | As::Replaced(_) if path.is_empty() => "must be the path of a file",
        _ if path.chars().any(char::is_control) => "must be a path without control characters",
        _ if path.ends_with('/') => "must be the path of a file, not of a folder",
        _ if path.contains("://") => "must be the path of a file on this machine, not a URL",
        _ if path.len() > MAX_FILE_PATH => {
            return Err(Refusal::new(format!(
                "must be a path of at most {MAX_FILE_PATH} bytes"
            )));
        }
        _ => return Ok(written.masked(path)),
    };
    Err(Refusal::new(rule))
}

//! The access log: its lines agree with what clients sent, and no request waits for it.

mod agreement;
mod files;
mod lines;
mod trouble;

use std::fs;

use crate::harness::{
    Balancer, eventually,
    records::{self, Record},
};

/// The lines of a file in the balancer's folder.
fn lines(balancer: &Balancer, file: &str) -> Vec<Record> {
    records::read(&balancer.place.folder().join(file))
}

/// The same when there are so many.
#[track_caller]
fn wait_for_lines(balancer: &Balancer, file: &str, count: usize) -> Vec<Record> {
    eventually(&format!("{count} lines in {file}"), || {
        Some(lines(balancer, file)).filter(|lines| lines.len() == count)
    })
}

/// A file as text, when it has so many lines.
#[track_caller]
fn wait_for_text(balancer: &Balancer, file: &str, count: usize) -> String {
    let path = balancer.place.folder().join(file);
    eventually(&format!("{count} lines in {file}"), || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        (text.lines().count() == count && text.ends_with('\n')).then_some(text)
    })
}

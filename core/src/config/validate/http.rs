//! What is demanded of clients and their requests, and what this proxy says of itself: limits, `Via`, TRACE, error
//! pages.

use std::{collections::BTreeMap, sync::Arc};

use super::{Checker, one_of, whole};
use crate::config::{
    model::*,
    problem::Refusal,
    raw::{RawErrorPage, RawLimits, Scalar, Written},
    size::{ByteSize, parse_size},
};

/// Less refuses what browsers send.
const LEAST_HEADER_SIZE: ByteSize = ByteSize::kib(1);
/// A head is held in memory as a whole, for each connection.
const MAX_HEADER_SIZE: ByteSize = ByteSize::kib(1024);
/// Ten times what anybody sends; each header costs time in every request.
const MAX_HEADER_COUNT: u32 = 1000;
/// More than a machine can hold.
const MAX_CONNECTIONS: u32 = 100_000_000;
/// Enough for a host's name, short enough to go along with every message.
const MAX_PSEUDONYM: usize = 64;
/// The longest path that Linux takes.
const MAX_FILE_PATH: usize = 4095;

impl Checker<'_> {
    pub(super) fn limits(&mut self, raw: &RawLimits) -> Limits {
        let default = Limits::default();
        let connections = |most: &Written| or_none(most, |most| whole(most, 1, MAX_CONNECTIONS));
        Limits {
            header_size: self
                .value(&raw.header_size, header_size)
                .unwrap_or(default.header_size),
            header_count: self
                .value(&raw.header_count, header_count)
                .unwrap_or(default.header_count),
            body_size: self
                .value(&raw.body_size, |size| or_none(size, body_size))
                .unwrap_or(default.body_size),
            connections: self
                .value(&raw.connections, connections)
                .unwrap_or(default.connections),
            connections_per_client: self
                .value(&raw.connections_per_client, connections)
                .unwrap_or(default.connections_per_client),
        }
    }

    pub(super) fn error_pages(&mut self, raw: &[RawErrorPage]) -> BTreeMap<u16, ErrorPage> {
        let mut pages = BTreeMap::new();
        for page in raw {
            let status = self.check(&page.status, error_status);
            let path = self.value(&page.path, file_path);
            if let (Some(status), Some(path)) = (status, path) {
                pages.insert(
                    status,
                    ErrorPage {
                        path,
                        content: Arc::default(),
                    },
                );
            }
        }
        pages
    }
}

pub(super) fn lane(written: &Written) -> Result<Lane, Refusal> {
    one_of(
        written.text(),
        [Lane::Handler, Lane::Wire].map(|lane| (lane.as_str(), lane)),
    )
}

/// `on` and `off`, which YAML of today leaves as text, or `true` and `false`.
pub(super) fn switch(written: &Written) -> Result<bool, Refusal> {
    match (written.as_bool(), written.text()) {
        (Some(on), _) => Ok(on),
        (None, "on") => Ok(true),
        (None, "off") => Ok(false),
        (None, other) => Err(Refusal::new("must be on or off").did_you_mean(meant_switch(other))),
    }
}

pub(super) fn via(written: &Written) -> Result<Option<Arc<str>>, Refusal> {
    if let Ok(on) = switch(written) {
        return Ok(on.then(|| DEFAULT_PSEUDONYM.into()));
    }
    let name = written.text();
    let meant = meant_switch(name);
    if (1..=MAX_PSEUDONYM).contains(&name.len()) && name.bytes().all(is_token_byte) && meant.is_none() {
        return Ok(Some(name.into()));
    }
    let rule =
        format!("must be on, off, or a name of at most {MAX_PSEUDONYM} letters, digits and !#$%&'*+-.^_`|~");
    Err(Refusal::new(rule).did_you_mean(meant))
}

/// What other programs call on and off.
fn meant_switch(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "yes" | "true" => Some("on"),
        "off" | "no" | "false" | "none" => Some("off"),
        _ => None,
    }
}

/// `tchar` of RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn header_size(written: &Written) -> Result<ByteSize, Refusal> {
    let size = parse_size(written.text())?;
    if !(LEAST_HEADER_SIZE..=MAX_HEADER_SIZE).contains(&size) {
        let rule = format!("must be a size from {LEAST_HEADER_SIZE} to {MAX_HEADER_SIZE}");
        return Err(Refusal::new(rule));
    }
    Ok(size)
}

fn header_count(written: &Written) -> Result<u16, Refusal> {
    let count = whole(written, 1, MAX_HEADER_COUNT)?;
    u16::try_from(count).map_err(|_| Refusal::new("must be a number of headers"))
}

fn body_size(written: &Written) -> Result<ByteSize, Refusal> {
    match parse_size(written.text()) {
        Ok(size) if size == ByteSize::new(0) => Err(Refusal::new("must be more than 0B")),
        Err(_) if written.text() == "0" => Err(Refusal::new("must be more than 0B")),
        size => size,
    }
}

/// A limit that can be left out.
fn or_none<T>(
    written: &Written,
    read: impl FnOnce(&Written) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    let text = written.text();
    if text == "none" {
        return Ok(None);
    }
    // How other programs write it.
    let none = matches!(text, "0" | "0B" | "-1" | "off" | "no" | "false" | "unlimited");
    read(written).map(Some).map_err(|refusal| {
        let refusal = Refusal {
            rule: format!("{}, or none", refusal.rule),
            ..refusal
        };
        if none {
            refusal.did_you_mean(Some("none"))
        } else {
            refusal
        }
    })
}

fn error_status(written: &Written) -> Result<u16, Refusal> {
    let refused = || {
        let refusal = Refusal::new("must be named by a status code from 400 to 599");
        let several = written.text().contains(['-', ',']) || written.text().ends_with("xx");
        if several {
            refusal.hint("write one line for each code")
        } else {
            refusal
        }
    };
    let status = whole(written, 400, 599).map_err(|_| refused())?;
    u16::try_from(status).map_err(|_| refused())
}

fn file_path(written: &Written) -> Result<Arc<str>, Refusal> {
    let path = written.text();
    let rule = match &written.value {
        Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float => "must be the path of a file",
        Scalar::Text(_) | Scalar::Replaced(_) if path.is_empty() => "must be the path of a file",
        _ if path.chars().any(char::is_control) => "must be a path without control characters",
        _ if path.ends_with('/') => "must be the path of a file, not of a folder",
        _ if path.contains("://") => "must be the path of a file on this machine, not a URL",
        _ if path.len() > MAX_FILE_PATH => {
            return Err(Refusal::new(format!(
                "must be a path of at most {MAX_FILE_PATH} bytes"
            )));
        }
        _ => return Ok(path.into()),
    };
    Err(Refusal::new(rule))
}

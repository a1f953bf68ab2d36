//! Which headers a route may change, and how: some removed, some set, some added, in this order.
//!
//! What decides where a message ends, who it is for or what becomes of the connection is not a route's to change: a
//! second `Content-Length` would let one request be read as two (RFC 9112 section 11.2).

use std::sync::Arc;

use super::{Template, Values};

/// Changes of a head.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeaderChanges {
    /// Names of lines that are left out, in lower case: those to remove and those to set.
    dropped: Arc<[Box<str>]>,
    /// Lines that are written, in their order: those to set, then those to add.
    written: Vec<(Arc<str>, Template)>,
    /// How many of `written` are to set.
    set: usize,
}

impl HeaderChanges {
    /// Changes of names that were checked with [`unchangeable`].
    pub fn new(remove: &[Arc<str>], set: Vec<(Arc<str>, Template)>, add: Vec<(Arc<str>, Template)>) -> Self {
        let names = remove.iter().chain(set.iter().map(|(name, _)| name));
        Self {
            dropped: names.map(|name| name.to_ascii_lowercase().into()).collect(),
            set: set.len(),
            written: set.into_iter().chain(add).collect(),
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.written.is_empty()
    }

    /// Names of lines that are left out, in lower case.
    pub fn dropped(&self) -> &Arc<[Box<str>]> {
        &self.dropped
    }

    /// The lines to write for one request: name and value.
    pub fn render<'c>(&'c self, values: &Values<'_>) -> impl Iterator<Item = (&'c str, Vec<u8>)> {
        self.written.iter().map(move |(name, template)| {
            let mut value = Vec::with_capacity(64);
            template.render(values, &mut value);
            (&**name, value)
        })
    }

    /// For a person: `-x-a, x-b: 1, +x-c: 2`.
    pub fn describe(&self) -> String {
        let set: Vec<_> = self.written[..self.set]
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        let removed = self
            .dropped
            .iter()
            .filter(|name| !set.iter().any(|set| **set == ***name));
        let mut parts: Vec<String> = removed.map(|name| format!("-{name}")).collect();
        parts.extend(self.written.iter().enumerate().map(|(index, (name, template))| {
            let plus = if index < self.set { "" } else { "+" };
            format!("{plus}{name}: {template}")
        }));
        parts.join(", ")
    }
}

/// Names that no route may change, in lower case, each with what to do instead.
pub const UNCHANGEABLE: &[(&str, &str)] = &[
    ("host", "use `send_host`"),
    ("content-length", "it is written from the body that is sent"),
    ("transfer-encoding", "it is written from the body that is sent"),
    ("trailer", "it belongs to the body"),
    ("connection", "it belongs to each connection"),
    ("upgrade", "it belongs to each connection"),
    ("te", "it belongs to each connection"),
    ("keep-alive", "it belongs to each connection"),
    ("proxy-connection", "it belongs to each connection"),
    ("http2-settings", "it belongs to each connection"),
    ("proxy-authenticate", "it is meant for the next proxy"),
    ("proxy-authorization", "it is meant for the next proxy"),
    ("proxy-authentication-info", "it is meant for the next proxy"),
    ("proxy", "programs would take it for a setting of theirs"),
    ("expect", "it steers how the body is sent"),
    ("max-forwards", "it is counted down on the way"),
    ("via", "use `via`"),
    ("date", "it is written where it is missing"),
];

/// What to do instead of changing a header of this name, if it may not be changed. A name with `_` for `-` is the same
/// to some programs.
pub fn unchangeable(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let found = UNCHANGEABLE.iter().find(|(known, _)| *known == name);
    found.map(|(_, instead)| *instead)
}

/// Whether these bytes are a header's name (`token` of RFC 9110 section 5.6.2).
pub fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn set_replaces_and_add_does_not() {
        let template = |text| Template::parse(text, None).unwrap();
        let changes = HeaderChanges::new(
            &["X-Gone".into()],
            vec![("X-Set".into(), template("1"))],
            vec![("X-More".into(), template("2"))],
        );
        assert_eq!(**changes.dropped(), ["x-gone".into(), "x-set".into()]);
        assert_eq!(changes.describe(), "-x-gone, X-Set: 1, +X-More: 2");
        assert!(!changes.is_empty() && HeaderChanges::default().is_empty());
    }

    #[test]
    fn framing_and_connections_are_nobodys_to_change() {
        for name in [
            "Content-Length",
            "TRANSFER-ENCODING",
            "Transfer_Encoding",
            "Connection",
            "Host",
            "te",
        ] {
            assert!(unchangeable(name).is_some(), "{name}");
        }
        for name in ["X-Forwarded-For", "Cookie", "Server", "Content-Type"] {
            assert_eq!(unchangeable(name), None, "{name}");
        }
    }
}

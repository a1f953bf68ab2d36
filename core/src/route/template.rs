//! Texts with variables: `https://{host}{target}`. Not `${…}`, which is the environment's, replaced when the file is read.
//!
//! What a request fills in can never end a header line: control characters are left out when a template is rendered,
//! whatever a lane let through.

use std::{fmt, net::IpAddr, sync::Arc};

use regex::bytes::Captures;

use super::Pattern;

/// A text with variables.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Template {
    text: Arc<str>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Variable(Variable),
    /// A group of the pattern that matched.
    Group(usize),
}

/// What a request can fill in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// The host asked for and its port, if one was named.
    Authority,
    /// The client's address, as `trusted_proxies` determine.
    ClientIp,
    /// The host asked for, without port.
    Host,
    /// The method.
    Method,
    /// The raw path as the client sent it.
    Path,
    /// The raw query without its `?`.
    Query,
    /// The request's id.
    RequestId,
    /// `http` or `https`: what a trusted proxy says of the client's connection, else of our own.
    Scheme,
    /// Path and query as the client sent them.
    Target,
}

impl Variable {
    /// All, by name.
    pub const ALL: [(&'static str, Self); 9] = [
        ("authority", Self::Authority),
        ("client_ip", Self::ClientIp),
        ("host", Self::Host),
        ("method", Self::Method),
        ("path", Self::Path),
        ("query", Self::Query),
        ("request_id", Self::RequestId),
        ("scheme", Self::Scheme),
        ("target", Self::Target),
    ];
}

/// What a request fills in.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// Host and port as written; empty where none is named.
    pub authority: &'a [u8],
    /// The client's address.
    pub client: IpAddr,
    /// The host without port.
    pub host: &'a [u8],
    /// The method.
    pub method: &'a [u8],
    /// The raw path.
    pub path: &'a [u8],
    /// The raw query; `None` without `?`.
    pub query: Option<&'a [u8]>,
    /// The request's id.
    pub request_id: &'a str,
    /// `http` or `https`.
    pub scheme: &'static str,
}

/// A piece of a text with variables.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece<V> {
    /// Text as it stands.
    Text(String),
    /// What a name in braces means.
    Variable(V),
}

/// Takes a text apart: `{name}` is what `variable` makes of the name, `{{` and `}}` are braces. Every template of a file is read
/// here, whatever variables it has.
pub(crate) fn pieces<V>(
    text: &str,
    variable: impl Fn(&str) -> Result<V, BadTemplate>,
) -> Result<Vec<Piece<V>>, BadTemplate> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            plain.push_str(brace);
            rest = after;
            continue;
        }
        let (name, after) = rest
            .split_once('}')
            .filter(|_| brace == "{")
            .ok_or(BadTemplate::Unclosed)?;
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Variable(variable(name)?));
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// `{` without `}`, or the other way round.
    #[error("must close each {{ with }}")]
    Unclosed,
    /// A name that no request fills in.
    #[error("must not use the variable {{{0}}}")]
    Unknown(String),
    /// A group that the pattern has not.
    #[error("must not use the group {{{0}}}, which the regular expression has not")]
    NoGroup(String),
    /// A name that is both a variable and a group.
    #[error("must not use {{{0}}}, which is a variable and also a group of the regular expression")]
    Both(String),
}

impl Template {
    /// Reads a text. `{name}` is a variable, `{1}` and `{name}` a group of `pattern`, `{{` and `}}` are braces.
    ///
    /// # Errors
    /// When a brace is not closed, or a name means nothing or two things.
    pub fn parse(text: &str, pattern: Option<&Pattern>) -> Result<Self, BadTemplate> {
        let parts = pieces(text, |name| Self::part(name, pattern))?.into_iter();
        let parts = parts.map(|piece| match piece {
            Piece::Text(text) => Part::Text(text),
            Piece::Variable(part) => part,
        });
        Ok(Self {
            text: text.into(),
            parts: parts.collect(),
        })
    }

    fn part(name: &str, pattern: Option<&Pattern>) -> Result<Part, BadTemplate> {
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            let group = name
                .parse()
                .ok()
                .filter(|group| pattern.is_some_and(|p| *group < p.groups()));
            return group
                .map(Part::Group)
                .ok_or_else(|| BadTemplate::NoGroup(name.to_owned()));
        }
        let variable = Variable::ALL.iter().find(|(known, _)| *known == name);
        match (variable, pattern.and_then(|pattern| pattern.group(name))) {
            // What is safe to write with the one is not with the other: `https://a.example{path}`.
            (Some(_), Some(_)) => Err(BadTemplate::Both(name.to_owned())),
            (None, Some(group)) => Ok(Part::Group(group)),
            (Some((_, variable)), None) => Ok(Part::Variable(*variable)),
            (None, None) => Err(BadTemplate::Unknown(name.to_owned())),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a request has to name a host to fill it in.
    pub fn needs_host(&self) -> bool {
        let names_host = |part: &Part| matches!(part, Part::Variable(Variable::Host | Variable::Authority));
        self.parts.iter().any(names_host)
    }

    /// Whether it ends in `?{query}`.
    pub(super) fn ends_in_query(&self) -> bool {
        matches!(&self.parts[..], [.., Part::Text(text), Part::Variable(Variable::Query)] if text.ends_with('?'))
    }

    /// The plain texts of it.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Variable(_) | Part::Group(_) => None,
        })
    }

    /// A text that it can become: `x` for what a request fills in, behind a slash where that is a path.
    pub(crate) fn sample(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable(Variable::Path | Variable::Target) => "/x".to_owned(),
            Part::Variable(_) | Part::Group(_) => "x".to_owned(),
        };
        self.parts.iter().map(part).collect()
    }

    /// The text for one request, without control characters.
    pub fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        self.render_groups(values, None, out);
    }

    /// The same with the groups of a match.
    pub(super) fn render_groups(
        &self,
        values: &Values<'_>,
        groups: Option<&Captures<'_>>,
        out: &mut Vec<u8>,
    ) {
        let from = out.len();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => values.write(*variable, out),
                Part::Group(group) => {
                    let group = groups.and_then(|groups| groups.get(*group));
                    out.extend_from_slice(group.map_or(&[][..], |group| group.as_bytes()));
                }
            }
        }
        if out[from..].iter().any(u8::is_ascii_control) {
            let clean: Vec<u8> = out[from..]
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_control())
                .collect();
            out.truncate(from);
            out.extend_from_slice(&clean);
        }
    }
}

impl Values<'_> {
    fn write(&self, variable: Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::Authority => out.extend_from_slice(self.authority),
            Variable::ClientIp => {
                use std::io::Write as _;
                // Writing to a vector cannot fail.
                let _ = write!(out, "{}", self.client);
            }
            Variable::Host => out.extend_from_slice(self.host),
            Variable::Method => out.extend_from_slice(self.method),
            Variable::Path => out.extend_from_slice(self.path),
            Variable::Query => out.extend_from_slice(self.query.unwrap_or_default()),
            Variable::RequestId => out.extend_from_slice(self.request_id.as_bytes()),
            Variable::Scheme => out.extend_from_slice(self.scheme.as_bytes()),
            Variable::Target => {
                out.extend_from_slice(self.path);
                if let Some(query) = self.query {
                    out.push(b'?');
                    out.extend_from_slice(query);
                }
            }
        }
    }
}

impl Template {
    /// The same, which is shown as this text, if there is one.
    pub fn shown_as(self, mark: Option<Arc<str>>) -> Self {
        Self {
            text: mark.unwrap_or(self.text),
            ..self
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn values() -> Values<'static> {
        Values {
            authority: b"shop.example:8000",
            client: [192, 0, 2, 7].into(),
            host: b"shop.example",
            method: b"GET",
            path: b"/a",
            query: Some(b"b=c"),
            request_id: "r1",
            scheme: "http",
        }
    }

    fn rendered(text: &str) -> String {
        let mut out = Vec::new();
        Template::parse(text, None).unwrap().render(&values(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn variables_are_filled_in() {
        assert_eq!(
            rendered("{scheme}://{authority}{target}"),
            "http://shop.example:8000/a?b=c"
        );
        assert_eq!(
            rendered("{method} {host} {path} {query} {client_ip} {request_id}"),
            "GET shop.example /a b=c 192.0.2.7 r1"
        );
        assert_eq!(rendered("{{x}} {{{path}}}"), "{x} {/a}");
        assert_eq!(rendered(""), "");
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (text, why) in [
            ("{", BadTemplate::Unclosed),
            ("a}", BadTemplate::Unclosed),
            ("{path", BadTemplate::Unclosed),
            ("{}", BadTemplate::Unknown(String::new())),
            ("{Path}", BadTemplate::Unknown("Path".into())),
            ("{1}", BadTemplate::NoGroup("1".into())),
        ] {
            assert_eq!(Template::parse(text, None), Err(why), "{text}");
        }
        let pattern = Pattern::new("^/(?P<id>[0-9]+)/(.*)$").unwrap();
        assert!(Template::parse("{id}/{2}/{0}", Some(&pattern)).is_ok());
        assert_eq!(
            Template::parse("{3}", Some(&pattern)),
            Err(BadTemplate::NoGroup("3".into()))
        );
    }

    #[test]
    fn no_request_can_end_a_line() {
        let mut out = b"kept\r\n".to_vec();
        let values = Values {
            path: b"/a\r\nX-Evil: 1\0\x7f",
            ..values()
        };
        Template::parse("{path}", None).unwrap().render(&values, &mut out);
        assert_eq!(out, b"kept\r\n/aX-Evil: 1");
    }
}

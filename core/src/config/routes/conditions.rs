//! What routes ask of requests: hosts, paths, methods, headers, parameters, clients.

use std::{net::Ipv6Addr, sync::Arc};

use super::{Checker, Entry, Fields, Key, Value, fields, key_path, keys, require_one};
use crate::{
    config::{
        address::{checked_host, parse_network},
        model::*,
        problem::Refusal,
        secrets::Masked,
        settings::{Single, Switch},
        written::Written,
    },
    route::{
        BadPattern, Pattern,
        ambiguity::{self, Allowed, Ambiguity},
        headers,
    },
};

/// A request line that every server takes.
const MAX_PATH: usize = 2048;
/// What requests are usually called; method names are compared with their case.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT",
];

const PATH: [Key; 3] = [
    ("prefix", "a path"),
    ("exact", "a path"),
    ("regex", "a regular expression"),
];
const TEST: [Key; 3] = [
    ("exact", "a value"),
    ("regex", "a regular expression"),
    ("present", "on or off"),
];

/// A route's path, unless it is refused, and which ambiguous ones it takes.
pub(super) type Conditional<'p> = (Option<&'p PathPattern>, Allowed);

/// How a name, or a value, is judged.
type Judge = fn(&Written) -> Result<Arc<str>, Refusal>;

impl Checker<'_> {
    /// What a route asks of requests. Its path is judged before, since other settings refer to it.
    pub(super) fn conditions(&mut self, own: &Fields<'_>, path: PathPattern) -> Conditions {
        let hosts = own.list("host", true, self.problems).unwrap_or_default();
        let methods = own.list("method", true, self.problems).unwrap_or_default();
        let clients = own.list("client", true, self.problems).unwrap_or_default();
        Conditions {
            hosts: self.all(&hosts, host_pattern),
            path,
            methods: self.all(&methods, method),
            headers: self.tests(own, "header", header_name, header_value),
            query: self.tests(own, "query", query_name, query_value),
            clients: self.all(&clients, |client| parse_network(client.text())),
        }
    }

    /// The path of a route; `None` if it is refused.
    pub(super) fn path(&mut self, own: &Fields<'_>, allowed: Allowed) -> Option<PathPattern> {
        if !own.is_written("path") {
            return Some(PathPattern::Any);
        }
        let Some(kinds) = own.mapping("path", keys(&PATH), self.problems) else {
            let prefix = own.scalar("path", self.problems);
            return self.value(&prefix, |prefix| prefix_pattern(prefix, allowed));
        };
        require_one(&kinds, &PATH, self);
        let [prefix, exact, regex] = PATH.map(|(key, _)| kinds.scalar(key, self.problems));
        if let Some(exact) = &exact {
            return self.check(exact, |exact| {
                Ok(PathPattern::Exact(exact.masked(&path(exact, allowed)?)))
            });
        }
        if let Some(pattern) = &regex {
            return self.check(pattern, path_pattern);
        }
        self.value(&prefix, |prefix| prefix_pattern(prefix, allowed))
    }

    fn tests(&mut self, own: &Fields<'_>, key: &str, name: Judge, value: Judge) -> Vec<FieldTest> {
        let example = format!("{key}: {{X-Beta: \"1\"}}");
        let entries = own.entries(key, &example, self.problems).unwrap_or_default();
        let mut tests = Vec::new();
        for entry in entries {
            let path = key_path(&own.path_of(key), &entry.key);
            let name = self.check(&fields::key(entry, &path), name);
            let test = self.test(entry, &path, value).map(|(test, written)| match test {
                ValueTest::Exact(exact) => {
                    ValueTest::Exact(Masked::new(&exact, self.mark(&entry.key, &written)))
                }
                ValueTest::Regex(pattern) => {
                    ValueTest::Regex(pattern.shown_as(self.mark(&entry.key, &written)))
                }
                other => other,
            });
            tests.extend(name.zip(test).map(|(name, test)| FieldTest { name, test }));
        }
        tests
    }

    /// What is asked of a value, and where it stands.
    fn test(&mut self, entry: &Entry, path: &str, value: Judge) -> Option<(ValueTest, Written)> {
        let as_it_is = |value: Arc<str>| ValueTest::Exact(Masked::new(&value, None));
        let Value::Mapping(entries) = &entry.value.value else {
            let exact = fields::scalar(&entry.value, path, "a value or a mapping", self.problems)?;
            let test = self.check(&exact, |exact| value(exact).map(as_it_is))?;
            return Some((test, exact));
        };
        let kinds = Fields::read(entries, (path, entry.value.position), keys(&TEST), self.problems);
        require_one(&kinds, &TEST, self);
        let [exact, regex, present] = TEST.map(|(key, _)| kinds.scalar(key, self.problems));
        let test = if exact.is_some() {
            self.value(&exact, |exact| value(exact).map(as_it_is))
        } else if regex.is_some() {
            self.value(&regex, |regex| pattern(regex).map(ValueTest::Regex))
        } else {
            self.value(&present, |present| Switch.parse(present))
                .map(|present| match present {
                    true => ValueTest::Present,
                    false => ValueTest::Absent,
                })
        };
        test.zip(exact.or(regex).or(present))
    }
}

pub(super) fn pattern(written: &Written) -> Result<Pattern, Refusal> {
    let pattern = Pattern::new(written.text()).map(|pattern| pattern.shown_as(written.mark()));
    pattern.map_err(|bad| match bad {
        BadPattern::Syntax(_) if written.text().contains("(?=") || written.text().contains("(?!") => {
            Refusal::new(bad.to_string()).hint("it cannot look ahead or back")
        }
        bad => Refusal::new(bad.to_string()),
    })
}

fn host_pattern(written: &Written) -> Result<HostPattern, Refusal> {
    let text = written.text();
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Ok(HostPattern::Exact(format!("[{address}]").into()));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        let refusal = Refusal::new("must be a host without a port, which makes no difference");
        return Err(refusal.did_you_mean(Some(host)));
    }
    if let Some((_, rest)) = text.split_once("://") {
        let refusal = Refusal::new("must be a host, not a URL");
        return Err(refusal.did_you_mean(rest.split('/').next()));
    }
    let name = |name: &str| -> Result<String, Refusal> {
        let name = checked_host(name, "example.com or *.example.com")?;
        Ok(name.strip_suffix('.').map(str::to_owned).unwrap_or(name))
    };
    match text.strip_prefix("*.") {
        Some(rest) if !rest.contains('*') => Ok(HostPattern::Wildcard(format!(".{}", name(rest)?).into())),
        None if !text.contains('*') => Ok(HostPattern::Exact(name(text)?.into())),
        _ => Err(Refusal::new("must be a host, `*.` and the end of one, or `*`")),
    }
}

/// A path as it stands in a request line.
pub(super) fn path(written: &Written, allowed: Allowed) -> Result<Arc<str>, Refusal> {
    let path = written.text();
    if !path.starts_with('/') {
        let refusal = Refusal::new("must be a path that begins with `/`");
        return Err(match path.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            true => refusal.did_you_mean(Some(format!("/{path}"))),
            false if path.starts_with('^') => refusal.hint(format!("did you mean `{{regex: \"{path}\"}}`?")),
            false => refusal,
        });
    }
    if !path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'?'))
    {
        let refusal = Refusal::new("must be a path of visible ASCII characters without `?` and `#`");
        return Err(refusal.hint("write others in their percent-encoded form, as clients send them"));
    }
    if path.len() > MAX_PATH {
        return Err(Refusal::new(format!(
            "must be a path of at most {MAX_PATH} characters"
        )));
    }
    match ambiguity::find(path.as_bytes(), allowed) {
        None => Ok(path.into()),
        Some(Ambiguity::DotSegment) => {
            let refusal =
                Refusal::new("can never match: requests with dot segments in their path are refused");
            Err(refusal.hint("write `allow_dot_segments: true` beside it"))
        }
        Some(Ambiguity::EncodedSlash) => {
            let refusal =
                Refusal::new("can never match: requests with encoded slashes in their path are refused");
            Err(refusal.hint("write `allow_encoded_slashes: true` beside it"))
        }
    }
}

/// Without the slash at its end, which makes no difference.
fn prefix_pattern(written: &Written, allowed: Allowed) -> Result<PathPattern, Refusal> {
    let prefix = path(written, allowed)?;
    if let Some(before) = prefix.strip_suffix("/*") {
        let refusal = Refusal::new("must be a path, which means itself and all below it");
        let meant = if before.is_empty() { "/" } else { before };
        return Err(refusal.did_you_mean(Some(meant)));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(&prefix);
    if prefix.is_empty() {
        return Ok(PathPattern::Any);
    }
    if prefix.contains("//") || prefix.ends_with('/') {
        let refusal = Refusal::new("must not hold empty segments (`//`)");
        return Err(refusal.hint("write `{exact: …}` or `{regex: …}` for such a path"));
    }
    Ok(PathPattern::Prefix(written.masked(prefix)))
}

fn path_pattern(written: &Written) -> Result<PathPattern, Refusal> {
    let pattern = pattern(written)?;
    let start = pattern.literal_start();
    if !start.is_empty() && !start.starts_with('/') {
        let refusal = Refusal::new("can never match: every path begins with `/`");
        let rest = pattern.as_str().trim_start_matches('^');
        return Err(refusal.did_you_mean(Some(format!("^/{rest}"))));
    }
    Ok(PathPattern::Regex(pattern))
}

fn method(written: &Written) -> Result<Arc<str>, Refusal> {
    let method = written.text();
    if !written.is_text() || !headers::is_name(method) {
        return Err(Refusal::new("must be a method such as GET"));
    }
    let upper = method.to_ascii_uppercase();
    if METHODS.contains(&upper.as_str()) && upper != method {
        let refusal = Refusal::new("must be a method as clients write it: upper and lower case differ");
        return Err(refusal.did_you_mean(Some(upper)));
    }
    Ok(method.into())
}

fn header_name(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    if !headers::is_name(name) {
        return Err(Refusal::new(
            "must be named as a header is: letters, digits and !#$%&'*+-.^_`|~",
        ));
    }
    if name.eq_ignore_ascii_case("host") {
        let refusal = Refusal::new("must not be the host, which an absolute target may override");
        return Err(refusal.hint("write `host: …` as a condition of its own"));
    }
    Ok(name.to_ascii_lowercase().into())
}

fn header_value(written: &Written) -> Result<Arc<str>, Refusal> {
    let value = written.text();
    if value.chars().any(char::is_control) || value.trim_matches([' ', '\t']) != value {
        return Err(Refusal::new(
            "must be a value without control characters, and without spaces around it",
        ));
    }
    Ok(value.into())
}

fn query_name(written: &Written) -> Result<Arc<str>, Refusal> {
    let name = written.text();
    if name.is_empty() || !is_query(name) || name.contains('=') {
        let refusal =
            Refusal::new("must be named as it stands in a raw query: visible ASCII without `=`, `&` and `#`");
        return Err(refusal.hint("write others in their percent-encoded form"));
    }
    Ok(name.into())
}

fn query_value(written: &Written) -> Result<Arc<str>, Refusal> {
    if !is_query(written.text()) {
        let refusal =
            Refusal::new("must be a value as it stands in a raw query: visible ASCII without `&` and `#`");
        return Err(refusal.hint("write others in their percent-encoded form, a space as %20 or +"));
    }
    Ok(written.text().into())
}

fn is_query(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'&' | b'#'))
}

//! What a route asks of a request beside host and path, and all of it as text.

use std::{cell::OnceCell, fmt};

use super::Request;
use crate::config::{Conditions, FieldTest, HostPattern, PathPattern, ValueTest};

impl Conditions {
    /// How many there are beside host and path.
    pub fn others(&self) -> usize {
        usize::from(!self.methods.is_empty())
            + self.headers.len()
            + self.query.len()
            + usize::from(!self.clients.is_empty())
    }

    /// Whether those beside host and path hold; `query` is the request's.
    pub fn others_hold(&self, request: &Request<'_>, query: &Parameters<'_>) -> bool {
        let client = request.client.to_canonical();
        (self.methods.is_empty()
            || self
                .methods
                .iter()
                .any(|method| method.as_bytes() == request.method))
            && (self.clients.is_empty() || self.clients.iter().any(|network| network.contains(&client)))
            && self.headers.iter().all(|test| holds_for_headers(test, request))
            && self.query.iter().all(|test| holds_for_query(test, query))
    }
}

impl PathPattern {
    /// Whether a raw path is meant.
    pub fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.as_bytes() == path,
            Self::Prefix(prefix) => path
                .strip_prefix(prefix.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/'),
            Self::Regex(pattern) => pattern.is_match(path),
        }
    }
}

impl HostPattern {
    /// Whether a host is meant: in lower case, without port and without a dot at its end.
    pub fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.as_bytes() == host,
            Self::Wildcard(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_bytes()),
        }
    }
}

impl ValueTest {
    /// Whether a value that is there passes. (`Absent` is for the caller to turn round.)
    fn passes(&self, value: &[u8]) -> bool {
        match self {
            Self::Present | Self::Absent => true,
            Self::Exact(exact) => exact.as_bytes() == value,
            Self::Regex(pattern) => pattern.is_match(value),
        }
    }
}

fn holds_for_headers(test: &FieldTest, request: &Request<'_>) -> bool {
    let found = request
        .headers
        .any(&test.name, &mut |value| test.test.passes(value));
    found != (test.test == ValueTest::Absent)
}

fn holds_for_query(test: &FieldTest, query: &Parameters<'_>) -> bool {
    let found = query.any(test.name.as_bytes(), &|value| test.test.passes(value));
    found != (test.test == ValueTest::Absent)
}

/// The parameters of a query. A long one is taken apart once, when the first condition asks: hundreds of routes may ask, and it
/// may hold thousands of parameters. A usual one is read again for each condition, which allocates nothing.
#[derive(Debug)]
pub struct Parameters<'q> {
    query: &'q [u8],
    sorted: OnceCell<Vec<Parameter<'q>>>,
}

/// Bytes of a query that is not worth an index.
const SHORT_QUERY: usize = 256;

/// Name and value, as written.
type Parameter<'q> = (&'q [u8], &'q [u8]);

impl<'q> Parameters<'q> {
    /// Those of a raw query, without its `?`.
    pub fn new(query: &'q [u8]) -> Self {
        Self {
            query,
            sorted: OnceCell::new(),
        }
    }

    /// Whether a parameter of this name has a value that passes.
    fn any(&self, name: &[u8], passes: &dyn Fn(&[u8]) -> bool) -> bool {
        if self.query.len() <= SHORT_QUERY {
            let mut parameters = self.query.split(|byte| *byte == b'&').map(parameter);
            return parameters.any(|(other, value)| other == name && passes(value));
        }
        let sorted = self.sorted.get_or_init(|| {
            let parts = self.query.split(|byte| *byte == b'&');
            let mut parameters: Vec<_> = parts.map(parameter).collect();
            parameters.sort_by_key(|(name, _)| *name);
            parameters
        });
        let first = sorted.partition_point(|(other, _)| *other < name);
        let mut named = sorted[first..].iter().take_while(|(other, _)| *other == name);
        named.any(|(_, value)| passes(value))
    }
}

fn parameter(part: &[u8]) -> Parameter<'_> {
    let end = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
    (&part[..end], part.get(end + 1..).unwrap_or_default())
}

/// `host a.example, path /v1, method GET`; `every request` without conditions.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hosts,
            path,
            methods,
            headers,
            query,
            clients,
        } = self;
        let mut parts = Vec::new();
        if !hosts.is_empty() {
            parts.push(format!("host {}", joined(hosts)));
        }
        match path {
            PathPattern::Any => {}
            PathPattern::Prefix(prefix) => parts.push(format!("path {}", prefix.shown())),
            PathPattern::Exact(exact) => parts.push(format!("path = {}", exact.shown())),
            PathPattern::Regex(pattern) => parts.push(format!("path ~ {pattern}")),
        }
        if !methods.is_empty() {
            parts.push(format!("method {}", joined(methods)));
        }
        parts.extend(headers.iter().map(|test| described("header", test)));
        parts.extend(query.iter().map(|test| described("query", test)));
        if !clients.is_empty() {
            parts.push(format!("client {}", joined(clients)));
        }
        if parts.is_empty() {
            return f.write_str("every request");
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(suffix) => write!(f, "*{suffix}"),
        }
    }
}

fn described(kind: &str, FieldTest { name, test }: &FieldTest) -> String {
    match test {
        ValueTest::Present => format!("{kind} {name}"),
        ValueTest::Absent => format!("no {kind} {name}"),
        ValueTest::Exact(value) => format!("{kind} {name} = {}", value.shown()),
        ValueTest::Regex(pattern) => format!("{kind} {name} ~ {pattern}"),
    }
}

fn joined<T: fmt::Display>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("|")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::route::Pattern;

    fn test(name: &str, test: ValueTest) -> FieldTest {
        FieldTest {
            name: name.into(),
            test,
        }
    }

    #[test]
    fn a_prefix_matches_by_whole_segments() {
        let prefix = PathPattern::Prefix("/v1".into());
        for (path, matches) in [
            ("/v1", true),
            ("/v1/", true),
            ("/v1/x", true),
            ("/v10", false),
            ("/V1", false),
            ("/", false),
        ] {
            assert_eq!(prefix.matches(path.as_bytes()), matches, "{path}");
        }
    }

    #[test]
    fn one_of_several_values_is_enough_and_absent_means_none() {
        let headers = vec![("X-A", "1"), ("x-a", "22")];
        let request = Request {
            host: b"",
            method: b"GET",
            path: b"/",
            query: b"debug&a=1&a=2&b=",
            headers: &headers,
            client: [127, 0, 0, 1].into(),
        };
        let holds = |name, test_of| {
            let test = test(name, test_of);
            (
                holds_for_headers(&test, &request),
                holds_for_query(&test, &Parameters::new(request.query)),
            )
        };
        assert_eq!(holds("x-a", ValueTest::Exact("22".into())), (true, false));
        assert_eq!(
            holds("x-a", ValueTest::Regex(Pattern::new("^2").unwrap())),
            (true, false)
        );
        assert_eq!(holds("x-a", ValueTest::Exact("2".into())), (false, false));
        assert_eq!(holds("x-a", ValueTest::Absent), (false, true));
        assert_eq!(holds("a", ValueTest::Exact("2".into())), (false, true));
        assert_eq!(holds("debug", ValueTest::Present), (false, true));
        assert_eq!(holds("b", ValueTest::Exact("".into())), (false, true));
        assert_eq!(holds("debu", ValueTest::Absent), (true, true));
    }

    #[test]
    fn a_long_query_is_read_as_a_short_one_is() {
        let short = "b=1&a=&a=22&c";
        let long = format!("{}&{short}&{}", "x=0&".repeat(100), "z=9&".repeat(100));
        for query in [short, &long] {
            let parameters = Parameters::new(query.as_bytes());
            let holds = |name, value| holds_for_query(&test(name, value), &parameters);
            assert!(holds("a", ValueTest::Exact("22".into())), "{query}");
            assert!(holds("a", ValueTest::Exact("".into())), "{query}");
            assert!(!holds("a", ValueTest::Exact("2".into())), "{query}");
            assert!(
                holds("c", ValueTest::Present) && holds("d", ValueTest::Absent),
                "{query}"
            );
        }
    }
}

//! Another path for the backend than the client asked for. The query stays as it came.

use std::fmt;

use super::{
    Pattern, Template, Values,
    ambiguity::{self, Allowed, Ambiguity},
};
use crate::config::Masked;

/// How a path is rewritten.
#[derive(Debug, Clone, PartialEq)]
pub enum Rewrite {
    /// What a route's path matched, or another start of whole segments, replaced by another. Both without a slash at their
    /// end; empty for none. A path that does not begin so stays.
    Prefix {
        /// What is replaced.
        from: Masked,
        /// By what.
        to: Masked,
    },
    /// The first part of the path that a pattern finds, replaced by a text with its groups. A path without such a part
    /// stays.
    Pattern {
        /// What is replaced.
        from: Pattern,
        /// By what.
        to: Template,
    },
}

impl Rewrite {
    /// The new path and query, in `out`; `false` if they stay as they are.
    ///
    /// # Errors
    /// When the path became one that another reader may take for another: `/x.` and `./y` joined, say.
    pub fn apply(&self, values: &Values<'_>, allowed: Allowed, out: &mut Vec<u8>) -> Result<bool, Ambiguity> {
        let path = values.path;
        if path.first() != Some(&b'/') {
            return Ok(false);
        }
        match self {
            Self::Prefix { from, to } => {
                let Some(rest) = strip(path, from.as_bytes()) else {
                    return Ok(false);
                };
                out.extend_from_slice(to.as_bytes());
                out.extend_from_slice(rest);
            }
            Self::Pattern { from, to } => {
                let Some((groups, found)) = from.captures(path).and_then(|groups| {
                    let found = groups.get(0)?;
                    Some((groups, found))
                }) else {
                    return Ok(false);
                };
                out.extend_from_slice(&path[..found.start()]);
                to.render_groups(values, Some(&groups), out);
                out.extend_from_slice(&path[found.end()..]);
            }
        }
        if out.first() != Some(&b'/') {
            out.insert(0, b'/');
        }
        lead_with_one_slash(out);
        // A part that was filled in could begin a query or end the target.
        escape(out, b"?#");
        if let Some(ambiguity) = ambiguity::find(out, allowed) {
            return Err(ambiguity);
        }
        if let Some(query) = values.query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
        Ok(true)
    }
}

/// What follows a prefix of whole segments: nothing, or a slash and more.
fn strip<'p>(path: &'p [u8], prefix: &[u8]) -> Option<&'p [u8]> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest[0] == b'/').then_some(rest)
}

/// The place that a request is redirected to, with the groups of the pattern that its path matched.
///
/// It never begins with `//` or `/\`, which browsers take for another host: what a request fills in behind a slash must
/// not become one.
pub fn location(to: &Template, pattern: Option<&Pattern>, values: &Values<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    // `*` of OPTIONS is no path.
    let path = if values.path.first() == Some(&b'/') {
        values.path
    } else {
        b"/"
    };
    let values = Values { path, ..*values };
    let groups = pattern.and_then(|pattern| pattern.captures(path));
    to.render_groups(&values, groups.as_ref(), &mut out);
    if to.ends_in_query() && values.query.unwrap_or_default().is_empty() {
        // Without a query `/x?` would be another place than `/x`.
        out.pop();
    }
    lead_with_one_slash(&mut out);
    escape(&mut out, b"");
    out
}

/// Leaves one slash of those at the start. Behind `//` or `/\`, many readers look for a host (RFC 3986 section 4.2).
fn lead_with_one_slash(path: &mut Vec<u8>) {
    if path.first() == Some(&b'/') {
        let slashes = path
            .iter()
            .take_while(|byte| matches!(byte, b'/' | b'\\'))
            .count();
        path.drain(1..slashes);
    }
}

/// Percent-encodes the bytes that no URL holds (RFC 3986 section 2), and those of `also`: requests come with `"<>\^{|}` and
/// backticks in their targets, and header values with any byte. `%` stays, since it begins an escape already.
fn escape(url: &mut Vec<u8>, also: &[u8]) {
    let legal = |byte: &u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(byte) && !also.contains(byte);
    if url.iter().all(legal) {
        return;
    }
    for byte in std::mem::take(url) {
        if legal(&byte) {
            url.push(byte);
        } else {
            let digit = |half: u8| b"0123456789ABCDEF"[usize::from(half)];
            url.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

impl fmt::Display for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Masked| match path.shown() {
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        match self {
            Self::Prefix { from, to } => write!(f, "{} -> {}", shown(from), shown(to)),
            Self::Pattern { from, to } => write!(f, "{from} -> {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn values<'a>(path: &'a [u8], query: Option<&'a [u8]>) -> Values<'a> {
        Values {
            authority: b"a:1",
            client: [192, 0, 2, 7].into(),
            host: b"a",
            method: b"GET",
            path,
            query,
            request_id: "r1",
            scheme: "http",
        }
    }

    fn rewritten(rewrite: &Rewrite, path: &str) -> Result<Option<String>, Ambiguity> {
        let mut out = Vec::new();
        let changed = rewrite.apply(&values(path.as_bytes(), None), Allowed::default(), &mut out)?;
        Ok(changed.then(|| String::from_utf8(out).unwrap()))
    }

    fn prefix(from: &str, to: &str) -> Rewrite {
        Rewrite::Prefix {
            from: from.into(),
            to: to.into(),
        }
    }

    fn pattern(from: &str, to: &str) -> Rewrite {
        let from = Pattern::new(from).unwrap();
        Rewrite::Pattern {
            to: Template::parse(to, Some(&from)).unwrap(),
            from,
        }
    }

    #[test]
    fn a_prefix_is_replaced_by_whole_segments() {
        for (from, to, path, expected) in [
            ("/v1", "", "/v1/x", Some("/x")),
            ("/v1", "", "/v1", Some("/")),
            ("/v1", "", "/v1/", Some("/")),
            ("/v1", "", "/v10", None),
            ("/v1", "/api/v2", "/v1/x//y", Some("/api/v2/x//y")),
            ("", "/app", "/x", Some("/app/x")),
            ("", "/app", "/", Some("/app/")),
            ("/v1", "", "/v1//evil.example", Some("/evil.example")),
            ("/v1", "", "/v1/a//b", Some("/a//b")),
            ("/v1", "", "/v1/{a}|\"b\"", Some("/%7Ba%7D%7C%22b%22")),
            ("/v1", "", "*", None),
        ] {
            assert_eq!(
                rewritten(&prefix(from, to), path),
                Ok(expected.map(str::to_owned)),
                "{path}"
            );
        }
    }

    #[test]
    fn a_pattern_is_replaced_with_its_groups() {
        for (from, to, path, expected) in [
            ("^/user/([0-9]+)$", "/u/{1}", "/user/7", Some("/u/7")),
            ("^/user/([0-9]+)$", "/u/{1}", "/user/x", None),
            ("/(?P<id>[0-9]+)/", "/n{id}n/", "/a/1/2", Some("/a/n1n/2")),
            ("^/+", "", "/x", Some("/x")),
            ("^/(x)?", "/{1}y{method}", "/z", Some("/yGETz")),
            ("^/old(.*)$", "{1}", "/old//evil.example", Some("/evil.example")),
        ] {
            assert_eq!(
                rewritten(&pattern(from, to), path),
                Ok(expected.map(str::to_owned)),
                "{path}"
            );
        }
    }

    #[test]
    fn the_query_stays_and_nothing_begins_another() {
        let mut out = Vec::new();
        let changed =
            prefix("/v1", "").apply(&values(b"/v1/a", Some(b"b=/v1")), Allowed::default(), &mut out);
        assert_eq!((changed, &out[..]), (Ok(true), &b"/a?b=/v1"[..]));
        let mut out = Vec::new();
        let by_query = pattern("^/go$", "/{query}");
        let changed = by_query.apply(&values(b"/go", Some(b"a=b?#c d")), Allowed::default(), &mut out);
        assert_eq!((changed, &out[..]), (Ok(true), &b"/a=b%3F%23c%20d?a=b?#c d"[..]));
    }

    #[test]
    fn parts_cannot_be_joined_to_a_dot_segment() {
        assert_eq!(
            rewritten(&pattern("^/x(.*)y(.*)$", "/{1}{2}"), "/x.y./admin"),
            Err(Ambiguity::DotSegment)
        );
        assert_eq!(
            rewritten(&pattern("-", ""), "/%2-f"),
            Err(Ambiguity::EncodedSlash)
        );
    }

    #[test]
    fn a_redirect_without_a_query_has_no_question_mark() {
        let to = |text: &str, query: Option<&[u8]>| {
            let template = Template::parse(text, None).unwrap();
            String::from_utf8(location(&template, None, &values(b"/x", query))).unwrap()
        };
        for (text, query, expected) in [
            ("/y?{query}", None, "/y"),
            ("/y?{query}", Some(&b""[..]), "/y"),
            ("/y?{query}", Some(b"a?"), "/y?a?"),
            ("/y?{query}&b", None, "/y?&b"),
            ("/y?{path}", None, "/y?/x"),
            ("{target}", Some(b""), "/x?"),
        ] {
            assert_eq!(to(text, query), expected, "{text}");
        }
    }

    #[test]
    fn a_redirect_is_a_url_whatever_was_asked_for() {
        let to = |text: &str, path: &[u8], query: &[u8]| {
            let template = Template::parse(text, None).unwrap();
            String::from_utf8(location(&template, None, &values(path, Some(query)))).unwrap()
        };
        assert_eq!(
            to(
                "https://b.example{target}",
                br#"/"<>\^`{|}/%3C/%/[1]"#,
                b"a[]=\xec\x95\x88 b&c=|"
            ),
            "https://b.example/%22%3C%3E%5C%5E%60%7B%7C%7D/%3C/%/[1]?a[]=%EC%95%88%20b&c=%7C"
        );
        assert_eq!(
            to("https://[::1]{path}#a", b"/~:@!$&'()*+,;=", b""),
            "https://[::1]/~:@!$&'()*+,;=#a"
        );
    }

    #[test]
    fn a_redirect_never_leads_to_another_host_than_it_says() {
        let to = |text: &str, pattern: Option<&Pattern>, path: &str| {
            let template = Template::parse(text, pattern).unwrap();
            String::from_utf8(location(
                &template,
                pattern,
                &values(path.as_bytes(), Some(b"q=1")),
            ))
            .unwrap()
        };
        assert_eq!(to("https://{host}{target}", None, "/x"), "https://a/x?q=1");
        assert_eq!(to("https://b.example{path}", None, "*"), "https://b.example/");
        let all = Pattern::new("^/old/(.*)$").unwrap();
        assert_eq!(to("/{1}", Some(&all), "/old/x"), "/x");
        assert_eq!(to("/{1}", Some(&all), "/old//evil.example"), "/evil.example");
        assert_eq!(to("/{1}", Some(&all), "/old/\\evil.example"), "/evil.example");
    }
}

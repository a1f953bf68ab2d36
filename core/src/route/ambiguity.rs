//! Paths that a backend may read differently than the routes did.
//!
//! A server that removes dot segments (RFC 3986 section 5.2.4) or decodes `%2F` sees another path than the one that was
//! matched: `/public/..%2fadmin` goes by the route of `/public` and arrives at `/admin`. As soon as a route speaks of
//! paths, such requests are refused, unless their route allows them. Seen as a dot segment are `.` and `..`, also with
//! `%2e` for a dot and with parameters behind (`..;x`, which some servers cut off); seen as an encoded slash are `%2f`,
//! `%5c` and a backslash, which some servers take for a slash.
//!
//! Not seen: what is encoded twice (`%252e`), and what a server does to empty segments (`//`).

/// Why a path is ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguity {
    /// A segment that is `.` or `..`, in whatever spelling.
    DotSegment,
    /// A slash or backslash that is not plainly one.
    EncodedSlash,
}

/// What of it a route allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// `allow_dot_segments`
    pub dot_segments: bool,
    /// `allow_encoded_slashes`
    pub encoded_slashes: bool,
}

/// Whether a backend may take a host for one that the routes did not see: it may decode percent-encoded characters (RFC 3986
/// section 3.2.2), and of the dots at the end the routes ignore one only, that of the root.
pub fn is_ambiguous_host(host: &[u8]) -> bool {
    host.contains(&b'%') || host.ends_with(b"..")
}

/// What is ambiguous about a raw path beyond what is allowed.
pub fn find(path: &[u8], allowed: Allowed) -> Option<Ambiguity> {
    // Nearly all paths hold neither, or a dot within a name.
    if !path.iter().any(|byte| matches!(byte, b'%' | b'\\' | b'.')) {
        return None;
    }
    if !allowed.encoded_slashes && has_encoded_slash(path) {
        return Some(Ambiguity::EncodedSlash);
    }
    (!allowed.dot_segments && has_dot_segment(path)).then_some(Ambiguity::DotSegment)
}

fn has_encoded_slash(path: &[u8]) -> bool {
    path.contains(&b'\\')
        || path
            .windows(3)
            .any(|escape| matches!(escape, [b'%', b'2', b'f' | b'F'] | [b'%', b'5', b'c' | b'C']))
}

fn has_dot_segment(path: &[u8]) -> bool {
    let mut rest = path;
    loop {
        if begins_with_dot_segment(rest) {
            return true;
        }
        match behind_slash(rest) {
            Some(next) => rest = next,
            None => return false,
        }
    }
}

/// What follows the next slash, or what some take for one.
fn behind_slash(path: &[u8]) -> Option<&[u8]> {
    let mut rest = path;
    loop {
        rest = match rest {
            [] => return None,
            [b'/' | b'\\', behind @ ..] => return Some(behind),
            [b'%', b'2', b'f' | b'F', behind @ ..] | [b'%', b'5', b'c' | b'C', behind @ ..] => {
                return Some(behind);
            }
            [_, next @ ..] => next,
        };
    }
}

fn begins_with_dot_segment(rest: &[u8]) -> bool {
    let Some(one) = dot(rest) else { return false };
    let rest = dot(one).unwrap_or(one);
    let slash = matches!(
        rest,
        [b'%', b'2', b'f' | b'F', ..] | [b'%', b'5', b'c' | b'C', ..]
    );
    let semicolon = matches!(rest, [b'%', b'3', b'b' | b'B', ..]);
    slash || semicolon || matches!(rest, [] | [b'/' | b'\\' | b';', ..])
}

/// What follows a dot.
fn dot(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_are_seen_in_every_spelling() {
        for path in [
            "/..",
            "/.",
            "/a/..",
            "/a/../b",
            "/a/./b",
            "/../",
            "/%2e",
            "/%2E%2e/",
            "/.%2e/a",
            "/a/%2e.",
            "/..;/a",
            "/a/..;x=1/b",
            "/.;",
            "/..%3bx",
            "/.%3B",
        ] {
            assert_eq!(
                find(path.as_bytes(), Allowed::default()),
                Some(Ambiguity::DotSegment),
                "{path}"
            );
        }
    }

    #[test]
    fn encoded_slashes_are_seen_and_hide_no_dot_segment() {
        for path in ["/a%2fb", "/a%2F..", "/%5c", "/a\\b", "/a%5C..%5cb"] {
            assert_eq!(
                find(path.as_bytes(), Allowed::default()),
                Some(Ambiguity::EncodedSlash),
                "{path}"
            );
        }
        let slashes = Allowed {
            encoded_slashes: true,
            dot_segments: false,
        };
        for path in ["/a%2f..", "/a%2F%2e%2E%2fb", "/a\\..\\b", "/a%5c.%2fb", "/..%2f"] {
            assert_eq!(
                find(path.as_bytes(), slashes),
                Some(Ambiguity::DotSegment),
                "{path}"
            );
        }
        for path in ["/a%2fb", "/npm/@scope%2Fname", "/a%5cb", "/a\\b"] {
            assert_eq!(find(path.as_bytes(), slashes), None, "{path}");
        }
    }

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "",
            "*",
            "/",
            "/a.b",
            "/.well-known/x",
            "/a/..b",
            "/a/b..",
            "/...",
            "/%2e%2e%2e",
            "/a;..",
            "/%41",
            "/a//b",
            "/%EC%95%88",
            "/%",
            "/%2",
            "/x%2ey",
            "/.a",
            "/%252e%252e/",
            "/100%./x",
            "/%./",
        ] {
            assert_eq!(find(path.as_bytes(), Allowed::default()), None, "{path}");
        }
    }

    #[test]
    fn what_is_allowed_is_not_ambiguous() {
        let all = Allowed {
            dot_segments: true,
            encoded_slashes: true,
        };
        assert_eq!(find(b"/a/../%2f\\", all), None);
        let dots = Allowed {
            dot_segments: true,
            encoded_slashes: false,
        };
        assert_eq!(find(b"/a/../b", dots), None);
        assert_eq!(find(b"/a/..%2fb", dots), Some(Ambiguity::EncodedSlash));
    }
}

//! What is not shown of a file: values that are usually secret, and texts that the environment took part in.
//!
//! [`Checker::mark`](super::checker::Checker::mark) and [`Written::masked`](super::written::Written::masked) decide it, value by
//! value: settings that are text hold [`Masked`]; hosts, ports, numbers, words and names stay plain, for people type them or
//! everybody on the network sees them. Of a text with variables the file's own part is shown, `/up?key=*** (1a2b3c4d)`.
//!
//! The number is made of the value and a key: two values of one output can be told apart, and nobody can try out which value
//! has this number. It has 32 bits, so it would say little of a value even with the key.

use std::{env::VarError, fmt, ops::Deref, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The parts of a name, without regard to case, `-` and `_`, that make its value a secret.
pub const SECRET_NAMES: [&str; 12] = [
    "authorization",
    "authentication",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "apikey",
    "authkey",
    "accesskey",
    "credential",
    "signature",
];

/// What reading a file needs of the world outside.
pub struct Outside<'l> {
    /// Looks up environment variables, as [`std::env::var`] does.
    pub env: &'l dyn Fn(&str) -> Result<String, VarError>,
    /// What the marks of values that are not shown are made with: random. Without, marks do not tell values apart.
    pub key: Option<[u8; 16]>,
}

/// Names whose values are not shown.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Names of the file's own, beside [`SECRET_NAMES`].
    pub(super) names: Vec<Arc<str>>,
}

impl Secrets {
    /// Whether what stands at a place of the file is a secret.
    pub(super) fn holds(&self, path: &str) -> bool {
        let mut mappings = ["set", "add", "header", "headers", "query"].iter();
        path.ends_with("sticky.key")
            || is_token(path)
            || mappings.any(|mapping| match path.split_once(&format!(".{mapping}")) {
                // What stands in its place may be a whole line.
                Some((_, "")) => true,
                Some((_, name)) => name.strip_prefix('.').is_some_and(|name| self.is_secret(name)),
                None => false,
            })
    }

    /// Whether a field or parameter of this name usually has a secret value.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        let name = plain(name);
        let own = self.names.iter().any(|own| name.contains(&plain(own)));
        own || SECRET_NAMES.iter().any(|known| name.contains(known))
    }
}

/// Whether what stands there opens the admin API.
fn is_token(path: &str) -> bool {
    let Some(path) = path.strip_prefix("admin.") else {
        return false;
    };
    // What stands in the place of the list, or of its items, may be a token.
    let shown = ["name", "file", "role"];
    let of_item = path
        .strip_prefix("tokens[")
        .and_then(|item| item.split_once("]."));
    path == "token" || path.starts_with("tokens") && of_item.is_none_or(|(_, key)| !shown.contains(&key))
}

/// What stands for what nobody sees.
pub(super) const HIDDEN: &str = "***";

/// What stands for a value.
pub(super) fn mark(value: &str, key: Option<&[u8; 16]>) -> Arc<str> {
    marked(HIDDEN, value, key)
}

/// What may be shown of a value, and a number that tells whether it changed.
pub(super) fn marked(shown: &str, value: &str, key: Option<&[u8; 16]>) -> Arc<str> {
    // A key of any length is taken.
    let Some(Ok(mut hash)) = key.map(|key| Hmac::<Sha256>::new_from_slice(key)) else {
        return shown.into();
    };
    hash.update(value.as_bytes());
    let digest = hash.finalize().into_bytes();
    let hexadecimal: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{shown} ({hexadecimal})").into()
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_'));
    letters.flat_map(char::to_lowercase).collect()
}

/// A text that may be one that is not shown. It has no `Display`, so that nobody sends what is for people; `Debug` is for them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Masked {
    text: Arc<str>,
    mark: Option<Arc<str>>,
}

impl Masked {
    /// A text with what is shown instead of it, if anything is.
    pub(super) fn new(text: &str, mark: Option<Arc<str>>) -> Self {
        let text = text.into();
        Self { text, mark }
    }

    /// What people see of it.
    pub fn shown(&self) -> &str {
        self.mark.as_ref().unwrap_or(&self.text)
    }

    /// The same text, as a part of it is shown.
    pub(super) fn mark(&self) -> Option<Arc<str>> {
        self.mark.clone()
    }
}

impl From<&str> for Masked {
    fn from(text: &str) -> Self {
        Self::new(text, None)
    }
}

impl Deref for Masked {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// Quoted, but for a mark.
impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mark {
            Some(mark) => f.write_str(mark),
            None => fmt::Debug::fmt(&self.text, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_values_apart_and_depends_on_its_key() {
        assert_eq!(mark("a", Some(&[1; 16])), mark("a", Some(&[1; 16])));
        assert_ne!(mark("a", Some(&[1; 16])), mark("b", Some(&[1; 16])));
        assert_ne!(mark("a", Some(&[1; 16])), mark("a", Some(&[2; 16])));
        assert_eq!(mark("a", Some(&[1; 16])).len(), "*** (1a2b3c4d)".len());
        assert_eq!(&*mark("a", None), "***");
    }

    #[test]
    fn names_are_compared_without_case_and_dashes() {
        let secrets = Secrets {
            names: vec!["X-Internal".into()],
        };
        for name in [
            "Authorization",
            "proxy-authorization",
            "X_API_KEY",
            "session_token",
            "x-internal",
        ] {
            assert!(secrets.is_secret(name), "{name}");
        }
        for name in ["X-Forwarded-For", "Host", "key", "Accept"] {
            assert!(!secrets.is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_text_in_the_place_of_lines_is_a_secret_as_a_whole() {
        let secrets = Secrets::default();
        for path in [
            "health_check.headers",
            "health_check.headers.Authorization",
            "routes[0].request_headers.set",
            "pools.a.sticky.key",
            "admin.token",
            "admin.tokens",
            "admin.tokens[0]",
            "admin.tokens[0].token",
        ] {
            assert!(secrets.holds(path), "{path}");
        }
        for path in [
            "health_check.headers.Accept",
            "settings",
            "routes[0].path",
            "admin.listen",
            "admin.tokens[0].role",
        ] {
            assert!(!secrets.holds(path), "{path}");
        }
    }
}

//! Stickiness: a cookie that brings a client back to the backend that served it first.
//!
//! The cookie holds a keyed hash (HMAC-SHA-256, RFC 2104, the first 128 bits) of the backend's identity, pool and URL.
//! Nothing has to be remembered: whoever has the key works out the same value for the same backend, after a reload, a
//! restart, and on another balancer. Who has not learns nothing of addresses, and cannot make a value for a backend of
//! his choice.
//!
//! A value that belongs to no backend of the pool is as good as none.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::config::BackendUrl;

/// The key of the hash. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct StickyKey([u8; 32]);

/// The value of a cookie: which backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StickyId([u8; 16]);

impl StickyKey {
    /// A key out of a secret of any length.
    pub fn from_secret(secret: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"simple-lb sticky key\0");
        digest.update(secret);
        Self(digest.finalize().into())
    }

    /// What stands for a backend of a pool.
    pub fn id_of(&self, pool: &str, backend: &BackendUrl) -> StickyId {
        // A key of any length is taken, so this cannot fail; if it did, all would be one, and the strategy would choose.
        let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return StickyId([0; 16]);
        };
        hash.update(pool.as_bytes());
        hash.update(b"\0");
        hash.update(backend.to_string().as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize().into_bytes()[..16]);
        StickyId(id)
    }
}

impl fmt::Debug for StickyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StickyKey(..)")
    }
}

impl StickyId {
    /// Reads the value of a cookie: 32 lower-case hexadecimal digits.
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() != 32 {
            return None;
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(value.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(id))
    }

    /// The values of right form that cookies of this name have in a `Cookie` field (RFC 6265 section 4.2.1). There can be several:
    /// those of other paths and domains, set by other balancers (section 4.2.2).
    pub fn all<'f>(field: &'f [u8], cookie: &'f str) -> impl Iterator<Item = Self> + 'f {
        let pairs = field.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        pairs.filter_map(move |pair| {
            let value = pair.strip_prefix(cookie.as_bytes())?.strip_prefix(b"=")?;
            Self::parse(value)
        })
    }
}

impl fmt::Display for StickyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn url(text: &str) -> BackendUrl {
        text.parse().unwrap()
    }

    #[test]
    fn whoever_has_the_key_finds_the_same_and_others_do_not() {
        let (one, again, other) = (
            StickyKey::from_secret(b"one"),
            StickyKey::from_secret(b"one"),
            StickyKey::from_secret(b"other"),
        );
        let a = one.id_of("default", &url("http://10.0.0.1:80"));
        assert_eq!(a, again.id_of("default", &url("http://10.0.0.1")));
        assert_ne!(a, other.id_of("default", &url("http://10.0.0.1")));
        assert_ne!(a, one.id_of("default", &url("http://10.0.0.2")));
        assert_ne!(a, one.id_of("api", &url("http://10.0.0.1")));
    }

    #[test]
    fn the_value_is_stable_for_ever() {
        // Cookies outlive versions.
        let id = StickyKey::from_secret(b"secret").id_of("default", &url("http://a:9001"));
        assert_eq!(id.to_string(), "6a05086c9a2766a01afa100305ecef19");
    }

    #[test]
    fn a_value_survives_the_cookie_and_nonsense_does_not() {
        let id = StickyKey::from_secret(b"x").id_of("p", &url("http://a"));
        let other = StickyKey::from_secret(b"y").id_of("p", &url("http://a"));
        let field = format!("a=1;lb={id} ; other=2;lb=nonsense; lb={other}");
        let all = |name| StickyId::all(field.as_bytes(), name).collect::<Vec<_>>();
        assert_eq!(all("lb"), [id, other]);
        assert_eq!(all("b"), []);
        for bad in [
            "",
            "lb",
            "lb=",
            "lb=zz",
            "lb=0123456789abcdef0123456789abcdeG",
            "xlb=1",
        ] {
            assert_eq!(StickyId::all(bad.as_bytes(), "lb").count(), 0, "{bad}");
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(
            format!("{:?}", StickyKey::from_secret(b"hunter2")),
            "StickyKey(..)"
        );
    }
}

//! Tokens of the admin API: only their digests are kept, and compared in constant time.
//!
//! A digest has one length, so that a comparison takes as long for each token that may be presented, and memory holds no token.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Refusal;

/// Shorter tokens can be guessed.
pub const MIN_TOKEN: usize = 16;
/// The longest token: what fits into a header line, and into the files of all secret stores.
pub const MAX_TOKEN: usize = 512;

/// What a token is known by. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of a token as it is presented, whatever it is.
    pub fn of(token: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"simple-lb admin token\0");
        digest.update(token);
        Self(digest.finalize().into())
    }

    /// Of a token as an operator wrote it, without white space around it.
    ///
    /// # Errors
    /// When it is too short, too long, or has characters that no header line carries.
    pub fn written(token: &str) -> Result<Self, Refusal> {
        let token = token.trim();
        if token.len() < MIN_TOKEN {
            let rule = format!("must have at least {MIN_TOKEN} characters, without white space around them");
            return Err(Refusal::new(rule).hint("make one with `openssl rand -hex 32`"));
        }
        if token.len() > MAX_TOKEN {
            return Err(Refusal::new(format!("must have at most {MAX_TOKEN} characters")));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let rule = "must be letters, digits and signs of ASCII, without white space";
            return Err(Refusal::new(rule).hint("make one with `openssl rand -hex 32`"));
        }
        Ok(Self::of(token.as_bytes()))
    }

    /// Whether both are of one token, in a time that does not tell how much of them is equal.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_token_does_not_count_and_within_it_is_refused() {
        let token = "0123456789abcdef";
        assert_eq!(
            TokenDigest::written(&format!(" {token}\n")),
            Ok(TokenDigest::of(token.as_bytes()))
        );
        assert!(TokenDigest::of(b"a").is_same(&TokenDigest::of(b"a")));
        assert!(!TokenDigest::of(b"a").is_same(&TokenDigest::of(b"b")));
        for wrong in [
            "",
            "0123456789abcde",
            "01234567 89abcdef",
            "0123456789abcdé",
            &"a".repeat(513),
        ] {
            assert!(TokenDigest::written(wrong).is_err(), "{wrong}");
        }
        assert!(!format!("{:?}", TokenDigest::of(b"hunter")).contains("hunter"));
    }
}

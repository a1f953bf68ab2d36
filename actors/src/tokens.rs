//! Files that hold tokens of the admin API.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use lb_core::token::{MAX_TOKEN, TokenDigest};

use crate::files;

/// A token, and white space around it.
const LARGEST_FILE: u64 = 2 * MAX_TOKEN as u64;

/// Others than user and group may read.
const READABLE_FOR_ALL: u32 = 0o004;

/// What to do about a file that everybody may read.
pub(crate) const WARNING_HINT: &str = "type `chmod o-r` and its name, and replace the token";

/// A token as its file has it.
pub(crate) struct Read {
    pub(crate) digest: TokenDigest,
    /// That everybody may read it.
    pub(crate) warning: Option<String>,
}

/// Reads a token.
///
/// # Errors
/// What is wrong with it, and perhaps what to do.
pub(crate) fn read(path: &Path) -> Result<Read, (String, Option<String>)> {
    let bytes = files::read(path, LARGEST_FILE)
        .map_err(|error| (error.to_string(), error.hint().map(str::to_owned)))?;
    // What is no text has characters that no token has.
    let token = TokenDigest::written(&String::from_utf8_lossy(&bytes));
    let digest = token.map_err(|refusal| (format!("holds no token: it {}", refusal.rule), refusal.hint))?;
    // The file can be another by now; then its next reading warns.
    let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o7777);
    let warning = (mode & READABLE_FOR_ALL != 0)
        .then(|| format!("can be read by every user of this machine (mode {mode:04o})"));
    Ok(Read { digest, warning })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_token_is_trimmed_and_a_file_for_everybody_is_warned_of() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        fs::write(&path, " 0123456789abcdef\n").unwrap();
        set_mode(0o640);
        let token = read(&path).ok().unwrap();
        assert!(token.digest.is_same(&TokenDigest::of(b"0123456789abcdef")));
        assert_eq!(token.warning, None);
        set_mode(0o644);
        let warning = read(&path).ok().unwrap().warning.unwrap_or_default();
        assert!(warning.contains("(mode 0644)"), "{warning}");
    }

    #[test]
    fn what_holds_no_token_says_why_and_not_what() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        let said = || {
            read(&path)
                .err()
                .map(|(rule, hint)| format!("{rule}; {}", hint.unwrap_or_default()))
        };
        assert!(said().is_some_and(|said| said.starts_with("cannot be read: No such file")));
        for (wrong, why) in [
            (&b"hunter"[..], "at least 16 characters"),
            (b"hunter two hunter two", "without white space"),
            (b"\xff\xfe0123456789abcdef", "of ASCII"),
        ] {
            fs::write(&path, wrong).unwrap();
            let said = said().unwrap_or_default();
            assert!(
                said.contains(why) && said.contains("openssl") && !said.contains("hunter"),
                "{said}"
            );
        }
        fs::write(&path, "a".repeat(5000)).unwrap();
        assert!(
            said().is_some_and(|said| said.starts_with("is larger than")),
            "{:?}",
            said()
        );
    }
}

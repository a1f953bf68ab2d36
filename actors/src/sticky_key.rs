//! The key of sticky cookies, where the file gives none: made once and kept in `state_dir`, so that cookies mean the same
//! after a restart. A folder that cannot be written costs just that: the key is then the process's own.

use std::{io, path::Path, sync::OnceLock};

use lb_core::{
    config::{Config, shown_path},
    sticky::StickyKey,
};

use crate::{
    kept::{KeepKey, StateDir, hexadecimal, kept, state_dir},
    random::random,
};

/// The file in `state_dir`.
const FILE: &str = "sticky.key";

/// Enough that nobody guesses it.
const RANDOM_BYTES: usize = 32;

/// Gives every pool that wants stickiness a key. `folder` is the configuration's, where a relative `state_dir` begins. Returns
/// what a person should know.
pub(crate) fn fill_sticky_keys(config: &mut Config, folder: &Path, keep: KeepKey) -> Option<String> {
    let without = |config: &Config| {
        let stickies = config.pools.values().filter_map(|pool| pool.sticky.as_ref());
        stickies.into_iter().any(|sticky| sticky.key.is_none())
    };
    if !without(config) {
        return None;
    }
    let shown = config.state_dir.as_ref().map(|own| folder.join(own.shown()));
    let (kept, place) = match state_dir(config.state_dir.as_deref().map(|own| folder.join(own))) {
        StateDir::Folder(folder) => {
            let place = shown_path(shown.as_ref().unwrap_or(&folder));
            (kept_key(&folder, keep), format!(" in {place}"))
        }
        StateDir::Nowhere(reason) => (Err(io::Error::other(reason)), String::new()),
    };
    let (key, warning) = match kept {
        Ok(key) => (key, None),
        Err(error) if keep == KeepKey::OnlyRead && error.kind() == io::ErrorKind::NotFound => {
            (own_key(), None)
        }
        Err(error) => {
            let warning = format!(
                "no key for sticky cookies can be kept{place}: {error}; they lose their meaning with this process. \
                 Set `state_dir` or `sticky.key`"
            );
            (own_key(), Some(warning))
        }
    };
    for sticky in config.pools.values_mut().filter_map(|pool| pool.sticky.as_mut()) {
        sticky.key.get_or_insert_with(|| key.clone());
    }
    warning
}

/// The key in this folder.
fn kept_key(folder: &Path, keep: KeepKey) -> io::Result<StickyKey> {
    let secret = kept::<RANDOM_BYTES>((folder, FILE), keep, None)?;
    Ok(StickyKey::from_secret(hexadecimal(&secret).as_bytes()))
}

/// A key that lives as long as the process.
fn own_key() -> StickyKey {
    static KEY: OnceLock<StickyKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let random = random().unwrap_or_else(|_| {
            let bytes: [u8; RANDOM_BYTES] = std::array::from_fn(|_| fastrand::u8(..));
            bytes
        });
        StickyKey::from_secret(&random)
    })
    .clone()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        fs,
        os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    };

    use super::*;

    const MAKE: KeepKey = KeepKey::MakeIfMissing;

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        assert!(kept_key(&deep, KeepKey::OnlyRead).is_err());
        assert!(!deep.exists());
        let key = kept_key(&deep, MAKE).unwrap();
        assert_eq!(kept_key(&deep, MAKE).unwrap(), key);
        assert_eq!(kept_key(&deep, KeepKey::OnlyRead).unwrap(), key);
        assert_eq!(fs::metadata(deep.join(FILE)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 1);
        assert_ne!(kept_key(folder.path(), MAKE).unwrap(), key);
    }

    #[test]
    fn what_is_no_key_is_said_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for text in ["hello", &"\0".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
            fs::write(&path, text).unwrap();
            let error = kept_key(folder.path(), MAKE).unwrap_err().to_string();
            assert!(error.contains("is not a key"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_key_that_others_may_have_put_there_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let refused = || kept_key(folder.path(), MAKE).unwrap_err().to_string();
        kept_key(folder.path(), MAKE).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(refused().contains("is a symbolic link"), "{}", refused());
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert!(refused().contains("must be a regular file"), "{}", refused());
        fs::remove_file(&path).unwrap();
        fs::rename(&elsewhere, &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(refused().contains("nobody else can write"), "{}", refused());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        kept_key(folder.path(), MAKE).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(refused().contains("`chmod go-w "), "{}", refused());
    }

    #[test]
    fn only_pools_that_want_it_and_have_none_get_the_kept_key() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "port: 0\nbackends: [http://a]\nsticky: true\nstate_dir: {}\n\
             pools: {{own: {{backends: [http://b], sticky: {{key: 0123456789abcdef}}}}}}\n",
            folder.path().display()
        );
        let mut config = lb_core::config::load(&text, "config.yaml", &|_| None).unwrap();
        let own = config.pools["own"].sticky.clone();
        assert_eq!(
            fill_sticky_keys(&mut config, Path::new("/nowhere"), KeepKey::MakeIfMissing),
            None
        );
        assert_eq!(config.pools["own"].sticky, own);
        let kept = kept_key(folder.path(), MAKE).unwrap();
        assert_eq!(config.pools["default"].sticky.as_ref().unwrap().key, Some(kept));
    }

    #[test]
    fn a_relative_folder_begins_in_that_of_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let text = "port: 0\nbackends: [http://a]\nsticky: true\nstate_dir: state\n";
        let mut config = lb_core::config::load(text, "config.yaml", &|_| None).unwrap();
        assert_eq!(fill_sticky_keys(&mut config, folder.path(), MAKE), None);
        assert!(folder.path().join("state").join(FILE).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_costs_a_warning() {
        let text = "port: 0\nbackends: [http://a]\nsticky: true\nstate_dir: /dev/null/x\n";
        let mut config = lb_core::config::load(text, "config.yaml", &|_| None).unwrap();
        assert!(
            fill_sticky_keys(&mut config, Path::new("/nowhere"), KeepKey::MakeIfMissing)
                .unwrap()
                .contains("/dev/null/x")
        );
        assert!(config.pools["default"].sticky.as_ref().unwrap().key.is_some());
    }
}

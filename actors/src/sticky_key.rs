//! The key of sticky cookies, where the file gives none: made once and kept in `state_dir`, so that cookies mean the same
//! after a restart. A folder that cannot be written costs just that: the key is then the process's own.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use lb_core::{config::Config, sticky::StickyKey};

/// Overrides the usual folder; for containers and tests.
const STATE_DIR_VARIABLE: &str = "SIMPLE_LB_STATE_DIR";

/// The file in `state_dir`: hexadecimal digits, readable for its owner only.
const FILE: &str = "sticky.key";

/// Enough that nobody guesses it.
const RANDOM_BYTES: usize = 32;

/// A file that is longer was made by somebody else.
const LARGEST: u64 = 4096;

/// What to do where there is no kept key yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepKey {
    /// Make one.
    MakeIfMissing,
    /// Leave the folder as it is: the configuration is only looked at.
    OnlyRead,
}

/// Gives every pool that wants stickiness a key. Returns what a person should know.
pub(crate) fn fill_sticky_keys(config: &mut Config, keep: KeepKey) -> Option<String> {
    let without = |config: &Config| {
        let stickies = config.pools.values().filter_map(|pool| pool.sticky.as_ref());
        stickies.into_iter().any(|sticky| sticky.key.is_none())
    };
    if !without(config) {
        return None;
    }
    let folder = state_dir(config.state_dir.as_deref());
    let kept = match keep {
        KeepKey::MakeIfMissing => kept_key(&folder),
        KeepKey::OnlyRead => read(&folder.join(FILE)),
    };
    let (key, warning) = match kept {
        Ok(key) => (key, None),
        Err(error) if keep == KeepKey::OnlyRead && error.kind() == io::ErrorKind::NotFound => {
            (own_key(), None)
        }
        Err(error) => {
            let warning = format!(
                "no key for sticky cookies can be kept in {}: {error}; they lose their meaning with this process. \
                 Set `state_dir` or `sticky.key`",
                folder.display()
            );
            (own_key(), Some(warning))
        }
    };
    for sticky in config.pools.values_mut().filter_map(|pool| pool.sticky.as_mut()) {
        sticky.key.get_or_insert_with(|| key.clone());
    }
    warning
}

/// The configured folder, or the usual one.
fn state_dir(configured: Option<&str>) -> PathBuf {
    if let Some(folder) = configured {
        return folder.into();
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = variable(STATE_DIR_VARIABLE) {
        return folder.into();
    }
    if rustix::process::getuid().is_root() {
        return "/var/lib/simple-lb".into();
    }
    let home = variable("XDG_STATE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    home.unwrap_or_else(std::env::temp_dir).join("simple-lb")
}

/// The key in this folder; makes it if there is none.
fn kept_key(folder: &Path) -> io::Result<StickyKey> {
    let path = folder.join(FILE);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        known => return known,
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Linked when complete: another instance sees all of it or nothing, and the first one wins.
    let unfinished = folder.join(format!("{FILE}.{}", std::process::id()));
    let _leftover = fs::remove_file(&unfinished);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    let written = file
        .write_all(hexadecimal(&random()?).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&unfinished, &path));
    let _removed = fs::remove_file(&unfinished);
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(&path),
    }
}

fn read(path: &Path) -> io::Result<StickyKey> {
    let mut text = String::new();
    fs::File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
    let secret = text.trim();
    if secret.len() < 2 * RANDOM_BYTES {
        let reason = format!("{} is not a key; remove it, and one will be made", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(StickyKey::from_secret(secret.as_bytes()))
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

fn random() -> io::Result<[u8; RANDOM_BYTES]> {
    let mut bytes = [0; RANDOM_BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        let key = kept_key(&deep).unwrap();
        assert_eq!(kept_key(&deep).unwrap(), key);
        assert_eq!(fs::metadata(deep.join(FILE)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 1);
        assert_ne!(kept_key(folder.path()).unwrap(), key);
    }

    #[test]
    fn what_is_no_key_is_said_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "hello").unwrap();
        assert!(
            kept_key(folder.path())
                .unwrap_err()
                .to_string()
                .contains("is not a key")
        );
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), "hello");
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
        assert_eq!(fill_sticky_keys(&mut config, KeepKey::MakeIfMissing), None);
        assert_eq!(config.pools["own"].sticky, own);
        let kept = kept_key(folder.path()).unwrap();
        assert_eq!(config.pools["default"].sticky.as_ref().unwrap().key, Some(kept));
    }

    #[test]
    fn a_folder_that_cannot_be_made_costs_a_warning() {
        let text = "port: 0\nbackends: [http://a]\nsticky: true\nstate_dir: /dev/null/x\n";
        let mut config = lb_core::config::load(text, "config.yaml", &|_| None).unwrap();
        assert!(
            fill_sticky_keys(&mut config, KeepKey::MakeIfMissing)
                .unwrap()
                .contains("/dev/null/x")
        );
        assert!(config.pools["default"].sticky.as_ref().unwrap().key.is_some());
    }
}

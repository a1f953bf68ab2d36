//! Which instance is which.
//!
//! An instance is known by its configuration file: the canonical folder plus the file's name, whose last link is not
//! resolved, so that a Kubernetes ConfigMap may swap what it points to. It holds a lock (`flock`) on
//! `<hash>.lock`, which says who it is, and listens on `<hash>.sock`. Whether an instance lives is asked of the
//! lock, never of a process number that somebody else may have by now: a file whose lock can be taken is stale.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// Overrides where instances leave their files; for tests, and for containers whose usual places cannot be written.
const RUNTIME_DIR_VARIABLE: &str = "SIMPLE_LB_RUNTIME_DIR";

/// No honest file is larger.
const LARGEST_INFO: u64 = 64 * 1024;

/// What an instance says of itself in its lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceInfo {
    /// Its process.
    pub pid: u32,
    /// Its configuration: canonical folder and file name.
    pub config: PathBuf,
    /// Its control socket.
    pub socket: PathBuf,
}

/// A running instance's hold on its identity; dropped, it gives it up.
#[derive(Debug)]
pub struct Claim {
    lock: File,
    lock_path: PathBuf,
    info: InstanceInfo,
}

/// Why an identity cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process runs this configuration.
    #[error(
        "pid {} already runs {}; use `simple-lb --reload` to apply changes, or `simple-lb --stop` first",
        .0.pid, .0.config.display()
    )]
    AlreadyRunning(InstanceInfo),
    /// No folder for control files; the service can do without, `--reload` and `--stop` cannot.
    #[error("no folder for the control socket: {0}; --reload, --stop and status will not find this instance")]
    NoFolder(String),
}

/// The outcome of looking for the instance that a command means.
#[derive(Debug)]
pub enum Found {
    /// The one of the given configuration, or of `./config.yaml`.
    Meant(InstanceInfo),
    /// The only one there is, though it has another configuration than the one in this folder.
    OnlyOne(InstanceInfo),
    /// Several, and none of them was named.
    Several(Vec<InstanceInfo>),
    /// None.
    None,
}

/// The canonical folder of a configuration plus its file name.
///
/// # Errors
/// When the folder does not exist or cannot be read.
pub fn identity(config: &Path) -> io::Result<PathBuf> {
    let name = config
        .file_name()
        .ok_or_else(|| io::Error::other("not a file name"))?;
    let folder = config
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    Ok(fs::canonicalize(folder)?.join(name))
}

/// Where instances may have left their files, the preferred place first.
fn folders() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os(RUNTIME_DIR_VARIABLE).filter(|value| !value.is_empty()) {
        return vec![folder.into()];
    }
    let uid = rustix::process::getuid();
    let mut folders = Vec::new();
    if uid.is_root() {
        folders.push(PathBuf::from("/run/simple-lb"));
    }
    if let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()) {
        folders.push(Path::new(&folder).join("simple-lb"));
    }
    folders.push(std::env::temp_dir().join(format!("simple-lb-{}", uid.as_raw())));
    folders
}

/// A stable short name for an identity (FNV-1a, 64 bits); the full one stands in the file.
fn short_name(identity: &Path) -> String {
    let bytes = identity.as_os_str().as_encoded_bytes().iter();
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Makes the folder if need be, and refuses one that others could write to.
fn prepare(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_owner(folder)
}

/// A folder that others can write to may hold whatever they like.
fn check_owner(folder: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(folder)?;
    let ours = meta.is_dir() && meta.uid() == rustix::process::getuid().as_raw();
    if !ours || meta.mode() & 0o077 != 0 {
        return Err(io::Error::other(
            "is not a folder of mode 0700 that belongs to this user",
        ));
    }
    Ok(())
}

impl Claim {
    /// Claims the identity of a configuration file.
    ///
    /// # Errors
    /// [`ClaimError`]; only [`ClaimError::AlreadyRunning`] is a reason not to start.
    pub fn new(config: &Path) -> Result<Self, ClaimError> {
        let config = identity(config).map_err(|error| ClaimError::NoFolder(error.to_string()))?;
        let mut reasons = Vec::new();
        for folder in folders() {
            match prepare(&folder).and_then(|()| Self::in_folder(&folder, &config)) {
                Ok(Ok(claim)) => return Ok(claim),
                Ok(Err(other)) => return Err(ClaimError::AlreadyRunning(other)),
                Err(error) => reasons.push(format!("{}: {error}", folder.display())),
            }
        }
        Err(ClaimError::NoFolder(reasons.join("; ")))
    }

    fn in_folder(folder: &Path, config: &Path) -> io::Result<Result<Self, InstanceInfo>> {
        let name = short_name(config);
        let lock_path = folder.join(format!("{name}.lock"));
        loop {
            let options = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .clone();
            let mut lock = options.open(&lock_path)?;
            if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                if error != rustix::io::Errno::WOULDBLOCK {
                    return Err(error.into());
                }
                let unknown = InstanceInfo {
                    pid: 0,
                    config: config.into(),
                    socket: PathBuf::new(),
                };
                return Ok(Err(read_info(&mut lock).unwrap_or(unknown)));
            }
            // Its last owner may have removed it between our opening and locking it.
            let same = fs::metadata(&lock_path).is_ok_and(|there| {
                lock.metadata()
                    .is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
            });
            if !same {
                continue;
            }
            let socket = folder.join(format!("{name}.sock"));
            let info = InstanceInfo {
                pid: std::process::id(),
                config: config.into(),
                socket,
            };
            lock.set_len(0)?;
            lock.write_all(&serde_json::to_vec(&info)?)?;
            return Ok(Ok(Self {
                lock,
                lock_path,
                info,
            }));
        }
    }

    /// Who we are.
    pub fn info(&self) -> &InstanceInfo {
        &self.info
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while the lock is held: whoever opens it now sees that it is no longer the file at that path.
        for path in [&self.info.socket, &self.lock_path] {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                log::warn!("cannot remove {}: {error}", path.display());
            }
        }
        if let Err(error) = flock(&self.lock, FlockOperation::Unlock) {
            log::debug!("unlock: {error}");
        }
    }
}

fn read_info(lock: &mut File) -> Option<InstanceInfo> {
    let mut text = Vec::new();
    lock.rewind().ok()?;
    lock.take(LARGEST_INFO).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The instance behind a lock file, if it lives.
fn living(lock_path: &Path) -> Option<InstanceInfo> {
    let mut lock = File::open(lock_path).ok()?;
    // Whoever can take the lock, even shared, sees that nobody holds it. It is given back when the file is closed.
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_) => read_info(&mut lock),
    }
}

/// All running instances of this user.
pub fn running() -> Vec<InstanceInfo> {
    let files = folders()
        .into_iter()
        .filter(|folder| check_owner(folder).is_ok())
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let locks = files
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "lock"));
    let mut found: Vec<InstanceInfo> = locks.filter_map(|path| living(&path)).collect();
    found.sort_by(|a, b| a.config.cmp(&b.config));
    found
}

/// The instance that a command means: the one of `config` if that was given, else the one of `./config.yaml`, else
/// the only one.
pub fn find(config: Option<&Path>) -> Found {
    let mut all = running();
    let meant = identity(config.unwrap_or(Path::new("config.yaml"))).ok();
    if let Some(index) = all.iter().position(|info| Some(&info.config) == meant.as_ref()) {
        return Found::Meant(all.swap_remove(index));
    }
    match (config, all.len()) {
        (Some(_), _) | (None, 0) => Found::None,
        (None, 1) => Found::OnlyOne(all.swap_remove(0)),
        (None, _) => Found::Several(all),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_claim_excludes_others_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        let claim = Claim::in_folder(folder.path(), &config).unwrap().unwrap();
        let lock_path = claim.lock_path.clone();
        assert_eq!(living(&lock_path).as_ref(), Some(claim.info()));
        let other = Claim::in_folder(folder.path(), &config).unwrap().unwrap_err();
        assert_eq!(other.pid, std::process::id());
        drop(claim);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_nobody_locks_is_stale() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0123.lock");
        let info = InstanceInfo {
            pid: 1,
            config: "/etc/x/config.yaml".into(),
            socket: "/nowhere".into(),
        };
        fs::write(&path, serde_json::to_vec(&info).unwrap()).unwrap();
        assert_eq!(living(&path), None);
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(check_owner(folder.path()).is_ok());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(check_owner(folder.path()).is_err());
        assert!(prepare(folder.path()).is_err());
    }

    #[test]
    fn the_last_link_of_a_configuration_is_not_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("..2026").join("config.yaml");
        fs::create_dir(real.parent().unwrap()).unwrap();
        fs::write(&real, "").unwrap();
        let link = folder.path().join("config.yaml");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(
            identity(&link).unwrap(),
            fs::canonicalize(folder.path()).unwrap().join("config.yaml")
        );
    }
}

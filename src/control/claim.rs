//! An instance's hold on its identity.
//!
//! The hold is an exclusive `flock` on `<hash>.lock`, which says who the instance is. Commands that look for instances take a
//! shared lock for a moment, so a lock that cannot be taken is not always an instance. Where only such lookers hold it, the
//! stale file is replaced: the new one is locked before it gets the name. Starts take turns by a lock on the folder, which no
//! command takes.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use lb_core::config::shown_path;
use rustix::{
    fs::{AtFlags, FlockOperation, Mode, OFlags, flock, openat, renameat, unlinkat},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use super::{
    folders::{Folder, RelativeFolder, to_claim},
    identity::{absolute, identity},
};

/// No honest file is larger.
const LARGEST_INFO: u64 = 64 * 1024;

/// Digits of the names' hash.
pub(super) const HASH_DIGITS: usize = 16;

/// A start holds the folder for less than a millisecond; one that is stopped in it must not hold up all others.
const TURN: Duration = Duration::from_secs(2);

/// Between two attempts to get a turn.
const PAUSE: Duration = Duration::from_millis(5);

/// What an instance says of itself in its lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceInfo {
    /// Its process, as it says itself.
    pub pid: u32,
    /// Its configuration: canonical folder and file name, as they were at its start.
    pub config: PathBuf,
    /// The same as it was typed, made absolute without resolving a link. Empty in files of older versions.
    #[serde(default)]
    pub named: PathBuf,
    /// Its control socket.
    pub socket: PathBuf,
    /// The user that its folder belongs to; never read from the file.
    #[serde(skip)]
    pub owner: u32,
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
        .0.pid, shown_path(&.0.config)
    )]
    AlreadyRunning(InstanceInfo),
    /// The environment names a folder that other commands would not find.
    #[error(transparent)]
    Relative(#[from] RelativeFolder),
    /// Commands could not read in the lock file which configuration it runs.
    #[error("{} has a name that is not UTF-8 text: --reload, --stop and status will not find this instance; rename it", shown_path(.0))]
    NotText(PathBuf),
    /// No folder for control files; the service can do without, `--reload` and `--stop` cannot.
    #[error("no folder for the control socket: {0}; --reload, --stop and status will not find this instance")]
    NoFolder(String),
}

/// The outcome in one folder.
enum Attempt {
    Claimed(Claim),
    Runs(InstanceInfo),
}

/// A stable short name for an identity (FNV-1a, 64 bits); the full one stands in the file.
fn short_name(identity: &Path) -> String {
    let bytes = identity.as_os_str().as_encoded_bytes().iter();
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:0HASH_DIGITS$x}")
}

impl Claim {
    /// Claims the identity of a configuration file.
    ///
    /// # Errors
    /// [`ClaimError`]; only [`ClaimError::NoFolder`] and [`ClaimError::NotText`] are no reason not to start.
    pub fn new(config: &Path) -> Result<Self, ClaimError> {
        let identity = identity(config).map_err(|error| ClaimError::NoFolder(error.to_string()))?;
        let named = absolute(config);
        if let Some(path) = [&identity, &named]
            .into_iter()
            .find(|path| path.to_str().is_none())
        {
            return Err(ClaimError::NotText(path.clone()));
        }
        let mut reasons = Vec::new();
        for path in to_claim()? {
            let folder = match Folder::prepare(path) {
                Ok(folder) => folder,
                Err(distrust) => {
                    reasons.push(distrust.to_string());
                    continue;
                }
            };
            match turn(&folder, TURN).and_then(|turn| Self::in_folder(&turn, &folder, &identity, &named)) {
                Ok(Attempt::Claimed(claim)) => return Ok(claim),
                Ok(Attempt::Runs(other)) => return Err(ClaimError::AlreadyRunning(other)),
                Err(error) => reasons.push(format!("{}: {error}", shown_path(&folder.path))),
            }
        }
        Err(ClaimError::NoFolder(reasons.join("; ")))
    }

    fn in_folder(_turn: &Turn, folder: &Folder, identity: &Path, named: &Path) -> io::Result<Attempt> {
        let name = short_name(identity);
        let info = InstanceInfo {
            pid: std::process::id(),
            config: identity.into(),
            named: named.into(),
            socket: folder.path.join(format!("{name}.sock")),
            owner: folder.owner,
        };
        let lock_name = format!("{name}.lock");
        // A link on the way to the file has moved: it is another file, and the name would mean two instances.
        let others = lock_names(folder).filter(|other| *other != lock_name);
        let mut living = others.filter_map(|other| living(folder, &other));
        if let Some(namesake) = living.find(|other| other.named == named) {
            return Ok(Attempt::Runs(namesake));
        }
        let mut lock = loop {
            let mut lock = folder.file(&lock_name, OFlags::RDWR | OFlags::CREATE)?;
            match holder(&lock)? {
                Holder::Nobody if is_still(&lock, &folder.path.join(&lock_name)) => break lock,
                // Its last owner has removed it between our opening and locking it.
                Holder::Nobody => {}
                Holder::Lookers => break replace(folder, &lock_name)?,
                Holder::Instance => {
                    let unknown = InstanceInfo { pid: 0, ..info };
                    return Ok(Attempt::Runs(read_info(&mut lock).unwrap_or(unknown)));
                }
            }
        };
        lock.set_len(0)?;
        lock.rewind()?;
        lock.write_all(&serde_json::to_vec(&info)?)?;
        Ok(Attempt::Claimed(Self {
            lock,
            lock_path: folder.path.join(lock_name),
            info,
        }))
    }

    /// Makes the lock file again if it was deleted, as by a cleaner of temporary files. Whether it did.
    ///
    /// # Errors
    /// When the folder does not allow it, or another instance has taken the identity meanwhile.
    pub fn renew(&mut self) -> io::Result<bool> {
        if is_still(&self.lock, &self.lock_path) {
            return Ok(false);
        }
        let folder = self.lock_path.parent().unwrap_or(Path::new("."));
        let folder = Folder::prepare(folder.to_path_buf())
            .map_err(|distrust| io::Error::other(distrust.to_string()))?;
        // Not waited for: this is the thread of the actors, and comes again.
        let turn = turn(&folder, Duration::ZERO)?;
        match Self::in_folder(&turn, &folder, &self.info.config, &self.info.named)? {
            Attempt::Claimed(claim) => *self = claim,
            Attempt::Runs(other) => return Err(io::Error::other(format!("pid {} runs it, too", other.pid))),
        }
        Ok(true)
    }

    /// Who we are.
    pub fn info(&self) -> &InstanceInfo {
        &self.info
    }
}

/// Who holds a lock.
enum Holder {
    /// This process, since a moment ago.
    Nobody,
    /// Commands that look, each for a moment.
    Lookers,
    /// An instance, for its life.
    Instance,
}

/// Takes the lock if it can be had.
fn holder(lock: &File) -> io::Result<Holder> {
    let blocked = |operation| match flock(lock, operation) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error),
    };
    if !blocked(FlockOperation::NonBlockingLockExclusive)? {
        return Ok(Holder::Nobody);
    }
    if blocked(FlockOperation::NonBlockingLockShared)? {
        return Ok(Holder::Instance);
    }
    flock(lock, FlockOperation::Unlock)?;
    Ok(Holder::Lookers)
}

/// Puts a new file, locked already, in the place of one that only lookers hold.
fn replace(folder: &Folder, name: &str) -> io::Result<File> {
    let new = format!("{}.new", name.trim_end_matches(".lock"));
    match unlinkat(folder, &*new, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let lock = folder.file(&new, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    renameat(folder, &*new, folder, name)?;
    Ok(lock)
}

/// The right to claim something in a folder, which nobody else has until it is dropped.
struct Turn {
    _folder: OwnedFd,
}

/// Waits until no other start claims something in this folder.
fn turn(folder: &Folder, patience: Duration) -> io::Result<Turn> {
    let turn = openat(folder, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let deadline = Instant::now() + patience;
    while let Err(error) = flock(&turn, FlockOperation::NonBlockingLockExclusive) {
        if error != Errno::WOULDBLOCK {
            return Err(error.into());
        }
        if Instant::now() >= deadline {
            return Err(io::Error::other("another program has locked the folder"));
        }
        thread::sleep(PAUSE);
    }
    Ok(Turn { _folder: turn })
}

fn is_still(lock: &File, path: &Path) -> bool {
    let there = fs::symlink_metadata(path);
    there.is_ok_and(|there| {
        lock.metadata()
            .is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
    })
}

fn read_info(lock: &mut File) -> Option<InstanceInfo> {
    let mut text = Vec::new();
    lock.rewind().ok()?;
    lock.take(LARGEST_INFO).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The names of this folder's lock files.
pub(super) fn lock_names(folder: &Folder) -> impl Iterator<Item = String> {
    let names = folder.names().filter_map(|name| name.to_str().map(str::to_owned));
    names.filter(|name| name.ends_with(".lock"))
}

/// The instance behind a lock file of this folder, if it lives.
pub(super) fn living(folder: &Folder, lock_name: &str) -> Option<InstanceInfo> {
    let mut lock = folder.file(lock_name, OFlags::RDONLY).ok()?;
    // Who can take the lock, even shared, sees that no instance holds it. It is given back when the file is closed.
    if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    let info = read_info(&mut lock)?;
    // Where its socket is and whose it is are not taken from the file.
    let name = lock_name.trim_end_matches(".lock");
    Some(InstanceInfo {
        socket: folder.path.join(format!("{name}.sock")),
        owner: folder.owner,
        ..info
    })
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Another instance's, or nobody's, if ours was deleted.
        let ours = is_still(&self.lock, &self.lock_path);
        // Removed while the lock is held: a start that opens it now sees that it is no longer the file at that path.
        for path in [&self.info.socket, &self.lock_path].into_iter().filter(|_| ours) {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                log::warn!("cannot remove {}: {error}", shown_path(path));
            }
        }
        if let Err(error) = flock(&self.lock, FlockOperation::Unlock) {
            log::debug!("unlock: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder(path: &Path) -> Folder {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        Folder::prepare(path.to_path_buf()).unwrap()
    }

    fn claim(folder: &Folder) -> Result<Claim, InstanceInfo> {
        let config = Path::new("/srv/app/config.yaml");
        match Claim::in_folder(&turn(folder, TURN).unwrap(), folder, config, config).unwrap() {
            Attempt::Claimed(claim) => Ok(claim),
            Attempt::Runs(info) => Err(info),
        }
    }

    fn lock_name(claim: &Claim) -> String {
        claim.lock_path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_claim_excludes_others_and_leaves_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let first = claim(&folder).unwrap();
        assert_eq!(living(&folder, &lock_name(&first)).as_ref(), Some(first.info()));
        assert_eq!(claim(&folder).unwrap_err().pid, std::process::id());
        drop(first);
        assert_eq!(folder.names().count(), 0);
    }

    #[test]
    fn a_file_that_nobody_locks_is_stale() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let first = claim(&folder).unwrap();
        let (name, left) = (lock_name(&first), fs::read(&first.lock_path).unwrap());
        drop(first);
        fs::write(place.path().join(&name), left).unwrap();
        assert_eq!(living(&folder, &name), None);
        let again = claim(&folder).unwrap();
        assert_eq!(living(&folder, &name).as_ref(), Some(again.info()));
    }

    #[test]
    fn a_command_that_looks_keeps_nobody_from_starting() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let name = lock_name(&claim(&folder).unwrap());
        let path = place.path().join(&name);
        fs::write(&path, "{}").unwrap();
        let looker = File::open(&path).unwrap();
        flock(&looker, FlockOperation::NonBlockingLockShared).unwrap();
        let first = claim(&folder).unwrap();
        assert!(
            claim(&folder).is_err(),
            "the new file excludes others while the looker still looks"
        );
        assert_eq!(living(&folder, &name).as_ref(), Some(first.info()));
        drop((first, looker));
        assert_eq!(folder.names().count(), 0);
    }

    #[test]
    fn of_many_starts_at_once_one_claims_it_however_many_look() {
        let place = tempfile::tempdir().unwrap();
        let folder = &folder(place.path());
        let name = &lock_name(&claim(folder).unwrap());
        for _ in 0..20 {
            fs::write(place.path().join(name), "{}").unwrap();
            let claims: Vec<_> = thread::scope(|scope| {
                let lookers =
                    (0..2).map(|_| scope.spawn(|| (0..200).for_each(|_| drop(living(folder, name)))));
                let lookers: Vec<_> = lookers.collect();
                let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| claim(folder))).collect();
                let claims = starts.into_iter().map(|start| start.join().unwrap()).collect();
                lookers.into_iter().for_each(|looker| looker.join().unwrap());
                claims
            });
            assert_eq!(
                claims.iter().filter(|claim| claim.is_ok()).count(),
                1,
                "{claims:?}"
            );
        }
    }

    #[test]
    fn a_link_or_a_pipe_in_the_place_of_the_lock_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let path = { claim(&folder).unwrap().lock_path.clone() };
        let refused = || {
            let config = Path::new("/srv/app/config.yaml");
            Claim::in_folder(&turn(&folder, TURN).unwrap(), &folder, config, config)
                .err()
                .unwrap()
                .to_string()
        };
        symlink("/etc/hostname", &path).unwrap();
        assert!(refused().contains("symbolic link"), "{}", refused());
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert!(refused().contains("must be a regular file"), "{}", refused());
    }
}

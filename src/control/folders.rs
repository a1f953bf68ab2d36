//! Runtime folders: where instances leave their files, and which of these folders are believed.
//!
//! A folder is opened once, without following a link, and judged by what was opened: whose it is, and that nobody else can
//! write to it. Files in it are opened relative to it, so nothing that happens to its path later matters.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{Dir, Mode, OFlags, fchmod, open, openat};

use lb_core::config::shown_path;

/// Overrides where instances leave their files; for tests, and for containers whose usual places cannot be written.
const RUNTIME_DIR_VARIABLE: &str = "SIMPLE_LB_RUNTIME_DIR";

/// What systemd's `RuntimeDirectory=` has made for the service, several separated by colons.
const SYSTEMD_VARIABLE: &str = "RUNTIME_DIRECTORY";

/// Root's folder, and that of a service with `RuntimeDirectory=simple-lb`.
const RUN: &str = "/run/simple-lb";

/// Each user's folder below it is made by the system and named by the user's number.
const RUN_USER: &str = "/run/user";

/// The folder's name, below a folder that is the user's own.
const NAME: &str = "simple-lb";

/// Group and others may write.
const WRITABLE: u32 = 0o022;

/// `SIMPLE_LB_RUNTIME_DIR` that means another folder to each command.
#[derive(Debug, thiserror::Error)]
#[error("SIMPLE_LB_RUNTIME_DIR must be an absolute path, got \"{}\"; else each folder would have its own instances", shown_path(.0))]
pub struct RelativeFolder(PathBuf);

/// A folder in which instances may have left files, and the user whose it must be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) owner: u32,
}

/// An open runtime folder that only its owner can write to.
#[derive(Debug)]
pub(super) struct Folder {
    directory: File,
    pub(super) path: PathBuf,
    pub(super) owner: u32,
}

/// Why a folder is not believed; what to type stands in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Distrust {
    /// It is a link or no folder.
    #[error("{}: must be a folder and no link", shown_path(.0))]
    NoFolder(PathBuf),
    /// It is somebody else's.
    #[error(
        "{}: belongs to uid {owner}, not to uid {expected}; name another folder with {RUNTIME_DIR_VARIABLE}",
        shown_path(path)
    )]
    Foreign {
        path: PathBuf,
        owner: u32,
        expected: u32,
    },
    /// Others can write to it.
    #[error(
        "{}: others can write to it (mode {mode:04o}), it must have mode 0700; look at what lies there, then type `chmod 0700 {}`",
        shown_path(path),
        shown_path(path)
    )]
    Writable { path: PathBuf, mode: u32 },
    /// Others can read it, and it is used for something else too.
    #[error(
        "{}: has mode {mode:04o} and other files than ours; type `chmod 0700 {}`, or name another folder with {RUNTIME_DIR_VARIABLE}",
        shown_path(path),
        shown_path(path)
    )]
    Shared { path: PathBuf, mode: u32 },
    /// The system refuses it.
    #[error("{}: {source}", shown_path(path))]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Distrust {
    /// Whether there is no such folder, which is no reason to say anything.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// The user that this process acts for.
pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

/// The one folder that the environment names, if it does.
fn named() -> Result<Option<PathBuf>, RelativeFolder> {
    match variable(RUNTIME_DIR_VARIABLE) {
        Some(folder) if folder.is_relative() => Err(RelativeFolder(folder)),
        folder => Ok(folder),
    }
}

fn temporary(uid: u32) -> PathBuf {
    std::env::temp_dir().join(format!("{NAME}-{uid}"))
}

/// Where an instance of this user leaves its files, the preferred place first.
///
/// # Errors
/// [`RelativeFolder`]
pub(super) fn to_claim() -> Result<Vec<PathBuf>, RelativeFolder> {
    if let Some(folder) = named()? {
        return Ok(vec![folder]);
    }
    let uid = own_uid();
    let first = |folders: PathBuf| std::env::split_paths(&folders).next();
    let mut folders: Vec<PathBuf> = variable(SYSTEMD_VARIABLE).and_then(first).into_iter().collect();
    folders.retain(|folder| folder.is_absolute());
    if uid == 0 {
        folders.push(RUN.into());
    }
    folders.extend(variable("XDG_RUNTIME_DIR").map(|folder| folder.join(NAME)));
    folders.push(temporary(uid));
    Ok(folders)
}

/// Where this user looks for instances: where its own are, whatever the environment of their start was, and as root
/// where those of others are.
///
/// # Errors
/// [`RelativeFolder`]
pub(super) fn to_search() -> Result<Vec<Place>, RelativeFolder> {
    let own = own_uid();
    if let Some(path) = named()? {
        // Root names a folder of whoever owns it.
        let owner = match fs::symlink_metadata(&path) {
            Ok(meta) if own == 0 => meta.uid(),
            _ => own,
        };
        return Ok(vec![Place { path, owner }]);
    }
    let mut places: Vec<Place> = Vec::new();
    let mut add = |path: PathBuf, owner: u32| {
        if places.iter().all(|place| place.path != path) {
            places.push(Place { path, owner });
        }
    };
    // First, for the usual folder of root may be that of a service.
    for path in of_services() {
        match fs::symlink_metadata(&path).map(|meta| meta.uid()) {
            Ok(owner) if owner == own || own == 0 => add(path, owner),
            _ => {}
        }
    }
    to_claim()?.into_iter().for_each(|path| add(path, own));
    add(Path::new(RUN_USER).join(own.to_string()).join(NAME), own);
    if own == 0 {
        for (uid, folder) in named_by_number(Path::new(RUN_USER), "") {
            add(folder.join(NAME), uid);
        }
        for (uid, folder) in named_by_number(&std::env::temp_dir(), &format!("{NAME}-")) {
            add(folder, uid);
        }
    }
    Ok(places)
}

/// What `RuntimeDirectory=simple-lb`, `simple-lb-NAME` and `simple-lb/NAME` make. Only root can make folders in `/run`.
fn of_services() -> Vec<PathBuf> {
    let run = Path::new(RUN);
    let mut folders = vec![run.to_path_buf()];
    folders.extend(entries(run).filter(|path| path.is_dir()));
    let beside = run.parent().into_iter().flat_map(entries);
    folders.extend(beside.filter(|path| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.starts_with("simple-lb-"))
    }));
    folders
}

/// Folders whose name is `prefix` and a user's number.
fn named_by_number(parent: &Path, prefix: &str) -> Vec<(u32, PathBuf)> {
    let number = |path: PathBuf| {
        let uid = path.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok()?;
        Some((uid, path))
    };
    entries(parent).filter_map(number).collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

impl Folder {
    /// Opens a folder that must belong to that user. One that others can read is fine to look into: they cannot write.
    ///
    /// # Errors
    /// [`Distrust`]
    pub(super) fn open(
        Place {
            path,
            owner: expected,
        }: Place,
    ) -> Result<Self, Distrust> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = open(&path, flags, Mode::empty()).map_err(io::Error::from);
        let failed = |source: io::Error| match source.raw_os_error() {
            Some(number) if is_no_folder(number) => Distrust::NoFolder(path.clone()),
            _ => Distrust::Io {
                path: path.clone(),
                source,
            },
        };
        let directory = File::from(opened.map_err(&failed)?);
        let meta = directory.metadata().map_err(failed)?;
        let (owner, mode) = (meta.uid(), meta.mode() & 0o7777);
        if owner != expected {
            return Err(Distrust::Foreign {
                path,
                owner,
                expected,
            });
        }
        if mode & WRITABLE != 0 {
            return Err(Distrust::Writable { path, mode });
        }
        Ok(Self {
            directory,
            path,
            owner,
        })
    }

    /// Makes the folder if need be, and closes it to others.
    ///
    /// # Errors
    /// [`Distrust`], also where closing it would take it from other programs.
    pub(super) fn prepare(path: PathBuf) -> Result<Self, Distrust> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        if let Err(source) = made {
            return Err(Distrust::Io { path, source });
        }
        let folder = Self::open(Place {
            path,
            owner: own_uid(),
        })?;
        let failed = |source: io::Error| Distrust::Io {
            path: folder.path.clone(),
            source,
        };
        let mode = folder.directory.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            if folder.names().any(|name| !is_ours(&name)) {
                let path = folder.path;
                return Err(Distrust::Shared { path, mode });
            }
            fchmod(&folder.directory, Mode::RWXU).map_err(|error| failed(error.into()))?;
        }
        Ok(folder)
    }

    /// The names of its files.
    pub(super) fn names(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let entries = Dir::read_from(&self.directory).into_iter().flatten().flatten();
        let names = entries.map(|entry| {
            use std::os::unix::ffi::OsStrExt;
            PathBuf::from(OsStr::from_bytes(entry.file_name().to_bytes()))
        });
        names.filter(|name| !matches!(name.as_os_str().as_encoded_bytes(), b"." | b".."))
    }

    /// Opens a file in it: a regular one of the folder's owner, to which nobody else can write, and no link.
    ///
    /// # Errors
    /// When there is none, or something else has its name.
    pub(super) fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // Without `NONBLOCK` a FIFO would hang the opening.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR)?;
        let file = File::from(file);
        let meta = file.metadata()?;
        if !meta.is_file() || meta.uid() != self.owner || meta.mode() & WRITABLE != 0 {
            let path = shown_path(&self.path.join(name));
            return Err(io::Error::other(format!(
                "{path} must be a regular file of uid {} that nobody else can write to; remove it",
                self.owner
            )));
        }
        Ok(file)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn is_no_folder(number: i32) -> bool {
    use rustix::io::Errno;
    [Errno::NOTDIR, Errno::LOOP]
        .map(Errno::raw_os_error)
        .contains(&number)
}

/// The files of a claim: `<hash>.lock`, `<hash>.sock`.
fn is_ours(name: &Path) -> bool {
    let hash = name.file_stem().map_or(0, OsStr::len);
    hash == super::claim::HASH_DIGITS
        && name
            .extension()
            .is_some_and(|kind| ["lock", "sock", "new"].iter().any(|ours| kind == *ours))
}

//! A file that lines are appended to: opened again when somebody has moved it away, and begun anew when it is large.
//!
//! It may stand in a folder where others can put things, such as /tmp. There no symbolic link is followed and no file of another
//! user is taken, so nobody can have lines written into a file of their choice, or read them. In a folder of ours or root's, to which
//! nobody else can write, links are followed as usual.

use std::{
    ffi::OsString,
    fs::{File, Metadata},
    io::{self, Write},
    os::unix::{
        ffi::OsStringExt,
        fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use lb_core::config::{LogRotation, shown_path};
use log::{error, info};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, openat, readlinkat, renameat, statat},
    io::Errno,
};

use crate::telemetry::writer::Sink;

/// Of a file that is made: the owner writes, the group reads.
const MODE: u32 = 0o640;

/// Group and others may write.
const WRITABLE: u32 = 0o022;

/// Links on the way to a file; more lead in a circle.
const MOST_LINKS: usize = 16;

/// What a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// To be written to, and made if it is missing.
    Append,
    /// Only to see whether it could be: nothing is made.
    Probe,
}

/// A file with the folder that it is in.
struct Opened {
    file: File,
    folder: File,
    name: PathBuf,
}

/// The sink of lines that go to a file.
pub(super) struct LogFile {
    path: PathBuf,
    opened: Opened,
    is_regular: bool,
    /// Bytes in it, as far as this program has written them or found them.
    size: u64,
    rotate: Option<LogRotation>,
    /// A rotation that failed is tried again from this size on.
    next: u64,
    /// Somebody wants it to be opened again.
    reopen: Arc<AtomicBool>,
}

impl LogFile {
    /// Opens a file for appending.
    ///
    /// # Errors
    /// When that is not possible, or not safe.
    pub(super) fn open(
        path: &Path,
        rotate: Option<LogRotation>,
        reopen: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let opened = open(path, Open::Append)?;
        let meta = opened.file.metadata()?;
        let mut this = Self {
            path: path.to_owned(),
            opened,
            is_regular: false,
            size: 0,
            rotate,
            next: 0,
            reopen,
        };
        this.begin(&meta);
        Ok(this)
    }

    fn begin(&mut self, meta: &Metadata) {
        self.is_regular = meta.is_file();
        self.size = if meta.is_file() { meta.len() } else { 0 };
        self.next = self.rotate.map_or(u64::MAX, |rotate| rotate.size.bytes());
    }

    /// Opens the file of that path anew; goes on with the old one where that fails.
    fn open_again(&mut self) {
        let opened = open(&self.path, Open::Append).and_then(|opened| Ok((opened.file.metadata()?, opened)));
        match opened {
            Ok((meta, opened)) => {
                self.opened = opened;
                self.begin(&meta);
                info!("access log {}: opened again", shown_path(&self.path));
            }
            Err(error) => error!(
                "access log {}: cannot be opened again, and the old file is continued: {error}",
                shown_path(&self.path)
            ),
        }
    }

    /// Gives the file another name and begins a new one, if it is as large as it may get.
    fn rotate_if_large(&mut self) {
        let Some(LogRotation { size, keep }) =
            self.rotate.filter(|_| self.is_regular && self.size >= self.next)
        else {
            return;
        };
        // Somebody else may have truncated it meanwhile.
        self.size = self.opened.file.metadata().map_or(self.size, |meta| meta.len());
        if self.size < size.bytes() {
            return;
        }
        match self.rotate(keep) {
            Ok(()) => {}
            Err(error) => {
                self.next = self.size.saturating_add(size.bytes());
                error!(
                    "access log {}: cannot be rotated, and is continued: {error}",
                    shown_path(&self.path)
                );
            }
        }
    }

    fn rotate(&mut self, keep: u32) -> io::Result<()> {
        let Opened { file, folder, name } = &self.opened;
        let own = file.metadata()?;
        let there = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        // Where somebody else has moved it away, there is nothing to be moved.
        if (there.st_dev, there.st_ino) == (own.dev(), own.ino()) {
            let old = |number: u32| {
                let mut old = name.clone().into_os_string();
                old.push(format!(".{number}"));
                old
            };
            for number in (1..keep).rev() {
                match renameat(folder, old(number), folder, old(number + 1)) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            renameat(folder, name, folder, old(1))?;
        }
        let opened = open(&self.path, Open::Append)?;
        let meta = opened.file.metadata()?;
        self.opened = opened;
        self.begin(&meta);
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let written = self.opened.file.write(lines)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for LogFile {
    fn between_writes(&mut self) {
        if self.reopen.swap(false, Relaxed) {
            self.open_again();
        }
        self.rotate_if_large();
    }
}

/// Opens a file, or only sees whether that could be done, in which case what is missing is no error where it could be made.
///
/// # Errors
/// When that is not possible, or not safe.
pub(super) fn probe(path: &Path) -> io::Result<()> {
    match open(path, Open::Probe) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            Ok(rustix::fs::access(
                folder,
                rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
            )?)
        }
        Err(error) => Err(error),
    }
}

fn open(path: &Path, how: Open) -> io::Result<Opened> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let Some(name) = path.file_name().map(PathBuf::from) else {
            return Err(io::Error::other("is not the path of a file"));
        };
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = File::from(openat(CWD, parent, folder, Mode::empty())?);
        let is_safe = is_ours_alone(&folder.metadata()?);
        match open_in(&folder, &name, how) {
            Ok(file) => {
                check(&file.metadata()?, is_safe)?;
                return Ok(Opened { file, folder, name });
            }
            Err(Errno::LOOP) if is_safe => {
                let target = readlinkat(&folder, &name, Vec::new())?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                path = parent.join(target);
            }
            Err(Errno::LOOP) => {
                return Err(io::Error::other(
                    "is a symbolic link in a folder to which others can write",
                ));
            }
            Err(Errno::NXIO) => return Err(io::Error::other("is a pipe that nobody reads, or a socket")),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::LOOP.into())
}

/// Never waits: of what is no file only a reader that is there already counts.
fn open_in(folder: &File, name: &Path, how: Open) -> Result<File, Errno> {
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    match openat(folder, name, flags, Mode::empty()) {
        Err(Errno::NOENT) if how == Open::Append => {}
        opened => return opened.map(File::from),
    }
    // No part of the mode before it is known that the file is a new one.
    let made = openat(
        folder,
        name,
        flags | OFlags::CREATE | OFlags::EXCL,
        Mode::RUSR | Mode::WUSR,
    );
    match made {
        Ok(file) => {
            let file = File::from(file);
            // Whatever the process's mask says; where it cannot be, the owner's rights suffice.
            let _narrower = file.set_permissions(PermissionsExt::from_mode(MODE));
            Ok(file)
        }
        // Somebody else was faster.
        Err(Errno::EXIST) => openat(folder, name, flags, Mode::empty()).map(File::from),
        Err(error) => Err(error),
    }
}

/// Whether nobody but us and root can put something into a folder.
fn is_ours_alone(folder: &Metadata) -> bool {
    let own = rustix::process::geteuid().as_raw();
    (folder.uid() == own || folder.uid() == 0) && folder.mode() & WRITABLE == 0
}

fn check(meta: &Metadata, is_safe: bool) -> io::Result<()> {
    if meta.is_dir() {
        return Err(io::Error::other("is a folder"));
    }
    let own = rustix::process::geteuid().as_raw();
    if !is_safe && meta.is_file() && (meta.uid() != own || meta.nlink() > 1) {
        return Err(io::Error::other(
            "stands in a folder to which others can write, and is not this user's own file",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

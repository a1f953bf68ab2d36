//! Opening files of whose names and places others may have a say: configurations, error pages, kept secrets.
//!
//! Nothing here waits: a FIFO without a writer would hang whoever opens it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};

/// Group and others may write.
const WRITABLE: u32 = 0o022;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It is no regular file.
    #[error("is {0}, not a regular file")]
    NotRegular(&'static str),
    /// Its links never end.
    #[error("cannot be read: its symbolic links lead in a circle")]
    Loop,
    /// It is longer than it may be.
    #[error("is larger than {} MiB", .0 / (1024 * 1024))]
    TooLarge(u64),
    /// The system refuses it.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl FileError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotRegular("a folder") => Some("name a file in it"),
            Self::NotRegular(_) => Some("write what it gives into a file: each reload reads it again"),
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("let the user that runs simple-lb read it, and enter the folders above it")
            }
            _ => None,
        }
    }
}

/// Reads a regular file of at most so many bytes, through links.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    // `NONBLOCK` means nothing to a regular file.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(number) if number == Errno::LOOP.raw_os_error() => FileError::Loop,
        // Sockets cannot be opened at all.
        _ => match fs::metadata(path).ok().and_then(|meta| kind(meta.file_type())) {
            Some(kind) => FileError::NotRegular(kind),
            None => FileError::Io(error),
        },
    })?;
    if let Some(kind) = kind(file.metadata()?.file_type()) {
        return Err(FileError::NotRegular(kind));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge(most));
    }
    Ok(bytes)
}

/// What something is that is no regular file.
fn kind(kind: fs::FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_file() => None,
        _ if kind.is_dir() => Some("a folder"),
        _ if kind.is_fifo() => Some("a pipe"),
        _ if kind.is_socket() => Some("a socket"),
        _ => Some("a device"),
    }
}

/// A folder of secrets: ours or root's, and nobody else can write to it.
///
/// # Errors
/// When it is not, or cannot be opened.
pub(crate) fn private_folder(path: &Path) -> io::Result<File> {
    // Through links: systemd makes one to the folder of a service with `DynamicUser=`.
    let flags = (OFlags::DIRECTORY | OFlags::CLOEXEC).bits().cast_signed();
    let folder = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = folder.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != own && meta.uid() != 0 {
        return Err(io::Error::other(format!("it belongs to uid {}", meta.uid())));
    }
    if meta.mode() & WRITABLE != 0 {
        let mode = meta.mode() & 0o7777;
        return Err(io::Error::other(format!(
            "others can write to it (mode {mode:04o}); type `chmod go-w {}`",
            lb_core::config::shown_path(path)
        )));
    }
    Ok(folder)
}

/// Opens a secret in such a folder: a regular file of ours, to which nobody else can write, and no link.
///
/// # Errors
/// When there is none, or something else has its name.
pub(crate) fn private_file(folder: &File, name: &str, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map_err(|error| match error {
        Errno::LOOP => io::Error::other(format!("{name} is a symbolic link")),
        error => error.into(),
    })?;
    let file = File::from(file);
    let meta = file.metadata()?;
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    if !meta.is_file() || !ours || meta.mode() & WRITABLE != 0 {
        return Err(io::Error::other(format!(
            "{name} must be a regular file of this user that nobody else can write to"
        )));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::{fs::symlink, net::UnixListener};

    use rustix::fs::{CWD, mkfifoat};

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_named_and_never_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let said = |path: &Path| read(path, 10).unwrap_err().to_string();
        mkfifoat(CWD, path("fifo"), Mode::RWXU).unwrap();
        let _listener = UnixListener::bind(path("socket")).unwrap();
        symlink("b", path("a")).unwrap();
        symlink("a", path("b")).unwrap();
        symlink("fifo", path("link")).unwrap();
        fs::write(path("long"), "12345678901").unwrap();
        assert_eq!(said(&path("fifo")), "is a pipe, not a regular file");
        assert_eq!(said(&path("link")), "is a pipe, not a regular file");
        assert_eq!(said(&path("socket")), "is a socket, not a regular file");
        assert_eq!(said(place.path()), "is a folder, not a regular file");
        assert_eq!(said(Path::new("/dev/null")), "is a device, not a regular file");
        assert!(said(&path("a")).contains("in a circle"));
        assert!(said(&path("none")).starts_with("cannot be read: No such file"));
        assert!(matches!(read(&path("long"), 10), Err(FileError::TooLarge(10))));
        fs::write(path("fine"), "1234567890").unwrap();
        symlink("fine", path("to fine")).unwrap();
        assert_eq!(read(&path("to fine"), 10).unwrap(), b"1234567890");
        let refused = FileError::Io(io::ErrorKind::PermissionDenied.into());
        assert!(
            refused
                .hint()
                .is_some_and(|hint| hint.contains("folders above it"))
        );
    }
}

//! Secrets that are made once and kept in `state_dir`, so that what was made with them means the same after a restart.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use lb_core::config::shown_path;
use rustix::fs::{AtFlags, OFlags, linkat, unlinkat};

use crate::{
    files::{private_file, private_folder},
    random::random,
};

/// Overrides the usual folder; for containers and tests. Documented beside `state_dir`.
const STATE_DIR_VARIABLE: &str = "SIMPLE_LB_STATE_DIR";

/// What systemd's `StateDirectory=` has made for the service, several separated by colons.
const SYSTEMD_VARIABLE: &str = "STATE_DIRECTORY";

/// A file that is longer was made by somebody else.
const LARGEST: u64 = 4096;

/// What to do where there is no kept secret yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepKey {
    /// Make one.
    MakeIfMissing,
    /// Leave the folder as it is: the configuration may still be refused, or is only looked at.
    OnlyRead,
}

/// Where secrets are kept.
pub(crate) enum StateDir {
    Folder(PathBuf),
    /// None that can be used, and why.
    Nowhere(String),
}

/// The configured folder, or the usual one. Never one that others could make before us, as in the temporary folder.
pub(crate) fn state_dir(configured: Option<PathBuf>) -> StateDir {
    if let Some(folder) = configured {
        return StateDir::Folder(folder);
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = variable(STATE_DIR_VARIABLE).map(PathBuf::from) {
        return match folder.is_absolute() {
            true => StateDir::Folder(folder),
            false => StateDir::Nowhere(format!(
                "{STATE_DIR_VARIABLE} must be an absolute path, got \"{}\"",
                shown_path(&folder)
            )),
        };
    }
    let first = |folders: OsString| std::env::split_paths(&folders).next();
    let by_systemd = variable(SYSTEMD_VARIABLE).and_then(first);
    if let Some(folder) = by_systemd.filter(|folder| folder.is_absolute()) {
        return StateDir::Folder(folder);
    }
    if rustix::process::geteuid().is_root() {
        return StateDir::Folder("/var/lib/simple-lb".into());
    }
    let home = variable("XDG_STATE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    match home.filter(|home| home.is_absolute()) {
        Some(home) => StateDir::Folder(home.join("simple-lb")),
        None => StateDir::Nowhere("there is no home folder".to_owned()),
    }
}

/// The secret of this name in a folder; makes it if there is none and `keep` says so, of `secret` where that is given. The
/// file holds hexadecimal digits, and only its owner reads it.
pub(crate) fn kept<const BYTES: usize>(
    (folder, name): (&Path, &str),
    keep: KeepKey,
    secret: Option<[u8; BYTES]>,
) -> io::Result<[u8; BYTES]> {
    if keep == KeepKey::MakeIfMissing {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let folder = private_folder(folder)?;
    match read(&folder, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && keep == KeepKey::MakeIfMissing => {}
        known => return known,
    }
    // Linked when complete: another instance sees all of it or nothing, and the first one wins.
    let unfinished = format!("{name}.{}", std::process::id());
    let _leftover = unlinkat(&folder, &*unfinished, AtFlags::empty());
    let mut file = private_file(
        &folder,
        &unfinished,
        OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
    )?;
    let link = || linkat(&folder, &*unfinished, &folder, name, AtFlags::empty());
    let written = secret
        .map_or_else(random, Ok)
        .and_then(|secret| file.write_all(hexadecimal(&secret).as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(link()?));
    let _removed = unlinkat(&folder, &*unfinished, AtFlags::empty());
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(&folder, name),
    }
}

fn read<const BYTES: usize>(folder: &File, name: &str) -> io::Result<[u8; BYTES]> {
    let mut text = String::new();
    let file = private_file(folder, name, OFlags::RDONLY)?;
    let read = file.take(LARGEST).read_to_string(&mut text);
    let secret = read.ok().and_then(|_| bytes(text.trim_end()));
    secret.ok_or_else(|| {
        let reason = format!("{name} is not a key; remove it, and one will be made");
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}

/// What so many pairs of hexadecimal digits stand for.
fn bytes<const BYTES: usize>(digits: &str) -> Option<[u8; BYTES]> {
    if digits.len() != 2 * BYTES || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

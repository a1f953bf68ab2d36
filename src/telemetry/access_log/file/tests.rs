#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use lb_core::config::{ByteSize, MAX_SIZE};
use rustix::fs::mkfifoat;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn opened(path: &Path) -> Result<LogFile, String> {
    LogFile::open(path, None, Arc::default()).map_err(|error| error.to_string())
}

#[test]
fn a_new_file_is_read_by_the_group_and_an_old_one_keeps_its_mode() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("access.log");
    let mut file = opened(&path).unwrap();
    file.write_all(b"one\n").unwrap();
    assert_eq!(mode(&path), 0o640);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    opened(&path).unwrap().write_all(b"two\n").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[test]
fn a_link_is_followed_only_where_nobody_else_could_have_made_it() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    symlink("target", path("link")).unwrap();
    symlink("circle", path("circle")).unwrap();
    opened(&path("link")).unwrap().write_all(b"line\n").unwrap();
    assert_eq!(fs::read_to_string(path("target")).unwrap(), "line\n");
    assert!(opened(&path("circle")).is_err());
    fs::set_permissions(place.path(), PermissionsExt::from_mode(0o1777)).unwrap();
    let refused = opened(&path("link")).err().unwrap();
    assert_eq!(
        refused,
        "is a symbolic link in a folder to which others can write"
    );
    assert!(opened(&path("target")).is_ok(), "our own file");
    fs::hard_link(path("target"), path("hard")).unwrap();
    assert!(
        opened(&path("target"))
            .err()
            .unwrap()
            .contains("not this user's own file")
    );
}

#[test]
fn what_cannot_be_appended_to_is_refused_at_once() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    mkfifoat(CWD, path("pipe"), Mode::RWXU).unwrap();
    assert_eq!(
        opened(&path("pipe")).err().unwrap(),
        "is a pipe that nobody reads, or a socket"
    );
    assert!(opened(place.path()).err().unwrap().contains("s a directory"));
    assert!(
        opened(&path("none/access.log"))
            .err()
            .unwrap()
            .starts_with("No such file")
    );
    assert!(probe(&path("none/access.log")).is_err());
    assert!(
        probe(&path("new")).is_ok() && !path("new").exists(),
        "nothing is made"
    );
    assert!(opened(Path::new("/dev/full")).unwrap().write_all(b"x").is_err());
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew_when_that_is_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let (path, old) = (place.path().join("access.log"), place.path().join("access.log.1"));
    let reopen = Arc::new(AtomicBool::new(false));
    let mut file = LogFile::open(&path, None, Arc::clone(&reopen)).unwrap();
    file.write_all(b"one\n").unwrap();
    fs::rename(&path, &old).unwrap();
    file.between_writes();
    file.write_all(b"two\n").unwrap();
    reopen.store(true, Relaxed);
    file.between_writes();
    file.write_all(b"three\n").unwrap();
    assert_eq!(fs::read_to_string(&old).unwrap(), "one\ntwo\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn a_large_file_is_begun_anew_and_so_many_old_ones_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("access.log");
    let rotate = LogRotation {
        size: ByteSize::new(8),
        keep: 2,
    };
    let mut file = LogFile::open(&path, Some(rotate), Arc::default()).unwrap();
    for number in 0..8 {
        file.between_writes();
        file.write_all(format!("{number:03}\n").as_bytes()).unwrap();
    }
    let content = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    assert_eq!(content("access.log"), "006\n007\n");
    assert_eq!(content("access.log.1"), "004\n005\n");
    assert_eq!(content("access.log.2"), "002\n003\n");
    assert!(!place.path().join("access.log.3").exists());
}

#[test]
fn a_file_that_somebody_else_rotates_is_not_rotated_twice() {
    let place = tempfile::tempdir().unwrap();
    let (path, moved) = (place.path().join("access.log"), place.path().join("moved"));
    let rotate = LogRotation {
        size: ByteSize::new(4),
        keep: 3,
    };
    let mut file = LogFile::open(&path, Some(rotate), Arc::default()).unwrap();
    file.write_all(b"one\n").unwrap();
    // As `copytruncate` does it.
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    file.between_writes();
    assert!(!place.path().join("access.log.1").exists());
    file.write_all(b"two\n").unwrap();
    fs::rename(&path, &moved).unwrap();
    fs::write(&path, "").unwrap();
    file.between_writes();
    file.write_all(b"three\n").unwrap();
    assert_eq!(fs::read_to_string(&moved).unwrap(), "two\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    assert!(!place.path().join("access.log.1").exists());
}

#[test]
fn a_rotation_that_fails_costs_no_line() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("access.log");
    let rotate = LogRotation {
        size: ByteSize::new(4),
        keep: 1,
    };
    let mut file = LogFile::open(&path, Some(rotate), Arc::default()).unwrap();
    file.write_all(b"one\n").unwrap();
    // A folder has the name of the old file.
    fs::create_dir(place.path().join("access.log.1")).unwrap();
    file.between_writes();
    file.write_all(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    assert!(file.next > rotate.size.bytes() && file.next < MAX_SIZE.bytes());
}

//! What a package, a unit and a container say of the program holds: its verbs, its exit codes, its configurations.
//! `tests/packaging` has what installs and runs them, which `tests/long` does.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{everyday::is_installed, harness::Place};

/// The most that `systemd-analyze security` may find exposed, in tenths.
const EXPOSURE: u32 = 20;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const UNIT: &str = "packaging/systemd/simple-lb.service";

/// The values of a key of the unit, in their order.
fn values(key: &str) -> Vec<String> {
    let text = read(UNIT);
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let lines = lines.filter(|(name, _)| *name == key);
    lines.map(|(_, value)| value.to_owned()).collect()
}

/// The value of a key that the unit has once.
#[track_caller]
fn value(key: &str) -> String {
    let [one] = values(key)
        .try_into()
        .unwrap_or_else(|all| panic!("{key}: {all:?}"));
    one
}

fn seconds(value: &str) -> u32 {
    let digits = value.strip_suffix('s').unwrap_or_else(|| panic!("{value}"));
    digits.parse().unwrap_or_else(|_| panic!("{value}"))
}

#[test]
fn the_unit_is_a_file_of_sections_keys_and_comments() {
    let text = read(UNIT);
    let mut sections = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(name) = line.strip_prefix('[') {
            sections.push(name.trim_end_matches(']'));
        } else {
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
            assert!(key.chars().all(char::is_alphanumeric), "{line}");
            assert!(!value.is_empty() && value.trim() == value, "{line}");
        }
    }
    assert_eq!(sections, ["Unit", "Service", "Install"]);
}

#[test]
fn the_unit_gives_the_service_its_user_its_folders_and_one_capability() {
    for key in ["User", "Group", "RuntimeDirectory", "StateDirectory"] {
        assert_eq!(value(key), "simple-lb", "{key}");
    }
    for key in ["RuntimeDirectoryMode", "StateDirectoryMode"] {
        assert_eq!(value(key), "0700", "{key}");
    }
    for key in ["AmbientCapabilities", "CapabilityBoundingSet"] {
        assert_eq!(value(key), "CAP_NET_BIND_SERVICE", "{key}");
    }
}

#[test]
fn the_unit_types_commands_that_exist() {
    let place = Place::new();
    for key in ["ExecStart", "ExecReload"] {
        let command = value(key);
        let arguments = command.strip_prefix("/usr/bin/simple-lb ").unwrap();
        assert!(
            arguments.ends_with(" --config /etc/simple-lb/config.yaml"),
            "{command}"
        );
        // What is wrongly typed ends with 2 before anything is read.
        let missing = arguments.replace("/etc/simple-lb", "/nowhere");
        assert_ne!(place.run(&missing).code, 2, "{command}");
    }
    // An invalid configuration, as in `docs/commands.md`.
    assert_eq!(value("RestartPreventExitStatus"), "64");
}

#[test]
fn the_unit_waits_longer_for_a_stop_than_the_stop_for_requests() {
    let config = read("config.yaml");
    let line = config
        .lines()
        .find(|line| line.starts_with("#shutdown_timeout: "));
    let default = line.unwrap().rsplit(' ').next().unwrap();
    assert!(seconds(&value("TimeoutStopSec")) > seconds(default));
}

#[test]
fn the_unit_of_the_examples_is_that_of_the_package() {
    let example = read("examples/systemd/simple-lb.service");
    assert_eq!(example, read(UNIT).replace("/usr/bin/", "/usr/local/bin/"));
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let place = Place::new();
    let program = "/bin/true";
    // No page and no program are installed here.
    let text = read(UNIT).replace("/usr/bin/simple-lb", program);
    let lines = text.lines().filter(|line| !line.starts_with("Documentation="));
    place.write("simple-lb.service", &lines.collect::<Vec<_>>().join("\n"));
    let verified = place.shell("systemd-analyze verify ./simple-lb.service");
    let about_ours = verified.stderr.lines().filter(|line| line.contains("simple-lb"));
    assert_eq!(about_ours.collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(verified.code, 0, "{verified:?}");
    let rated = place.shell(&format!(
        "systemd-analyze security --offline=true --threshold={EXPOSURE} ./simple-lb.service"
    ));
    assert_eq!(rated.code, 0, "{rated:?}");
}

#[test]
fn the_configurations_that_come_along_are_valid() {
    let place = Place::new();
    for path in [
        "examples/first-start/config.yaml",
        "examples/compose/etc/config.yaml",
    ] {
        let check = place.run(&format!("check --config {}", root().join(path).display()));
        assert_eq!(check.code, 0, "{path}: {check:?}");
    }
}

#[test]
fn the_container_types_commands_that_exist() {
    let text = read("Containerfile");
    let lists = text.lines().filter_map(|line| line.split_once('['));
    let commands: Vec<String> = lists
        .map(|(_, list)| list.replace(['"', ',', ']'], ""))
        .filter(|command| command.contains("--config"))
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    let place = Place::new();
    for command in commands {
        let arguments = command.trim_start_matches("/usr/bin/simple-lb ");
        let missing = arguments.replace("/etc/simple-lb", "/nowhere");
        assert_ne!(place.run(&missing).code, 2, "{command}");
    }
}

#[test]
fn the_packages_changelog_is_that_of_this_version() {
    let changelog = read("packaging/debian/changelog");
    let first = changelog.lines().next().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(first.starts_with(&format!("simple-lb ({version}-1) ")), "{first}");
}

#[test]
fn the_package_installs_files_that_exist() {
    let manifest = read("Cargo.toml");
    let (_, assets) = manifest.split_once("\nassets = [\n").unwrap();
    let (assets, _) = assets.split_once("\n]").unwrap();
    let sources: Vec<_> = assets
        .lines()
        .map(|line| line.split('"').nth(1).unwrap())
        .collect();
    let (generated, here): (Vec<&str>, Vec<&str>) = sources
        .iter()
        .partition(|path| path.starts_with("target/release-stage/"));
    assert!(generated.len() >= 6 && here.len() >= 5, "{sources:?}");
    for path in here {
        assert!(root().join(path).is_file(), "{path}");
    }
}

//! ARCHITECTURE.md against the folders and the messages that exist.

use std::{collections::BTreeSet, fs};

use super::block::root;

fn page() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// The paths of the map: those of an indented line lie below the line before that is not.
fn map() -> BTreeSet<String> {
    let page = page();
    let (_, map) = page.split_once("## The map").unwrap();
    let map = map.split("```").nth(1).unwrap();
    let mut package = "";
    let mut paths = BTreeSet::new();
    for line in map.lines().skip(1) {
        let path = line.trim_start().split(' ').next().unwrap();
        match line.len() - line.trim_start().len() {
            0 => {
                package = path;
                paths.insert(path.to_owned());
            }
            2 => {
                paths.insert(format!("{package}{path}"));
            }
            depth => panic!("{depth} spaces before {path}"),
        }
    }
    assert!(paths.len() > 40, "{paths:?}");
    paths
}

/// The folders in a folder, such as `core/src/pool/`.
fn folders(below: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(below)).unwrap();
    let entries = entries.map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.map(|name| format!("{below}{name}/")).collect()
}

#[test]
fn everything_on_the_map_exists() {
    let gone: Vec<_> = map()
        .into_iter()
        .filter(|path| !root().join(path).exists())
        .collect();
    assert_eq!(gone, Vec::<String>::new());
}

#[test]
fn every_folder_is_on_the_map() {
    let map = map();
    let mut missing = Vec::new();
    for below in [
        "core/src/",
        "simulation/src/",
        "wire/src/",
        "actors/src/",
        "src/",
        "src/lane/",
        "src/front/",
    ] {
        // `lane/` is there with what is in it, `probe/` with `probe.rs`.
        let there = |folder: &String| {
            let file = format!("{}.rs", folder.trim_end_matches('/'));
            map.contains(&file) || map.iter().any(|path| path.starts_with(folder.as_str()))
        };
        let tests = |folder: &String| folder.ends_with("/tests/");
        missing.extend(
            folders(below)
                .into_iter()
                .filter(|folder| !there(folder) && !tests(folder)),
        );
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, members) = manifest.split_once("members = [").unwrap();
    let members = members.split(']').next().unwrap().split('"').skip(1).step_by(2);
    let packages = members.filter(|name| *name != ".").map(|name| format!("{name}/"));
    missing.extend(packages.filter(|package| !map.contains(package)));
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_path_that_it_names_exists() {
    let page = page();
    let names = page.split('`').skip(1).step_by(2);
    let paths = names.filter(|name| name.contains('/') && !name.contains(' ') && !name.contains("://"));
    let exists = |path: &&str| {
        // The walks name files below their package.
        [
            "",
            "src/",
            "actors/src/",
            "core/src/",
            "src/lane/wire/",
            "src/lane/handler/",
        ]
        .iter()
        .any(|below| root().join(below).join(path).exists())
    };
    let gone: BTreeSet<_> = paths
        .filter(|path| path.starts_with(char::is_alphabetic))
        .filter(|path| !exists(path))
        .collect();
    assert_eq!(gone, BTreeSet::new());
}

#[test]
fn the_messages_are_those_of_the_control_plane() {
    let plain = |row: &str| {
        let row = row.replace(['[', ']'], "").to_lowercase();
        row.trim().trim_end_matches('|').trim().to_owned()
    };
    let source = fs::read_to_string(root().join("actors/src/messages.rs")).unwrap();
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! "));
    let expected: Vec<_> = rows.filter(|row| row.starts_with("| [`")).map(plain).collect();
    assert!(expected.len() > 10, "{expected:?}");
    let page = page();
    let (_, table) = page.split_once("## The messages").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let named: Vec<_> = table
        .lines()
        .filter(|row| row.starts_with("| `"))
        .map(plain)
        .collect();
    assert_eq!(named, expected);
}

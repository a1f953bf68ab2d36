//! `simple-lb man` and `simple-lb completions`.

use std::{collections::BTreeSet, fs};

use crate::harness::Place;

/// Whether this machine has a program; what only a tool can judge is judged where it is.
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

fn pages(place: &Place) -> BTreeSet<String> {
    let man = place.run("man --into manual/pages");
    assert_eq!(man.code, 0, "{man:?}");
    let folder = fs::read_dir(place.folder().join("manual/pages")).unwrap();
    folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn page(place: &Place, name: &str) -> String {
    fs::read_to_string(place.folder().join("manual/pages").join(name)).unwrap()
}

#[test]
fn every_command_has_a_page_and_there_is_no_other() {
    let place = Place::new();
    let verbs = place.commands();
    assert!(verbs.len() > 10, "{verbs:?}");
    let verbs = verbs.iter().map(|verb| format!("simple-lb-{verb}.1"));
    let expected: BTreeSet<String> = verbs
        .chain(["simple-lb.1".to_owned(), "simple-lb.yaml.5".to_owned()])
        .collect();
    assert_eq!(pages(&place), expected);
    assert!(page(&place, "simple-lb-drain.1").contains("\n.SH EXAMPLES\n.nf\nsimple\\-lb drain "));
}

#[test]
fn the_page_of_the_file_has_every_setting() {
    let place = Place::new();
    pages(&place);
    let page = page(&place, "simple-lb.yaml.5");
    let reference = place.run("schema --reference").stdout;
    let headings = reference.lines().filter_map(|line| {
        let heading = line.strip_prefix("### ").or(line.strip_prefix("## "))?;
        Some(format!(".SS {heading}"))
    });
    let headings: Vec<_> = headings.collect();
    assert!(headings.len() > 80, "{}", headings.len());
    let written: Vec<_> = page.lines().filter(|line| line.starts_with(".SS ")).collect();
    assert_eq!(written, headings);
}

#[test]
fn pages_are_shown_without_a_warning() {
    let place = Place::new();
    for name in pages(&place) {
        let path = format!("manual/pages/{name}");
        if has("man") {
            let shown = place.shell(&format!(
                "env LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z {path}"
            ));
            assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{name}");
        }
        if has("mandoc") {
            let lint = place.shell(&format!("mandoc -T lint -W warning {path}"));
            let complaints = lint.stdout.lines().filter(|line| !line.contains("missing date"));
            assert_eq!(complaints.collect::<Vec<_>>(), Vec::<&str>::new(), "{name}");
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    place.write("file", "");
    let man = place.run("man --into file/pages");
    assert_eq!(man.code, 1, "{man:?}");
    assert!(
        man.stderr.starts_with("cannot write pages to file/pages: "),
        "{man:?}"
    );
}

#[test]
fn shells_read_their_completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&format!("completions {shell}"));
        assert_eq!(script.code, 0, "{script:?}");
        for word in ["maintenance", "simulate", "dry-run", "completions"] {
            assert!(script.stdout.contains(word), "{shell}: {word}");
        }
        place.write("script", &script.stdout);
        if has(shell) {
            let read = place.shell(&format!("{shell} -n script"));
            assert_eq!((read.code, read.stderr.as_str()), (0, ""), "{shell}");
        }
    }
    let other = place.run("completions tcsh");
    assert_eq!(other.code, 2, "{other:?}");
}

#[test]
fn bash_completes_a_verb() {
    if !has("bash") {
        return;
    }
    let place = Place::new();
    place.write("script", &place.run("completions bash").stdout);
    place.write(
        "type",
        "source ./script; COMP_WORDS=(simple-lb main); COMP_CWORD=1; _simple__lb simple-lb main simple-lb; echo ${COMPREPLY[@]}",
    );
    assert_eq!(place.shell("bash type").stdout, "maintenance\n");
}

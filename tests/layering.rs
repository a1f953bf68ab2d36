//! Who may know whom: ARCHITECTURE.md, "The map". Cargo enforces what is a dependency; the rest is read here.

use std::{fs, path::Path};

/// A source file: its path below the workspace, and its lines without comments.
struct Source {
    path: String,
    lines: Vec<String>,
}

impl Source {
    fn mentions(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

/// Every Rust file below a folder of the workspace, or the file itself.
fn sources(below: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(below),
        below,
        &mut found,
    );
    assert!(!found.is_empty(), "no source below {below}");
    found
}

/// Tests may put together what the program keeps apart.
fn without_tests(below: &str) -> Vec<Source> {
    let all = sources(below).into_iter();
    all.filter(|source| !source.path.ends_with("/tests.rs")).collect()
}

fn collect(path: &Path, shown: &str, found: &mut Vec<Source>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            collect(&path.join(&name), &format!("{shown}/{name}"), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).unwrap();
        let code = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default().to_owned());
        found.push(Source {
            path: shown.to_owned(),
            lines: code.collect(),
        });
    }
}

/// The packages that a Cargo.toml names as dependencies, those of its tests left out.
fn dependencies(manifest: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(manifest)
        .join("Cargo.toml");
    let text = fs::read_to_string(path).unwrap();
    let mut names = Vec::new();
    let mut counts = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let (_, name) = section.split_once("dependencies").unwrap_or_default();
            counts = section.ends_with("dependencies")
                && !section.contains("dev-")
                && !section.contains("workspace");
            names.extend(name.strip_prefix('.').map(str::to_owned));
        } else if counts && !line.is_empty() && !line.starts_with('#') {
            names.push(line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned());
            // `package = "…"` gives another name to a dependency.
            let renamed = line
                .split_once("package")
                .and_then(|(_, rest)| rest.split('"').nth(1));
            names.extend(renamed.map(str::to_owned));
        }
    }
    assert!(!names.is_empty(), "no dependencies in {manifest}");
    names
}

#[track_caller]
fn assert_independent(manifest: &str, forbidden: impl Fn(&str) -> bool) {
    let wrong: Vec<_> = dependencies(manifest)
        .into_iter()
        .filter(|name| forbidden(name))
        .collect();
    assert_eq!(wrong, Vec::<String>::new(), "dependencies of {manifest}");
}

#[track_caller]
fn assert_none(rule: &str, sources: &[Source], breaks: impl Fn(&Source) -> bool) {
    let wrong: Vec<_> = sources
        .iter()
        .filter(|source| breaks(source))
        .map(|source| &source.path)
        .collect();
    assert_eq!(wrong, Vec::<&String>::new(), "{rule}");
}

#[test]
fn core_simulation_and_wire_are_pure() {
    let forbidden = [
        "tokio",
        "awc",
        "log",
        "rand",
        "fastrand",
        "futures",
        "lb-actors",
        "simple-lb",
    ];
    for package in ["core", "simulation", "wire"] {
        assert_independent(package, |name| {
            forbidden.contains(&name) || name.starts_with("actix")
        });
    }
    assert_independent("core", |name| name.starts_with("lb-"));
    assert_independent("wire", |name| name.starts_with("lb-"));
    assert_independent("simulation", |name| name.starts_with("lb-") && name != "lb-core");
    assert_independent("net", |name| name.starts_with("lb-") && name != "lb-core");
}

#[test]
fn the_control_plane_knows_no_data_plane() {
    assert_independent("actors", |name| {
        ["actix-web", "simple-lb", "dummy-servers"].contains(&name)
    });
}

#[test]
fn the_dummy_servers_know_nothing_of_the_balancer() {
    assert_independent("dummy_servers", |name| {
        name.starts_with("lb-") || name == "simple-lb"
    });
}

#[test]
fn strategies_know_no_pool() {
    assert_none(
        "strategies choose among candidates, not pools",
        &sources("core/src/strategy"),
        |source| source.mentions("pool::") || source.mentions("pool}") || source.mentions("pool,"),
    );
}

#[test]
fn the_data_plane_takes_nothing_but_the_registrys_handle() {
    for folder in ["src/proxy", "src/front", "src/lane", "src/upstream"] {
        assert_none(
            "only lb_actors::RegistryHandle",
            &without_tests(folder),
            |source| {
                let mut imports = source.lines.iter().filter(|line| line.contains("lb_actors"));
                imports.any(|line| line.trim() != "use lb_actors::RegistryHandle;")
            },
        );
    }
}

#[test]
fn no_lane_knows_another() {
    let all = without_tests("src/lane");
    let lane = |source: &Source| {
        source
            .path
            .split('/')
            .nth(2)
            .unwrap_or_default()
            .trim_end_matches(".rs")
            .to_owned()
    };
    let mut lanes: Vec<_> = all.iter().map(lane).filter(|name| name != "mod").collect();
    lanes.sort();
    lanes.dedup();
    assert!(lanes.contains(&"handler".to_owned()), "{lanes:?}");
    assert_none("lanes share src/proxy, not each other", &all, |source| {
        let own = lane(source);
        own != "mod" && imports_a_lane_but(source, &own)
    });
}

#[test]
fn no_front_knows_a_lane() {
    assert_none(
        "the wiring gives a front its lane",
        &without_tests("src/front"),
        |source| {
            source.mentions("lane::{") || source.mentions("crate::lane") || source.mentions("    lane::")
        },
    );
}

#[test]
fn of_the_data_plane_only_the_handler_lane_knows_awc() {
    let knows = |source: &Source| source.mentions("awc::") || source.mentions("use awc");
    let lane = sources("src/lane/handler");
    assert!(lane.iter().any(knows), "the rule looks for another name");
    for folder in [
        "src/listener",
        "src/front",
        "src/proxy",
        "src/upstream",
        "src/lane/wire",
    ] {
        assert_none("no other worker builds its clients", &sources(folder), knows);
    }
}

/// Whether a source names a lane that is not its own.
fn imports_a_lane_but(source: &Source, own: &str) -> bool {
    source.lines.iter().any(|line| {
        let mut named = line.split("lane::").skip(1);
        named.any(|rest| !rest.starts_with(own))
    })
}

#[test]
fn a_lane_that_imports_another_would_be_seen() {
    let source = |line: &str| Source {
        path: "src/lane/wire/mod.rs".to_owned(),
        lines: vec![line.to_owned()],
    };
    assert!(imports_a_lane_but(
        &source("use crate::lane::handler::forward;"),
        "wire"
    ));
    assert!(imports_a_lane_but(
        &source("use crate::lane::{handler, wire};"),
        "wire"
    ));
    assert!(!imports_a_lane_but(
        &source("use crate::lane::wire::head;"),
        "wire"
    ));
}

#[test]
fn one_file_knows_serde_yaml() {
    let all = sources("core/src");
    let users: Vec<_> = all
        .iter()
        .filter(|source| source.mentions("serde_yaml"))
        .map(|source| &source.path)
        .collect();
    assert_eq!(users, ["core/src/config/document.rs"]);
    for package in [".", "simulation", "actors", "dummy_servers"] {
        assert_independent(package, |name| name == "serde_yaml");
    }
}

#[test]
fn only_the_registry_publishes() {
    for folder in ["src", "core/src", "simulation/src", "actors/src"] {
        assert_none("the registry is the only writer", &sources(folder), |source| {
            source.path != "actors/src/registry.rs" && source.mentions(".publish(")
        });
    }
    assert!(
        sources("actors/src/registry.rs")[0].mentions(".publish("),
        "the rule looks for another name"
    );
}

#[test]
fn tests_wait_for_conditions_and_take_free_ports() {
    assert_none(
        "time passes in tests/harness/wait.rs only",
        &sources("tests"),
        |source| {
            source.path != "tests/layering.rs"
                && (source.mentions("thread::sleep") || source.mentions("127.0.0.1:8"))
        },
    );
}

/// Durations, deadlines and ages are measured by a clock that nobody sets; what a person set makes timestamps only.
#[test]
fn the_clock_on_the_wall_makes_timestamps_only() {
    let allowed = [
        "src/front/worker.rs",
        "src/metrics/process.rs",
        "src/telemetry/access_log/clock.rs",
    ];
    let reads = |source: &Source| {
        [
            "SystemTime",
            "UNIX_EPOCH",
            "ClockId::Realtime",
            ".modified()",
            ".accessed()",
        ]
        .iter()
        .any(|name| source.mentions(name))
    };
    for folder in ["src", "actors/src", "core/src", "wire/src"] {
        assert_none(
            "only the Date of responses, lines of logs and the time of the start have the time of day",
            &sources(folder),
            |source| !allowed.contains(&&*source.path) && reads(source),
        );
    }
    assert!(
        allowed.iter().all(|path| sources(path).iter().any(reads)),
        "the rule looks for another name"
    );
}

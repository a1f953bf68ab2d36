//! What is typed, what is said, and which exit code it ends with.

use std::net::TcpListener;

use crate::harness::{Balancer, FAST_CHECKS, Place, Process, backends};

#[test]
fn version_and_usage() {
    let place = Place::new();
    let version = place.run("--version");
    assert_eq!(
        version.stdout,
        format!("simple-lb {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(version.code, 0);
    let help = place.run("--help");
    assert_eq!(help.code, 0);
    for text in ["--reload", "--stop", "demo", "status", "check", "64"] {
        assert!(help.stdout.contains(text), "{text}: {}", help.stdout);
    }
    let wrong = [
        "--reload --stop",
        "--unknown",
        "chekc",
        "--reload status",
        "demo --seconds 0",
        "--config",
    ];
    for arguments in wrong {
        let usage = place.run(arguments);
        assert_eq!((usage.code, usage.stdout.as_str()), (2, ""), "{arguments}");
        assert!(
            usage.stderr.starts_with("error: "),
            "{arguments}: {}",
            usage.stderr
        );
    }
}

#[test]
fn an_invalid_configuration_is_refused_with_all_its_problems() {
    let place = Place::new();
    let text = "port: 70000\nbackend: [x]\nbackends:\n  - \"https://a.example\"\n  - {url: \"http://b\", weight: 257}\n";
    place.write("config.yaml", text);
    let problems = [
        "config.yaml:1:7: port: must have a port from 0 to 65535, got \"70000\"",
        "config.yaml:2:1: backend: is not a known key; did you mean `backends`?",
        "config.yaml:4:5: backends[0]: must begin with http://: TLS to backends is not there yet",
        "config.yaml:5:31: backends[1].weight: must be a whole number from 1 to 256, got \"257\"",
    ];
    let start = place.run("--config config.yaml");
    assert_eq!((start.code, start.stdout.as_str()), (64, ""));
    let lines: Vec<_> = start.stderr.lines().collect();
    assert_eq!(lines.len(), problems.len(), "{start:?}");
    for (line, problem) in lines.iter().zip(problems) {
        assert!(line.starts_with(problem), "{line}\ninstead of\n{problem}");
    }

    let check = place.run("check");
    assert_eq!((check.code, check.stdout.as_str()), (64, ""));
    assert_eq!(check.stderr, format!("{}config.yaml: 4 problems\n", start.stderr));
    let json = place.run("check --json");
    assert_eq!((json.code, json.json()["valid"].as_bool()), (64, Some(false)));
    let described = json.json()["problems"].clone();
    assert_eq!(described.as_array().unwrap().len(), 4);
    assert_eq!(
        described[3]["message"],
        "must be a whole number from 1 to 256, got \"257\""
    );
    assert_eq!(
        (&described[1], &described[0]["line"], &described[0]["column"]),
        (
            &serde_json::json!({
                "file": "config.yaml",
                "line": 2,
                "column": 1,
                "setting": "backend",
                "message": "is not a known key",
                "hint": "did you mean `backends`?",
                "text": problems[1],
            }),
            &1.into(),
            &7.into()
        )
    );
}

#[test]
fn a_missing_file_says_what_to_type() {
    let place = Place::new();
    for arguments in ["--config config.yaml", ""] {
        let start = place.run(arguments);
        assert_eq!((start.code, start.stdout.as_str()), (64, ""), "{arguments}");
        assert!(
            start
                .stderr
                .starts_with("config.yaml: cannot be read: No such file"),
            "{start:?}"
        );
        assert!(
            start.stderr.contains("--config FILE") && start.stderr.contains("simple-lb demo"),
            "{start:?}"
        );
    }
    assert_eq!(place.run("check --config nowhere/lb.yaml").code, 64);
}

#[test]
fn check_shows_every_setting_that_results() {
    let place = Place::new();
    place.write(
        "config.yaml",
        "port: \":8000\"\nbackends: [\"http://a:1\", {url: \"http://b\", weight: 3}]\nretries: 1\n",
    );
    let check = place.run("check");
    assert_eq!((check.code, check.stderr.as_str()), (0, ""));
    let value = |key: &str| {
        let line = check
            .stdout
            .lines()
            .find(|line| line.starts_with(&format!("{key} ")));
        line.map(|line| line[key.len()..].trim().to_owned())
            .unwrap_or_default()
    };
    assert_eq!(value("backends[1]"), "http://b:80 weight 3  (line 2)");
    assert_eq!(value("retries.attempts"), "1  (line 3)");
    assert_eq!(value("timeouts.response_idle"), "1m  (default)");
    assert_eq!(value("shutdown_timeout"), "30s  (default)");
    assert!(value("limit: open files").parse::<u64>().unwrap() > 0);
    assert!(check.stdout.ends_with("config.yaml: valid\n"));
    let json = place.run("check --json").json();
    assert_eq!(
        (
            json["valid"].as_bool(),
            json["settings"]["retries.attempts"].as_str(),
            json["origins"]["retries.attempts"].as_str()
        ),
        (Some(true), Some("1"), Some("line 3"))
    );
}

#[test]
fn the_example_of_the_repository_is_valid() {
    let place = Place::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config.yaml");
    assert_eq!(place.run(&format!("check --config {example}")).code, 0);
}

#[test]
fn a_port_that_is_taken_is_said_with_what_to_type() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Place::new();
    place.write(
        "config.yaml",
        &format!("port: \"{address}\"\nbackends: [\"http://127.0.0.1:1\"]\n"),
    );
    let start = place.run("--config config.yaml");
    assert_eq!(start.code, 1);
    let expected = format!("cannot listen on {address}: another program listens there");
    assert!(
        start.stderr.contains(&expected) && start.stderr.contains("`ss -ltnp"),
        "{start:?}"
    );
    // And it leaves no claim behind.
    assert_eq!(place.run("--reload").code, 3);
}

#[test]
fn the_start_shows_address_backends_and_their_state() {
    let [a, b] = backends();
    b.kill();
    let balancer = Balancer::start(&format!(
        "port: \"127.0.0.1:0\"\nworkers: 2\nbackends: [\"{}\", \"{}\"]\n",
        a.url(),
        b.url()
    ));
    let output = balancer.process.stdout();
    let lines: Vec<_> = output.lines().collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        lines[0],
        format!("simple-lb {version}, pid {}, config.yaml", balancer.process.id())
    );
    assert_eq!(lines[1], "pool default, round-robin, 2 backends:");
    let shown = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(shown(lines[2]), format!("{} up 200 OK", a.url()));
    assert_eq!(shown(lines[3]), format!("{} down connection refused", b.url()));
    assert!(
        lines[4].starts_with("2 workers, at most ") && lines[4].ends_with(" open files"),
        "{output}"
    );
    assert_eq!(lines[5], format!("listening on http://{}", balancer.address()));
    assert_eq!(lines.len(), 6);
}

#[test]
fn no_backend_up_at_the_start_says_what_to_type() {
    let [a] = backends();
    a.kill();
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n{FAST_CHECKS}\n", a.url()));
    let output = balancer.process.stdout();
    let line = output
        .lines()
        .find(|line| line.starts_with("no backend is up: "))
        .unwrap();
    assert!(
        line.contains("cargo run --bin dummy_servers") && line.contains("simple-lb --reload"),
        "{line}"
    );
}

#[test]
fn every_form_of_port_is_listened_on() {
    let [a] = backends();
    let balancer = Balancer::start(&format!(
        "port: [\"127.0.0.1:0\", \"[::1]:0\", \":0\"]\nbackends: [\"{}\"]\n",
        a.url()
    ));
    let listeners = balancer.status().listeners;
    let hosts: Vec<_> = listeners
        .iter()
        .map(|address| address.rsplit_once(':').unwrap().0)
        .collect();
    assert_eq!(hosts, ["127.0.0.1", "[::1]", "[::]"]);
    for listener in &listeners {
        let address = listener.replace("[::]", "127.0.0.1").parse().unwrap();
        assert_eq!(crate::harness::get(address, "/").server(), "a", "{listener}");
    }
}

#[test]
fn a_pipe_that_nobody_reads_ends_no_command_badly() {
    let place = Place::new();
    let mut shell = place.command("sh");
    let program = env!("CARGO_BIN_EXE_simple-lb");
    shell.args([
        "-c",
        &format!("{program} --help | head -1; {program} check 2>&1 | true"),
    ]);
    let mut process = Process::start(&mut shell);
    assert_eq!(process.wait(), 0);
    assert!(!process.stderr().contains("panicked"), "{}", process.stderr());
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let [a] = backends();
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n", a.url()));
    let commands = [
        "check",
        "check --json",
        "status",
        "status --json",
        "reload",
        "reload --dry-run",
        "simulate --requests 500 --strategy random",
        "--help",
        "--version",
    ];
    for arguments in commands {
        let full = balancer
            .place
            .shell(&format!("simple-lb {arguments} > /dev/full"));
        assert_eq!(full.code, 1, "{arguments}");
        assert!(
            full.stderr
                .contains("cannot write the output: No space left on device"),
            "{arguments}: {full:?}"
        );
        // A pipe whose reader has left before anything is written.
        let mut command = balancer.place.command(env!("CARGO_BIN_EXE_simple-lb"));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let command = command.args(arguments.split_whitespace()).stdout(writer);
        let closed = command.output().unwrap();
        assert_eq!(closed.status.code(), Some(1), "{arguments}");
        assert_eq!(String::from_utf8_lossy(&closed.stderr), "", "{arguments}");
    }
    // What was refused anyway keeps its own code.
    assert_eq!(
        balancer
            .place
            .shell("simple-lb check --config none.yaml > /dev/full")
            .code,
        64
    );
}

#[test]
fn a_configuration_that_is_no_file_is_refused_at_once() {
    let place = Place::new();
    let path = |name: &str| place.folder().join(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, path("fifo"), rustix::fs::Mode::RWXU).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    std::os::unix::fs::symlink("two", path("one")).unwrap();
    std::os::unix::fs::symlink("one", path("two")).unwrap();
    for (name, said) in [
        (
            "fifo",
            "fifo: is a pipe, not a regular file; write what it gives into a file",
        ),
        (
            "folder",
            "folder: is a folder, not a regular file; name a file in it",
        ),
        ("one", "one: cannot be read: its symbolic links lead in a circle"),
    ] {
        for command in ["run", "check"] {
            let refused = place.run(&format!("{command} --config {name}"));
            assert_eq!(refused.code, 64, "{name}");
            assert!(refused.stderr.starts_with(said), "{refused:?}");
        }
    }
    place.write(
        "config.yaml",
        "port: 0\nbackends: [\"http://127.0.0.1:1\"]\nerror_pages: {502: fifo}\n",
    );
    let page = place.run("check");
    assert_eq!(page.code, 64);
    assert!(
        page.stderr.contains("fifo is a pipe, not a regular file"),
        "{page:?}"
    );
}

#[test]
fn control_characters_in_names_never_reach_the_terminal() {
    let place = Place::new();
    let name = "a\u{1b}[31m\nb.yaml";
    let run = |arguments: &[&str]| crate::harness::Finished::of(place.start(arguments));
    let quiet = |finished: &crate::harness::Finished| {
        let text = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains("a\\u{1b}[31m\\nb.yaml"), "{text:?}");
    };
    for command in ["check", "status", "reload", "run"] {
        quiet(&run(&[command, "--config", name]));
    }
    place.write(
        name,
        "port: 0\nbackends: [\"http://127.0.0.1:1\"]\nhealth_check: false\n",
    );
    quiet(&run(&["check", "--config", name]));
    let mut process = place.start(&["run", "--config", name]);
    process.wait_for_line("listening on http://");
    for command in ["status", "reload", "run"] {
        quiet(&run(&[command, "--config", name]));
    }
    assert!(!process.stdout().contains('\u{1b}') && !process.stderr().contains('\u{1b}'));
}

#[test]
fn names_in_tables_and_plans_turn_no_terminal_round() {
    let [server] = backends();
    let text = |value: &str| {
        format!(
            "port: 0\nbackends: [\"{}\"]\nroutes: [{{header: {{X-A: {{regex: \"{value}\"}}}}, pool: default}}]\n",
            server.url()
        )
    };
    let balancer = Balancer::start(&text("a\\u202eb\\u0007c"));
    balancer.write_config(&text("d\\u2066e\\u200b"));
    for command in ["check", "status", "reload --dry-run", "reload", "status"] {
        let said = balancer.place.run(command);
        assert_eq!(said.code, 0, "{said:?}");
        let text = format!("{}{}", said.stdout, said.stderr);
        let raw = text.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{7}']);
        assert!(!raw, "{command}: {text:?}");
        let shown = text.contains("a\\u{202e}b\\u{7}c") || text.contains("d\\u{2066}e\\u{200b}");
        assert!(shown || command == "check", "{command}: {text:?}");
    }
}

#[test]
fn who_asks_for_json_gets_failures_as_json() {
    let [server] = backends();
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n", server.url()));
    let elsewhere = Place::new();
    for (place, arguments, code) in [
        (&elsewhere, "status --json", 3),
        (&elsewhere, "reload --json", 3),
        (&elsewhere, "stop --json --config none.yaml", 3),
        (&elsewhere, "drain http://a --json", 3),
        (&elsewhere, "simulate --json --config none.yaml", 64),
        (&elsewhere, "simulate --json --plot .", 2),
        (&elsewhere, "run --json --config none.yaml", 64),
    ] {
        let failed = place.run(arguments);
        assert_eq!(failed.code, code, "{failed:?}");
        assert_eq!(failed.json()["exit_code"], code, "{arguments}");
        let said = failed.json()["errors"][0].as_str().unwrap().to_owned();
        assert!(!said.is_empty() && failed.stderr.starts_with(&said), "{failed:?}");
    }
    // Reports that say themselves what failed are all that is printed.
    let refused = balancer.place.run("drain http://unknown --json");
    assert!(
        refused.code == 1 && refused.json()["problems"].is_array(),
        "{refused:?}"
    );
}

#[test]
fn a_name_that_is_no_utf8_is_called_so() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let [server] = backends();
    let place = Place::new();
    let name = OsStr::from_bytes(b"a\xff.yaml");
    let text = format!("port: 0\nbackends: [\"{}\"]\n", server.url());
    std::fs::write(place.folder().join(name), text).unwrap();
    let mut command = place.command(env!("CARGO_BIN_EXE_simple-lb"));
    let mut process = crate::harness::Process::start(command.arg("--config").arg(name));
    process.wait_for_line("listening on http://");
    crate::harness::wait_until("the warning", || {
        let said = process.stderr();
        said.contains("a\u{fffd}.yaml has a name that is not UTF-8 text")
    });
}

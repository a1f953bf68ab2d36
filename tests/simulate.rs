//! `simple-lb simulate`: what is typed, what is printed, and that a seed gives the same output to the last byte.

use crate::harness::Place;

const POOL: &str = "port: 0\nbackends: [\"http://a:1\", \"http://b:2\", {url: \"http://c:3\", weight: 2}]\n";
/// A short run of much that can happen.
const BUSY: &str = "--requests 20000 --slow b1=3x@1s-2s --kill http://b:2@2s-4s --cold b:2=1s,5x --fail b3=10% \
                    --flap all=2s/200ms --freeze b1@3s-3500ms --traffic x2@2s --posts 10%";

#[test]
fn the_same_seed_gives_the_same_output_to_the_last_byte() {
    let place = Place::new();
    place.write("config.yaml", POOL);
    for form in ["", " --json"] {
        let run = |seed| place.run(&format!("simulate {BUSY}{form} --seed {seed}"));
        let (first, again, other) = (run(7), run(7), run(8));
        assert_eq!((first.code, first.stderr.as_str()), (0, ""));
        assert_eq!(first.stdout, again.stdout, "seed 7");
        assert_ne!(first.stdout, other.stdout, "another seed");
        assert!(
            first
                .stdout
                .contains(if form.is_empty() { "seed 7" } else { "\"seed\": 7" }),
            "{first:?}"
        );
    }
}

#[test]
fn without_a_file_ten_equal_backends_are_compared_and_it_says_what_to_try() {
    let run = Place::new().run("simulate --requests 5000");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for text in [
        "no config.yaml here",
        "10 backends",
        "5,000 requests",
        "seed 1",
        "try --slow",
        "round-robin",
        "http://b10",
    ] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
}

#[test]
fn the_configured_pool_is_what_runs() {
    let place = Place::new();
    place.write("config.yaml", POOL);
    let run = place
        .run("simulate --strategy round-robin --requests 4000 --rate 100/s --service 1ms --json")
        .json();
    let backends = run["strategies"][0]["backends"].as_array().unwrap();
    let shares: Vec<String> = backends
        .iter()
        .map(|backend| {
            format!(
                "{} {:.2}",
                backend["url"].as_str().unwrap(),
                backend["share"].as_f64().unwrap()
            )
        })
        .collect();
    assert_eq!(shares, ["http://a:1 0.25", "http://b:2 0.25", "http://c:3 0.50"]);
    assert_eq!(run["strategies"][0]["requests"], 4000);
    assert_eq!(run["configured"], "round-robin");
}

#[test]
fn load_is_measured_by_those_who_serve() {
    let place = Place::new();
    let run = |backends: &str| {
        place.write("config.yaml", &format!("port: 0\nbackends: {backends}\n"));
        place.run("simulate --requests 2000 --strategy round-robin")
    };
    let backup = run("[\"http://a:1\", {url: \"http://b:2\", backup: true}]");
    for text in [
        "2 backends, of which 1 serves: 8 slots, good for 800 requests/s",
        "load: 480 requests/s (60% of that)",
    ] {
        assert!(backup.stdout.contains(text), "{text}: {}", backup.stdout);
    }
    let nobody = run("[{url: \"http://a:1\", maintenance: true}, {url: \"http://b:2\", drain: true}]");
    assert_eq!((nobody.code, nobody.stdout.as_str()), (2, ""));
    let said = "error: no backend of the pool serves: each is drained or in maintenance";
    assert!(nobody.stderr.starts_with(said), "{nobody:?}");
}

#[test]
fn wrong_usage_is_said_with_what_to_write_and_ends_with_2() {
    let place = Place::new();
    place.write("config.yaml", POOL);
    let wrong = [
        ("--strategy best", "there is no strategy \"best\""),
        ("--rate fast", "2000/s"),
        ("--slow b2", "b2=10x"),
        (
            "--slow b9=2x",
            "--slow b9: is no backend of the pool; write b1 to b3, all, or one of http://a:1, http://b:2, http://c:3",
        ),
        ("--kill b1@90s", "begins after the end of the simulation at 60s"),
        ("--duration 300d", "more than 200000000"),
        // What traffic makes of the rate counts.
        (
            "--duration 60s --traffic x10000@1s",
            "that would be 1132801920 requests, more than 200000000; lower --rate or --traffic",
        ),
        (
            "--duration 5s --traffic x1000000@1s",
            "that would be 7680001920 requests",
        ),
        (
            "--duration 10d --rate 1/s --traffic x1000@5d",
            "more than 200000000",
        ),
        ("--pool api", "there is no pool \"api\""),
        ("--backends 5 --config config.yaml", "cannot be used with"),
        ("--backends 0", "1..=100000"),
        ("--service 1d", "not one request would come in 60s"),
        ("--service soon", "\"soon\" is no time such as"),
        ("--traffic 2", "x2@30s"),
        (
            "--requests 5 --rate 0.0000001",
            "3 backends are simulated for 6666667s at most",
        ),
        (
            "--duration 10d --rate 10/s --flap all=50ms/50ms",
            "--flap all: that would be 25920000 turns",
        ),
    ];
    for (arguments, said) in wrong {
        let usage = place.run(&format!("simulate {arguments}"));
        assert_eq!((usage.code, usage.stdout.as_str()), (2, ""), "{arguments}");
        assert!(
            usage.stderr.starts_with("error: ") && usage.stderr.contains(said),
            "{arguments}: {}",
            usage.stderr
        );
    }
}

#[test]
fn a_peak_of_traffic_costs_the_requests_that_it_brings() {
    let place = Place::new();
    place.write("config.yaml", POOL);
    // At the rate of the peak all the time, there would be ten billion candidates.
    for time in ["--duration 60s", "--requests 100000", ""] {
        let peak = place.run(&format!(
            "simulate --rate 200/s --traffic x1000000@59s-59000.05ms --strategy random {time}"
        ));
        assert_eq!((peak.code, peak.stderr.as_str()), (0, ""), "{time}");
    }
}

#[test]
fn all_leaves_first_out_where_nobody_has_a_limit_and_the_help_says_so() {
    let place = Place::new();
    let compares_first = |settings: &str| {
        place.write("config.yaml", &format!("port: 0\n{settings}\n"));
        let run = place.run("simulate --requests 500 --json").json();
        let strategies = run["strategies"].as_array().unwrap();
        strategies.iter().any(|report| report["strategy"] == "first")
    };
    assert!(!compares_first("backends: [\"http://a:1\", \"http://b:2\"]"));
    assert!(compares_first(
        "backends: [{url: \"http://a:1\", max_connections: 8}, \"http://b:2\"]"
    ));
    assert!(compares_first(
        "strategy: first\nbackends: [\"http://a:1\", \"http://b:2\"]"
    ));
    let help = place.run("simulate --help").stdout;
    let words: Vec<&str> = help.split_whitespace().collect();
    let said =
        "all, which leaves `first` out unless a backend has max_connections or `first` is what is configured";
    assert!(words.join(" ").contains(said), "{help}");
}

#[test]
fn where_all_fails_it_says_why_and_recommends_nothing() {
    let place = Place::new();
    let dead = place.run("simulate --backends 3 --requests 2000 --kill all");
    assert_eq!((dead.code, dead.stderr.as_str()), (0, ""));
    let said =
        "none of them helps: nothing was answered under any strategy, because all requests found no backend";
    assert!(dead.stdout.contains(said), "{}", dead.stdout);
    assert!(!dead.stdout.contains("To use it") && !dead.stdout.contains("best by"));
    let json = place.run("simulate --backends 3 --requests 2000 --kill all --json");
    assert!(json.json()["best"].is_null());
}

#[test]
fn a_plot_replaces_no_file_but_a_picture() {
    let place = Place::new();
    place.write("config.yaml", POOL);
    let plot = |file: &str| {
        place.run(&format!(
            "simulate --requests 500 --strategy random --plot {file}"
        ))
    };
    let refused = plot("config.yaml");
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "before it runs");
    let said =
        "error: --plot: config.yaml is there and is no SVG, so it is not overwritten; name another file";
    assert!(refused.stderr.starts_with(said), "{refused:?}");
    let read = |file: &str| std::fs::read_to_string(place.folder().join(file)).unwrap();
    assert_eq!(read("config.yaml"), POOL);
    assert!(plot(".").stderr.starts_with("error: --plot: . is a folder"));
    // One that nobody reads would hang it.
    let fifo = place.folder().join("fifo.svg");
    rustix::fs::mkfifoat(rustix::fs::CWD, fifo, rustix::fs::Mode::RWXU).unwrap();
    let refused = plot("fifo.svg");
    let said = "error: --plot: fifo.svg is no regular file";
    assert!(
        refused.code == 2 && refused.stderr.starts_with(said),
        "{refused:?}"
    );
    assert_eq!(plot("new.svg").code, 0);
    place.write("old.svg", "<svg><!-- an older one --></svg>");
    assert_eq!(plot("old.svg").code, 0);
    assert_eq!(read("old.svg"), read("new.svg"));
    place.write("old.txt", &read("old.svg"));
    for name in ["out.png", "out", "old.txt"] {
        let refused = plot(name);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{name}");
        let said = format!("error: --plot: the picture is an SVG, so {name} must end with .svg");
        assert!(refused.stderr.starts_with(&said), "{refused:?}");
    }
    assert!(!place.folder().join("out.png").exists());
}

#[test]
fn it_says_that_it_leaves_out_sticky_cookies() {
    let place = Place::new();
    let run = "simulate --requests 500 --strategy random";
    place.write("config.yaml", POOL);
    let left_out = |json: serde_json::Value| json["left_out"].clone();
    assert!(!place.run(run).stdout.contains("left out"));
    assert_eq!(
        left_out(place.run(&format!("{run} --json")).json()),
        serde_json::json!([])
    );
    place.write("config.yaml", &format!("{POOL}sticky: true\n"));
    assert!(place.run(run).stdout.contains("\nleft out: sticky, "));
    assert_eq!(
        left_out(place.run(&format!("{run} --json")).json()),
        serde_json::json!(["sticky"])
    );
}

#[test]
fn an_invalid_configuration_ends_with_64() {
    let place = Place::new();
    place.write("config.yaml", "port: 0\nbackends: []\n");
    let run = place.run("simulate");
    assert_eq!((run.code, run.stdout.as_str()), (64, ""));
    assert!(run.stderr.starts_with("config.yaml:2:"), "{run:?}");
    assert_eq!(place.run("simulate --config nowhere.yaml").code, 64);
}

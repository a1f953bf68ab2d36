//! `run`, `reload` and `stop`, typed as verbs: the same code as the flags, and a plan that only shows.

use std::fs;

use crate::harness::{Balancer, Place, backends, lane::with_lane};

#[test]
fn verbs_do_what_the_flags_do() {
    let [a, b] = backends();
    let place = Place::new();
    let config = |url: &str| with_lane(&format!("port: 0\nbackends: [\"{url}\"]\n"));
    place.write("config.yaml", &config(&a.url()));
    let mut balancer = Balancer::of(&place, place.start(&["run"]));
    assert_eq!(balancer.order(1), "a");
    place.write("config.yaml", &config(&b.url()));
    let reload = place.run("reload");
    assert_eq!((reload.code, reload.stderr.as_str()), (0, ""));
    assert!(reload.stdout.contains("\nreloaded "), "{reload:?}");
    assert_eq!(balancer.order(1), "b");
    let again = place.run("--reload");
    assert_eq!(again.stdout, place.run("reload").stdout);
    let stop = place.run("stop");
    let expected = format!(
        "stopped pid {}: 0 requests finished while it stopped\n",
        balancer.process.id()
    );
    assert_eq!((stop.code, stop.stdout), (0, expected));
    assert_eq!(balancer.process.wait(), 0);
    for verb in ["reload", "reload --dry-run", "stop"] {
        assert_eq!(place.run(verb).code, 3, "{verb}");
    }
}

#[test]
fn a_dry_run_shows_the_plan_of_a_reload_and_changes_nothing() {
    let [a, b] = backends();
    let place = Place::new();
    let state = place.folder().join("state");
    let config = |backends: &str| {
        format!(
            "port: 0\nbackends: [{backends}]\nstate_dir: {}\n",
            state.display()
        )
    };
    let old = config(&format!("\"{}\"", a.url()));
    let balancer = Balancer::start_in(&place, &old);
    let new = config(&format!("\"{}\", \"{}\"", a.url(), b.url()));
    balancer.write_config(&format!("{new}sticky: true\nretries: 1\n"));

    let dry = place.run("reload --dry-run");
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""));
    assert!(
        dry.stdout
            .ends_with("config.yaml: nothing has changed, generation 1 serves\n"),
        "{dry:?}"
    );
    assert!(
        !state.exists(),
        "the key of sticky cookies is made by a reload only"
    );
    assert_eq!(balancer.order(3), "a a a");
    let status = balancer.status();
    assert_eq!((status.generation, status.pools[0].backends.len()), (1, 1));
    assert_eq!(b.hits_total(), 0, "not even a probe");
    let json = place.run("reload --dry-run --json").json();
    assert_eq!(
        (&json["applied"], &json["dry_run"]),
        (&false.into(), &true.into())
    );

    let reload = place.run("reload");
    let plan = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.pop();
        lines
    };
    assert_eq!(plan(&dry.stdout), plan(&reload.stdout));
    assert!(plan(&dry.stdout).contains(&format!("+ {}", b.url())), "{dry:?}");
    assert!(state.exists());

    let unchanged = place.run("reload --dry-run");
    assert!(unchanged.stdout.starts_with("no changes in "), "{unchanged:?}");
}

#[test]
fn a_dry_run_says_what_a_reload_would_refuse() {
    let [a] = backends();
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n", a.url()));
    for (config, problem) in [
        ("port: 0\nbackend: []\n".to_owned(), "backend: is not a known key"),
        (
            format!("port: 0\nworkers: 7\nbackends: [\"{}\"]\n", a.url()),
            "needs a restart",
        ),
    ] {
        balancer.write_config(&config);
        let dry = balancer.place.run("reload --dry-run");
        assert_eq!((dry.code, dry.stdout.as_str()), (1, ""), "{config}");
        assert!(dry.stderr.contains(problem), "{dry:?}");
        assert!(
            dry.stderr
                .ends_with("a reload would be refused; nothing has changed, generation 1 serves\n"),
            "{dry:?}"
        );
        let reload = balancer.reload();
        let problems = |text: &str| text.rsplit_once("\n").map(|(all, _)| all.lines().count());
        assert_eq!(problems(&dry.stderr), problems(&reload.stderr));
    }
    fs::remove_file(balancer.place.folder().join("config.yaml")).unwrap();
    assert_eq!(balancer.place.run("reload --dry-run").code, 1);
}

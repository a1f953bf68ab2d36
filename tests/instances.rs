//! Which running instance a command means.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use crate::harness::{Balancer, Finished, Place, Process, backends, eventually, lane::with_lane};

fn config(url: &str) -> String {
    format!("port: 0\nbackends: [\"{url}\"]\n")
}

#[test]
fn without_an_instance_commands_say_how_to_start_one() {
    let place = Place::new();
    for arguments in ["--reload", "--stop", "status", "--reload --config other.yaml"] {
        let command = place.run(arguments);
        assert_eq!((command.code, command.stdout.as_str()), (3, ""), "{arguments}");
        assert!(
            command.stderr.starts_with("no running instance"),
            "{arguments}: {command:?}"
        );
        assert!(
            command.stderr.contains("`simple-lb --config config.yaml`"),
            "{arguments}: {command:?}"
        );
    }
}

#[test]
fn a_configuration_runs_once() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&a.url()));
    let absolute = format!(
        "--config {}",
        balancer.place.folder().join("config.yaml").display()
    );
    for arguments in ["--config config.yaml", "--config ./config.yaml", &absolute] {
        let second = balancer.place.run(arguments);
        assert_eq!((second.code, second.stdout.as_str()), (1, ""), "{arguments}");
        let expected = format!("pid {} already runs ", balancer.process.id());
        assert!(
            second.stderr.contains(&expected) && second.stderr.contains("--reload"),
            "{second:?}"
        );
    }
    assert_eq!(balancer.order(1), "a");
}

#[test]
fn the_only_instance_is_meant_from_any_folder() {
    let [a] = backends();
    let mut balancer = Balancer::start(&config(&a.url()));
    let elsewhere = balancer.place.beside("elsewhere");
    let status = elsewhere.run("status --json");
    assert_eq!(
        (status.code, status.json()["pid"].as_u64()),
        (0, Some(balancer.process.id().into()))
    );
    let named = elsewhere.run("--stop --config config.yaml");
    assert_eq!(
        named.code, 3,
        "a configuration that is named is the only one meant"
    );
    let stop = elsewhere.run("--stop");
    assert_eq!(stop.code, 0);
    let which = format!("the only running instance: pid {}, ", balancer.process.id());
    assert!(stop.stderr.starts_with(&which), "{stop:?}");
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn of_several_instances_one_must_be_named() {
    let [a, b] = backends();
    let mut first = Balancer::start(&config(&a.url()));
    let mut second = Balancer::start_in(&first.place.beside("second"), &config(&b.url()));
    let elsewhere = first.place.beside("elsewhere");
    for arguments in ["--stop", "--reload", "status"] {
        let several = elsewhere.run(arguments);
        assert_eq!((several.code, several.stdout.as_str()), (3, ""), "{arguments}");
        for balancer in [&first, &second] {
            let line = format!("/config.yaml  (pid {})\n", balancer.process.id());
            assert!(several.stderr.contains(&line), "{several:?}");
        }
    }
    // In its own folder, and by name from elsewhere, each is found.
    assert_eq!(second.place.run("--stop").code, 0);
    assert_eq!(second.process.wait(), 0);
    assert!(first.process.is_running());
    let stop = elsewhere.run(&format!(
        "--stop --config {}/config.yaml",
        first.place.folder().display()
    ));
    assert_eq!(stop.code, 0, "{stop:?}");
    assert_eq!(first.process.wait(), 0);
}

#[test]
fn what_a_killed_instance_leaves_behind_is_stale() {
    let [a] = backends();
    let mut balancer = Balancer::start(&config(&a.url()));
    balancer.process.kill();
    let left = fs::read_dir(balancer.place.runtime()).unwrap().count();
    assert_eq!(left, 2, "lock and socket");
    for arguments in ["--reload", "--stop", "status"] {
        assert_eq!(balancer.place.run(arguments).code, 3, "{arguments}");
    }
    let again = Balancer::start_in(&balancer.place, &config(&a.url()));
    assert_eq!(again.order(2), "a a");
    assert_eq!(again.reload().code, 0);
}

#[test]
fn a_stopped_instance_leaves_nothing_behind() {
    let [a] = backends();
    let mut balancer = Balancer::start(&config(&a.url()));
    assert_eq!(balancer.place.run("--stop").code, 0);
    assert_eq!(balancer.process.wait(), 0);
    assert_eq!(fs::read_dir(balancer.place.runtime()).unwrap().count(), 0);
}

#[test]
fn without_a_usable_runtime_folder_it_still_serves() {
    let [a] = backends();
    let place = Place::new();
    place.write("file", "not a folder");
    let below = place.folder().join("file").join("runtime");
    let mut balancer = Balancer::start_in(&place.with_runtime(below), &config(&a.url()));
    assert_eq!(balancer.order(2), "a a");
    balancer.wait_for_log("no folder for the control socket: ");
    assert_eq!(balancer.place.run("--stop").code, 3);
    balancer.signal(rustix::process::Signal::TERM);
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let [a] = backends();
    let place = Place::new();
    fs::create_dir(place.runtime()).unwrap();
    fs::set_permissions(place.runtime(), fs::Permissions::from_mode(0o777)).unwrap();
    let balancer = Balancer::start_in(&place, &config(&a.url()));
    balancer.wait_for_log("mode 0700");
    assert_eq!(fs::read_dir(place.runtime()).unwrap().count(), 0);
}

#[test]
fn a_configuration_is_known_by_its_link_not_by_what_it_points_to() {
    // As Kubernetes updates a ConfigMap: the link stays, its target is another file.
    let [a, b] = backends();
    let place = Place::new();
    place.write("v1.yaml", &config(&a.url()));
    place.write("v2.yaml", &config(&b.url()));
    let link = place.folder().join("config.yaml");
    std::os::unix::fs::symlink("v1.yaml", &link).unwrap();
    let balancer = Balancer::of(&place, place.start(&["--config", "config.yaml"]));
    assert_eq!(balancer.order(1), "a");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("v2.yaml", &link).unwrap();
    let reload = balancer.reload();
    // Were it not the one that is meant, it would be found as the only one, which is said.
    assert_eq!((reload.code, reload.stderr.as_str()), (0, ""));
    assert_eq!(balancer.order(2), "b b");
}

#[test]
fn commands_that_change_something_never_guess_beside_a_configuration() {
    let [a] = backends();
    let mut balancer = Balancer::start(&config(&a.url()));
    let elsewhere = balancer.place.beside("elsewhere");
    elsewhere.write("config.yaml", &config(&a.url()));
    let url = a.url();
    let changes = [
        "--stop",
        "stop",
        "--reload",
        "reload",
        &format!("drain {url}"),
        &format!("maintenance {url}"),
        &format!("undrain {url}"),
        &format!("weight {url}=2"),
    ];
    for change in changes {
        let refused = elsewhere.run(change);
        assert_eq!((refused.code, refused.stdout.as_str()), (3, ""), "{change}");
        let runs = format!("/config.yaml  (pid {})\n", balancer.process.id());
        assert!(
            refused
                .stderr
                .starts_with("no instance of config.yaml was found; ")
                && refused.stderr.ends_with(&runs),
            "{change}: {refused:?}"
        );
    }
    // To look is no risk, and it is said at what.
    for look in ["status", "reload --dry-run"] {
        let looked = elsewhere.run(look);
        assert_eq!(looked.code, 0, "{looked:?}");
        assert!(
            looked.stderr.starts_with("the only running instance: "),
            "{looked:?}"
        );
    }
    assert!(balancer.process.is_running());
    // A link that leads nowhere is a configuration, too.
    let broken = balancer.place.beside("broken");
    symlink("nowhere", broken.folder().join("config.yaml")).unwrap();
    assert_eq!(broken.run("stop").code, 3);
    let without = balancer.place.beside("without");
    let drain = without.run(&format!("drain {url}"));
    assert_eq!(drain.code, 0, "{drain:?}");
    assert!(
        drain.stderr.starts_with("the only running instance: "),
        "{drain:?}"
    );
}

#[test]
fn a_deployment_that_moves_the_link_to_the_folder_loses_no_instance() {
    let [a, b, c] = backends();
    let place = Place::new();
    let release = |name: &str, url: &str| {
        fs::create_dir(place.folder().join(name)).unwrap();
        place.write(&format!("{name}/config.yaml"), &with_lane(&config(url)));
    };
    let current = place.folder().join("current");
    let deploy = |name: &str| {
        let _none_yet = fs::remove_file(&current);
        symlink(name, &current).unwrap();
    };
    release("1", &a.url());
    deploy("1");
    let mut balancer = Balancer::of(&place, place.start(&["--config", "current/config.yaml"]));
    assert_eq!(balancer.order(1), "a");
    release("2", &b.url());
    deploy("2");
    let dry = place.run("reload --dry-run --config current/config.yaml");
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{dry:?}");
    let reload = place.run("--reload --config current/config.yaml");
    assert_eq!((reload.code, reload.stderr.as_str()), (0, ""));
    let folder = place.folder().canonicalize().unwrap().display().to_string();
    let named = place.folder().display();
    let outcome =
        format!("reloaded {named}/current/config.yaml, read from {folder}/2/config.yaml: generation 2\n");
    assert!(reload.stdout.ends_with(&outcome), "{reload:?}");
    assert_eq!(balancer.order(1), "b");
    // Also by the name that it had when it started.
    release("3", &c.url());
    deploy("3");
    let reload = place.run("--reload --config 1/config.yaml");
    assert!(reload.stdout.contains("read from "), "{reload:?}");
    assert_eq!(balancer.order(1), "c");
    assert_eq!(place.run("stop --config current/config.yaml").code, 0);
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn who_starts_within_the_moved_folder_is_found_there_too() {
    // As `cd /srv/app/current && simple-lb` in a shell, which knows the name of the folder.
    let [a, b] = backends();
    let place = Place::new();
    for (name, url) in [("1", a.url()), ("2", b.url())] {
        fs::create_dir(place.folder().join(name)).unwrap();
        place.write(&format!("{name}/config.yaml"), &with_lane(&config(&url)));
    }
    let current = place.folder().join("current");
    symlink("1", &current).unwrap();
    let within = |line: &str| format!("sh -c 'cd current && export PWD && simple-lb {line}'");
    let balancer = Balancer::of(&place, place.start_shell(&within("run")));
    fs::remove_file(&current).unwrap();
    symlink("2", &current).unwrap();
    let reload = place.shell(&within("reload"));
    assert_eq!((reload.code, reload.stderr.as_str()), (0, ""));
    assert_eq!(balancer.order(1), "b");
    assert_eq!(place.shell(&within("stop")).code, 0);
}

#[test]
fn a_relative_runtime_folder_is_refused() {
    let place = Place::new().with_runtime("runtime".into());
    place.write("config.yaml", "port: 0\nbackends: [\"http://127.0.0.1:1\"]\n");
    for arguments in ["run", "status", "stop"] {
        let refused = place.run(arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{arguments}");
        let said = "SIMPLE_LB_RUNTIME_DIR must be an absolute path, got \"runtime\"";
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
}

#[test]
fn a_runtime_folder_that_others_can_read_is_closed_to_them_where_it_is_ours() {
    let [a] = backends();
    let place = Place::new();
    fs::create_dir(place.runtime()).unwrap();
    set_mode(place.runtime(), 0o755);
    let mut balancer = Balancer::start_in(&place, &config(&a.url()));
    assert_eq!(fs::metadata(place.runtime()).unwrap().mode() & 0o7777, 0o700);
    // Opened again meanwhile, as `systemd-tmpfiles` may do: nobody else can write there, so it is believed.
    set_mode(place.runtime(), 0o755);
    assert_eq!(balancer.status().generation, 1);
    // Others could have put there what they like.
    set_mode(place.runtime(), 0o775);
    for command in ["status", "reload", "stop"] {
        let refused = place.run(command);
        assert_eq!((refused.code, refused.stdout.as_str()), (3, ""), "{command}");
        let advice = format!("`chmod 0700 {}`", place.runtime().display());
        assert!(refused.stderr.contains(&advice), "{refused:?}");
        assert!(!refused.stderr.contains("no running instance"), "{refused:?}");
    }
    set_mode(place.runtime(), 0o700);
    assert_eq!(place.run("stop").code, 0);
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn a_runtime_folder_with_other_files_is_left_as_it_is() {
    let [a] = backends();
    let place = Place::new();
    fs::create_dir(place.runtime()).unwrap();
    set_mode(place.runtime(), 0o755);
    fs::write(place.runtime().join("other.pid"), "").unwrap();
    let balancer = Balancer::start_in(&place, &config(&a.url()));
    balancer.wait_for_log(&format!("type `chmod 0700 {}`", place.runtime().display()));
    assert_eq!(fs::metadata(place.runtime()).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn the_folders_that_systemd_makes_are_taken() {
    let [a] = backends();
    let place = Place::new();
    let folder = |name: &str| place.folder().join(name);
    for name in ["run", "run2", "state"] {
        fs::create_dir(folder(name)).unwrap();
        set_mode(&folder(name), 0o755);
    }
    place.write(
        "config.yaml",
        &with_lane(&format!("{}sticky: true\n", config(&a.url()))),
    );
    let systemd = |arguments: &[&str]| {
        let mut command = place.command(env!("CARGO_BIN_EXE_simple-lb"));
        command.args(arguments).env_remove("SIMPLE_LB_RUNTIME_DIR");
        command.env_remove("SIMPLE_LB_STATE_DIR");
        let both = format!("{}:{}", folder("run").display(), folder("run2").display());
        command.env("RUNTIME_DIRECTORY", both);
        Process::start(command.env("STATE_DIRECTORY", folder("state")))
    };
    let mut balancer = Balancer::of(&place, systemd(&["run"]));
    assert_eq!(fs::read_dir(folder("run")).unwrap().count(), 2, "lock and socket");
    assert!(folder("state").join("sticky.key").is_file());
    let stop = Finished::of(systemd(&["stop", "--config", "config.yaml"]));
    assert_eq!(stop.code, 0, "{stop:?}");
    assert_eq!(balancer.process.wait(), 0);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_lock_file_that_a_cleaner_deletes_is_made_again() {
    let [a] = backends();
    let mut balancer = Balancer::start(&config(&a.url()));
    let place = balancer.place.clone();
    let empty = || {
        for entry in fs::read_dir(place.runtime()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    };
    let found = || {
        eventually("the instance is found again", || {
            (place.run("status").code == 0).then_some(())
        });
    };
    empty();
    found();
    let second = place.run("--config config.yaml");
    assert!(
        second.code != 0 && second.stderr.contains("already runs"),
        "{second:?}"
    );
    // The folder with them, and the socket alone.
    empty();
    fs::remove_dir(place.runtime()).unwrap();
    found();
    let sockets = fs::read_dir(place.runtime())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let socket = sockets
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "sock"));
    fs::remove_file(socket.unwrap()).unwrap();
    found();
    assert_eq!(place.run("--stop").code, 0);
    assert_eq!(balancer.process.wait(), 0);
    assert_eq!(fs::read_dir(place.runtime()).unwrap().count(), 0);
}

#[test]
fn behind_a_link_that_moved_the_same_name_does_not_run_twice() {
    let [a] = backends();
    let place = Place::new();
    for folder in ["1", "2"] {
        fs::create_dir(place.folder().join(folder)).unwrap();
        place.write(&format!("{folder}/config.yaml"), &config(&a.url()));
    }
    let current = place.folder().join("current");
    symlink("1", &current).unwrap();
    let mut balancer = Balancer::of(&place, place.start(&["--config", "current/config.yaml"]));
    fs::remove_file(&current).unwrap();
    symlink("2", &current).unwrap();
    let second = place.run("--config current/config.yaml");
    let refusal = format!("pid {} already runs ", balancer.process.id());
    assert!(second.code != 0 && second.stderr.contains(&refusal), "{second:?}");
    // By its own name it is another one.
    let mut other = Balancer::of(&place, place.start(&["--config", "2/config.yaml"]));
    assert_eq!(place.run("stop --config 2/config.yaml").code, 0);
    assert_eq!(other.process.wait(), 0);
    assert_eq!(place.run("stop --config current/config.yaml").code, 0);
    assert_eq!(balancer.process.wait(), 0);
}

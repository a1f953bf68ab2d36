//! Which running instance a command means.

use std::fs;

use crate::harness::{Balancer, Place, backends};

fn config(url: &str) -> String {
    format!("port: 0\nbackends: [\"{url}\"]\n")
}

#[test]
fn without_an_instance_commands_say_how_to_start_one() {
    let place = Place::new();
    for arguments in [
        "--reload",
        "--stop",
        "status",
        "status --json",
        "--reload --config other.yaml",
    ] {
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
    use std::os::unix::fs::PermissionsExt;
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

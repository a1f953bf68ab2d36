//! Files that are moved away, begun anew, or not to be trusted.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use rustix::process::Signal;

use super::{lines, wait_for_lines};
use crate::harness::{Balancer, Load, Place, backends, eventually, lane::with_lane, wait_until};

#[test]
fn a_file_that_was_moved_away_is_opened_again_at_a_signal() {
    let [backend] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 2\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: access.log\n",
        backend.url()
    ));
    let folder = balancer.place.folder();
    let mode = fs::metadata(folder.join("access.log"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let load = Load::start(balancer.address(), 4);
    load.wait_for_more(20);
    fs::rename(folder.join("access.log"), folder.join("access.log.1")).unwrap();
    // As logrotate does it; no request is needed for it.
    balancer.signal(Signal::USR1);
    wait_until("a new file", || folder.join("access.log").exists());
    load.wait_for_more(20);
    load.finish_without_failure();
    let requests = eventually("no request in flight", || {
        let status = balancer.status();
        (status.in_flight == 0).then_some(status.requests as usize)
    });
    eventually("each line in one of the files", || {
        let (old, new) = (lines(&balancer, "access.log.1"), lines(&balancer, "access.log"));
        (!new.is_empty() && old.len() + new.len() == requests).then_some(())
    });
    assert!(
        balancer.log().contains("access.log: opened again"),
        "{}",
        balancer.log()
    );
}

#[test]
fn the_signal_means_nothing_without_a_file() {
    let [backend] = backends();
    let balancer = Balancer::start(&format!("port: 0\nbackends: [\"{}\"]\n", backend.url()));
    balancer.signal(Signal::USR1);
    assert_eq!(balancer.get("/").status, 200);
    assert_eq!(balancer.status().access_log.path, None);
}

#[test]
fn a_large_file_is_begun_anew_and_no_line_is_lost() {
    let [backend] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 2\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: {{path: access.log, rotate: {{size: 64KiB, keep: 9}}}}\n",
        backend.url()
    ));
    let mut client = balancer.connect();
    let long = format!("/{}", "x".repeat(1000));
    for number in 0..300 {
        client.get(&long);
        if number % 50 == 0 {
            // A batch of its own each time, so that there is something to rotate between them.
            wait_until("lines", || balancer.status().access_log.lines >= number);
        }
    }
    let all = || {
        let names = std::iter::once("access.log".to_owned());
        let names = names.chain((1..=9).map(|number| format!("access.log.{number}")));
        names.map(|name| lines(&balancer, &name).len()).sum::<usize>()
    };
    wait_until("300 lines", || all() == 300);
    assert!(balancer.place.folder().join("access.log.1").exists());
}

#[test]
fn no_link_in_a_folder_of_others_is_followed() {
    let place = Place::new();
    let shared = place.folder().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, PermissionsExt::from_mode(0o1777)).unwrap();
    fs::write(place.folder().join("target"), "").unwrap();
    symlink("../target", shared.join("access.log")).unwrap();
    let [backend] = backends();
    let config = format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: false\naccess_log: shared/access.log\n",
        backend.url()
    );
    place.write("config.yaml", &with_lane(&config));
    let start = place.run("run");
    assert_eq!(start.code, 64, "{start:?}");
    assert!(
        start
            .stderr
            .contains("is a symbolic link in a folder to which others can write"),
        "{start:?}"
    );
    fs::set_permissions(&shared, PermissionsExt::from_mode(0o755)).unwrap();
    let balancer = Balancer::start_in(&place, &config);
    balancer.get("/");
    wait_for_lines(&balancer, "target", 1);
}

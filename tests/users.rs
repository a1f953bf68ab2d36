//! Instances of other users: root commands them, and believes nobody a word about whose they are. Needs root, and says on the
//! terminal where it is left out.

use std::{
    fs,
    os::{
        fd::AsFd,
        unix::{
            fs::{PermissionsExt, chown, symlink},
            net::UnixListener,
            process::CommandExt,
        },
    },
    path::PathBuf,
    process::Command,
};

use rustix::fs::{FlockOperation, flock};

use crate::harness::{Balancer, DEADLINE, Finished, Place, Process, backends, lane::with_lane};

/// A user that no service of this machine runs as: `nobody`.
const SERVICE: u32 = 65534;

/// The program, where every user can execute it.
const PROGRAM: &str = env!("CARGO_BIN_EXE_simple-lb");

/// A machine of its own, as far as the program looks: its temporary folder is the test's.
struct Machine {
    place: Place,
    temporary: PathBuf,
}

impl Machine {
    /// `None`, and a line on the terminal, where the test does not run as root.
    fn new(test: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("left out, for it needs root: {test}");
            return None;
        }
        let place = Place::new();
        let root = place.folder().parent().unwrap();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        let temporary = root.join("tmp");
        fs::create_dir(&temporary).unwrap();
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777)).unwrap();
        Some(Self { place, temporary })
    }

    fn command(&self) -> Command {
        let mut command = self.place.command(PROGRAM);
        for variable in ["SIMPLE_LB_RUNTIME_DIR", "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY"] {
            command.env_remove(variable);
        }
        command.env("TMPDIR", &self.temporary);
        command
    }

    fn as_root(&self, arguments: &str) -> Finished {
        Finished::of(Process::start(self.command().args(arguments.split_whitespace())))
    }

    fn as_service(&self, arguments: &str) -> Process {
        let mut command = self.command();
        Process::start(
            command
                .args(arguments.split_whitespace())
                .uid(SERVICE)
                .gid(SERVICE),
        )
    }

    /// The service's runtime folder, as if it had made it, with a lock file that this test holds.
    fn forged(&self, owner: u32) -> (PathBuf, fs::File) {
        let folder = self.temporary.join(format!("simple-lb-{SERVICE}"));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let config = self.place.folder().canonicalize().unwrap().join("config.yaml");
        let info = serde_json::json!({ "pid": 1, "config": config, "socket": "/nowhere" });
        let path = folder.join("0123456789abcdef.lock");
        fs::write(&path, info.to_string()).unwrap();
        for path in [&path, &folder] {
            chown(path, Some(owner), Some(owner)).unwrap();
        }
        let lock = fs::File::open(&path).unwrap();
        flock(lock.as_fd(), FlockOperation::NonBlockingLockExclusive).unwrap();
        (folder, lock)
    }
}

#[test]
fn root_and_the_owner_command_an_instance_of_a_service_user() {
    let Some(machine) = Machine::new("an instance of a service user") else {
        return;
    };
    let [a, b] = backends();
    let config = |url: &str| with_lane(&format!("port: 0\nbackends: [\"{url}\"]\n"));
    machine.place.write("config.yaml", &config(&a.url()));
    let mut balancer = Balancer::of(&machine.place, machine.as_service("run"));
    assert_eq!(balancer.order(1), "a");

    machine.place.write("config.yaml", &config(&b.url()));
    let reload = machine.as_root("reload");
    assert_eq!(reload.code, 0, "{reload:?}");
    let named = format!("(pid {}, uid {SERVICE})\n", balancer.process.id());
    assert!(
        reload.stderr.starts_with("an instance of another user: ") && reload.stderr.ends_with(&named),
        "{reload:?}"
    );
    assert_eq!(balancer.order(1), "b");
    let own = Finished::of(machine.as_service("status"));
    assert_eq!((own.code, own.stderr.as_str()), (0, ""));

    // Where no configuration says which, root does not take another user's instance for its own.
    let file = machine.place.folder().join("config.yaml").display().to_string();
    fs::rename(&file, format!("{file}.away")).unwrap();
    let drain = ["drain", "http://192.0.2.1"];
    let elsewhere = machine.command().current_dir("/").args(drain).output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(3));
    let stderr = String::from_utf8(elsewhere.stderr).unwrap();
    assert!(
        stderr.starts_with("an instance of another user runs; ") && stderr.ends_with(&named),
        "{stderr}"
    );

    let stop = machine.as_root(&format!("stop --config {file}"));
    assert_eq!(stop.code, 0, "{stop:?}");
    assert_eq!(balancer.process.wait_within(DEADLINE), 0);
}

#[test]
fn a_folder_whose_owner_is_not_the_user_of_its_name_is_not_believed() {
    let Some(machine) = Machine::new("a folder of another owner") else {
        return;
    };
    machine.place.write("config.yaml", "");
    let (folder, _lock) = machine.forged(SERVICE - 1);
    let status = machine.as_root("status");
    assert_eq!(status.code, 3);
    let said = format!(
        "{}: belongs to uid {}, not to uid {SERVICE}",
        folder.display(),
        SERVICE - 1
    );
    assert!(status.stderr.contains(&said), "{status:?}");
}

#[test]
fn a_socket_on_which_another_user_listens_gets_no_command() {
    let Some(machine) = Machine::new("a socket of another user") else {
        return;
    };
    machine.place.write("config.yaml", "");
    let (folder, _lock) = machine.forged(SERVICE);
    // The test is root, and not the folder's owner.
    let listener = UnixListener::bind(folder.join("0123456789abcdef.sock")).unwrap();
    let stop = machine.as_root("stop");
    assert_eq!(stop.code, 1, "{stop:?}");
    let said = format!("uid 0 listens there, but the folder belongs to uid {SERVICE}");
    assert!(stop.stderr.contains(&said), "{stop:?}");
    listener.set_nonblocking(true).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut sent = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut sent).unwrap();
    assert!(sent.is_empty(), "it was left without a word: {sent:?}");
}

#[test]
fn a_link_in_the_place_of_the_folder_is_not_followed() {
    let Some(machine) = Machine::new("a link in the place of the folder") else {
        return;
    };
    machine.place.write("config.yaml", "");
    let (folder, _lock) = machine.forged(SERVICE);
    let away = machine.temporary.join("away");
    fs::rename(&folder, &away).unwrap();
    symlink(&away, &folder).unwrap();
    let status = machine.as_root("status");
    assert_eq!(status.code, 3);
    let said = format!("{}: must be a folder and no link", folder.display());
    assert!(status.stderr.contains(&said), "{status:?}");
}

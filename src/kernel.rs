//! What this machine's kernel allows, and whether that is enough for a configuration. What cannot be read is not known, and no
//! hint comes of it: containers hide parts of `/proc`.

use std::{fs, path::Path};

use lb_actors::config_watcher::cores;
use lb_core::{
    config::Config,
    kernel::{self, Demand, Hint, Kernel},
};

use crate::{app, listener};

/// The limits that this configuration will meet here. `open_files` is the limit of the process.
pub fn hints(config: &Config, open_files: u64) -> Vec<Hint> {
    let workers = config.workers.unwrap_or_else(cores);
    let backlog = listener::backlog(config);
    let clients = kernel::expected_clients(config, backlog);
    let demand = Demand {
        backlog,
        open_files: app::open_files_for(clients as usize, workers),
    };
    kernel::hints(config, &facts(Path::new("/proc/sys"), open_files), demand)
}

fn facts(sysctls: &Path, open_files: u64) -> Kernel {
    let read = |name: &str| {
        let text = fs::read_to_string(sysctls.join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    let pair = |text: String| {
        let mut words = text.split_whitespace().map(str::parse);
        Some((words.next()?.ok()?, words.next()?.ok()?))
    };
    let release = |text: String| {
        let mut numbers = text.split(|other: char| !other.is_ascii_digit()).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    Kernel {
        somaxconn: read("net/core/somaxconn").and_then(|text| text.parse().ok()),
        open_files: Some(open_files),
        local_ports: read("net/ipv4/ip_local_port_range").and_then(pair),
        congestion_control: read("net/ipv4/tcp_congestion_control"),
        default_qdisc: read("net/core/default_qdisc"),
        release: read("kernel/osrelease").and_then(release),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_the_kernel_writes_them() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        for (name, text) in [
            ("net/core/somaxconn", "128\n"),
            ("net/ipv4/ip_local_port_range", "32768\t60999\n"),
            ("net/ipv4/tcp_congestion_control", "bbr\n"),
            ("kernel/osrelease", "4.9.0-13-amd64\n"),
        ] {
            let path = folder.path().join(name);
            let made = fs::create_dir_all(path.parent().unwrap_or(Path::new("/")));
            assert!(made.and_then(|()| fs::write(&path, text)).is_ok(), "{name}");
        }
        assert_eq!(
            facts(folder.path(), 1024),
            Kernel {
                somaxconn: Some(128),
                open_files: Some(1024),
                local_ports: Some((32_768, 60_999)),
                congestion_control: Some("bbr".to_owned()),
                default_qdisc: None,
                release: Some((4, 9)),
            }
        );
        let nothing = Kernel {
            open_files: Some(1),
            ..Kernel::default()
        };
        assert_eq!(facts(Path::new("/nonexistent"), 1), nothing);
    }
}

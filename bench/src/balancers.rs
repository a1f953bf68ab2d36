//! Who is compared, and how each is told to do the same job: the examples' configurations, with the addresses of now.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    args::{Args, Contender},
    load::BACKENDS,
    process::{Process, free_address},
    template::fill,
};

const OURS: &str = include_str!("../../examples/nginx/config.yaml");
const NGINX: &str = include_str!("../../examples/nginx/nginx.conf");
const HAPROXY: &str = include_str!("../../examples/haproxy/haproxy.cfg");

/// A program that is compared.
pub(crate) struct Balancer {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) kind: Kind,
    program: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// simple-lb, in the lane that the key `lane` names; `None` if it knows no such key.
    Ours(Option<Lane>),
    Nginx,
    Haproxy,
    /// Parses nothing: what any proxy costs on this machine at least.
    Relay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Handler,
    Wire,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handler => "handler",
            Self::Wire => "wire",
        })
    }
}

/// How a balancer treats backends that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    /// As the examples have it.
    Usual,
    /// Short timeouts and checks, so that a dead backend is noticed within seconds.
    Impatient,
    /// A failed request says nothing about its backend. For nginx, which else takes all three for dead and answers
    /// 502 to everything for 10 s: that would be counted, and not what becomes of a request.
    Forgiving,
}

/// What a balancer is to do.
pub(crate) struct Setup {
    pub(crate) backends: [SocketAddr; BACKENDS],
    pub(crate) workers: usize,
    pub(crate) temper: Temper,
    /// Files that a process may open.
    pub(crate) open_files: u64,
}

/// Those that were asked for and are there, in the table's order; and a line about each that is not.
///
/// # Errors
/// If simple-lb was not built, or there is nobody.
pub(crate) fn find(args: &Args, folder: &Path) -> Result<(Vec<Balancer>, Vec<String>)> {
    let mut found = Vec::new();
    let mut notes = Vec::new();
    let own = std::env::current_exe().context("where am I?")?;
    if args.wants(Contender::SimpleLb) {
        let program = args
            .simple_lb
            .clone()
            .unwrap_or_else(|| own.with_file_name("simple-lb"));
        let version = output(&program, "--version").context("simple-lb is not built: use bench/compare")?;
        for lane in lanes(&program, folder)? {
            let name = lane.map_or("simple-lb".to_owned(), |lane| format!("simple-lb {lane}"));
            let (version, program) = (version.clone(), program.clone());
            found.push(Balancer {
                name,
                version,
                kind: Kind::Ours(lane),
                program,
            });
        }
    }
    let others = [
        (Contender::Nginx, &args.nginx, "nginx", "-v", Kind::Nginx),
        (Contender::Haproxy, &args.haproxy, "haproxy", "-v", Kind::Haproxy),
    ];
    for (contender, path, name, ask, kind) in others {
        if !args.wants(contender) {
            continue;
        }
        let program = path.clone().unwrap_or_else(|| name.into());
        match output(&program, ask) {
            Ok(version) => found.push(Balancer {
                name: name.to_owned(),
                version,
                kind,
                program,
            }),
            Err(error) => notes.push(format!(
                "{name} is left out: {error:#}; name it with --{name} PATH"
            )),
        }
    }
    if args.wants(Contender::Relay) {
        let version = "parses nothing: the floor".to_owned();
        found.push(Balancer {
            name: "relay".to_owned(),
            version,
            kind: Kind::Relay,
            program: own,
        });
    }
    ensure!(!found.is_empty(), "nobody to compare: {}", notes.join("; "));
    Ok((found, notes))
}

/// The first line that the program says of itself.
fn output(program: &Path, argument: &str) -> Result<String> {
    let output = Command::new(program)
        .arg(argument)
        .output()
        .with_context(|| program.display().to_string())?;
    let said = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    let said = String::from_utf8_lossy(&said);
    Ok(said.lines().next().unwrap_or_default().trim().to_owned())
}

/// The lanes that this simple-lb has: those whose configuration it calls valid.
fn lanes(program: &Path, folder: &Path) -> Result<Vec<Option<Lane>>> {
    let mut lanes = Vec::new();
    for lane in [Lane::Handler, Lane::Wire] {
        let config = folder.join("lane.yaml");
        std::fs::write(&config, format!("{OURS}lane: {lane}\n"))?;
        let mut check = Command::new(program);
        let output = check.args(["check", "--config"]).arg(&config).output()?;
        if output.status.success() {
            lanes.push(Some(lane));
        }
    }
    Ok(if lanes.is_empty() { vec![None] } else { lanes })
}

impl Balancer {
    /// Starts it in `folder`, from the calling thread's core.
    ///
    /// # Errors
    /// If it does not start or its example cannot be filled in.
    pub(crate) fn start(
        &self,
        setup: &Setup,
        folder: &Path,
        meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<(Process, SocketAddr)> {
        let mut command = Command::new(&self.program);
        let known = match self.kind {
            Kind::Ours(lane) => {
                let config = folder.join("config.yaml");
                std::fs::write(&config, ours(setup, lane)?)?;
                command.arg("--config").arg(config);
                command.env("SIMPLE_LB_RUNTIME_DIR", folder.join("run"));
                None
            }
            Kind::Nginx => {
                let address = free_address()?;
                let config = folder.join("nginx.conf");
                std::fs::write(&config, nginx(setup, address, folder, &self.build_options())?)?;
                // Root's workers would become another user, who may not enter this folder.
                let user = if rustix::process::geteuid().is_root() {
                    "user root;"
                } else {
                    ""
                };
                let log = folder.join("nginx.log");
                let globals = format!(
                    "daemon off; {user} pid {}; error_log {};",
                    folder.join("nginx.pid").display(),
                    log.display()
                );
                command
                    .args(["-p".as_ref(), folder.as_os_str(), "-e".as_ref(), log.as_os_str()])
                    .arg("-c")
                    .arg(config)
                    .args(["-g", &globals]);
                Some(address)
            }
            Kind::Haproxy => {
                let address = free_address()?;
                let config = folder.join("haproxy.cfg");
                std::fs::write(&config, haproxy(setup, address)?)?;
                command.args(["-q", "-db", "-f"]).arg(config);
                Some(address)
            }
            Kind::Relay => {
                let backends = setup.backends.map(|backend| backend.to_string()).join(",");
                let workers = setup.workers.to_string();
                command.args(["relay", "--backends", &backends, "--workers", &workers]);
                None
            }
        };
        let mut process = Process::start(&mut command, &folder.join("log"))?;
        let address = process
            .address(known, meanwhile)
            .with_context(|| format!("{} did not start", self.name))?;
        Ok((process, address))
    }

    fn build_options(&self) -> String {
        let output = Command::new(&self.program).arg("-V").output();
        output.map_or(String::new(), |output| {
            String::from_utf8_lossy(&output.stderr).into_owned()
        })
    }
}

fn backend_values(setup: &Setup) -> [(&'static str, String); BACKENDS] {
    let [one, two, three] = setup.backends.map(|backend| backend.to_string());
    [
        ("127.0.0.1:9001", one),
        ("127.0.0.1:9002", two),
        ("127.0.0.1:9003", three),
    ]
}

fn ours(setup: &Setup, lane: Option<Lane>) -> Result<String> {
    let mut values = vec![
        ("127.0.0.1:8000", "127.0.0.1:0".to_owned()),
        ("workers: 1", format!("workers: {}", setup.workers)),
    ];
    values.extend(backend_values(setup));
    let mut config = fill(OURS, &values)?;
    config.push_str("log: warn\n");
    if let Some(lane) = lane {
        config.push_str(&format!("lane: {lane}\n"));
    }
    if setup.temper == Temper::Impatient {
        config.push_str(
            "timeouts: {response_idle: 2s}\n\
             health_check: {interval: 1s, timeout: 500ms, fall: 2, status: 100-499}\n",
        );
    }
    Ok(config)
}

fn nginx(setup: &Setup, address: SocketAddr, folder: &Path, build: &str) -> Result<String> {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let built = |kind: &&str| !build.contains(&format!("--without-http_{kind}_module"));
    let folders: String = kinds
        .iter()
        .filter(|kind| built(kind))
        .map(|kind| format!("\n    {kind}_temp_path {}/{kind};", folder.display()))
        .collect();
    let mut values = vec![
        ("127.0.0.1:8000", address.to_string()),
        (
            "worker_processes 1;",
            format!("worker_processes {};", setup.workers),
        ),
        ("access_log off;", format!("access_log off;{folders}")),
    ];
    values.extend(backend_values(setup));
    if setup.temper == Temper::Impatient {
        values.push(("proxy_read_timeout 60s", "proxy_read_timeout 2s".to_owned()));
    }
    if setup.temper == Temper::Forgiving {
        values
            .iter_mut()
            .filter(|(old, _)| old.starts_with("127.0.0.1:900"))
            .for_each(|(_, new)| new.push_str(" max_fails=0"));
    }
    fill(NGINX, &values)
}

fn haproxy(setup: &Setup, address: SocketAddr) -> Result<String> {
    // It wants two descriptors a connection and some of its own, and does not start without.
    let connections = (setup.open_files / 2).saturating_sub(100).min(8000);
    let mut values = vec![
        ("127.0.0.1:8000", address.to_string()),
        ("nbthread 1", format!("nbthread {}", setup.workers)),
        ("maxconn 8000", format!("maxconn {connections}")),
    ];
    values.extend(backend_values(setup));
    if setup.temper == Temper::Impatient {
        values.push(("timeout server 60s", "timeout server 2s".to_owned()));
        values.push(("timeout check 2s", "timeout check 500ms".to_owned()));
        values.push(("inter 5s", "inter 1s".to_owned()));
        values.push(("fall 3", "fall 2".to_owned()));
    }
    fill(HAPROXY, &values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn setup(temper: Temper) -> Setup {
        let backends = [19001, 19002, 19003].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        Setup {
            backends,
            workers: 2,
            temper,
            open_files: 4096,
        }
    }

    fn load(text: &str) -> lb_core::config::Config {
        lb_core::config::load(text, "config.yaml", &|_| None)
            .unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn the_examples_of_ours_are_valid_and_alike() {
        let others = [
            include_str!("../../examples/haproxy/config.yaml"),
            include_str!("../../examples/envoy/config.yaml"),
        ];
        let settings = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        load(OURS);
        for other in others {
            assert_eq!(settings(other), settings(OURS));
        }
    }

    #[test]
    fn ours_is_valid_when_filled_in() {
        for (temper, seconds) in [(Temper::Usual, 60), (Temper::Impatient, 2)] {
            let config = load(&ours(&setup(temper), None).unwrap());
            let pool = &config.pools["default"];
            assert_eq!(config.workers, Some(2));
            assert_eq!(pool.backends[2].url.to_string(), "http://127.0.0.1:19003");
            assert_eq!(pool.timeouts.response_idle.as_secs(), seconds);
        }
        assert!(
            ours(&setup(Temper::Usual), Some(Lane::Wire))
                .unwrap()
                .ends_with("lane: wire\n")
        );
    }

    #[test]
    fn theirs_get_the_addresses_and_workers() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4711));
        let nginx = nginx(
            &setup(Temper::Impatient),
            address,
            Path::new("/tmp/x"),
            "--without-http_uwsgi_module",
        )
        .unwrap();
        for expected in [
            "listen 127.0.0.1:4711 ",
            "server 127.0.0.1:19002;",
            "worker_processes 2;",
            "scgi_temp_path /tmp/x/scgi;",
            "proxy_read_timeout 2s;",
        ] {
            assert!(nginx.contains(expected), "{expected} in {nginx}");
        }
        assert!(!nginx.contains("uwsgi"), "{nginx}");
        let forgiving = super::nginx(&setup(Temper::Forgiving), address, Path::new("/tmp/x"), "").unwrap();
        assert!(
            forgiving.contains("server 127.0.0.1:19001 max_fails=0;"),
            "{forgiving}"
        );
        let haproxy = haproxy(&setup(Temper::Impatient), address).unwrap();
        for expected in [
            "bind 127.0.0.1:4711",
            "127.0.0.1:19003",
            "nbthread 2",
            "maxconn 1948",
            "inter 1s",
            "fall 2",
        ] {
            assert!(haproxy.contains(expected), "{expected} in {haproxy}");
        }
    }
}

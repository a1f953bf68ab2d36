//! Who is compared: found, and started.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    args::{Args, Contender},
    configs::{self, OURS, Setup},
    process::{Process, free_address},
};

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
    /// The same of a second simple-lb, `--against`.
    Against(Option<Lane>),
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

/// How the second simple-lb of a run is called, before its lane.
pub(crate) const AGAINST: &str = "against";

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
        let lanes = lanes(&program, folder)?;
        found.extend(named_by_lane(
            "simple-lb",
            (&program, &version),
            &lanes,
            Kind::Ours,
        ));
    }
    if let Some(program) = &args.against {
        let version = output(program, "--version").context("--against is no simple-lb that runs")?;
        let lanes = lanes(program, folder)?;
        found.extend(named_by_lane(AGAINST, (program, &version), &lanes, Kind::Against));
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

/// A program once for each of its lanes.
fn named_by_lane(
    name: &str,
    (program, version): (&Path, &str),
    lanes: &[Option<Lane>],
    kind: fn(Option<Lane>) -> Kind,
) -> Vec<Balancer> {
    let balancer = |lane: &Option<Lane>| Balancer {
        name: lane.map_or(name.to_owned(), |lane| format!("{name} {lane}")),
        version: version.to_owned(),
        kind: kind(*lane),
        program: program.to_owned(),
    };
    lanes.iter().map(balancer).collect()
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
            Kind::Ours(lane) | Kind::Against(lane) => {
                let config = folder.join("config.yaml");
                std::fs::write(&config, configs::ours(setup, lane)?)?;
                command.arg("--config").arg(config);
                command.env("SIMPLE_LB_RUNTIME_DIR", folder.join("run"));
                None
            }
            Kind::Nginx => {
                let address = free_address()?;
                let config = folder.join("nginx.conf");
                std::fs::write(
                    &config,
                    configs::nginx(setup, address, folder, &self.build_options())?,
                )?;
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
                std::fs::write(&config, configs::haproxy(setup, address)?)?;
                command.args(["-db", "-f"]).arg(config);
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

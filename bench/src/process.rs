//! A program that was started here, and ends here.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::usage;

/// How long a balancer may take to listen, and to end.
const START_WITHIN: Duration = Duration::from_secs(10);
const END_WITHIN: Duration = Duration::from_secs(3);

/// A running balancer.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it with its output in `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self {
            child,
            log: log.to_path_buf(),
        })
    }

    /// Waits until it listens: at `known`, or where its log says.
    ///
    /// # Errors
    /// If it ends or takes too long.
    pub(crate) fn address(
        &mut self,
        known: Option<SocketAddr>,
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<SocketAddr> {
        let end = Instant::now() + START_WITHIN;
        loop {
            let address = known.or_else(|| address_in(&self.log()));
            if let Some(address) = address.filter(|address| TcpStream::connect(address).is_ok()) {
                return Ok(address);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}:\n{}", self.log());
            }
            if Instant::now() > end {
                bail!("it does not listen:\n{}", self.log());
            }
            meanwhile()?;
        }
    }

    /// It and its children, as they are now.
    pub(crate) fn tree(&self) -> Vec<u32> {
        usage::tree(self.child.id())
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(pid: u32, signal: Signal) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        Self::signal(self.child.id(), Signal::TERM);
        let end = Instant::now() + END_WITHIN;
        while Instant::now() < end {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
        // These ids cannot belong to anybody else yet: the child was not waited for, and is its children's parent.
        self.tree()
            .iter()
            .rev()
            .for_each(|pid| Self::signal(*pid, Signal::KILL));
        let _ = self.child.wait();
    }
}

/// The last word of `listening on http://127.0.0.1:8000`.
fn address_in(log: &str) -> Option<SocketAddr> {
    log.lines()
        .find_map(|line| line.split_once("listening on http://")?.1.trim().parse().ok())
}

/// A port that nobody has right now, for programs that cannot choose one themselves.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_log_says_where_it_listens() {
        let log = "simple-lb 0.1.0\n1 workers\nlistening on http://127.0.0.1:4711\n";
        assert_eq!(address_in(log), Some("127.0.0.1:4711".parse().unwrap()));
        assert_eq!(address_in("listening on http://"), None);
    }

    #[test]
    fn a_program_that_ends_at_once_is_reported_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such option; exit 3"]);
        let mut process = Process::start(&mut command, &folder.path().join("log")).unwrap();
        let error = process.address(None, || Ok(())).unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("no such option"),
            "{error}"
        );
    }
}

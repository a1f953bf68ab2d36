//! From what was written to what it means: each value judged, defaults filled in, contradictions found.
//!
//! Every check goes on after a refused value with a default in its place, so that all problems come to light; a
//! [`Config`] leaves this module only if there was none.

mod changes;
mod conditions;
mod ejection;
mod health_check;
mod http;
mod keeping;
mod pool;
mod pools;
mod routes;
mod strategy;

use std::time::Duration;

use super::{
    address::{clash, parse_listener, parse_network},
    document, env,
    model::*,
    problem::{ConfigError, Position, Problem, Problems, Refusal},
    raw::{self, RawConfig, RawTimeouts, Written},
    suggest::closest,
    units::parse_duration,
};

/// The most workers: a thread a core on the largest machines of today; more only cost memory.
const MAX_WORKERS: u32 = 1024;

/// Reads a configuration. `file` is its name for messages, `env` looks up environment variables.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(text: &str, file: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    load_with_warnings(text, file, env).map(|(config, _)| config)
}

/// The same, with what is right and yet probably not meant.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_with_warnings(
    text: &str,
    file: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Config, Vec<Problem>), ConfigError> {
    let (mut problems, mut warnings) = (Problems::new(file), Problems::new(file));
    let config = document::parse(text, &mut problems).map(|mut root| {
        env::replace(&mut root, "", env, &mut problems);
        let raw = raw::decode(&root, &mut problems);
        Checker {
            problems: &mut problems,
            warnings: &mut warnings,
        }
        .config(&raw)
    });
    let config = problems.finish(config)?;
    Ok((config, warnings.sorted()))
}

/// Judges values and collects what is wrong with them.
struct Checker<'p> {
    problems: &'p mut Problems,
    warnings: &'p mut Problems,
}

impl Checker<'_> {
    fn config(&mut self, raw: &RawConfig) -> Config {
        let pools = self.pools(raw);
        Config {
            listeners: self.listeners(&raw.port),
            routes: self.routes(raw, &pools),
            pools,
            trusted_proxies: self.all(&raw.trusted_proxies, |text| parse_network(text.text())),
            workers: self.value(&raw.workers, workers).unwrap_or_default(),
            shutdown_timeout: self
                .value(&raw.shutdown_timeout, duration)
                .unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT),
            state_dir: self.value(&raw.state_dir, state_dir),
            log: self.value(&raw.log, log_level).unwrap_or(LogLevel::Info),
            client_timeouts: self.client_timeouts(&raw.pool.timeouts),
            lane: self.value(&raw.lane, http::lane).unwrap_or_default(),
            via: self.value(&raw.via, http::via).unwrap_or_default(),
            allow_trace: self.value(&raw.trace, http::switch).unwrap_or_default(),
            limits: self.limits(&raw.limits),
            error_pages: self.error_pages(&raw.error_pages),
        }
    }

    fn listeners(&mut self, ports: &[Written]) -> Vec<Listener> {
        let mut listeners: Vec<(Listener, &Written)> = Vec::new();
        for port in ports {
            let Some(listener) = self.check(port, |port| parse_listener(port.text())) else {
                continue;
            };
            match listeners.iter().find(|(other, _)| clash(*other, listener)) {
                Some((other, first)) => {
                    let refusal =
                        Refusal::new(format!("must not overlap with {} ({other})", place_of(first)));
                    self.refuse(port, refusal.hint("remove one of them"));
                }
                None => listeners.push((listener, port)),
            }
        }
        listeners.into_iter().map(|(listener, _)| listener).collect()
    }

    fn client_timeouts(&mut self, raw: &RawTimeouts) -> ClientTimeouts {
        let default = ClientTimeouts::default();
        ClientTimeouts {
            request_header: self
                .value(&raw.request_header, timeout)
                .unwrap_or(default.request_header),
            client_idle: self
                .value(&raw.client_idle, timeout)
                .unwrap_or(default.client_idle),
        }
    }

    /// What a setting means; `None` if it is not written or refused.
    fn value<T>(
        &mut self,
        written: &Option<Written>,
        read: impl FnOnce(&Written) -> Result<T, Refusal>,
    ) -> Option<T> {
        self.check(written.as_ref()?, read)
    }

    /// What the items of a list mean, without those that are refused.
    fn all<T>(&mut self, written: &[Written], read: impl Fn(&Written) -> Result<T, Refusal>) -> Vec<T> {
        written
            .iter()
            .filter_map(|item| self.check(item, &read))
            .collect()
    }

    fn check<T>(
        &mut self,
        written: &Written,
        read: impl FnOnce(&Written) -> Result<T, Refusal>,
    ) -> Option<T> {
        read(written)
            .map_err(|refusal| self.refuse(written, refusal))
            .ok()
    }

    fn refuse(&mut self, written: &Written, refusal: Refusal) {
        self.problems.add_written(written, refusal);
    }
}

/// How long a stop waits unless the file says otherwise: as long as systemd and Kubernetes commonly give, or less.
const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

fn place_of(written: &Written) -> String {
    place(&written.field, written.position)
}

/// `backends[0] in line 3`
fn place(field: &str, position: Option<Position>) -> String {
    match position {
        Some(position) => format!("{field} in line {}", position.line),
        None => field.to_owned(),
    }
}

/// A whole number within limits that fit into a `u32`.
fn whole(written: &Written, least: u32, most: u32) -> Result<u32, Refusal> {
    let number = written.as_whole().and_then(|number| u32::try_from(number).ok());
    let refused = || Refusal::new(format!("must be a whole number from {least} to {most}"));
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(refused)
}

fn duration(written: &Written) -> Result<Duration, Refusal> {
    parse_duration(written.text())
}

/// A duration in which something can happen.
fn timeout(written: &Written) -> Result<Duration, Refusal> {
    match duration(written) {
        Ok(Duration::ZERO) => Err(Refusal::new("must be longer than 0s")),
        Err(_) if written.text() == "0" => Err(Refusal::new("must be longer than 0s")),
        duration => duration,
    }
}

/// `auto`: one a core.
fn workers(written: &Written) -> Result<Option<usize>, Refusal> {
    if written.text() == "auto" {
        return Ok(None);
    }
    let refused = |_| Refusal::new(format!("must be a whole number from 1 to {MAX_WORKERS}, or auto"));
    whole(written, 1, MAX_WORKERS)
        .map(|workers| Some(workers as usize))
        .map_err(refused)
}

fn log_level(written: &Written) -> Result<LogLevel, Refusal> {
    let levels = [
        LogLevel::Off,
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
    ];
    one_of(written.text(), levels.map(|level| (level.as_str(), level)))
}

/// The value that goes by this name.
fn one_of<T: Copy, const N: usize>(text: &str, names: [(&'static str, T); N]) -> Result<T, Refusal> {
    let found = names
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value);
    let known = || names.iter().map(|(name, _)| *name);
    found.ok_or_else(|| {
        let rule = format!("must be one of {}", known().collect::<Vec<_>>().join(", "));
        Refusal::new(rule).did_you_mean(closest(text, known()))
    })
}

fn state_dir(written: &Written) -> Result<std::sync::Arc<str>, Refusal> {
    match written.text() {
        "" => Err(Refusal::new("must be a folder").hint("write for example /var/lib/simple-lb")),
        folder => Ok(folder.into()),
    }
}

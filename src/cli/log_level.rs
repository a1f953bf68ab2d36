//! `simple-lb log-level`: the level of a running instance's log, until the next reload or for a time.

use std::{path::Path, time::Duration};

use awc::http::Method;
use clap::Args as ClapArgs;
use lb_core::config::LogLevel;

use super::{
    commands::{ask, finish, instance},
    exit, live,
    output::{json as print_json, line},
    table::seconds,
};
use crate::{
    admin::{LogStatus, NewLogLevel},
    control::Purpose,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  simple-lb log-level                     (which one holds)
  simple-lb log-level debug --for 10m
  simple-lb log-level config              (back to the file's)";

/// An instance that takes longer has another problem.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the instance takes it.
const PATH: &str = "/v1/log-level";

/// `simple-lb log-level`
#[derive(Debug, ClapArgs)]
pub(super) struct LogLevelArgs {
    /// off, error, warn, info, debug or trace, or `config` for the file's; without one, it is only shown
    #[arg(value_name = "LEVEL", value_parser = level)]
    level: Option<Wanted>,

    /// For how long (90s, 10m, 1h30m); else until the next reload
    #[arg(long = "for", value_name = "TIME", value_parser = live::lasts, requires = "level")]
    lasts: Option<String>,
}

/// A level, or the file's.
#[derive(Debug, Clone, Copy)]
struct Wanted(Option<LogLevel>);

fn level(text: &str) -> Result<Wanted, String> {
    if text == "config" {
        return Ok(Wanted(None));
    }
    let quoted = serde_json::Value::String(text.to_owned());
    let level = serde_json::from_value(quoted).map(|level| Wanted(Some(level)));
    level.map_err(|_| "must be off, error, warn, info, debug, trace or config".to_owned())
}

pub(super) fn log_level(args: LogLevelArgs, config: Option<&Path>, json: bool) -> u8 {
    finish(|| {
        let purpose = match args.level {
            Some(_) => Purpose::Change,
            None => Purpose::Read,
        };
        let info = instance(config, purpose)?;
        let lasts = args.lasts;
        let wanted = args.level.map(|Wanted(level)| NewLogLevel { level, lasts });
        let status: LogStatus = ask(&info, |client| async move {
            match &wanted {
                Some(wanted) => client.tell(PATH, wanted, TIMEOUT).await,
                None => client.ask(Method::GET, PATH, TIMEOUT).await,
            }
        })?;
        if json {
            print_json(&status);
        } else {
            line(described(&status));
        }
        Ok(exit::DONE)
    })
}

fn described(status: &LogStatus) -> String {
    let LogStatus {
        level,
        file,
        until_seconds,
    } = status;
    let back = "`simple-lb log-level config` or a reload";
    match until_seconds {
        Some(left) => {
            let left = seconds(*left);
            format!("log level {level} for {left}; then {file} again, as the file says; sooner with {back}")
        }
        None if level == file => format!("log level {level}, as the file says"),
        None => format!("log level {level} until {back}: {file} again, as the file says"),
    }
}

//! The log: env_logger on stderr. The level is the configuration's and changes with a reload; `RUST_LOG`, if it is
//! set, wins and stays.

use std::sync::OnceLock;

use env_logger::{Builder, Env};
use lb_core::config::LogLevel;
use log::LevelFilter;

use super::repeats::WithoutRepeats;

/// The modules whose lines are ours.
const OWN: [&str; 3] = ["simple_lb", "lb_actors", "lb_core"];

/// Whether `RUST_LOG` decides.
static FIXED: OnceLock<bool> = OnceLock::new();

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::Off,
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Trace => LevelFilter::Trace,
    }
}

/// Starts logging. A second call changes the level only.
pub fn start_logging(level: LogLevel) {
    let fixed = *FIXED.get_or_init(|| {
        let fixed = std::env::var_os("RUST_LOG").is_some_and(|value| !value.is_empty());
        let mut builder = Builder::new();
        if fixed {
            builder.parse_env(Env::default());
        } else {
            // Our own lines at every level, so that `set_log_level` alone decides; those of the framework from warn.
            builder.filter_level(LevelFilter::Warn);
            // It logs each malformed request and each broken answer as an error of its own, without limit; the first
            // is the client's fault, the second has a line of ours.
            builder.filter_module("actix_http", LevelFilter::Off);
            for module in OWN {
                builder.filter_module(module, LevelFilter::Trace);
            }
        }
        let logger = builder.format_timestamp_millis().build();
        let most = logger.filter();
        // Fails when a logger is there already, as in tests; that one serves too.
        if log::set_boxed_logger(Box::new(WithoutRepeats::new(logger, &OWN))).is_ok() {
            log::set_max_level(most);
        }
        fixed
    });
    if !fixed {
        log::set_max_level(filter(level));
    }
}

/// Changes the level of a running process, unless `RUST_LOG` decides.
pub fn set_log_level(level: LogLevel) {
    if FIXED.get() != Some(&true) {
        log::set_max_level(filter(level));
    }
}

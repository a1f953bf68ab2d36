//! The log: env_logger on stderr. The level is the configuration's and changes with a reload; `RUST_LOG`, if it is
//! set, wins and stays.

use std::sync::OnceLock;

use env_logger::{Builder, Env};
use lb_core::config::LogLevel;
use log::LevelFilter;

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
            for module in ["simple_lb", "lb_actors", "lb_core"] {
                builder.filter_module(module, LevelFilter::Trace);
            }
        }
        // Fails when a logger is there already, as in tests; that one serves too.
        let _there_already = builder.format_timestamp_millis().try_init();
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

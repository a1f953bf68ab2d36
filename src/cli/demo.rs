//! `simple-lb demo`: a balancer, three backends and clients in one process, to be understood in a minute.
//!
//! It runs what everybody runs, the embedded balancer with a configuration in text, but stands alone: it claims no
//! identity, so that no command reaches it and it disturbs no instance. `text`, `screen` and `view` know of no demo:
//! they show a running instance.

mod backends;
mod failures;
mod keys;
mod live;
mod load;
mod page;
mod plain;
#[cfg(test)]
mod sample;
mod screen;
mod session;
mod signals;
mod story;
mod text;
mod view;

use std::{
    fmt::Display,
    io::{IsTerminal, stdin, stdout},
    time::Duration,
};

use lb_core::config;

use self::{backends::Backends, session::Session, signals::Signals};
use super::{
    args::DemoArgs,
    exit,
    output::{error_line, line},
};
use crate::{
    app::{self, Balancer, BindError},
    systemd::Notifier,
};

/// What the configuration is called in messages; there is no such file.
const NAME: &str = "demo";

/// Runs it until its end and returns the exit code.
pub(super) fn demo(args: &DemoArgs) -> u8 {
    let failed = |what: &str, error: &dyn Display| {
        error_line(format_args!("{what}: {error}"));
        exit::FAILED
    };
    let backends = match Backends::start() {
        Ok(backends) => backends,
        Err(error) => return failed("the backends cannot start", &error),
    };
    let config = match config::load(&backends.config(args.port), NAME, &|_| None) {
        Ok(config) => config,
        Err(error) => return failed("the demo's own configuration is wrong", &error),
    };
    let balancer = match Balancer::bind(config, NAME.into(), None) {
        Ok(balancer) => balancer,
        Err(error) => {
            error_line(&error);
            if matches!(error, BindError::Listener(_)) {
                error_line(
                    "choose another with --port, for example `simple-lb demo --port 8080`; 0 takes any free one",
                );
            }
            return exit::FAILED;
        }
    };
    let limit = args.seconds.map(Duration::from_secs);
    match app::system().block_on(run(balancer, backends, limit)) {
        Ok(summary) => {
            line(summary);
            exit::DONE
        }
        Err(error) => failed("the demo cannot run", &error),
    }
}

async fn run(balancer: Balancer, backends: Backends, limit: Option<Duration>) -> std::io::Result<String> {
    let mut signals = Signals::catch()?;
    let running = balancer.start(false, Notifier::default()).await?;
    let mut session = Session::start(running, backends)?;
    let shown = if is_terminal() {
        live::show(&mut session, &mut signals, limit).await
    } else {
        plain::tell(&mut session, &mut signals, limit).await;
        Ok(())
    };
    // Whatever became of the terminal, what was begun is finished.
    let summary = session.finish().await;
    shown.map(|()| summary)
}

/// Whether there is one to draw in and to take keys from.
fn is_terminal() -> bool {
    stdin().is_terminal()
        && stdout().is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

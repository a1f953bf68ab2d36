//! The command line: one file a command.

mod args;
mod check;
mod commands;
mod demo;
mod effective;
mod live;
mod output;
mod run;
#[cfg(test)]
mod sample;
mod schema;
mod simulate;
mod status;
mod table;

use std::process::ExitCode;

use clap::Parser;

use args::{Action, Args};

/// Exit codes, as the README lists them. Usage errors are clap's, 2.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Refused, failed or forced.
    pub const FAILED: u8 = 1;
    /// Wrong usage.
    pub const USAGE: u8 = 2;
    /// No instance found.
    pub const NO_INSTANCE: u8 = 3;
    /// The configuration is invalid.
    pub const INVALID_CONFIG: u8 = 64;
}

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return tell(&error),
    };
    let code = match args.action() {
        Action::Run { config } => run::run(&config),
        Action::Reload { mode, config, json } => commands::reload(mode, config.as_deref(), json),
        Action::Stop { config, json } => commands::stop(config.as_deref(), json),
        Action::Status { config, json } => status::status(config.as_deref(), json),
        Action::Live {
            command,
            config,
            json,
        } => live::change(&command, config.as_deref(), json),
        Action::Check { config, json } => check::check(&config, json),
        Action::Schema(args) => schema::schema(&args),
        Action::Demo(demo) => demo::demo(&demo),
        Action::Simulate { args, config, json } => simulate::simulate(&args, config.as_deref(), json),
    };
    // Not a return: a name server that hangs must not keep the process from ending.
    std::process::exit(output::exit_code(code).into())
}

/// Wrong usage, or the help and the version that were asked for.
fn tell(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        error.exit();
    }
    // As clap colours it, where stdout is a terminal.
    let code = match error.print() {
        Ok(()) => exit::DONE,
        Err(failure) => {
            if failure.kind() != std::io::ErrorKind::BrokenPipe {
                output::error_line(format_args!("cannot write the output: {failure}"));
            }
            exit::FAILED
        }
    };
    output::exit_code(code).into()
}

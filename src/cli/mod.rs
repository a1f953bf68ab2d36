//! The command line: one file a command.

mod args;
mod check;
mod commands;
mod completions;
mod demo;
mod effective;
mod live;
mod log_level;
mod man;
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

use args::{Args, Command};
use lb_core::live::Wish;
use live::LiveCommand;

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
    let (command, common) = args.into_command();
    let (config, json) = (common.config(), common.json);
    let change = |command: LiveCommand| live::change(&command, config, json);
    let code = match command {
        Command::Run => run::run(common.file()),
        Command::Reload(args) => commands::reload(args.mode(), config, json),
        Command::Stop => commands::stop(config, json),
        Command::Check => check::check(common.file(), json),
        Command::Schema(args) => schema::schema(&args),
        Command::Status => status::status(config, json),
        Command::Drain(args) => change(LiveCommand::out(Wish::Drain, args)),
        Command::Maintenance(args) => change(LiveCommand::out(Wish::Maintenance, args)),
        Command::Undrain(target) => change(LiveCommand::serve(target)),
        Command::Weight(args) => change(LiveCommand::weight(args)),
        Command::Add(args) => live::add(args, config, json),
        Command::Remove(target) => live::remove(target, config, json),
        Command::LogLevel(args) => log_level::log_level(args, config, json),
        Command::Demo(args) => demo::demo(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
        Command::Simulate(args) => simulate::simulate(&args, config, json),
    };
    if json {
        output::errors_as_json(code);
    }
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

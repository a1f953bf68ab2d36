//! What can be typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, error::ErrorKind};

use super::simulate::{self, SimulateArgs};

/// The configuration file, unless one is named.
pub(super) const DEFAULT_CONFIG: &str = "config.yaml";

const EXAMPLES: &str = "\
Examples:
  simple-lb --config config.yaml   run with that configuration
  simple-lb --reload               apply the changed configuration, without failing a request
  simple-lb --stop                 stop when the last request is done
  simple-lb demo                   see it all in one minute, nothing else needed
  simple-lb simulate               which strategy is best for this pool, and if a backend dies?

Exit codes: 0 done; 1 refused, failed or forced; 2 wrong usage; 3 no running instance found;
64 invalid configuration.";

/// An HTTP load balancer that is set up with one YAML file.
#[derive(Debug, Parser)]
#[command(name = "simple-lb", version, about, after_help = EXAMPLES)]
pub(super) struct Args {
    /// The configuration file
    ///
    /// Without it: config.yaml in the current folder. --reload, --stop and status then fall back to the only
    /// running instance.
    #[arg(long, short, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    /// Reload the running instance's configuration; prints what changes and the outcome
    #[arg(long, conflicts_with = "stop")]
    reload: bool,

    /// Stop the running instance gracefully; waits until the last request is done
    #[arg(long)]
    stop: bool,

    /// Print JSON (for --reload, --stop, status, check and simulate)
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a configuration and show every setting and limit that it results in
    #[command(after_help = "Example:\n  simple-lb check --config config.yaml")]
    Check,
    /// Show the running instance's backends: health, requests, last probe
    #[command(after_help = "Example:\n  simple-lb status --json")]
    Status,
    /// Three backends and a balancer in one process, with a live table and keys to break things
    #[command(after_help = "Examples:\n  simple-lb demo\n  simple-lb demo --port 8080 --seconds 30")]
    Demo(DemoArgs),
    /// Compare strategies in a model of the pool, without a network: what if a backend dies, or traffic doubles?
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(Box<SimulateArgs>),
}

/// `simple-lb demo`
#[derive(Debug, ClapArgs)]
pub(super) struct DemoArgs {
    /// The balancer's port; 0: any free one
    #[arg(long, default_value_t = 8000)]
    pub(super) port: u16,

    /// End by itself after that many seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) seconds: Option<u64>,
}

/// What is to be done.
pub(super) enum Action {
    Run {
        config: PathBuf,
    },
    Reload {
        config: Option<PathBuf>,
        json: bool,
    },
    Stop {
        config: Option<PathBuf>,
        json: bool,
    },
    Status {
        config: Option<PathBuf>,
        json: bool,
    },
    Check {
        config: PathBuf,
        json: bool,
    },
    Demo(DemoArgs),
    Simulate {
        args: Box<SimulateArgs>,
        config: Option<PathBuf>,
        json: bool,
    },
}

impl Args {
    /// Ends the process with exit code 2 if what was typed contradicts itself.
    pub(super) fn action(self) -> Action {
        let flag = if self.reload {
            Some("--reload")
        } else {
            self.stop.then_some("--stop")
        };
        if let (Some(flag), Some(_)) = (flag, &self.command) {
            let message = format!("{flag} cannot be used with a command");
            Self::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        let (config, json) = (self.config, self.json);
        let or_default = |config: Option<PathBuf>| config.unwrap_or_else(|| DEFAULT_CONFIG.into());
        match self.command {
            Some(Command::Check) => Action::Check {
                config: or_default(config),
                json,
            },
            Some(Command::Status) => Action::Status { config, json },
            Some(Command::Demo(demo)) => Action::Demo(demo),
            Some(Command::Simulate(args)) => Action::Simulate { args, config, json },
            None if self.reload => Action::Reload { config, json },
            None if self.stop => Action::Stop { config, json },
            None => Action::Run {
                config: or_default(config),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_commands_of_the_readme_mean_what_they_say() {
        let action = |line: &str| Args::try_parse_from(line.split(' ')).map(Args::action).ok();
        assert!(matches!(action("simple-lb"), Some(Action::Run { config }) if config == *"config.yaml"));
        assert!(
            matches!(action("simple-lb --config a.yaml"), Some(Action::Run { config }) if config == *"a.yaml")
        );
        assert!(matches!(
            action("simple-lb --reload"),
            Some(Action::Reload {
                config: None,
                json: false
            })
        ));
        assert!(matches!(
            action("simple-lb --stop --json"),
            Some(Action::Stop {
                config: None,
                json: true
            })
        ));
        assert!(matches!(
            action("simple-lb status --json"),
            Some(Action::Status { json: true, .. })
        ));
        assert!(action("simple-lb --reload --stop").is_none());
        assert!(action("simple-lb --unknown").is_none());
    }

    /// The words of a line as a shell has them; quotes as far as the documents use them.
    fn words(line: &str) -> Vec<String> {
        let parts = line.split('\'').enumerate();
        let words = parts.flat_map(|(index, part)| {
            let quoted = index % 2 == 1;
            let words: Vec<&str> = if quoted {
                vec![part]
            } else {
                part.split_whitespace().collect()
            };
            words.into_iter().map(str::to_owned).collect::<Vec<_>>()
        });
        words.take_while(|word| !word.starts_with('#')).collect()
    }

    #[test]
    fn every_simulation_in_the_documents_can_be_typed() {
        let documents = [
            include_str!("../../docs/strategies.md"),
            include_str!("../../README.md"),
            include_str!("../../README.ko.md"),
        ];
        let lines = documents.iter().flat_map(|document| document.lines());
        let mut typed = 0;
        for line in lines.filter_map(|line| line.strip_prefix("$ simple-lb simulate")) {
            let line = words(&format!("simple-lb simulate{line}"));
            if let Err(error) = Args::try_parse_from(&line) {
                panic!("{line:?}: {error}");
            }
            typed += 1;
        }
        assert!(typed >= 10, "{typed}");
    }
}

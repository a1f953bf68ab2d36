//! What can be typed.

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, error::ErrorKind};
use lb_actors::messages::ReloadMode;

use super::{
    completions::{self, CompletionsArgs},
    live::{self, AddArgs, OutArgs, Target, WeightArgs},
    log_level::{self, LogLevelArgs},
    man::ManArgs,
    schema::SchemaArgs,
    simulate::{self, SimulateArgs},
};

/// The configuration file, unless one is named.
pub(super) const DEFAULT_CONFIG: &str = "config.yaml";

const EXAMPLES: &str = "\
Examples:
  simple-lb --config config.yaml   run with that configuration (also: simple-lb run)
  simple-lb --reload               apply the changed configuration, without failing a request (also: reload)
  simple-lb reload --dry-run       show what that would change, and change nothing
  simple-lb --stop                 stop when the last request is done (also: stop)
  simple-lb demo                   see it all in one minute, nothing else needed
  simple-lb simulate               which strategy is best for this pool, and if a backend dies?

Exit codes: 0 done; 1 refused, failed or forced; 2 wrong usage; 3 no running instance found;
64 invalid configuration.";

const RELOAD_EXAMPLES: &str = "\
Examples:
  simple-lb reload
  simple-lb reload --dry-run --json";

/// An HTTP load balancer that is set up with one YAML file.
#[derive(Debug, Parser)]
#[command(name = "simple-lb", version, about, after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,

    /// Reload the running instance's configuration; prints what changes and the outcome
    #[arg(long, conflicts_with = "stop")]
    reload: bool,

    /// Stop the running instance gracefully; waits until the last request is done
    #[arg(long)]
    stop: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command may be told.
#[derive(Debug, ClapArgs)]
pub(super) struct Common {
    /// The configuration file
    ///
    /// Without it: config.yaml in the current folder. Where there is no such file, commands mean the only instance of this
    /// user; those that only look, such as status, do so in any case.
    #[arg(long, short, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    /// Print JSON (for --reload, --stop, status, drain and the like, check and simulate)
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Common {
    /// The configuration file that was named.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The configuration file, where one is needed.
    pub(super) fn file(&self) -> &Path {
        self.config().unwrap_or(Path::new(DEFAULT_CONFIG))
    }
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run with a configuration until a stop is asked for; `simple-lb` alone does the same
    #[command(after_help = "Example:\n  simple-lb run --config config.yaml")]
    Run,
    /// Reload the running instance's configuration; prints what changes and the outcome
    #[command(after_help = RELOAD_EXAMPLES)]
    Reload(ReloadArgs),
    /// Stop the running instance gracefully; waits until the last request is done
    #[command(after_help = "Example:\n  simple-lb stop --config /etc/simple-lb/config.yaml")]
    Stop,
    /// Check a configuration and show every setting and limit that it results in
    #[command(after_help = "Example:\n  simple-lb check --config config.yaml")]
    Check,
    /// Print the JSON Schema of the configuration, for editors
    #[command(after_help = "Example:\n  simple-lb schema > config.schema.json")]
    Schema(SchemaArgs),
    /// Show the running instance's backends: health, requests, last probe
    #[command(after_help = "Example:\n  simple-lb status --json")]
    Status,
    /// Send a backend no new requests; those in flight finish
    #[command(after_help = live::DRAIN_EXAMPLES)]
    Drain(OutArgs),
    /// Send a backend neither requests nor probes; those in flight finish
    #[command(after_help = live::MAINTENANCE_EXAMPLES)]
    Maintenance(OutArgs),
    /// End a drain or a maintenance: the backend is in service again
    #[command(after_help = live::UNDRAIN_EXAMPLES, visible_alias = "resume")]
    Undrain(Target),
    /// Give a backend another weight than the file's
    #[command(after_help = live::WEIGHT_EXAMPLES)]
    Weight(WeightArgs),
    /// Add a backend that the file does not have; waits for its first probe
    #[command(after_help = live::ADD_EXAMPLES)]
    Add(AddArgs),
    /// Remove a backend; its requests in flight finish
    #[command(after_help = live::REMOVE_EXAMPLES)]
    Remove(Target),
    /// Show or change the level of the running instance's log
    #[command(after_help = log_level::EXAMPLES)]
    LogLevel(LogLevelArgs),
    /// Three backends and a balancer in one process, with a live table and keys to break things
    #[command(after_help = "Examples:\n  simple-lb demo\n  simple-lb demo --port 8080 --seconds 30")]
    Demo(DemoArgs),
    /// Compare strategies in a model of the pool, without a network: what if a backend dies, or traffic doubles?
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(Box<SimulateArgs>),
    /// Print the completions of a shell
    #[command(after_help = completions::EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write the manual pages: one a command, and simple-lb.yaml(5) for the configuration
    #[command(after_help = "Example:\n  simple-lb man --into man && man man/simple-lb.1")]
    Man(ManArgs),
}

/// `simple-lb reload`
#[derive(Debug, Default, ClapArgs)]
pub(super) struct ReloadArgs {
    /// Only show what a reload would change, as the running instance plans it; nothing changes. Exit code 1 if it would
    /// be refused
    #[arg(long)]
    dry_run: bool,
}

impl ReloadArgs {
    pub(super) fn mode(&self) -> ReloadMode {
        match self.dry_run {
            true => ReloadMode::DryRun,
            false => ReloadMode::Apply,
        }
    }
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

impl Args {
    /// The command, whether it was typed as a verb or as a flag. Ends the process with exit code 2 if what was typed contradicts
    /// itself.
    pub(super) fn into_command(self) -> (Command, Common) {
        let flag = match (self.reload, self.stop) {
            (true, _) => Some(("--reload", Command::Reload(ReloadArgs::default()))),
            (_, true) => Some(("--stop", Command::Stop)),
            _ => None,
        };
        let command = match (flag, self.command) {
            (Some((flag, _)), Some(_)) => {
                let message = format!("{flag} cannot be used with a command");
                Self::command().error(ErrorKind::ArgumentConflict, message).exit();
            }
            (Some((_, command)), None) | (None, Some(command)) => command,
            (None, None) => Command::Run,
        };
        (command, self.common)
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
        let typed = |line: &str| Args::try_parse_from(line.split(' ')).map(Args::into_command).ok();
        let is = |line: &str, is: fn(&Command) -> bool| typed(line).is_some_and(|(command, _)| is(&command));
        let mode = |line: &str| match typed(line) {
            Some((Command::Reload(args), _)) => Some(args.mode()),
            _ => None,
        };
        for (line, config) in [
            ("simple-lb", DEFAULT_CONFIG),
            ("simple-lb --config a.yaml", "a.yaml"),
            ("simple-lb run -c a.yaml", "a.yaml"),
        ] {
            assert!(is(line, |command| matches!(command, Command::Run)), "{line}");
            let file = typed(line).map(|(_, common)| common.file().to_owned());
            assert_eq!(file.as_deref(), Some(Path::new(config)), "{line}");
        }
        assert_eq!(mode("simple-lb --reload"), Some(ReloadMode::Apply));
        assert_eq!(mode("simple-lb reload --json"), Some(ReloadMode::Apply));
        assert_eq!(mode("simple-lb reload --dry-run"), Some(ReloadMode::DryRun));
        for line in ["simple-lb stop", "simple-lb --stop", "simple-lb --stop --json"] {
            assert!(is(line, |command| matches!(command, Command::Stop)), "{line}");
        }
        for line in ["simple-lb --stop --json", "simple-lb status --json"] {
            let common = typed(line).map(|(_, common)| (common.json, common.config().is_none()));
            assert_eq!(common, Some((true, true)), "{line}");
        }
        for line in [
            "simple-lb drain http://a --for 10m --wait",
            "simple-lb maintenance http://a --pool api",
            "simple-lb undrain http://a",
            "simple-lb resume http://a",
            "simple-lb weight http://a=10 --for 1h",
            "simple-lb weight http://a=config --json",
            "simple-lb add http://a --pool api --weight 3 --for 2h",
            "simple-lb remove http://a --for 10m",
            "simple-lb log-level",
            "simple-lb log-level debug --for 10m",
            "simple-lb log-level config",
        ] {
            assert!(typed(line).is_some(), "{line}");
        }
        for line in [
            "simple-lb drain",
            "simple-lb drain http://a --for 10",
            "simple-lb drain http://a --for 0s",
            "simple-lb weight http://a",
            "simple-lb weight http://a=0",
            "simple-lb weight http://a=257",
            "simple-lb add http://a --weight 0",
            "simple-lb log-level loud",
            "simple-lb log-level --for 10m",
            "simple-lb weight =1",
            "simple-lb --reload --stop",
            "simple-lb --dry-run",
            "simple-lb --unknown",
        ] {
            assert!(typed(line).is_none(), "{line}");
        }
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

//! `simple-lb completions`: what a shell completes, made from the definition of the commands.

use clap::{Args as ClapArgs, CommandFactory, ValueEnum};
use clap_complete::{generate, shells};

use super::{args::Args, exit, output::line};

pub(super) const EXAMPLES: &str = "\
Examples:
  simple-lb completions bash > ~/.local/share/bash-completion/completions/simple-lb
  simple-lb completions zsh > \"${fpath[1]}/_simple-lb\"
  simple-lb completions fish > ~/.config/fish/completions/simple-lb.fish";

/// `simple-lb completions`
#[derive(Debug, ClapArgs)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// The shells that a test tries.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn completions(args: &CompletionsArgs) -> u8 {
    let (mut command, name, mut script) = (Args::command(), "simple-lb", Vec::new());
    match args.shell {
        Shell::Bash => generate(shells::Bash, &mut command, name, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut command, name, &mut script),
        Shell::Fish => generate(shells::Fish, &mut command, name, &mut script),
    }
    line(String::from_utf8_lossy(&script).trim_end());
    exit::DONE
}

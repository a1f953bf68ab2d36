//! What can be typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

use crate::cases::CaseId;

const EXAMPLES: &str = "\
Examples:
  bench/compare                          everything, 9 rounds: about half an hour
  bench/compare --quick                  a first look in a few minutes
  bench/compare --only small,64k --rounds 5 --json result.json --svg result.svg
  bench/compare --against ../before/target/release/simple-lb --only small,64k
  bench/compare --nginx ~/nginx/objs/nginx --haproxy ~/haproxy/haproxy

Exit codes: 0 measured, whatever the figures; 1 not; 2 wrong usage.";

/// Compares simple-lb with nginx and HAProxy on this machine, with equal settings.
///
/// Each balancer in turn gets one core, load and three backends get another. Rounds are interleaved; figures are
/// medians over them.
#[derive(Debug, Parser)]
#[command(name = "bench/compare", after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Rounds for each case and balancer
    #[arg(long, default_value_t = 9, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Length of a measurement
    #[arg(long, default_value_t = 2.0, value_name = "S", value_parser = seconds)]
    seconds: f64,

    /// GET and POST requests each in the case idle-close
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,

    /// One short round: for a look, not for conclusions
    #[arg(long)]
    quick: bool,

    /// Only these cases
    #[arg(long, value_name = "CASES", value_delimiter = ',')]
    only: Vec<CaseId>,

    /// Only these balancers
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    balancers: Vec<Contender>,

    /// nginx, if it is not on the PATH
    #[arg(long, value_name = "PATH")]
    pub(crate) nginx: Option<PathBuf>,

    /// HAProxy, if it is not on the PATH
    #[arg(long, value_name = "PATH")]
    pub(crate) haproxy: Option<PathBuf>,

    /// simple-lb, if it is not the one beside this program
    #[arg(long, value_name = "PATH")]
    pub(crate) simple_lb: Option<PathBuf>,

    /// A second simple-lb in the same run, such as one of an earlier commit; says for each figure whether it changed
    #[arg(long, value_name = "PATH")]
    pub(crate) against: Option<PathBuf>,

    /// Write every round's figures there
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write a plot there
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Be the floor: a proxy that copies bytes and parses nothing
    Relay(RelayArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RelayArgs {
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    #[arg(long, required = true, value_delimiter = ',')]
    pub(crate) backends: Vec<SocketAddr>,
    #[arg(long, default_value_t = 1)]
    pub(crate) workers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    SimpleLb,
    Nginx,
    Haproxy,
    Relay,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.05..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("0.05 to 60 seconds".to_owned()),
    }
}

impl Args {
    pub(crate) fn wants(&self, contender: Contender) -> bool {
        self.balancers.is_empty() || self.balancers.contains(&contender)
    }

    /// The cases to run, in their usual order.
    pub(crate) fn cases(&self) -> Vec<CaseId> {
        let all = CaseId::value_variants().iter().copied();
        all.filter(|case| self.only.is_empty() || self.only.contains(case))
            .collect()
    }

    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    pub(crate) fn seconds(&self) -> f64 {
        if self.quick {
            self.seconds.min(0.5)
        } else {
            self.seconds
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        if self.quick {
            self.requests.min(5_000)
        } else {
            self.requests
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Option<Args> {
        let words = std::iter::once("compare").chain(line.split_whitespace());
        Args::try_parse_from(words).ok()
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn without_arguments_everything_is_measured() {
        let args = parse("").unwrap();
        assert_eq!(args.cases(), CaseId::value_variants());
        assert_eq!((args.rounds(), args.requests()), (9, 100_000));
        assert!(args.wants(Contender::Haproxy));
    }

    #[test]
    fn quick_is_one_short_round() {
        let args = parse("--quick --seconds 3").unwrap();
        assert_eq!((args.rounds(), args.seconds(), args.requests()), (1, 0.5, 5_000));
        assert_eq!(parse("--quick --seconds 0.1").unwrap().seconds(), 0.1);
    }

    #[test]
    fn cases_and_balancers_are_chosen_by_name() {
        let args = parse("--only 64k,small --balancers simple-lb,relay --nginx /opt/nginx").unwrap();
        assert_eq!(args.cases(), [CaseId::Small, CaseId::Kib64]);
        assert!(
            args.wants(Contender::SimpleLb) && args.wants(Contender::Relay) && !args.wants(Contender::Nginx)
        );
        assert!(parse("--only nonsense").is_none());
        assert!(parse("--rounds 0").is_none());
        assert!(parse("--seconds 1000").is_none());
    }

    #[test]
    fn the_relay_has_arguments_of_its_own() {
        let args = parse("relay --backends 127.0.0.1:1,127.0.0.1:2 --workers 2").unwrap();
        let Some(Command::Relay(relay)) = args.command else {
            panic!("no relay")
        };
        assert_eq!(
            (relay.backends.len(), relay.workers, relay.listen.port()),
            (2, 2, 0)
        );
    }
}

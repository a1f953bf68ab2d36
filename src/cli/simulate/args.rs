//! What can be typed after `simple-lb simulate`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use lb_simulation::{BackendModel, Change, ServiceTime};

use super::{
    spec,
    values::{self, Rate},
};

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  simple-lb simulate                                    every strategy, with the pool of config.yaml
  simple-lb simulate --slow b2=10x                      what if the second backend is 10 times slower?
  simple-lb simulate --kill http://localhost:9002@20s   what if that one dies after 20 s?
  simple-lb simulate --traffic x2@30s --rate 45%        what if traffic doubles?
  simple-lb simulate --backends 10 --slow b2=10x --kill b3@20s-40s --cold b3=10s --plot out.svg

BACKEND is a URL of the pool, its host and port, b1 for the first, b2 for the second, …, or all.
TIMES are `30s` (from then on) or `30s-60s`, counted from the begin of the simulation.";

/// `simple-lb simulate`
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SimulateArgs {
    /// Strategies to compare, separated by commas; or all, which leaves `first` out unless a backend has max_connections or
    /// `first` is what is configured
    #[arg(long, value_name = "NAMES", default_value = "all", value_parser = values::strategies)]
    pub(super) strategy: values::Strategies,

    /// The pool of the configuration to simulate; without it, the only one or `default`
    #[arg(long, value_name = "NAME", conflicts_with = "backends")]
    pub(super) pool: Option<String>,

    /// Simulate that many equal backends, b1, b2, …, and no file
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "config")]
    pub(super) backends: Option<u32>,

    /// How many requests come: 2000/s, or a part of what those backends manage that serve while all is well: 60%
    #[arg(long, value_name = "RATE", default_value = "60%", value_parser = values::rate)]
    pub(super) rate: Rate,

    /// How the rate changes: x2@30s, x5@30s-40s, `ramp x3@10s-60s`, `wave 50%/60s`; can be repeated
    #[arg(long, value_name = "CHANGE", value_parser = spec::traffic)]
    pub(super) traffic: Vec<Change>,

    /// For how long requests come; 60s unless --requests is given
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(super) duration: Option<Duration>,

    /// How many requests come at most; 1,000,000 unless --duration is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_REQUESTS))]
    pub(super) requests: Option<u64>,

    /// How long a healthy backend works on a request: 10ms, `constant 10ms`, `exponential 10ms`, `lognormal 10ms sigma 0.7`
    /// or `pareto 10ms alpha 2.5`; with `tail 1%`, one request in 100 takes 10 to 1000 times as long
    #[arg(long, value_name = "TIME", default_value = "lognormal 10ms sigma 0.7", value_parser = spec::service)]
    pub(super) service: ServiceTime,

    /// Requests that a backend works on at the same time; for weights above the smallest, more in proportion
    #[arg(long, value_name = "N", default_value_t = BackendModel::SLOTS, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) slots: u32,

    /// Requests that wait at a backend at most; it refuses more
    #[arg(long, value_name = "N", default_value_t = BackendModel::QUEUE, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(super) queue: u32,

    /// A backend that takes so many times longer; TIMES if not always
    #[arg(long, value_name = "BACKEND=10x[@TIMES]", value_parser = spec::slow)]
    pub(super) slow: Vec<spec::Trouble>,

    /// A backend that dies: connections are refused, what it was working on is lost
    #[arg(long, value_name = "BACKEND[@TIMES]", value_parser = spec::kill)]
    pub(super) kill: Vec<spec::Trouble>,

    /// A backend that freezes: it takes requests and answers nothing
    #[arg(long, value_name = "BACKEND[@TIMES]", value_parser = spec::freeze)]
    pub(super) freeze: Vec<spec::Trouble>,

    /// A backend that answers a part of requests with 503, quickly
    #[arg(long, value_name = "BACKEND=20%[@TIMES]", value_parser = spec::fail)]
    pub(super) fail: Vec<spec::Trouble>,

    /// A backend that is slow for a time after each return (without one, after the begin), at first 10 times or as given
    #[arg(long, value_name = "BACKEND=5s[,10x]", value_parser = spec::cold)]
    pub(super) cold: Vec<spec::Trouble>,

    /// A backend that is up for 10s, dead for 5s, and so on
    #[arg(long, value_name = "BACKEND=10s/5s[@TIMES]", value_parser = spec::flap)]
    pub(super) flap: Vec<spec::Trouble>,

    /// The part of requests that must not be sent twice
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = values::share)]
    pub(super) posts: f64,

    /// Different clients, for strategies that go by the client
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) clients: u64,

    /// What all chance comes from: the same seed, the same output
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,

    /// Write a picture of the run to that file; what is there is replaced only if it is an SVG
    #[arg(long, value_name = "FILE.svg")]
    pub(super) plot: Option<PathBuf>,
}

/// More would take minutes.
pub(super) const MOST_REQUESTS: u64 = 200_000_000;

impl SimulateArgs {
    /// Everything that is to go wrong.
    pub(super) fn troubles(&self) -> impl Iterator<Item = &spec::Trouble> {
        let all = [
            &self.slow,
            &self.kill,
            &self.freeze,
            &self.fail,
            &self.cold,
            &self.flap,
        ];
        all.into_iter().flatten()
    }
}

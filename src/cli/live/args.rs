//! `simple-lb drain`, `maintenance`, `undrain` and `weight`: what can be typed.

use clap::Args as ClapArgs;
use lb_core::{
    config::Weight,
    live::{LiveRequest, Wish},
};

pub(in crate::cli) const DRAIN_EXAMPLES: &str = "\
Examples:
  simple-lb drain http://localhost:9002 --for 10m
  simple-lb drain http://localhost:9002 --wait && systemctl restart app2
  simple-lb undrain http://localhost:9002

Those in flight finish, downloads and tunnels too; nothing is cut.
With --wait: exit code 0 when nothing is in flight any more; 1 when the time is over
before that, or when Ctrl-C ends the waiting (the drain goes on).";

pub(in crate::cli) const MAINTENANCE_EXAMPLES: &str = "\
Examples:
  simple-lb maintenance http://localhost:9002 --for 2h
  simple-lb undrain http://localhost:9002    (ends it, after a good probe)";

pub(in crate::cli) const UNDRAIN_EXAMPLES: &str = "\
Examples:
  simple-lb undrain http://localhost:9002
  simple-lb resume http://localhost:9002     (the same)

Holds even where the file says `drain` or `maintenance`.";

pub(in crate::cli) const WEIGHT_EXAMPLES: &str = "\
Examples:
  simple-lb weight http://localhost:9002=10 --for 1h
  simple-lb weight http://localhost:9002=config    (back to the file's)";

/// Which backend, and for how long.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Target {
    /// The backend, as `simple-lb status` shows it
    url: String,

    #[command(flatten)]
    terms: Terms,
}

impl Target {
    /// URL, pool and time.
    pub(super) fn into_parts(self) -> (String, Option<String>, Option<String>) {
        (self.url, self.terms.pool, self.terms.lasts)
    }
}

/// How far, and for how long.
#[derive(Debug, ClapArgs)]
struct Terms {
    /// Only in this pool; else in every pool that has the backend
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,

    /// For how long (90s, 10m, 1h30m); then it ends by itself. Else until it is taken back
    #[arg(long = "for", value_name = "TIME", value_parser = lasts)]
    lasts: Option<String>,
}

/// `drain` and `maintenance`.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct OutArgs {
    #[command(flatten)]
    target: Target,

    /// Wait until nothing is in flight there any more
    #[arg(long)]
    wait: bool,
}

/// `weight`.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct WeightArgs {
    /// The backend and its weight, 1 to 256, or `config` for what the file says
    #[arg(value_name = "URL=WEIGHT", value_parser = assignment)]
    assignment: (String, Wish),

    #[command(flatten)]
    terms: Terms,
}

/// A live change that was typed.
#[derive(Debug)]
pub(in crate::cli) struct LiveCommand {
    /// What to ask the instance.
    pub(super) request: LiveRequest,
    /// The change in it.
    pub(super) wish: Wish,
    /// Whether to wait until nothing is in flight.
    pub(super) wait: bool,
}

impl LiveCommand {
    /// `drain` or `maintenance`.
    pub(in crate::cli) fn out(wish: Wish, OutArgs { target, wait }: OutArgs) -> Self {
        Self {
            wait,
            ..Self::of(target.url, wish, target.terms)
        }
    }

    /// `undrain`.
    pub(in crate::cli) fn serve(target: Target) -> Self {
        Self::of(target.url, Wish::Serve, target.terms)
    }

    /// `weight`.
    pub(in crate::cli) fn weight(args: WeightArgs) -> Self {
        let (url, wish) = args.assignment;
        Self::of(url, wish, args.terms)
    }

    fn of(url: String, wish: Wish, Terms { pool, lasts }: Terms) -> Self {
        Self {
            request: LiveRequest {
                url,
                pool,
                change: Some(wish),
                lasts,
            },
            wish,
            wait: false,
        }
    }
}

pub(in crate::cli) fn lasts(text: &str) -> Result<String, String> {
    let parsed = LiveRequest::parse_lasts(text);
    parsed
        .map(|_| text.to_owned())
        .map_err(|refusal| refusal.to_string())
}

fn assignment(text: &str) -> Result<(String, Wish), String> {
    let rule = "must be URL=WEIGHT, such as http://localhost:9001=10, or URL=config for the file's";
    let (url, weight) = text.rsplit_once('=').ok_or(rule)?;
    if url.is_empty() {
        return Err(rule.to_owned());
    }
    if weight == "config" {
        return Ok((url.to_owned(), Wish::FileWeight));
    }
    let weight = weight.parse().ok().and_then(Weight::new);
    let weight = weight.ok_or("the weight must be a whole number from 1 to 256, or `config`")?;
    Ok((url.to_owned(), Wish::Weight(weight)))
}

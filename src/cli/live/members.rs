//! `simple-lb add` and `remove`: backends that come and go beside the file.

use std::{path::Path, time::Duration};

use clap::Args as ClapArgs;
use lb_core::{
    config::{DEFAULT_POOL, Weight, format_duration, parse_duration},
    status::{HealthStatus, LiveBackend, LiveReport, RemovedBackend},
};
use serde::Serialize;

use super::{
    args::{Target, lasts},
    words::name,
};
use crate::{
    admin::{BackendTarget, NewBackend},
    cli::{
        commands::{ask, finish, instance},
        exit,
        output::{error_line, json as print_json, line},
        table::seconds,
    },
    control::Purpose,
};

pub(in crate::cli) const ADD_EXAMPLES: &str = "\
Examples:
  simple-lb add http://10.0.0.4:8080
  simple-lb add http://10.0.0.4:8080 --pool api --weight 3 --for 2h
  simple-lb remove http://10.0.0.4:8080      (ends it)

It gets requests after its first good probe, which the command waits for. A reload keeps it;
a restart forgets it: write lasting backends into the file.";

pub(in crate::cli) const REMOVE_EXAMPLES: &str = "\
Examples:
  simple-lb remove http://localhost:9002
  simple-lb remove http://localhost:9002 --for 10m
  simple-lb add http://localhost:9002        (brings back what the file has)

Those in flight finish, downloads and tunnels too; nothing is cut. A reload does not bring it
back; a restart does, where the file has it.";

/// As long as a reload may wait for the first probe of what it adds.
const TIMEOUT: Duration = Duration::from_secs(600);

/// `add`.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct AddArgs {
    /// The backend: http://host:port
    url: String,

    /// The pool; else `default`, or the only one
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,

    /// Its weight, 1 to 256; else 1
    #[arg(long, value_name = "N", value_parser = weight)]
    weight: Option<Weight>,

    /// For how long (90s, 10m, 1h30m); then it is removed by itself. Else until it is removed
    #[arg(long = "for", value_name = "TIME", value_parser = lasts)]
    lasts: Option<String>,
}

fn weight(text: &str) -> Result<Weight, String> {
    let weight = text.parse().ok().and_then(Weight::new);
    weight.ok_or("must be a whole number from 1 to 256".to_owned())
}

pub(in crate::cli) fn add(args: AddArgs, config: Option<&Path>, json: bool) -> u8 {
    let AddArgs {
        url,
        pool,
        weight,
        lasts,
    } = args;
    // As other commands, it takes one without a scheme.
    let url = match url.contains("://") {
        true => url,
        false => format!("http://{url}"),
    };
    let asked = NewBackend {
        url,
        pool,
        weight,
        lasts,
    };
    let told = |report: &LiveReport| report.backends.iter().flat_map(added).collect();
    change(("/v1/backends/add", &asked), config, (json, told))
}

pub(in crate::cli) fn remove(target: Target, config: Option<&Path>, json: bool) -> u8 {
    let (url, pool, lasts) = target.into_parts();
    let asked = BackendTarget { url, pool, lasts };
    let told = |report: &LiveReport| {
        let lasts = asked.lasts.as_deref();
        report
            .removed
            .iter()
            .flat_map(|one| removed(one, lasts))
            .collect()
    };
    change(("/v1/backends/remove", &asked), config, (json, told))
}

/// Asks the instance for a change, and prints what became of it.
fn change(
    (path, asked): (&str, &impl Serialize),
    config: Option<&Path>,
    (json, told): (bool, impl Fn(&LiveReport) -> Vec<String>),
) -> u8 {
    finish(|| {
        let info = instance(config, Purpose::Change)?;
        let report: LiveReport = ask(
            &info,
            |client| async move { client.tell(path, asked, TIMEOUT).await },
        )?;
        if json {
            print_json(&report);
            return Ok(exit::DONE);
        }
        told(&report).iter().for_each(line);
        let warnings = report.warnings.iter();
        warnings.for_each(|warning| error_line(format_args!("warning: {warning}")));
        Ok(exit::DONE)
    })
}

/// How an added backend is, and what ends that.
fn added(one: &LiveBackend) -> [String; 2] {
    let backend = &one.backend;
    let now = match backend.health {
        HealthStatus::Up => "is up and gets requests".to_owned(),
        HealthStatus::Draining | HealthStatus::Maintenance => {
            format!("is there, in the order that the file has: {}", backend.health)
        }
        health => format!("is {health}: it gets requests after a good probe"),
    };
    let remove = format!("`simple-lb remove {}{}`", backend.url, pool_option(&one.pool));
    let change = backend.live.iter().find(|change| change.kind == "backend");
    let end = match change.map(|change| change.until_seconds) {
        None => "  as the file says".to_owned(),
        Some(Some(left)) => format!("  for {}; sooner removed with {remove}", seconds(left)),
        Some(None) => format!("  until {remove} or a restart: the file does not have it"),
    };
    [format!("{} {now}", name(one)), end]
}

/// What becomes of a removed backend, and what brings it back.
fn removed(one: &RemovedBackend, lasts: Option<&str>) -> [String; 2] {
    let name = match one.pool.as_str() {
        DEFAULT_POOL => one.url.clone(),
        pool => format!("{pool} {}", one.url),
    };
    let now = match one.in_flight {
        0 => "nothing is in flight".to_owned(),
        1 => "1 in flight finishes".to_owned(),
        some => format!("{some} in flight finish"),
    };
    let add = format!("`simple-lb add {}{}`", one.url, pool_option(&one.pool));
    let lasts = lasts.and_then(|lasts| parse_duration(lasts).ok());
    let end = match (one.in_file, lasts) {
        (false, _) => "  it was added live; nothing is left of it".to_owned(),
        (true, Some(lasts)) => format!("  for {}; sooner back with {add}", format_duration(lasts)),
        (true, None) => format!("  until {add} or a restart: the file has it"),
    };
    [format!("{name} is removed: {now}"), end]
}

fn pool_option(pool: &str) -> String {
    match pool {
        DEFAULT_POOL => String::new(),
        pool => format!(" --pool {pool}"),
    }
}

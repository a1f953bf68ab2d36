//! `bench/compare`: simple-lb beside nginx and HAProxy on one machine, with equal settings.
//!
//! What counts is CPU a request: it hardly depends on what else the machine does, and it is what a proxy costs. One
//! thread is load and backends; it has a core of its own, the balancer has another, and the balancer's is the one
//! that is full (`cores` near 1.00 in the table says so, `load` near 1.00 says that it was not).

mod args;
mod balancers;
mod cases;
mod configs;
mod figures;
mod load;
mod machine;
mod measure;
mod process;
mod relay;
mod report;
mod run;
mod stats;
mod template;
mod usage;

use std::{
    fs,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{
    args::{Args, Command},
    balancers::{Balancer, Kind},
    machine::Cores,
    measure::Bench,
    run::CaseResult,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args = Args::parse();
    let open_files = machine::raise_open_files();
    if let Some(Command::Relay(relay)) = &args.command {
        return relay::run(relay);
    }
    compare(&args, open_files)
}

fn compare(args: &Args, open_files: u64) -> Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let cores = Cores::find()?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let (balancers, notes) = balancers::find(args, folder.path())?;
    let about = about(args, &balancers, &cores, open_files);
    introduce(&about, &notes, &cores);
    let bench = Bench {
        cores: &cores,
        folder: folder.path(),
        open_files,
        window: Duration::from_secs_f64(args.seconds()),
        requests: args.requests(),
        interrupted,
    };
    let mut results: Vec<CaseResult> = Vec::new();
    for case in args.cases() {
        let result = run::run_case(&bench, case, &balancers, args.rounds(), &results)?;
        print!("{}", report::table(&result));
        results.push(result);
    }
    let goals = judged(&balancers).map_or(Vec::new(), |ours| {
        println!("\ngoals of {ours} (ratio; 3 % is a tie):");
        report::goals(&results, ours)
    });
    goals.iter().for_each(|goal| println!("{}", goal.line()));
    let changes = report::changes(&results);
    if !changes.is_empty() {
        println!(
            "\nsimple-lb to --against (ratio of medians; ±: the spreads of both, beyond which it changed):"
        );
    }
    changes.iter().for_each(|change| println!("{}", change.line()));
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report::json(&about, &results, &goals, &changes))?;
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &args.svg {
        let plot = report::svg(&results, &caption(&about));
        fs::write(file, plot).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Whose goals are looked at: the last lane, which is the fastest.
fn judged(balancers: &[Balancer]) -> Option<&str> {
    let ours = |balancer: &&Balancer| matches!(balancer.kind, Kind::Ours(_));
    balancers
        .iter()
        .rev()
        .find(ours)
        .map(|balancer| balancer.name.as_str())
}

fn about(args: &Args, balancers: &[Balancer], cores: &Cores, open_files: u64) -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("", |(_, model)| model.trim());
    let versions = balancers
        .iter()
        .map(|balancer| json!([balancer.name, balancer.version]));
    json!({
        "balancers": versions.collect::<Vec<_>>(),
        "processor": model,
        "cores": cores.count(),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "congestion": read("/proc/sys/net/ipv4/tcp_congestion_control").trim(),
        "rounds": args.rounds(),
        "seconds": args.seconds(),
        "requests": args.requests(),
        "open_files": open_files,
    })
}

fn caption(about: &Value) -> String {
    let word = |key: &str| about[key].as_str().unwrap_or_default().to_owned();
    format!(
        "{} cores of {}, Linux {}; medians of {} rounds of {} s",
        about["cores"],
        word("processor"),
        word("kernel"),
        about["rounds"],
        about["seconds"]
    )
}

fn introduce(about: &Value, notes: &[String], cores: &Cores) {
    println!("{}", caption(about));
    for balancer in about["balancers"].as_array().into_iter().flatten() {
        println!(
            "  {}: {}",
            balancer[0].as_str().unwrap_or_default(),
            balancer[1].as_str().unwrap_or_default()
        );
    }
    for note in notes {
        println!("  {note}");
    }
    println!(
        "\nCPU us: user and system of all the balancer's processes, a request; ±: half the distance between the\n\
         quartiles of the rounds; MiB: memory with all connections open; cores: what the balancer used (1.00: it was\n\
         saturated); load: what load and backends used (1.00: they were, and the rate is theirs)"
    );
    if !cores.can_pin() {
        println!("there is one core: balancer and load share it, and only CPU a request says anything");
    }
}

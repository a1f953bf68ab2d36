//! Cases, rounds and balancers in order: round by round, so that whatever disturbs the machine for a while disturbs
//! all of them, and each round begins with another one.

use std::io::IsTerminal;

use anyhow::Result;

use crate::{
    balancers::{Balancer, Kind},
    cases::{CaseId, OPEN_SHARE},
    figures::{Figure, Row},
    measure::{Bench, Outcome},
};

/// A case's rows, one for each balancer.
pub(crate) struct CaseResult {
    pub(crate) case: CaseId,
    pub(crate) rows: Vec<Row>,
    pub(crate) note: Option<String>,
}

/// Runs one case; `earlier` may know nginx's capacity already.
///
/// # Errors
/// On an interrupt only: a balancer that fails says so in its row.
pub(crate) fn run_case(
    bench: &Bench<'_>,
    case: CaseId,
    balancers: &[Balancer],
    rounds: u32,
    earlier: &[CaseResult],
) -> Result<CaseResult> {
    let mut result = CaseResult {
        case,
        rows: balancers.iter().map(|b| row(case, b)).collect(),
        note: None,
    };
    if case.open_files() > bench.open_files {
        let (needed, allowed) = (case.open_files(), bench.open_files);
        result.note = Some(format!(
            "left out: needs {needed} open files, {allowed} are allowed (ulimit -n)"
        ));
        return Ok(result);
    }
    if !case.pinned() && !bench.cores.can_pin() {
        result.note = Some("left out: there is one core".to_owned());
        return Ok(result);
    }
    let mut per_second = 0.0;
    if case == CaseId::Open {
        let (capacity, whose) = capacity(bench, balancers, earlier)?;
        per_second = capacity * OPEN_SHARE;
        result.note = Some(format!("{per_second:.0} requests/s, 70 % of {whose}"));
    }
    let rounds = case.rounds(rounds);
    for round in 0..rounds as usize {
        for turn in 0..balancers.len() {
            let index = (round + turn) % balancers.len();
            let row = &mut result.rows[index];
            // Who cannot, cannot in the next round either.
            if row.rounds.len() < round || row.note.is_some() && row.rounds.is_empty() {
                continue;
            }
            progress(&format!(
                "{}: round {} of {rounds}, {}",
                case.name(),
                round + 1,
                row.balancer
            ));
            match bench.measure(case, &balancers[index], per_second) {
                Ok(Outcome::Measured(figures, reason)) => {
                    row.rounds.push(figures);
                    row.note = row.note.take().or(reason);
                }
                Ok(Outcome::Cannot(why)) => row.note = Some(why.to_owned()),
                Err(error) if bench.is_interrupted() => return Err(error),
                Err(error) => row.note = Some(format!("{error:#}")),
            }
        }
    }
    progress("");
    Ok(result)
}

/// One line that each next one replaces, for those who watch.
fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}

fn row(case: CaseId, balancer: &Balancer) -> Row {
    let note = case.senseless_for(balancer.kind).map(str::to_owned);
    Row {
        balancer: balancer.name.clone(),
        rounds: Vec::new(),
        note,
    }
}

/// Small requests a second: nginx's, of the same run if they were measured; without nginx, the first one's that is
/// there.
fn capacity(bench: &Bench<'_>, balancers: &[Balancer], earlier: &[CaseResult]) -> Result<(f64, String)> {
    let nginx = balancers.iter().find(|balancer| balancer.kind == Kind::Nginx);
    let balancer = nginx.unwrap_or(&balancers[0]);
    let measured = earlier
        .iter()
        .filter(|result| result.case == CaseId::Small)
        .flat_map(|result| &result.rows)
        .find(|row| row.balancer == balancer.name)
        .and_then(|row| row.median(Figure::Rate));
    let rate = match measured {
        Some(rate) => rate,
        None => match bench.measure(CaseId::Small, balancer, 0.0)? {
            Outcome::Measured(figures, _) => figures[&Figure::Rate],
            Outcome::Cannot(why) => anyhow::bail!(why),
        },
    };
    Ok((rate, format!("{}'s {rate:.0}", balancer.name)))
}

//! How simple-lb compares with the second one of the same run, `--against`.

use crate::{
    balancers::AGAINST,
    figures::{Figure, Row},
    run::CaseResult,
    stats::TIE,
};

/// The figures that are compared, and whether more of them is better.
const COMPARED: [(Figure, Better); 4] = [
    (Figure::Rate, Better::More),
    (Figure::Cpu, Better::Less),
    (Figure::P99, Better::Less),
    (Figure::Memory, Better::Less),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    More,
    Less,
}

/// One figure of one lane in one case, beside the other program's.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) case: String,
    pub(crate) balancer: String,
    pub(crate) figure: Figure,
    /// This program's median to the other's.
    pub(crate) ratio: f64,
    /// How far the ratio moves by chance: the spreads of both, added, and a tie at least.
    pub(crate) spread: f64,
    pub(crate) verdict: &'static str,
}

/// All changes between each lane and the same lane of the other program.
pub(crate) fn changes(results: &[CaseResult]) -> Vec<Change> {
    let mut changes = Vec::new();
    for result in results {
        for theirs in &result.rows {
            let Some(lane) = theirs.balancer.strip_prefix(AGAINST) else {
                continue;
            };
            let name = format!("simple-lb{lane}");
            let Some(ours) = result.rows.iter().find(|row| row.balancer == name) else {
                continue;
            };
            let compared = COMPARED.iter();
            changes.extend(compared.filter_map(|compared| change(result, (ours, theirs), *compared)));
        }
    }
    changes
}

fn change(
    result: &CaseResult,
    (ours, theirs): (&Row, &Row),
    (figure, better): (Figure, Better),
) -> Option<Change> {
    let ratio = ours.median(figure)? / theirs.median(figure).filter(|theirs| *theirs > 0.0)?;
    let spread = (ours.spread(figure)? + theirs.spread(figure)?).max(TIE);
    let worse = match better {
        Better::Less => ratio - 1.0,
        Better::More => 1.0 - ratio,
    };
    let verdict = match worse {
        worse if worse > spread => "worse",
        worse if -worse > spread => "better",
        _ => "same",
    };
    Some(Change {
        case: result.case.name(),
        balancer: ours.balancer.clone(),
        figure,
        ratio,
        spread,
        verdict,
    })
}

impl Change {
    /// As a line of the report.
    pub(crate) fn line(&self) -> String {
        format!(
            "  {:14}  {:18}  {:10}  {:>5.2}  ±{:>3.0}%  {}",
            self.case,
            self.balancer,
            self.figure.name(),
            self.ratio,
            self.spread * 100.0,
            self.verdict
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cases::CaseId, figures::Figures};

    fn row(balancer: &str, cpu: [f64; 4], rate: f64) -> Row {
        let round = |cpu| Figures::from([(Figure::Cpu, cpu), (Figure::Rate, rate)]);
        Row {
            balancer: balancer.to_owned(),
            rounds: cpu.map(round).into(),
            note: None,
        }
    }

    fn verdicts(ours: Row, theirs: Row) -> String {
        let rows = vec![row("nginx", [1.0; 4], 1.0), ours, theirs];
        let result = CaseResult {
            case: CaseId::Small,
            rows,
            note: None,
        };
        let said = changes(&[result]);
        let words = said
            .iter()
            .map(|change| format!("{} {}", change.figure.name(), change.verdict));
        words.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_lies_beyond_both_spreads_is_a_change() {
        let said = verdicts(
            row("simple-lb wire", [10.0, 10.1, 10.2, 10.3], 90.0),
            row("against wire", [12.0, 12.1, 12.2, 12.3], 100.0),
        );
        assert_eq!(said, "requests/s worse, CPU us better");
    }

    #[test]
    fn what_lies_within_them_is_none() {
        let said = verdicts(
            row("simple-lb handler", [8.0, 9.5, 11.5, 14.0], 100.0),
            row("against handler", [10.0, 10.0, 10.0, 10.0], 100.0),
        );
        assert_eq!(said, "requests/s same, CPU us same");
    }

    #[test]
    fn only_the_same_lane_is_compared() {
        let ours = row("simple-lb wire", [10.0; 4], 90.0);
        assert_eq!(verdicts(ours, row("against handler", [10.0; 4], 90.0)), "");
    }
}

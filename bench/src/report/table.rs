//! A case on the terminal.

use std::fmt::Write;

use crate::{
    cases::CaseId,
    figures::{Figure, Row},
    run::CaseResult,
};

const USUAL: &[Figure] = &[
    Figure::Rate,
    Figure::Cpu,
    Figure::P50,
    Figure::P99,
    Figure::P999,
    Figure::Memory,
    Figure::Busy,
    Figure::LoadBusy,
    Figure::Failed,
];
const FROZEN: &[Figure] = &[
    Figure::Rate,
    Figure::UndisturbedP99,
    Figure::P99,
    Figure::P999,
    Figure::Noticed,
    Figure::Failed,
];
const IDLE_CLOSE: &[Figure] = &[Figure::FailedPosts, Figure::FailedGets];

/// A row each balancer. The columns `: nginx` are ratios of medians, ± is half the distance between the quartiles.
pub(crate) fn table(result: &CaseResult) -> String {
    let mut text = format!("\n{}: {}\n", result.case.name(), result.case.title());
    if let Some(note) = &result.note {
        let _ = writeln!(text, "  {note}");
    }
    let columns = match result.case {
        CaseId::Frozen => FROZEN,
        CaseId::IdleClose => IDLE_CLOSE,
        _ => USUAL,
    };
    let mut lines = vec![head(columns)];
    let nginx = result.rows.iter().find(|row| row.balancer == "nginx");
    let measured = result.rows.iter().filter(|row| !row.rounds.is_empty());
    lines.extend(measured.map(|row| cells(row, nginx, columns)));
    if lines.len() > 1 {
        align(&mut text, &lines);
    }
    for row in &result.rows {
        if let Some(note) = &row.note {
            let what = if row.rounds.is_empty() {
                "not measured: "
            } else {
                ""
            };
            let _ = writeln!(text, "  {}: {what}{}", row.balancer, note.trim_end());
        }
    }
    text
}

/// Whether a column is followed by its ratio to nginx.
fn is_compared(figure: Figure) -> bool {
    matches!(figure, Figure::Rate | Figure::Cpu | Figure::P99 | Figure::Memory)
}

fn head(columns: &[Figure]) -> Vec<String> {
    let mut cells = vec![String::new()];
    for figure in columns {
        cells.push(figure.name().to_owned());
        if *figure == Figure::Cpu {
            cells.push("±".to_owned());
        }
        if is_compared(*figure) {
            cells.push(": nginx".to_owned());
        }
    }
    cells
}

fn cells(row: &Row, nginx: Option<&Row>, columns: &[Figure]) -> Vec<String> {
    let mut cells = vec![row.balancer.clone()];
    for figure in columns {
        let value = row.median(*figure);
        cells.push(value.map_or(String::new(), |value| figure.write(value)));
        if *figure == Figure::Cpu {
            let spread = row.spread(*figure);
            cells.push(spread.map_or(String::new(), |spread| format!("{:.0}%", spread * 100.0)));
        }
        if is_compared(*figure) {
            let theirs = nginx
                .and_then(|nginx| nginx.median(*figure))
                .filter(|theirs| *theirs > 0.0);
            let ratio = value.zip(theirs).map(|(value, theirs)| value / theirs);
            cells.push(ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
        }
    }
    cells
}

fn align(text: &mut String, lines: &[Vec<String>]) {
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    for line in lines {
        let mut out = format!("  {:width$}", line[0], width = widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            let _ = write!(out, "  {cell:>width$}");
        }
        let _ = writeln!(text, "{}", out.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    #[test]
    fn a_row_stands_beside_nginx() {
        let row = |balancer: &str, cpu| Row {
            balancer: balancer.to_owned(),
            rounds: vec![Figures::from([(Figure::Cpu, cpu), (Figure::Rate, 1e6 / cpu)])],
            note: None,
        };
        let mut rows = vec![
            row("simple-lb wire", 12.0),
            row("nginx", 15.0),
            row("relay", 10.0),
        ];
        rows[2].rounds.clear();
        rows[2].note = Some("no such thing".to_owned());
        let text = table(&CaseResult {
            case: CaseId::Small,
            rows,
            note: None,
        });
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("small: small answers"), "{text}");
        assert!(
            lines[3].starts_with("  simple-lb wire      83,333     1.25") && lines[3].contains(" 0.80"),
            "{text}"
        );
        assert_eq!(lines[5], "  relay: not measured: no such thing");
    }
}

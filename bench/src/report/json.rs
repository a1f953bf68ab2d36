//! Every round's figures, for those who want to count again.

use serde_json::{Map, Value, json};

use super::{Change, Goal};
use crate::{
    figures::{Figures, Row},
    run::CaseResult,
};

/// The whole run; `about` says where and how it was made.
pub(crate) fn json(about: &Value, results: &[CaseResult], goals: &[Goal], changes: &[Change]) -> Value {
    let cases = results.iter().map(|result| {
        let rows: Vec<Value> = result.rows.iter().map(row).collect();
        let (name, title) = (result.case.name(), result.case.title());
        json!({ "case": name, "title": title, "note": result.note, "balancers": rows })
    });
    let goals = goals.iter().map(|goal| {
        let verdict = goal.verdict.word();
        json!({ "work": goal.work, "goal": goal.goal, "ratio": goal.ratio, "verdict": verdict })
    });
    let changes = changes.iter().map(|change| {
        json!({
            "case": change.case, "balancer": change.balancer, "figure": change.figure.name(),
            "ratio": change.ratio, "spread": change.spread, "verdict": change.verdict,
        })
    });
    json!({
        "about": about, "cases": cases.collect::<Vec<_>>(), "goals": goals.collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
    })
}

fn row(row: &Row) -> Value {
    let measured = row.rounds.first().into_iter().flat_map(Figures::keys);
    let medians: Map<String, Value> = measured
        .map(|figure| (figure.name().to_owned(), json!(row.median(*figure))))
        .collect();
    let round = |figures: &Figures| -> Value {
        let named = figures
            .iter()
            .map(|(figure, value)| (figure.name().to_owned(), json!(value)));
        Value::Object(named.collect())
    };
    let rounds: Vec<Value> = row.rounds.iter().map(round).collect();
    json!({ "balancer": row.balancer, "medians": medians, "rounds": rounds, "note": row.note })
}

//! What simple-lb wants to reach, as ratios within one run.

use crate::{
    cases::CaseId,
    figures::{Figure, Row},
    run::CaseResult,
    stats::GoalVerdict,
};

/// A goal and what came of it.
pub(crate) struct Goal {
    pub(crate) work: &'static str,
    pub(crate) goal: &'static str,
    pub(crate) ratio: Option<f64>,
    pub(crate) verdict: GoalVerdict,
}

/// All goals, for the balancer of that name.
pub(crate) fn goals(results: &[CaseResult], ours: &str) -> Vec<Goal> {
    use CaseId::{BothCores, Churn, Conns5000, Frozen, IdleClose, Kib64, Mib1, Open, Small};
    use Figure::{Cpu, FailedGets, FailedPosts, Memory, P99, P999, Rate, UndisturbedP99};
    let find = |case: CaseId, balancer: &str| -> Option<&Row> {
        let result = results.iter().find(|result| result.case == case)?;
        result.rows.iter().find(|row| row.balancer == balancer)
    };
    let get = |case, balancer: &str, figure| find(case, balancer)?.median(figure);
    let to = |case, figure, balancer: &str| ratio(get(case, ours, figure), get(case, balancer, figure));
    let to_best = |case| {
        let theirs = ["nginx", "haproxy"]
            .into_iter()
            .filter_map(|name| get(case, name, Cpu));
        ratio(get(case, ours, Cpu), theirs.min_by(f64::total_cmp))
    };
    let frozen = ratio(get(Frozen, ours, P99), get(Frozen, ours, UndisturbedP99));
    let at_most = |work, goal, ratio, most| Goal {
        work,
        goal,
        ratio,
        verdict: GoalVerdict::at_most(ratio, most),
    };
    let posts = to(IdleClose, FailedPosts, "nginx");
    let gets = get(IdleClose, ours, FailedGets);
    let rate = to(BothCores, Rate, "nginx");
    vec![
        at_most(
            "small, CPU a request",
            "at most 0.80 of nginx's",
            to(Small, Cpu, "nginx"),
            0.8,
        ),
        at_most(
            "small, CPU a request",
            "at most 0.70 of HAProxy's",
            to(Small, Cpu, "haproxy"),
            0.7,
        ),
        at_most("small, p99", "at most nginx's", to(Small, P99, "nginx"), 1.0),
        at_most(
            "open loop, p99.9",
            "at most nginx's",
            to(Open, P999, "nginx"),
            1.0,
        ),
        Goal {
            work: "both cores, requests/s",
            goal: "at least nginx's",
            ratio: rate,
            verdict: GoalVerdict::at_least(rate, 1.0),
        },
        at_most(
            "64 KiB answers, CPU a request",
            "at most the best's",
            to_best(Kib64),
            1.0,
        ),
        at_most(
            "1 MiB answers, CPU a request",
            "at most the best's",
            to_best(Mib1),
            1.0,
        ),
        at_most(
            "churn, CPU a request",
            "at most nginx's",
            to(Churn, Cpu, "nginx"),
            1.0,
        ),
        at_most(
            "5,000 connections, memory",
            "at most half of nginx's",
            to(Conns5000, Memory, "nginx"),
            0.5,
        ),
        at_most(
            "5,000 connections, CPU a request",
            "at most nginx's",
            to(Conns5000, Cpu, "nginx"),
            1.0,
        ),
        at_most(
            "small, CPU over the floor",
            "at most 1.15 of the relay's",
            to(Small, Cpu, "relay"),
            1.15,
        ),
        at_most(
            "frozen backend noticed, p99",
            "at most 1.5 of before",
            frozen,
            1.5,
        ),
        at_most(
            "idle connections closed, failed POSTs",
            "at most nginx's",
            posts,
            1.0,
        ),
        Goal {
            work: "idle connections closed, failed GETs",
            goal: "none",
            ratio: gets,
            verdict: none_of(gets),
        },
    ]
}

/// Nothing beside nothing is as good, something beside nothing infinitely worse.
fn ratio(ours: Option<f64>, theirs: Option<f64>) -> Option<f64> {
    match (ours?, theirs?) {
        (ours, theirs) if theirs > 0.0 => Some(ours / theirs),
        (ours, _) if ours > 0.0 => Some(f64::INFINITY),
        _ => Some(1.0),
    }
}

/// A failure among many is no tie with none.
fn none_of(failures: Option<f64>) -> GoalVerdict {
    match failures {
        None => GoalVerdict::NotMeasured,
        Some(failures) if failures > 0.0 => GoalVerdict::Missed,
        Some(_) => GoalVerdict::Reached,
    }
}

impl Goal {
    /// As a line of the report.
    pub(crate) fn line(&self) -> String {
        let ratio = self.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        format!(
            "  {:38}  {:28}  {ratio:>6}  {}",
            self.work,
            self.goal,
            self.verdict.word()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    fn result(case: CaseId, rows: &[(&str, &[(Figure, f64)])]) -> CaseResult {
        let rows = rows.iter().map(|(balancer, figures)| Row {
            balancer: (*balancer).to_owned(),
            rounds: vec![figures.iter().copied().collect::<Figures>()],
            note: None,
        });
        CaseResult {
            case,
            rows: rows.collect(),
            note: None,
        }
    }

    fn verdict_of(goals: &[Goal], work: &str, goal: &str) -> &'static str {
        let found = goals.iter().find(|g| g.work == work && g.goal == goal);
        found.map_or("no such goal", |goal| goal.verdict.word())
    }

    #[test]
    fn each_goal_looks_at_its_own_figures() {
        let results = [
            result(
                CaseId::Small,
                &[
                    ("ours", &[(Figure::Cpu, 12.0), (Figure::P99, 2.0)]),
                    ("nginx", &[(Figure::Cpu, 15.0), (Figure::P99, 1.5)]),
                    ("haproxy", &[(Figure::Cpu, 17.0)]),
                    ("relay", &[(Figure::Cpu, 10.9)]),
                ],
            ),
            result(
                CaseId::Mib1,
                &[
                    ("ours", &[(Figure::Cpu, 9.0)]),
                    ("nginx", &[(Figure::Cpu, 10.0)]),
                    ("haproxy", &[(Figure::Cpu, 8.9)]),
                ],
            ),
            result(
                CaseId::BothCores,
                &[
                    ("ours", &[(Figure::Rate, 10.0)]),
                    ("nginx", &[(Figure::Rate, 9.0)]),
                ],
            ),
            result(
                CaseId::Frozen,
                &[("ours", &[(Figure::P99, 3.0), (Figure::UndisturbedP99, 2.0)])],
            ),
            result(
                CaseId::IdleClose,
                &[
                    ("ours", &[(Figure::FailedPosts, 0.0), (Figure::FailedGets, 1.0)]),
                    ("nginx", &[(Figure::FailedPosts, 0.0), (Figure::FailedGets, 0.0)]),
                ],
            ),
        ];
        let goals = goals(&results, "ours");
        for (work, goal, expected) in [
            ("small, CPU a request", "at most 0.80 of nginx's", "ok"),
            ("small, CPU a request", "at most 0.70 of HAProxy's", "ok (tie)"),
            ("small, p99", "at most nginx's", "missed"),
            ("small, CPU over the floor", "at most 1.15 of the relay's", "ok"),
            ("1 MiB answers, CPU a request", "at most the best's", "ok (tie)"),
            ("both cores, requests/s", "at least nginx's", "ok"),
            ("frozen backend noticed, p99", "at most 1.5 of before", "ok"),
            ("idle connections closed, failed POSTs", "at most nginx's", "ok"),
            ("idle connections closed, failed GETs", "none", "missed"),
            ("churn, CPU a request", "at most nginx's", "not measured"),
        ] {
            assert_eq!(verdict_of(&goals, work, goal), expected, "{work}, {goal}");
        }
    }
}

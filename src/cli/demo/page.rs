//! The demo's page in a terminal: a pure function from the state to lines.

use std::time::Duration;

use super::{
    backends::Doing,
    load::{LEVELS, Seen},
    screen::Size,
    session::{Event, State},
    text::{Line, Style},
    view,
};

/// What stands before a line of the table: `> 2 `.
const MARGIN: usize = 4;

/// The page for a terminal of that size. Where it is too small for all, what matters least is left out first: what
/// can be done, and how backends and clients are, stays longest. Events take the lines that are left.
pub(super) fn render(state: &State<'_>, size: Size) -> Vec<Line> {
    let [load, sums, note] = clients(state);
    let title = Line::of(Style::Strong, "simple-lb demo").then(
        Style::Plain,
        "  a load balancer and three backends in one process",
    );
    let address = Line::plain("in another terminal:  ").then(Style::Strong, format!("curl {}", state.url));
    let gap = || (GAP, Line::default());
    let mut lines = vec![(2, title), (4, address), gap()];
    lines.extend(table(state, size.width.saturating_sub(MARGIN)).map(|line| (0, line)));
    lines.extend([(3, doings(&state.doings)), gap()]);
    lines.extend([(2, load), (1, sums), (5, note), gap()]);
    lines.extend([(0, help(size.width)), gap()]);
    let lines = the_most_important(lines, size.height);
    let left = size.height - lines.len();
    // A heading without an event is worth less than the line it takes.
    let events = events(state.events, left).take(if left < 2 { 0 } else { left });
    lines.into_iter().chain(events).collect()
}

/// How little an empty line matters.
const GAP: u8 = 6;

/// As many lines as fit, of the smallest numbers; among equals the upper ones.
fn the_most_important(lines: Vec<(u8, Line)>, height: usize) -> Vec<Line> {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|at| lines[*at].0);
    let last = order.get(height).map(|at| (lines[*at].0, *at));
    let fits =
        |(at, (rank, line)): (usize, (u8, Line))| last.is_none_or(|last| (rank, at) < last).then_some(line);
    lines.into_iter().enumerate().filter_map(fits).collect()
}

fn table(state: &State<'_>, width: usize) -> impl Iterator<Item = Line> {
    let lines = view::backends(state.report, state.window.as_ref(), width).into_iter();
    lines.enumerate().map(|(number, line)| {
        let margin = match number {
            0 => " ".repeat(MARGIN),
            _ if number == state.selected + 1 => format!("> {number} "),
            _ => format!("  {number} "),
        };
        let margin = Line::of(Style::Strong, margin);
        line.spans()
            .iter()
            .fold(margin, |line, (style, text)| line.then(*style, text.clone()))
    })
}

fn doings(doings: &[(String, Doing)]) -> Line {
    let begin = Line::of(Style::Faint, " ".repeat(MARGIN));
    doings
        .iter()
        .enumerate()
        .fold(begin, |line, (index, (name, doing))| {
            let gap = if index == 0 { "" } else { ", " };
            line.then(Style::Plain, format!("{gap}{name} is "))
                .then(doing.style(), doing.to_string())
        })
}

fn clients(state: &State<'_>) -> [Line; 3] {
    let Seen {
        sent,
        ok,
        failed,
        rate,
        ..
    } = state.seen;
    let load = if state.level == 0 {
        "load off".to_owned()
    } else {
        format!("load {}/s", state.level)
    };
    let failed_style = if failed == 0 { Style::Good } else { Style::Bad };
    let backends = state.report.pools.iter().flat_map(|pool| &pool.backends);
    let note = match (
        backends.map(|backend| backend.counts.failures).sum::<u64>(),
        failed,
    ) {
        (0, _) => String::new(),
        (hits, 0) => format!("{hits} requests met a dead backend, and another one answered them"),
        (hits, _) => format!("{hits} tries failed at a backend; what no other one answered is failed"),
    };
    let margin = " ".repeat(9);
    [
        Line::of(Style::Strong, "clients  ").then(
            Style::Plain,
            format!(
                "{load}, last second {rate} answers, p50 {}, p99 {}",
                millis(state.seen.p50),
                millis(state.seen.p99)
            ),
        ),
        Line::plain(format!("{margin}sent {sent}, ok {ok}, ")).then(failed_style, format!("failed {failed}")),
        Line::of(Style::Faint, format!("{margin}{note}")),
    ]
}

fn help(width: usize) -> Line {
    let levels = LEVELS.map(|level| {
        if level == 0 {
            "off".to_owned()
        } else {
            level.to_string()
        }
    });
    let levels = format!("load {}", levels.join("/"));
    let long = [
        ("1 2 3", "select"),
        ("k", "kill"),
        ("r", "revive"),
        ("s", "slow on/off"),
        ("l", levels.as_str()),
        ("q", "quit"),
    ];
    let line = |heading: &str, gap: &str, keys: &[(&str, &str)]| {
        keys.iter()
            .fold(Line::of(Style::Strong, heading), |line, (key, meaning)| {
                line.then(Style::Strong, format!("{gap}{key}"))
                    .then(Style::Plain, format!(" {meaning}"))
            })
    };
    let long = line("keys", "  ", &long);
    if long.width() <= width {
        return long;
    }
    let short = [
        ("k", "kill"),
        ("r", "revive"),
        ("s", "slow"),
        ("l", "load"),
        ("q", "quit"),
    ];
    line("", " ", &short)
}

fn events(events: &[Event], height: usize) -> impl Iterator<Item = Line> {
    let shown = events.len().min(height.saturating_sub(1));
    let heading = Line::of(Style::Strong, "events");
    let events = events.iter().skip(events.len() - shown).map(|event| {
        let at = format!("{:>6.1}s  ", event.at.as_secs_f64());
        Line::of(Style::Faint, at).then(event.style, event.text.clone())
    });
    std::iter::once(heading).chain(events)
}

/// `0.4ms`, or `-`.
pub(super) fn millis(time: Option<Duration>) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| format!("{:.1}ms", time.as_secs_f64() * 1000.0),
    )
}

#[cfg(test)]
mod tests;

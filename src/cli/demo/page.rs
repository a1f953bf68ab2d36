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

/// The page for a terminal of that size; the events take the lines that are left.
pub(super) fn render(state: &State<'_>, size: Size) -> Vec<Line> {
    let mut lines = vec![
        Line::of(Style::Strong, "simple-lb demo").then(
            Style::Plain,
            "  a load balancer and three backends in one process",
        ),
        Line::plain("in another terminal:  ").then(Style::Strong, format!("curl {}", state.url)),
        Line::default(),
    ];
    lines.extend(table(state, size.width.saturating_sub(MARGIN)));
    lines.push(doings(&state.doings));
    lines.push(Line::default());
    lines.extend(clients(state));
    lines.push(Line::default());
    lines.push(help());
    lines.push(Line::default());
    lines.extend(events(state.events, size.height.saturating_sub(lines.len())));
    lines.truncate(size.height);
    lines
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
    let note = match (backends.map(|backend| backend.failures).sum::<u64>(), failed) {
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

fn help() -> Line {
    let levels = LEVELS.map(|level| {
        if level == 0 {
            "off".to_owned()
        } else {
            level.to_string()
        }
    });
    let levels = format!("load {}", levels.join("/"));
    let keys = [
        ("1 2 3", "select"),
        ("k", "kill"),
        ("r", "revive"),
        ("s", "slow on/off"),
        ("l", &levels),
        ("q", "quit"),
    ];
    keys.into_iter()
        .fold(Line::of(Style::Strong, "keys"), |line, (key, meaning)| {
            line.then(Style::Strong, format!("  {key}"))
                .then(Style::Plain, format!(" {meaning}"))
        })
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

//! A plot without a library: for each case a bar a balancer, CPU a request on the left, p99 on the right.

use std::fmt::Write;

use crate::{
    figures::{Figure, Row},
    run::CaseResult,
};

const WIDTH: u32 = 1080;
const MARGIN: u32 = 20;
/// Room for the balancers' names and for the figures behind the bars.
const NAMES: u32 = 140;
const VALUES: u32 = 90;
const LINE: u32 = 20;
const BAR: u32 = 14;
const PANELS: [(Figure, &str); 2] = [
    (Figure::Cpu, "CPU microseconds a request (less is better)"),
    (Figure::P99, "p99 in milliseconds (less is better)"),
];
const COLOURS: [&str; 5] = ["#1f6feb", "#7aa7f0", "#2da44e", "#bf8700", "#8c959f"];

/// The cases that have both figures, as a picture of its own.
pub(crate) fn svg(results: &[CaseResult], about: &str) -> String {
    let plotted = || {
        let cases = results.iter();
        cases.filter(|result| result.rows.iter().any(|row| row.median(Figure::Cpu).is_some()))
    };
    let group = |result: &CaseResult| LINE * (result.rows.len() as u32 + 2);
    let height = 4 * LINE + plotted().map(group).sum::<u32>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#1f2328\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    text(&mut svg, MARGIN, LINE, "start", about);
    for (panel, (_, title)) in PANELS.iter().enumerate() {
        text(&mut svg, panel_x(panel) + NAMES, 2 * LINE + 10, "start", title);
    }
    let mut y = 3 * LINE;
    for result in plotted() {
        y += LINE;
        let title = result.case.title();
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\" font-weight=\"bold\">{}</text>",
            escape(title)
        );
        for (panel, (figure, _)) in PANELS.iter().enumerate() {
            bars(&mut svg, &result.rows, *figure, (panel_x(panel), y));
        }
        y += group(result) - LINE;
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel_x(panel: usize) -> u32 {
    MARGIN + panel as u32 * (WIDTH - 2 * MARGIN) / 2
}

fn bars(svg: &mut String, rows: &[Row], figure: Figure, (x, top): (u32, u32)) {
    let longest = rows
        .iter()
        .filter_map(|row| row.median(figure))
        .fold(0.0, f64::max);
    let room = f64::from((WIDTH - 2 * MARGIN) / 2 - NAMES - VALUES);
    for (index, row) in rows.iter().enumerate() {
        let y = top + LINE * (index as u32 + 1) - 4;
        text(svg, x + NAMES - 8, y, "end", &row.balancer);
        let begin = x + NAMES;
        let Some(value) = row.median(figure).filter(|_| longest > 0.0) else {
            text(svg, begin, y, "start", "-");
            continue;
        };
        let length = (value / longest * room).max(1.0);
        let (colour, bar_y) = (COLOURS[index % COLOURS.len()], y - BAR + 3);
        let _ = writeln!(
            svg,
            "<rect x=\"{begin}\" y=\"{bar_y}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>"
        );
        text(svg, begin + length as u32 + 6, y, "start", &figure.write(value));
    }
}

fn text(svg: &mut String, x: u32, y: u32, anchor: &str, words: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>",
        escape(words)
    );
}

fn escape(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cases::CaseId, figures::Figures};

    #[test]
    fn the_longest_bar_fills_its_room_and_words_are_escaped() {
        let row = |balancer: &str, cpu| Row {
            balancer: balancer.to_owned(),
            rounds: vec![Figures::from([(Figure::Cpu, cpu), (Figure::P99, 1.0)])],
            note: None,
        };
        let rows = vec![row("a<b", 20.0), row("nginx", 10.0)];
        let svg = svg(
            &[CaseResult {
                case: CaseId::Small,
                rows,
                note: None,
            }],
            "here & now",
        );
        assert!(svg.contains("a&lt;b") && svg.contains("here &amp; now"), "{svg}");
        assert!(
            svg.contains("width=\"290.0\"") && svg.contains("width=\"145.0\""),
            "{svg}"
        );
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}

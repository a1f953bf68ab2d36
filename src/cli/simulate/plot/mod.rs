//! A picture of the runs: p99 over time with a line a strategy, errors over time if there are any, and for each strategy
//! its percentiles and how busy it kept every backend. The rows are the legend.

mod place;
mod svg;

use std::time::Duration;

use lb_simulation::{Point, Report};

pub(super) use self::place::may_write;
use self::svg::{Anchor, Ink, Scale, Svg, round_step};
use super::{
    scene::Scene,
    table::heading,
    words::{micros, percent},
};

const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 24.0;
/// The lines over time.
const LEFT: f64 = 76.0;
const RIGHT: f64 = WIDTH - MARGIN;
const LINES_HEIGHT: f64 = 260.0;
const ERRORS_HEIGHT: f64 = 90.0;
/// The rows of strategies: name, percentiles, errors, backends.
const ROW: f64 = 28.0;
const DOTS: (f64, f64) = (190.0, 590.0);
const ERRORS_AT: f64 = 660.0;
const BARS: (f64, f64) = (690.0, RIGHT);

/// The picture, as SVG.
pub(super) fn plot(scene: &Scene, reports: &[Report]) -> String {
    let words = heading(scene, reports);
    let has_errors = reports.iter().any(|report| report.errors.all() > 0);
    let lines_top = 62.0 + 19.0 * words.len() as f64;
    let errors_top = lines_top + LINES_HEIGHT + 72.0;
    let rows_top = if has_errors {
        errors_top + ERRORS_HEIGHT + 72.0
    } else {
        errors_top
    };
    let height = rows_top + ROW * reports.len() as f64 + 62.0;

    let mut svg = Svg::new(WIDTH, height, &words.join("; "));
    for (index, line) in words.iter().enumerate() {
        let class = if index == 0 { "title" } else { "faint" };
        svg.text((MARGIN, 32.0 + 19.0 * index as f64), class, Anchor::Start, line);
    }
    let time = Time::of(scene);
    latencies(&mut svg, &time, reports, lines_top);
    time.events(&mut svg, scene, (lines_top, LINES_HEIGHT));
    if has_errors {
        errors(&mut svg, &time, reports, errors_top);
    }
    rows(&mut svg, reports, rows_top);
    svg.finish()
}

/// The axis of time, in seconds.
struct Time {
    whole: f64,
}

impl Time {
    fn of(scene: &Scene) -> Self {
        Self {
            whole: scene.scenario.duration.as_secs_f64().max(1e-9),
        }
    }

    fn place(&self, seconds: f64) -> f64 {
        LEFT + (seconds / self.whole).min(1.0) * (RIGHT - LEFT)
    }

    fn axis(&self, svg: &mut Svg, bottom: f64) {
        svg.line((LEFT, bottom), (RIGHT, bottom), "axis");
        let step = round_step(self.whole, 12.0);
        for tick in 0..=(self.whole / step) as u32 {
            let seconds = f64::from(tick) * step;
            let x = self.place(seconds);
            svg.line((x, bottom), (x, bottom + 4.0), "axis");
            let decimals = if step < 1.0 {
                (-step.log10()).ceil() as usize
            } else {
                0
            };
            svg.text(
                (x, bottom + 18.0),
                "small faint",
                Anchor::Middle,
                &format!("{seconds:.decimals$}"),
            );
        }
        svg.text(
            (RIGHT, bottom + 34.0),
            "small faint",
            Anchor::End,
            "seconds since the begin",
        );
    }

    /// What goes wrong, as a band from its begin to its end.
    fn events(&self, svg: &mut Svg, scene: &Scene, (top, height): (f64, f64)) {
        for (number, (span, label)) in scene.marks().into_iter().enumerate() {
            let end = span.until.unwrap_or(Duration::MAX).as_secs_f64().min(self.whole);
            let (from, to) = (self.place(span.from.as_secs_f64()), self.place(end));
            svg.rect((from, top), ((to - from).max(0.0), height), "class=\"band\"");
            svg.line((from, top), (from, top + height), "edge");
            if end < self.whole {
                svg.line((to, top), (to, top + height), "edge");
            }
            svg.text(
                (from + 5.0, top + 14.0 + 14.0 * number as f64),
                "small mark",
                Anchor::Start,
                &label,
            );
        }
    }
}

fn latencies(svg: &mut Svg, time: &Time, reports: &[Report], top: f64) {
    let bottom = top + LINES_HEIGHT;
    svg.text(
        (MARGIN, top - 10.0),
        "bold",
        Anchor::Start,
        "99 of 100 answers took at most (p99), over time",
    );
    let values = reports
        .iter()
        .flat_map(|report| &report.timeline)
        .filter_map(|point| point.p99_micros);
    let scale = Scale::over(values, (bottom, top));
    for tick in scale.ticks() {
        let y = scale.place(tick);
        svg.line((LEFT, y), (RIGHT, y), "grid");
        svg.text((LEFT - 8.0, y + 4.0), "small faint", Anchor::End, &round(tick));
    }
    for (index, report) in reports.iter().enumerate() {
        let points = &report.timeline;
        let place =
            |point: &Point| Some((middle(time, points, point), scale.place(point.p99_micros? as f64)));
        let places: Vec<_> = points.iter().map(place).collect();
        svg.path(&places, Ink::of(index));
    }
    time.axis(svg, bottom);
}

fn errors(svg: &mut Svg, time: &Time, reports: &[Report], top: f64) {
    let bottom = top + ERRORS_HEIGHT;
    svg.text(
        (MARGIN, top - 10.0),
        "bold",
        Anchor::Start,
        "Requests that failed, of all that ended, over time",
    );
    let share = |point: &Point| {
        let ended = point.answered + point.errors;
        (ended > 0).then(|| point.errors as f64 / ended as f64)
    };
    let shares = reports
        .iter()
        .flat_map(|report| &report.timeline)
        .filter_map(share);
    let most = shares.fold(0.001, f64::max).min(1.0);
    let step = round_step(most, 3.0);
    for tick in 0..=(most / step) as u32 {
        let part = f64::from(tick) * step;
        let y = bottom - part / most * ERRORS_HEIGHT;
        svg.line((LEFT, y), (RIGHT, y), "grid");
        let decimals = if step < 0.01 { 2 } else { 0 };
        svg.text(
            (LEFT - 8.0, y + 4.0),
            "small faint",
            Anchor::End,
            &percent(part, decimals),
        );
    }
    for (index, report) in reports.iter().enumerate() {
        let points = &report.timeline;
        let place = |point: &Point| {
            Some((
                middle(time, points, point),
                bottom - share(point)? / most * ERRORS_HEIGHT,
            ))
        };
        let places: Vec<_> = points.iter().map(place).collect();
        svg.path(&places, Ink::of(index));
    }
    time.axis(svg, bottom);
}

/// The place of a part of the timeline: its middle.
fn middle(time: &Time, points: &[Point], point: &Point) -> f64 {
    let length = points.get(1).map_or(0.0, |second| second.at_seconds);
    time.place(point.at_seconds + length / 2.0)
}

fn rows(svg: &mut Svg, reports: &[Report], top: f64) {
    let bottom = top + ROW * reports.len() as f64;
    svg.text((MARGIN, top - 10.0), "bold", Anchor::Start, "Strategy");
    svg.text(
        (DOTS.0, top - 10.0),
        "bold",
        Anchor::Start,
        "p50 \u{25cf}   p99 \u{25c6}   p99.9 \u{25b2}",
    );
    svg.text((ERRORS_AT, top - 10.0), "bold", Anchor::End, "Failed");
    svg.text(
        (BARS.0, top - 10.0),
        "bold",
        Anchor::Start,
        "Utilisation of each backend, 0 to 100%",
    );
    let values = reports.iter().flat_map(|report| {
        let latency = &report.latency;
        [latency.p50_micros, latency.p99_micros, latency.p999_micros]
    });
    let scale = Scale::over(values, DOTS);
    for tick in scale.ticks() {
        let x = scale.place(tick);
        svg.line((x, top), (x, bottom), "grid");
        svg.text((x, bottom + 16.0), "small faint", Anchor::Middle, &round(tick));
    }
    svg.text(
        (DOTS.1, bottom + 32.0),
        "small faint",
        Anchor::End,
        "time to the whole answer, logarithmic",
    );
    svg.text(
        (BARS.1, bottom + 16.0),
        "small faint",
        Anchor::End,
        "in the order of the file",
    );
    for (index, report) in reports.iter().enumerate() {
        row(svg, report, (Ink::of(index), &scale), top + ROW * index as f64);
    }
}

fn row(svg: &mut Svg, report: &Report, (ink, scale): (Ink, &Scale), top: f64) {
    let y = top + ROW / 2.0;
    let colour = ink.colour;
    svg.path(&[Some((MARGIN, y)), Some((MARGIN + 22.0, y))], ink);
    svg.text(
        (MARGIN + 30.0, y + 4.0),
        "",
        Anchor::Start,
        &report.strategy.to_string(),
    );
    if report.answered > 0 {
        let place = |micros: u64| scale.place(micros as f64);
        let latency = &report.latency;
        let [p50, p99, p999] = [latency.p50_micros, latency.p99_micros, latency.p999_micros].map(place);
        svg.path(
            &[Some((p50, y)), Some((p999, y))],
            Ink {
                dashes: "none",
                ..ink
            },
        );
        svg.push(format_args!(
            "<circle cx=\"{p50:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\"/>"
        ));
        svg.push(format_args!(
            "<path d=\"M{:.1} {y:.1}L{p99:.1} {:.1}L{:.1} {y:.1}L{p99:.1} {:.1}Z\" fill=\"{colour}\"/>",
            p99 - 6.5,
            y - 6.5,
            p99 + 6.5,
            y + 6.5
        ));
        svg.push(format_args!(
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}L{p999:.1} {:.1}Z\" fill=\"{colour}\"/>",
            p999 - 6.0,
            y + 5.0,
            p999 + 6.0,
            y + 5.0,
            y - 6.0
        ));
    }
    svg.text(
        (ERRORS_AT, y + 4.0),
        "",
        Anchor::End,
        &percent(report.error_share(), 2),
    );
    bars(svg, report, colour, top);
}

/// A bar a backend; of many backends, as many as there is room for, each the mean of its neighbours.
fn bars(svg: &mut Svg, report: &Report, colour: &str, top: f64) {
    const NARROWEST: f64 = 3.0;
    let (room, height) = (BARS.1 - BARS.0, ROW - 8.0);
    let backends = &report.backends;
    let together = (backends.len() as f64 * NARROWEST / room).ceil().max(1.0) as usize;
    let groups = backends.len().div_ceil(together);
    let step = (room / groups.max(1) as f64).min(40.0);
    let gap = if step > 6.0 { 2.0 } else { 0.5 };
    for (index, group) in backends.chunks(together).enumerate() {
        let mean = group.iter().map(|backend| backend.utilisation).sum::<f64>() / group.len() as f64;
        let x = BARS.0 + index as f64 * step;
        svg.rect((x, top + 4.0), (step - gap, height), "class=\"room\"");
        let busy = height * mean.min(1.0);
        svg.rect(
            (x, top + 4.0 + height - busy),
            (step - gap, busy),
            format_args!("fill=\"{colour}\""),
        );
    }
}

/// A tick's label: `30ms`, `1s`.
fn round(value: f64) -> String {
    let text = micros(value);
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let short = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    format!("{short}{unit}")
}

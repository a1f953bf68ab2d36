//! Writing SVG: a few shapes, text, and a logarithmic scale. A picture of a few hundred lines needs no library.

use std::fmt::{Display, Write};

/// A picture that grows.
pub(super) struct Svg {
    text: String,
}

/// Where text stands to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A card of its own colour, so that it can be read on light pages and on dark ones, and which turns dark where the
/// reader's system is. Colours of strategies are told apart on both.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#24292f}\
.small{font-size:11px}.faint{fill:#57606a}.bold{font-weight:600}.title{font-size:16px;font-weight:600}\
.mark{paint-order:stroke;stroke:#ffffff;stroke-width:3px}.card{fill:#ffffff;stroke:#d0d7de}.grid{stroke:#d8dee4;stroke-width:1}.axis{stroke:#8c959f;stroke-width:1}\
.band{fill:#8c959f;fill-opacity:.14}.edge{stroke:#8c959f;stroke-width:1;stroke-dasharray:3 3}.room{fill:#8c959f;fill-opacity:.18}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.faint{fill:#9198a1}.mark{stroke:#0d1117}.card{fill:#0d1117;stroke:#3d444d}\
.grid{stroke:#262c36}.axis{stroke:#656c76}}";

impl Svg {
    pub(super) fn new(width: f64, height: f64, description: &str) -> Self {
        let mut svg = Self { text: String::new() };
        svg.push(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-label=\"{}\">",
            escape(description)
        ));
        svg.push(format_args!("<style>{STYLE}</style>"));
        svg.push(format_args!(
            "<rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
            width - 1.0,
            height - 1.0
        ));
        svg
    }

    pub(super) fn finish(mut self) -> String {
        self.push("</svg>");
        self.text
    }

    /// Any element, as it is.
    pub(super) fn push(&mut self, element: impl Display) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{element}");
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), class: &str, anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{}</text>",
            escape(words)
        ));
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        self.push(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
        ));
    }

    /// With a class, or with `fill="…"`.
    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), paint: impl Display) {
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" {paint}/>"
        ));
    }

    /// A line through points; it is broken where one is missing.
    pub(super) fn path(&mut self, points: &[Option<(f64, f64)>], ink: Ink) {
        let mut path = String::new();
        let mut goes_on = false;
        for point in points {
            if let Some((x, y)) = point {
                let _ = write!(path, "{}{x:.1} {y:.1}", if goes_on { 'L' } else { 'M' });
            }
            goes_on = point.is_some();
        }
        let Ink { colour, dashes } = ink;
        self.push(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linejoin=\"round\" \
             stroke-dasharray=\"{dashes}\"/>"
        ));
    }
}

/// How a strategy is drawn, everywhere: a colour, and dashes for those who cannot tell it from another.
#[derive(Clone, Copy)]
pub(super) struct Ink {
    pub(super) colour: &'static str,
    pub(super) dashes: &'static str,
}

/// The colours of M. Okabe and K. Ito ("Color Universal Design", 2008), which everybody can tell apart, without black
/// and yellow, which vanish on dark and on light.
const INKS: [Ink; 8] = [
    ink("#8a8a8a", "none"),
    ink("#e69f00", "none"),
    ink("#56b4e9", "none"),
    ink("#009e73", "none"),
    ink("#d55e00", "none"),
    ink("#cc79a7", "none"),
    ink("#0072b2", "6 3"),
    ink("#8a8a8a", "2 3"),
];

const fn ink(colour: &'static str, dashes: &'static str) -> Ink {
    Ink { colour, dashes }
}

impl Ink {
    pub(super) fn of(index: usize) -> Self {
        INKS[index % INKS.len()]
    }
}

/// Microseconds on a logarithmic axis.
pub(super) struct Scale {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale on which all values have room, from one place to another.
    pub(super) fn over(values: impl Iterator<Item = u64> + Clone, (from, to): (f64, f64)) -> Self {
        let least = values.clone().filter(|&value| value > 0).min().unwrap_or(1000) as f64;
        let most = values.max().unwrap_or(10_000).max(1) as f64;
        // Half a power of ten at least, so that noise does not look like news.
        let most = most.max(least * 3.2);
        Self {
            least: least / 1.15,
            most: most * 1.15,
            from,
            to,
        }
    }

    pub(super) fn place(&self, micros: f64) -> f64 {
        let part = (micros.max(self.least) / self.least).ln() / (self.most / self.least).ln();
        self.from + part * (self.to - self.from)
    }

    /// Round values within the scale, few enough to be read.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let decades = (self.most / self.least).log10();
        let steps: &[f64] = match decades {
            ..0.8 => &[1.0, 2.0, 3.0, 5.0, 7.0],
            ..1.3 => &[1.0, 2.0, 5.0],
            ..3.0 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let powers = (0..=11).map(|power| 10f64.powi(power));
        let all = powers.flat_map(|power| steps.iter().map(move |step| power * step));
        all.filter(|tick| (self.least..=self.most).contains(tick))
            .collect()
    }
}

/// Round steps of a linear axis, at most `most` of them.
pub(super) fn round_step(whole: f64, most: f64) -> f64 {
    let least = (whole / most).max(1e-9);
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|step| step * power >= least);
    step.unwrap_or(10.0) * power
}

fn escape(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped_and_broken_lines_begin_anew() {
        let mut svg = Svg::new(10.0, 10.0, "a \"b\"");
        svg.text((1.0, 2.0), "small", Anchor::End, "x < y & z");
        svg.path(
            &[Some((0.0, 0.0)), Some((1.0, 1.0)), None, Some((3.0, 3.0))],
            Ink::of(0),
        );
        let text = svg.finish();
        assert!(
            text.contains("a &quot;b&quot;") && text.contains("x &lt; y &amp; z"),
            "{text}"
        );
        assert!(text.contains("M0.0 0.0L1.0 1.0M3.0 3.0"), "{text}");
        assert!(text.ends_with("</svg>\n"));
    }

    #[test]
    fn a_scale_has_room_for_all_and_few_round_ticks() {
        let scale = Scale::over([9_000u64, 40_000, 2_000_000].into_iter(), (100.0, 0.0));
        assert!(scale.place(9_000.0) < 100.0 && scale.place(2_000_000.0) > 0.0);
        assert_eq!(
            scale.ticks(),
            [10_000.0, 30_000.0, 100_000.0, 300_000.0, 1_000_000.0]
        );
        let flat = Scale::over([10_000u64].into_iter(), (0.0, 1.0));
        assert_eq!(flat.ticks(), [10_000.0, 20_000.0, 30_000.0]);
    }

    #[test]
    fn steps_are_round() {
        assert_eq!(
            [
                round_step(60.0, 8.0),
                round_step(0.21, 8.0),
                round_step(7.0, 10.0)
            ],
            [10.0, 0.05, 1.0]
        );
    }
}

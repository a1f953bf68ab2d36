//! Numbers and what happens, as people read them.

use std::time::Duration;

use lb_simulation::{Change, ServiceTime, Shape, Span};

use super::spec::{Trouble, What};

impl Trouble {
    /// `10x slower from 30s`
    pub(super) fn in_words(&self) -> String {
        let when = when(self.span);
        match self.what {
            What::Slow(factor) => format!("takes {factor} times as long{when}"),
            What::Dead => format!("is dead{when}"),
            What::Frozen => format!("is frozen{when}"),
            What::Failing(share) => format!("answers {} with 503{when}", short_percent(share)),
            What::Cold(cold) => format!(
                "is cold for {} after it comes back, at first {} times as slow",
                seconds(cold.lasts),
                cold.factor
            ),
            What::Flap(flap) => {
                format!(
                    "is up for {} and dead for {}, in turn{when}",
                    seconds(flap.up),
                    seconds(flap.down)
                )
            }
        }
    }
}

/// The same in two words, for a mark in a plot: `dead`, `10x slower`.
pub(super) fn mark(what: &What) -> String {
    match what {
        What::Slow(factor) => format!("{factor}x slower"),
        What::Dead => "dead".to_owned(),
        What::Frozen => "frozen".to_owned(),
        What::Failing(share) => format!("{} fail", short_percent(*share)),
        What::Cold(_) => "cold".to_owned(),
        What::Flap(_) => "flaps".to_owned(),
    }
}

/// When the load changes, and how, in two words; `None` if it always does.
pub(super) fn change_mark(change: &Change) -> Option<(Span, String)> {
    match *change {
        Change::Step { factor, span } => Some((span, format!("load x{factor}"))),
        Change::Ramp { factor, from, until } => {
            let until = Some(until);
            Some((Span { from, until }, format!("load grows to x{factor}")))
        }
        Change::Wave { .. } => None,
    }
}

fn when(span: Span) -> String {
    match span {
        Span::ALWAYS => String::new(),
        Span { from, until: None } => format!(" from {}", seconds(from)),
        Span {
            from,
            until: Some(until),
        } => format!(" from {} to {}", seconds(from), seconds(until)),
    }
}

/// `2 times the load from 30s`
pub(super) fn change(change: &Change) -> String {
    match *change {
        Change::Step { factor, span } => format!("{factor} times the load{}", when(span)),
        Change::Ramp { factor, from, until } => {
            format!(
                "the load grows to {factor} times from {} to {}",
                seconds(from),
                seconds(until)
            )
        }
        Change::Wave { share, period } => {
            format!(
                "the load swings by {} every {}",
                percent(share, 0),
                seconds(period)
            )
        }
    }
}

/// `10.0ms (log-normal, sigma 0.7)`
pub(super) fn service(service: &ServiceTime) -> String {
    let shape = match service.shape {
        Shape::Constant => "constant".to_owned(),
        Shape::Exponential => "exponential".to_owned(),
        Shape::LogNormal { sigma } => format!("log-normal, sigma {sigma}"),
        Shape::Pareto { alpha } => format!("Pareto, alpha {alpha}"),
    };
    let tail = if service.tail > 0.0 {
        format!(
            ", {} of them 10 to 1000 times as long",
            short_percent(service.tail)
        )
    } else {
        String::new()
    };
    format!("{} ({shape}{tail})", micros(service.mean.as_micros() as f64))
}

/// Three figures and a unit: `850us`, `9.12ms`, `41.2ms`, `1.30s`.
pub(super) fn micros(micros: f64) -> String {
    // What would be rounded up to 1000 belongs to the next unit.
    let (value, unit) = match micros {
        ..999.5 => (micros, "us"),
        ..999_500.0 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let decimals = match value {
        _ if unit == "us" => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{unit}")
}

/// `30s`, `0.5s`, to a millisecond.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{}s", trimmed(duration.as_secs_f64()))
}

/// Requests a second: `1,440`, `0.25`.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 10.0 {
        trimmed(per_second)
    } else {
        thousands(per_second.round() as u64)
    }
}

/// With three decimals, or as many as it needs.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A part of 1 with that many decimals: `33.3%`. What is not 0 is never shown as 0.
pub(super) fn percent(part: f64, decimals: usize) -> String {
    let percent = part * 100.0;
    let least = 0.1_f64.powi(decimals as i32);
    if percent > 0.0 && percent < least / 2.0 {
        return format!("<{least:.decimals$}%");
    }
    format!("{percent:.decimals$}%")
}

/// As it was typed: `50%`, `0.1%`.
fn short_percent(part: f64) -> String {
    format!("{}%", trimmed(part * 100.0))
}

/// `1,234,567`
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.extend(group.iter().map(|&digit| char::from(digit)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_figures_and_a_unit() {
        let shown = [
            0.0,
            850.0,
            999.6,
            9_124.0,
            41_230.0,
            512_300.0,
            999_600.0,
            1_301_000.0,
            62_000_000.0,
        ]
        .map(micros);
        assert_eq!(
            shown,
            [
                "0us", "850us", "1.00ms", "9.12ms", "41.2ms", "512ms", "1.00s", "1.30s", "62.0s"
            ]
        );
    }

    #[test]
    fn percentages_and_thousands() {
        assert_eq!(
            [percent(1.0 / 3.0, 1), percent(0.0, 2), percent(0.000_01, 2)],
            ["33.3%", "0.00%", "<0.01%"]
        );
        assert_eq!([rate(0.25), rate(9.9996), rate(1440.4)], ["0.25", "10", "1,440"]);
        assert_eq!(seconds(Duration::from_micros(60_000_400)), "60s");
        let numbers = [0, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    }
}

//! What is measured, under which name and how it is written.

use std::collections::BTreeMap;

use crate::stats::{median, spread};

/// One kind of figure, in the table's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Requests a second.
    Rate,
    /// CPU microseconds a request, user and system, all processes of the balancer.
    Cpu,
    /// Milliseconds.
    P50,
    P99,
    P999,
    /// MiB at the end of the measurement, with all connections open.
    Memory,
    /// Cores that the balancer used: near 1 it was saturated.
    Busy,
    /// Cores that load and backends used: near 1 they were, and the rate is theirs.
    LoadBusy,
    /// Requests without the right answer.
    Failed,
    /// p99 in milliseconds before a backend was frozen.
    UndisturbedP99,
    /// Seconds until no request waits for the frozen backend.
    Noticed,
    FailedPosts,
    FailedGets,
}

impl Figure {
    /// The column's head, explained once above the tables; also the name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rate => "requests/s",
            Self::Cpu => "CPU us",
            Self::P50 => "p50 ms",
            Self::P99 => "p99 ms",
            Self::P999 => "p99.9 ms",
            Self::Memory => "MiB",
            Self::Busy => "cores",
            Self::LoadBusy => "load",
            Self::Failed => "failed",
            Self::UndisturbedP99 => "p99 ms before",
            Self::Noticed => "noticed after s",
            Self::FailedPosts => "failed POSTs",
            Self::FailedGets => "failed GETs",
        }
    }

    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Self::Rate | Self::Failed | Self::FailedPosts | Self::FailedGets => thousands(value),
            Self::Cpu | Self::Memory | Self::Noticed => format!("{value:.1}"),
            Self::P50 | Self::P99 | Self::P999 | Self::UndisturbedP99 => format!("{value:.3}"),
            Self::Busy | Self::LoadBusy => format!("{value:.2}"),
        }
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The figures of one measurement.
pub(crate) type Figures = BTreeMap<Figure, f64>;

/// One balancer's part in a case.
pub(crate) struct Row {
    pub(crate) balancer: String,
    pub(crate) rounds: Vec<Figures>,
    /// Why it has no rounds, or what went wrong in some.
    pub(crate) note: Option<String>,
}

impl Row {
    fn values(&self, figure: Figure) -> Vec<f64> {
        let values = self.rounds.iter().filter_map(|round| round.get(&figure));
        values.copied().collect()
    }

    pub(crate) fn median(&self, figure: Figure) -> Option<f64> {
        median(&self.values(figure))
    }

    pub(crate) fn spread(&self, figure: Figure) -> Option<f64> {
        spread(&self.values(figure))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn figures_are_written_to_be_read() {
        assert_eq!(Figure::Rate.write(1_234_567.4), "1,234,567");
        assert_eq!(Figure::Rate.write(999.0), "999");
        assert_eq!(Figure::P99.write(1.23456), "1.235");
        assert_eq!(Figure::Cpu.write(14.25), "14.2");
    }

    #[test]
    fn a_row_is_its_median_round() {
        let rounds = [3.0, 1.0, 2.0].map(|value| Figures::from([(Figure::Cpu, value)]));
        let row = Row {
            balancer: "x".to_owned(),
            rounds: rounds.into(),
            note: None,
        };
        assert_eq!(row.median(Figure::Cpu), Some(2.0));
        assert_eq!(row.median(Figure::Rate), None);
    }
}

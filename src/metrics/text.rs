//! From figures to text: a collector of the crate `prometheus-client`, which writes both formats.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet, prometheus_text, text as open_metrics},
    metrics::{MetricType, exemplar::Exemplar},
    registry::{Registry, Unit},
};

use super::{
    accept::Format,
    figures::Figures,
    names::{Family, Kind},
};

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Figure {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Figure {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Figure {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// All figures in a format.
pub(super) fn render(figures: Figures, format: Format) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(figures));
    let mut body = String::new();
    let encoded = match format {
        Format::Text => prometheus_text::encode(&mut body, &registry),
        Format::OpenMetrics => open_metrics::encode(&mut body, &registry),
    };
    // Writing to a string does not fail.
    debug_assert!(encoded.is_ok(), "a figure cannot be encoded");
    body
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.write(&mut Page(encoder))
    }
}

/// What figures are written to, one family after the other.
pub(super) struct Page<'e>(DescriptorEncoder<'e>);

impl Page<'_> {
    /// Writes a family with its series; none where it has none.
    pub(super) fn family<L: EncodeLabelSet, F: Into<Figure>>(
        &mut self,
        family: &Family,
        series: impl IntoIterator<Item = (L, F)>,
    ) -> fmt::Result {
        let mut series = series.into_iter().peekable();
        if series.peek().is_none() {
            return Ok(());
        }
        let (name, unit) = family.stem();
        let kind = match family.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Info => MetricType::Info,
        };
        let mut metric = self.0.encode_descriptor(name, family.help, unit.as_ref(), kind)?;
        for (labels, figure) in series {
            let mut one = metric.encode_family(&labels)?;
            match (family.kind, figure.into()) {
                (Kind::Counter, Figure::Whole(count)) => one.encode_counter(&count, NONE)?,
                (Kind::Counter, Figure::Real(count)) => one.encode_counter(&count, NONE)?,
                (Kind::Gauge, Figure::Whole(value)) => one.encode_gauge(&value)?,
                (Kind::Gauge, Figure::Real(value)) => one.encode_gauge(&value)?,
                (Kind::Info, _) => return Err(fmt::Error),
            }
        }
        Ok(())
    }

    /// Writes a family of one series without labels.
    pub(super) fn one(&mut self, family: &Family, figure: impl Into<Figure>) -> fmt::Result {
        self.family(family, [(UNLABELLED, figure)])
    }

    /// Writes what never changes, in labels.
    pub(super) fn info<L: EncodeLabelSet>(&mut self, family: &Family, labels: &L) -> fmt::Result {
        let (name, _) = family.stem();
        let mut metric = self
            .0
            .encode_descriptor(name, family.help, None, MetricType::Info)?;
        metric.encode_info(labels)
    }
}

const UNLABELLED: [(&str, &str); 0] = [];

const NONE: Option<&Exemplar<NoLabelSet, f64>> = None;

impl Family {
    /// Its name without what the encoder adds: the unit, and what its type adds.
    fn stem(&self) -> (&'static str, Option<Unit>) {
        let name = match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            Kind::Info => self.name.strip_suffix("_info").unwrap_or(self.name),
            Kind::Gauge => self.name,
        };
        for (suffix, unit) in [("_seconds", Unit::Seconds), ("_bytes", Unit::Bytes)] {
            if let Some(stem) = name.strip_suffix(suffix) {
                return (stem, Some(unit));
            }
        }
        (name, None)
    }
}

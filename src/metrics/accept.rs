//! Which of the two text formats a scraper wants (RFC 9110 section 12.5.1).

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Format {
    /// The one that is preferred; the older one where that is open.
    pub fn of(accept: Option<&str>) -> Self {
        let (mut text, mut open_metrics) = (0.0_f32, 0.0_f32);
        for element in accept.unwrap_or_default().split(',') {
            let mut parts = element.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality = quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0));
            if name.eq_ignore_ascii_case(OPEN_METRICS) {
                open_metrics = open_metrics.max(quality);
            } else if ["text/plain", "text/*"]
                .iter()
                .any(|text| name.eq_ignore_ascii_case(text))
            {
                text = text.max(quality);
            }
        }
        match open_metrics > text {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => prometheus_client::encoding::prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_the_scraper_prefers() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3";
        for (accept, expected) in [
            (None, Format::Text),
            (Some(""), Format::Text),
            (Some("*/*"), Format::Text),
            (Some("text/html, application/xhtml+xml, */*;q=0.8"), Format::Text),
            (Some(prometheus), Format::OpenMetrics),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (Some("application/openmetrics-text;q=0"), Format::Text),
            (
                Some("application/openmetrics-text; q=0.5, text/plain"),
                Format::Text,
            ),
            (Some("application/openmetrics-text; q=nonsense"), Format::Text),
        ] {
            assert_eq!(Format::of(accept), expected, "{accept:?}");
        }
    }
}

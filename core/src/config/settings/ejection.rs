//! `ejection`: when backends get no requests for a time because of what requests met there.

use std::time::Duration;

use super::{
    Checker, Setting, Settings,
    field::{Leaf, lens},
    forms::{Form, OrNone, Percent, Span, Statuses, TIMEOUT, Whole},
    shape::Kind,
    switched::Switched,
};
use crate::config::{
    fields::Fields,
    model::{EjectionRules, Factor, LatencyRule, SuccessRateRule},
    problem::Refusal,
    units::format_duration,
    written::{Scalar, Written},
};

/// More failures in a row than anybody stands.
const MAX_FAILURES: u32 = 1000;
/// No pool is larger, and no backend busier.
const MOST: u32 = 1_000_000;

const OUTLIERS: &str = "a factor, a mapping or off";

impl Settings for EjectionRules {
    const SHORT: Option<&'static str> = Some("consecutive");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "consecutive",
            &Leaf(
                lens!(EjectionRules, consecutive),
                &OrNone {
                    form: Whole(1, MAX_FAILURES),
                    expects: "a whole number or none",
                },
            ),
            "Failures in a row that eject a backend: no connection, an unusable response, or none in time.",
        ),
        Setting::new(
            "statuses",
            &Leaf(lens!(EjectionRules, statuses), &Statuses(500, 599)),
            "Status codes that are failures where backends are compared.",
        ),
        Setting::new(
            "base",
            &Leaf(lens!(EjectionRules, base), &TIMEOUT),
            "How long the first ejection lasts; the second lasts twice as long, and so on. Good behaviour takes them off again.",
        )
        .see(&["ejection.max"]),
        Setting::new(
            "max",
            &Leaf(lens!(EjectionRules, max), &TIMEOUT),
            "The longest ejection; not shorter than `base`.",
        )
        .see(&["ejection.base"]),
        Setting::new(
            "max_share",
            &Leaf(lens!(EjectionRules, max_share), &Percent(100)),
            "The largest share of the backends that could serve which may be ejected at once. One always may, unless this is 0%; the last one never is.",
        )
        .danger("More than a half can bury the rest under the load."),
        Setting::new(
            "interval",
            &Leaf(lens!(EjectionRules, interval), &Span(Duration::from_secs(1))),
            "How long is counted before backends are compared with each other.",
        )
        .see(&["ejection.success_rate", "ejection.latency"]),
        Setting::new(
            "success_rate",
            &Switched(lens!(EjectionRules, success_rate), OUTLIERS),
            "Ejects a backend whose share of failed requests is far above the median of its pool, and not by chance.",
        ),
        Setting::new(
            "latency",
            &Switched(lens!(EjectionRules, latency), OUTLIERS),
            "Ejects a backend whose typical latency is a multiple of the pool's median.",
        )
        .danger("It takes out backends that do work, only slowly: where the load makes them slow, there will be more of it for the others."),
    ];

    /// What is longest belongs to what is first.
    fn inherit(&mut self, own: &Fields<'_>) {
        if own.is_written("base") {
            self.max = Self::default().max;
        }
    }

    fn judge(&mut self, own: &Fields<'_>, checker: &mut Checker<'_>) {
        if self.max >= self.base {
            return;
        }
        match (own.is_written("base"), own.is_written("max")) {
            (true, true) => {
                let shown = format_duration(self.base);
                let refusal = Refusal::new(format!("must not be shorter than `base`, {shown}"));
                checker.refuse_setting(own, "max", refusal);
            }
            (true, false) => self.max = self.base,
            (false, _) => self.base = self.max,
        }
    }
}

impl Settings for SuccessRateRule {
    const SHORT: Option<&'static str> = Some("factor");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "factor",
            &Leaf(lens!(SuccessRateRule, factor), &FACTOR),
            "How many times the median share of failures.",
        ),
        Setting::new(
            "min_hosts",
            &Leaf(lens!(SuccessRateRule, min_hosts), &Whole(2, MOST)),
            "How many backends with enough requests there must be to compare.",
        ),
        Setting::new(
            "min_volume",
            &Leaf(lens!(SuccessRateRule, min_volume), &Whole(1, MOST)),
            "How many requests in an interval are enough.",
        ),
        Setting::new(
            "min_gap",
            &Leaf(lens!(SuccessRateRule, min_gap), &Percent(100)),
            "How far above the median share of failures it must be in any case.",
        ),
    ];
}

impl Settings for LatencyRule {
    const SHORT: Option<&'static str> = Some("factor");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "factor",
            &Leaf(lens!(LatencyRule, factor), &FACTOR),
            "How many times the median.",
        ),
        Setting::new(
            "min_hosts",
            &Leaf(lens!(LatencyRule, min_hosts), &Whole(2, MOST)),
            "How many backends with enough responses there must be to compare.",
        ),
        Setting::new(
            "min_volume",
            &Leaf(lens!(LatencyRule, min_volume), &Whole(1, MOST)),
            "How many responses in an interval are enough.",
        ),
        Setting::new(
            "floor",
            &Leaf(lens!(LatencyRule, floor), &TIMEOUT),
            "How much longer than the median it must be in any case.",
        ),
    ];
}

const FACTOR: Form<Factor> = Form {
    expects: "a number",
    kinds: || {
        vec![Kind::Number {
            range: "a number above 0, at most 1000, such as `1.9`",
            least: 0.0,
            most: Factor::MAX,
            percent: false,
        }]
    },
    parse: factor,
    show: |factor| factor.to_string(),
};

fn factor(written: &Written) -> Result<Factor, Refusal> {
    let number = match &written.value {
        Scalar::Bool(_) => None,
        _ => written.text().parse::<f64>().ok(),
    };
    let refused = || Refusal::new("must be a number above 0, at most 1000, such as 1.9");
    number.and_then(Factor::new).ok_or_else(refused)
}

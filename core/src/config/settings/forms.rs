//! The forms that values are written in, each with what it accepts, in code and in words, in one place.

use std::time::Duration;

use super::{
    Checker, Kind, Scalar, Shape,
    field::{At, Type},
};
use crate::config::{
    model::{Share, StatusRanges},
    problem::Refusal,
    size::{ByteSize, parse_size},
    suggest::closest,
    units::{format_duration, parse_duration, parse_share, parse_statuses},
    written::Written,
};

/// A form of single values.
pub(in crate::config) trait Single<T>: Sync {
    /// For `must be …, not a list`.
    fn expects(&self) -> &'static str;
    /// What it accepts.
    fn kinds(&self) -> Vec<Kind>;
    /// The value, or why not.
    fn parse(&self, written: &Written) -> Result<T, Refusal>;
    /// As it could be written.
    fn write(&self, value: &T) -> String;
}

impl<T: PartialEq, S: Single<T>> Type<T> for S {
    fn expects(&self) -> &'static str {
        Single::expects(self)
    }

    fn shape(&self) -> Shape {
        Shape::One(Scalar(self.kinds()))
    }

    fn read(&self, (own, key): At<'_>, checker: &mut Checker<'_>) -> Option<T> {
        let written = own.scalar(key, checker.problems);
        checker.value(&written, |written| self.parse(written))
    }

    fn show(&self, value: &T) -> String {
        self.write(value)
    }

    fn is_same(&self, a: &T, b: &T) -> bool {
        a == b
    }
}

/// Values of one form, one or a list of them; none where the list is empty.
pub(in crate::config) struct OneOrMore<T> {
    pub(in crate::config) expects: &'static str,
    pub(in crate::config) kind: fn() -> Kind,
    pub(in crate::config) parse: fn(&Written) -> Result<T, Refusal>,
}

impl<T: ToString + PartialEq> Type<Vec<T>> for OneOrMore<T> {
    fn expects(&self) -> &'static str {
        self.expects
    }

    fn shape(&self) -> Shape {
        Shape::List {
            item: Scalar(vec![(self.kind)()]),
            filled: false,
        }
    }

    fn read(&self, (own, key): At<'_>, checker: &mut Checker<'_>) -> Option<Vec<T>> {
        let written = own.list(key, false, checker.problems)?;
        Some(checker.all(&written, self.parse))
    }

    fn show(&self, value: &Vec<T>) -> String {
        shown_list(value)
    }

    fn is_same(&self, a: &Vec<T>, b: &Vec<T>) -> bool {
        a == b
    }
}

/// A form that is put together from functions.
pub(in crate::config) struct Form<T> {
    pub(in crate::config) expects: &'static str,
    pub(in crate::config) kinds: fn() -> Vec<Kind>,
    pub(in crate::config) parse: fn(&Written) -> Result<T, Refusal>,
    pub(in crate::config) show: fn(&T) -> String,
}

impl<T> Single<T> for Form<T> {
    fn expects(&self) -> &'static str {
        self.expects
    }

    fn kinds(&self) -> Vec<Kind> {
        (self.kinds)()
    }

    fn parse(&self, written: &Written) -> Result<T, Refusal> {
        (self.parse)(written)
    }

    fn write(&self, value: &T) -> String {
        (self.show)(value)
    }
}

/// A duration of at least this; zero only where this is zero.
pub(in crate::config) struct Span(pub(in crate::config) Duration);

/// A duration in which something can happen.
pub(in crate::config) const TIMEOUT: Span = Span(Duration::from_millis(1));

impl Single<Duration> for Span {
    fn expects(&self) -> &'static str {
        "a duration"
    }

    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Duration(self.0)]
    }

    fn parse(&self, written: &Written) -> Result<Duration, Refusal> {
        let too_short = || Refusal::new("must be longer than 0s");
        match parse_duration(written.text()) {
            Ok(duration) if duration >= self.0 => Ok(duration),
            Ok(Duration::ZERO) => Err(too_short()),
            Ok(_) => Err(Refusal::new(format!(
                "must be at least {}",
                format_duration(self.0)
            ))),
            Err(_) if written.text() == "0" && !self.0.is_zero() => Err(too_short()),
            Err(refusal) => Err(refusal),
        }
    }

    fn write(&self, value: &Duration) -> String {
        format_duration(*value)
    }
}

/// A whole number from the first to the second.
pub(in crate::config) struct Whole(pub(in crate::config) u32, pub(in crate::config) u32);

impl Whole {
    pub(in crate::config) fn number(&self, written: &Written) -> Result<u32, Refusal> {
        let Self(least, most) = *self;
        let number = written.as_whole().and_then(|number| u32::try_from(number).ok());
        let refused = || Refusal::new(format!("must be a whole number from {least} to {most}"));
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(refused)
    }
}

impl<T: TryFrom<u32> + ToString> Single<T> for Whole {
    fn expects(&self) -> &'static str {
        "a whole number"
    }

    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Whole(self.0, self.1)]
    }

    fn parse(&self, written: &Written) -> Result<T, Refusal> {
        // The limits fit into whatever type a setting has.
        T::try_from(self.number(written)?).map_err(|_| Refusal::new("must be a smaller number"))
    }

    fn write(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A size from the first to the second.
pub(in crate::config) struct Size(pub(in crate::config) ByteSize, pub(in crate::config) ByteSize);

impl Single<ByteSize> for Size {
    fn expects(&self) -> &'static str {
        "a size"
    }

    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Size(self.0, self.1)]
    }

    fn parse(&self, written: &Written) -> Result<ByteSize, Refusal> {
        let Self(least, most) = *self;
        let size = parse_size(written.text())?;
        let refused = || Refusal::new(format!("must be a size from {least} to {most}"));
        Some(size)
            .filter(|size| (least..=most).contains(size))
            .ok_or_else(refused)
    }

    fn write(&self, value: &ByteSize) -> String {
        value.to_string()
    }
}

/// A percentage up to this.
pub(in crate::config) struct Percent(pub(in crate::config) u8);

impl Single<Share> for Percent {
    fn expects(&self) -> &'static str {
        "a percentage"
    }

    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Share(self.0)]
    }

    fn parse(&self, written: &Written) -> Result<Share, Refusal> {
        parse_share(written.text(), self.0)
    }

    fn write(&self, value: &Share) -> String {
        value.to_string()
    }
}

/// One of these words, and what they mean; the first of several with one meaning is shown.
pub(in crate::config) struct Words<T: 'static>(
    pub(in crate::config) &'static str,
    pub(in crate::config) &'static [(&'static str, T)],
);

impl<T: Copy + PartialEq + Sync> Single<T> for Words<T> {
    fn expects(&self) -> &'static str {
        self.0
    }

    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Words(self.1.iter().map(|(word, _)| *word).collect())]
    }

    fn parse(&self, written: &Written) -> Result<T, Refusal> {
        let text = written.text();
        let found = self.1.iter().find(|(word, _)| *word == text);
        let words = || self.1.iter().map(|(word, _)| *word);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let rule = format!("must be one of {}", words().collect::<Vec<_>>().join(", "));
            let upper = text.to_ascii_uppercase();
            let other_case = words().find(|word| *word == upper);
            Refusal::new(rule).did_you_mean(other_case.or_else(|| closest(text, words())))
        })
    }

    fn write(&self, value: &T) -> String {
        let word = self.1.iter().find(|(_, other)| other == value);
        word.map_or(String::new(), |(word, _)| (*word).to_owned())
    }
}

/// What another form has, or `none`. How other programs write that is not accepted, but understood.
pub(in crate::config) struct OrNone<S> {
    pub(in crate::config) form: S,
    pub(in crate::config) expects: &'static str,
}

impl<T, S: Single<T>> Single<Option<T>> for OrNone<S> {
    fn expects(&self) -> &'static str {
        self.expects
    }

    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = self.form.kinds();
        kinds.push(Kind::Words(vec!["none"]));
        kinds
    }

    fn parse(&self, written: &Written) -> Result<Option<T>, Refusal> {
        let text = written.text();
        if text == "none" {
            return Ok(None);
        }
        self.form.parse(written).map(Some).map_err(|refusal| {
            let refusal = Refusal {
                rule: format!("{}, or none", refusal.rule),
                ..refusal
            };
            match text {
                "0" | "0B" | "0s" | "-1" | "off" | "no" | "false" | "unlimited" => {
                    refusal.did_you_mean(Some("none"))
                }
                _ => refusal,
            }
        })
    }

    fn write(&self, value: &Option<T>) -> String {
        value
            .as_ref()
            .map_or("none".to_owned(), |value| self.form.write(value))
    }
}

/// `on` or `off`, as every switch of a file is written; `true` and `false` mean the same.
pub(in crate::config) struct Switch;

impl Single<bool> for Switch {
    fn expects(&self) -> &'static str {
        "on or off"
    }

    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Switch]
    }

    fn parse(&self, written: &Written) -> Result<bool, Refusal> {
        let refused = || Refusal::new("must be on or off").did_you_mean(meant_switch(written.text()));
        switched(written).ok_or_else(refused)
    }

    fn write(&self, value: &bool) -> String {
        if *value { "on" } else { "off" }.to_owned()
    }
}

/// What a value means as a switch, if it is one.
pub(in crate::config) fn switched(written: &Written) -> Option<bool> {
    match (written.as_bool(), written.text()) {
        (Some(on), _) => Some(on),
        (None, "on") => Some(true),
        (None, "off") => Some(false),
        (None, _) => None,
    }
}

/// What other programs call on and off.
pub(in crate::config) fn meant_switch(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "yes" | "true" | "enabled" | "1" => Some("on"),
        "off" | "no" | "false" | "none" | "disabled" | "0" => Some("off"),
        _ => None,
    }
}

/// Status codes and ranges of them, one or a list, within these.
pub(in crate::config) struct Statuses(pub(in crate::config) u16, pub(in crate::config) u16);

impl Statuses {
    fn ranges(&self, (own, key): At<'_>, filled: bool, checker: &mut Checker<'_>) -> Option<Vec<(u16, u16)>> {
        let written = own.list(key, filled, checker.problems)?;
        let within = (self.0, self.1);
        Some(
            checker
                .all(&written, |status| parse_statuses(status.text(), within))
                .concat(),
        )
    }

    fn list(&self, filled: bool) -> Shape {
        Shape::List {
            item: Scalar(vec![Kind::Statuses(self.0, self.1)]),
            filled,
        }
    }
}

const STATUSES: &str = "a status code, a range or a list of them";

impl Type<StatusRanges> for Statuses {
    fn expects(&self) -> &'static str {
        STATUSES
    }

    fn shape(&self) -> Shape {
        self.list(true)
    }

    fn read(&self, at: At<'_>, checker: &mut Checker<'_>) -> Option<StatusRanges> {
        StatusRanges::new(self.ranges(at, true, checker)?)
    }

    fn show(&self, value: &StatusRanges) -> String {
        value.to_string()
    }

    fn is_same(&self, a: &StatusRanges, b: &StatusRanges) -> bool {
        a == b
    }
}

/// Each code of its own, in order.
impl Type<Vec<u16>> for Statuses {
    fn expects(&self) -> &'static str {
        STATUSES
    }

    fn shape(&self) -> Shape {
        self.list(false)
    }

    fn read(&self, at: At<'_>, checker: &mut Checker<'_>) -> Option<Vec<u16>> {
        let ranges = self.ranges(at, false, checker)?.into_iter();
        let mut statuses: Vec<u16> = ranges.flat_map(|(first, last)| first..=last).collect();
        statuses.sort_unstable();
        statuses.dedup();
        Some(statuses)
    }

    fn show(&self, value: &Vec<u16>) -> String {
        shown_list(value)
    }

    fn is_same(&self, a: &Vec<u16>, b: &Vec<u16>) -> bool {
        a == b
    }
}

/// `[a, b]`.
pub(in crate::config) fn shown_list<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", items.join(", "))
}

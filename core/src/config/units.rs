//! Values with a unit: durations, percentages, and ranges of status codes.

use std::time::Duration;

use super::{model::Share, problem::Refusal};

/// The longest duration, a year: longer ones are slips, and sums of two of these cannot overflow anything.
pub const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The units with their milliseconds, largest first.
pub(super) const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// What people write for a unit elsewhere.
const OTHER_NAMES: [(&str, &str); 18] = [
    ("", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("msec", "ms"),
    ("millisecond", "ms"),
    ("milliseconds", "ms"),
];

/// Reads `250ms`, `5s`, `10m`, `1h`, `1d`, and several of them from large to small: `1h30m`.
///
/// # Errors
/// When the text is no such duration (`5` has no unit), or longer than [`MAX_DURATION`].
pub fn parse_duration(text: &str) -> Result<Duration, Refusal> {
    let Some(duration) = duration(text) else {
        return Err(
            Refusal::new("must be a duration with its unit, such as 250ms, 5s, 10m, 1h or 1d")
                .did_you_mean(likely_duration(text)),
        );
    };
    if duration > MAX_DURATION {
        return Err(Refusal::new(format!(
            "must be at most {}",
            format_duration(MAX_DURATION)
        )));
    }
    Ok(duration)
}

/// What a number that is too large for a `u64` becomes is too long as well.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut larger_units) = (text, 0_u64, DURATION_UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let index = larger_units.iter().position(|(name, _)| *name == unit)?;
        let part = number
            .parse()
            .unwrap_or(u64::MAX)
            .saturating_mul(larger_units[index].1);
        total = total.saturating_add(part);
        larger_units = &larger_units[index + 1..];
        rest = after;
    }
    (!text.is_empty()).then_some(Duration::from_millis(total))
}

/// `5` as `5s`, `5 Seconds` as `5s`.
fn likely_duration(text: &str) -> Option<String> {
    let text: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect::<String>()
        .to_lowercase();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = OTHER_NAMES
        .iter()
        .find(|(other, _)| *other == unit)
        .map_or(unit, |(_, unit)| unit);
    let likely = format!("{number}{unit}");
    duration(&likely)
        .is_some_and(|duration| duration <= MAX_DURATION)
        .then_some(likely)
}

/// The shortest way to write a duration with one unit: `250ms`, `90s`, `1h`. Parts of a millisecond are left out;
/// of durations that [`parse_duration`] made, nothing is.
pub fn format_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let fits = |(_, unit): &&(&str, u64)| millis.is_multiple_of(u128::from(*unit));
    let (name, unit) = DURATION_UNITS.iter().find(fits).unwrap_or(&("ms", 1));
    format!("{}{name}", millis / u128::from(*unit))
}

/// Seconds for a person who wants to know about how long: `42s`, `3m12s`, `5h01m`, `12d03h`.
pub fn format_seconds(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// Reads `10%`, a whole percentage of at most `max_percent`.
pub(super) fn parse_share(text: &str, max_percent: u8) -> Result<Share, Refusal> {
    let refused = || Refusal::new(format!("must be a percentage from 0% to {max_percent}%"));
    let number = |digits: &str| digits.parse::<u8>().ok().filter(|_| !digits.starts_with('+'));
    let legal = |percent: &u8| *percent <= max_percent;
    match text.strip_suffix('%') {
        Some(digits) => number(digits)
            .filter(legal)
            .and_then(Share::percent)
            .ok_or_else(refused),
        None => Err(refused().did_you_mean(number(text).filter(legal).map(|percent| format!("{percent}%")))),
    }
}

/// Reads `200`, `200-399`, `200,204,300-399`: status codes from `first` to `last`, which are within 100-599.
pub(super) fn parse_statuses(text: &str, (first, last): (u16, u16)) -> Result<Vec<(u16, u16)>, Refusal> {
    let example = if first < 400 {
        "200 or 200-399"
    } else {
        "503 or 502-504"
    };
    let refused = || {
        Refusal::new(format!(
            "must be status codes from {first} to {last}, such as {example}"
        ))
    };
    let code = |text: &str| {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>()
            .ok()
            .filter(|code| digits && (first..=last).contains(code))
    };
    let range = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        code(from.trim())
            .zip(code(to.trim()))
            .filter(|(from, to)| from <= to)
            .ok_or_else(|| {
                let class = text
                    .to_lowercase()
                    .strip_suffix("xx")
                    .and_then(|class| class.parse::<u8>().ok());
                refused().did_you_mean(
                    class
                        .filter(|class| (1..=5).contains(class))
                        .map(|class| format!("{class}00-{class}99")),
                )
            })
    };
    text.split(',').map(|part| range(part.trim())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        parse_duration(text).unwrap_err().to_string()
    }

    #[test]
    fn reads_durations() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("5s", 5_000),
            ("05s", 5_000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("1h30m", 5_400_000),
            ("1d1h1m1s1ms", 90_061_001),
            ("365d", 31_536_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_a_duration_without_unit_and_says_which_was_meant() {
        let rule = "must be a duration with its unit, such as 250ms, 5s, 10m, 1h or 1d";
        for (text, meant) in [
            ("5", "5s"),
            ("5 s", "5s"),
            ("5S", "5s"),
            ("5sec", "5s"),
            ("10 minutes", "10m"),
            ("100msec", "100ms"),
        ] {
            assert_eq!(
                refusal(text),
                format!("{rule}; did you mean `{meant}`?"),
                "{text}"
            );
        }
        for text in [
            "", "s", "-5s", "1.5s", "5x", "30m1h", "1s1s", "1h 30m x", "5초", "none",
        ] {
            assert_eq!(refusal(text), rule, "{text}");
        }
    }

    #[test]
    fn refuses_durations_that_are_too_long_whatever_their_length() {
        for text in [
            "366d",
            "99999999999999999999999999d",
            "18446744073709551615d18446744073709551615h",
        ] {
            assert_eq!(refusal(text), "must be at most 365d", "{text}");
        }
    }

    #[test]
    fn formats_durations_with_one_unit() {
        for (text, shown) in [
            ("0ms", "0s"),
            ("60s", "1m"),
            ("1m30s", "90s"),
            ("1500ms", "1500ms"),
            ("24h", "1d"),
        ] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), shown, "{text}");
        }
        assert_eq!(format_duration(Duration::from_micros(1_999)), "1ms");
        assert_eq!(format_duration(Duration::from_micros(999)), "0s");
    }

    #[test]
    fn reads_percentages() {
        assert_eq!(parse_share("10%", 50), Ok(Share::percent(10).unwrap()));
        for (text, hint) in [
            ("51%", ""),
            ("0.1", ""),
            ("-1%", ""),
            ("+1%", ""),
            ("%", ""),
            ("10", "; did you mean `10%`?"),
        ] {
            let rule = format!("must be a percentage from 0% to 50%{hint}");
            assert_eq!(parse_share(text, 50).unwrap_err().to_string(), rule, "{text}");
        }
    }

    #[test]
    fn reads_status_codes_and_ranges() {
        assert_eq!(parse_statuses("200", (100, 599)), Ok(vec![(200, 200)]));
        assert_eq!(
            parse_statuses("200, 204,300-399", (100, 599)),
            Ok(vec![(200, 200), (204, 204), (300, 399)])
        );
        for text in [
            "", "99", "600", "0200", "399-200", "200-", "200,,204", "+20", "500-600", "3xx,2xx",
        ] {
            assert!(parse_statuses(text, (100, 599)).is_err(), "{text}");
        }
        let hint = parse_statuses("2xx", (100, 599)).unwrap_err().hint;
        assert_eq!(hint.as_deref(), Some("did you mean `200-299`?"));
    }

    proptest! {
        #[test]
        fn a_duration_survives_being_formatted(millis in 0..=31_536_000_000_u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_a_unit_panic(text in "\\PC{0,20}|[0-9dhms .,%x-]{0,30}") {
            let _ = (parse_duration(&text), parse_share(&text, 50), parse_statuses(&text, (100, 599)));
        }
    }
}

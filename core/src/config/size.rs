//! Sizes in bytes, such as `64KiB`.

use std::fmt;

use super::problem::Refusal;

/// A number of bytes. Displays exactly, in the largest binary unit that allows it: `64KiB`, `1MiB`, `10000000B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// The largest size, 1 TiB: larger ones are slips, and sums of a few of these cannot overflow anything.
pub const MAX_SIZE: ByteSize = ByteSize(1 << 40);

/// The units with their bytes. Those of 1024 come first, largest first: sizes are shown in these.
pub(super) const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
];
const SHOWN_UNITS: usize = 5;

/// What people write for a unit elsewhere. In nginx and HAProxy, `k` and `m` count by 1024.
const OTHER_NAMES: [(&str, &str); 10] = [
    ("k", "KiB"),
    ("ki", "KiB"),
    ("m", "MiB"),
    ("mi", "MiB"),
    ("g", "GiB"),
    ("gi", "GiB"),
    ("t", "TiB"),
    ("ti", "TiB"),
    ("byte", "B"),
    ("bytes", "B"),
];

impl ByteSize {
    /// So many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1024 bytes.
    pub(super) const fn kib(number: u32) -> Self {
        Self(number as u64 * 1024)
    }

    /// The number.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, unit): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*unit);
        let (name, unit) = SIZE_UNITS[..SHOWN_UNITS].iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// Reads `512B`, `64KiB`, `1MiB`, `1GiB` (of 1024 each), `10KB`, `10MB`, `10GB` (of 1000 each): a whole number with its
/// unit.
///
/// # Errors
/// When the text is no such size (`65536` has no unit), or larger than [`MAX_SIZE`].
pub fn parse_size(text: &str) -> Result<ByteSize, Refusal> {
    let Some(size) = size(text) else {
        let refusal = Refusal::new("must be a size with its unit, such as 512B, 64KiB, 1MiB, 10MB or 1GiB");
        return Err(match bare_number(text) {
            Some(number) if number == 0 || !number.is_multiple_of(1024) => {
                refusal.hint(format!("write {number}B, {number}KiB or {number}MiB"))
            }
            Some(number) => refusal.did_you_mean(Some(ByteSize(number).to_string())),
            None => refusal.did_you_mean(likely_size(text)),
        });
    };
    if size > MAX_SIZE {
        return Err(Refusal::new(format!("must be at most {MAX_SIZE}")));
    }
    Ok(size)
}

/// What a number that is too large for a `u64` becomes is too large as well.
fn size(text: &str) -> Option<ByteSize> {
    let (number, unit) = split(text);
    let (_, unit) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = (!number.is_empty()).then(|| number.parse().unwrap_or(u64::MAX))?;
    Some(ByteSize(number.saturating_mul(*unit)))
}

/// Digits, and what follows them.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn bare_number(text: &str) -> Option<u64> {
    let (number, rest) = split(text);
    number
        .parse()
        .ok()
        .filter(|number| rest.is_empty() && *number <= MAX_SIZE.0)
}

/// `64 kib` and `64k` as `64KiB`, `10mb` as `10MB`.
fn likely_size(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (number, written) = split(&text);
    let other = OTHER_NAMES.iter().map(|(other, unit)| (*other, *unit));
    let (_, unit) = SIZE_UNITS
        .iter()
        .map(|(name, _)| (*name, *name))
        .chain(other)
        .find(|(name, _)| name.eq_ignore_ascii_case(written))?;
    let likely = format!("{number}{unit}");
    size(&likely).filter(|size| *size <= MAX_SIZE).map(|_| likely)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        parse_size(text).unwrap_err().to_string()
    }

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [
            ("0B", 0),
            ("512B", 512),
            ("64KiB", 65_536),
            ("064KiB", 65_536),
            ("1MiB", 1_048_576),
            ("1GiB", 1_073_741_824),
            ("10KB", 10_000),
            ("10MB", 10_000_000),
            ("10GB", 10_000_000_000),
            ("1TB", 1_000_000_000_000),
            ("1TiB", 1_099_511_627_776),
        ] {
            assert_eq!(parse_size(text), Ok(ByteSize::new(bytes)), "{text}");
        }
    }

    #[test]
    fn refuses_a_size_without_unit_and_says_which_was_meant() {
        let rule = "must be a size with its unit, such as 512B, 64KiB, 1MiB, 10MB or 1GiB";
        for (text, meant) in [
            ("65536", "64KiB"),
            ("1048576", "1MiB"),
            ("64 KiB", "64KiB"),
            ("64kib", "64KiB"),
            ("64kb", "64KB"),
            ("64k", "64KiB"),
            ("8m", "8MiB"),
            ("10mb", "10MB"),
            ("10 bytes", "10B"),
        ] {
            assert_eq!(
                refusal(text),
                format!("{rule}; did you mean `{meant}`?"),
                "{text}"
            );
        }
        assert_eq!(refusal("64"), format!("{rule}; write 64B, 64KiB or 64MiB"));
        assert_eq!(refusal("0"), format!("{rule}; write 0B, 0KiB or 0MiB"));
        for text in [
            "",
            "B",
            "KiB",
            "-1KiB",
            "+1KiB",
            "1.5MiB",
            "1MiB1KiB",
            "1x",
            "64킬로",
            "none",
            "9999999t",
            "99999999999999999999999999",
        ] {
            assert_eq!(refusal(text), rule, "{text}");
        }
    }

    #[test]
    fn refuses_sizes_that_are_too_large_whatever_their_length() {
        for text in [
            "1025GiB",
            "2TiB",
            "99999999999999999999999999B",
            "18446744073709551615TiB",
        ] {
            assert_eq!(refusal(text), "must be at most 1TiB", "{text}");
        }
    }

    #[test]
    fn shows_sizes_exactly_in_the_largest_unit() {
        for (text, shown) in [
            ("0KiB", "0B"),
            ("1023B", "1023B"),
            ("1024B", "1KiB"),
            ("1025KiB", "1025KiB"),
            ("1024KiB", "1MiB"),
            ("1024GiB", "1TiB"),
            ("10MB", "10000000B"),
            ("1024KB", "1000KiB"),
        ] {
            assert_eq!(parse_size(text).unwrap().to_string(), shown, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_size_survives_being_shown(number in 0..1024_u64, shift in 0..=30_u32) {
            let size = ByteSize::new(number << shift);
            prop_assert_eq!(parse_size(&size.to_string()), Ok(size));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}|[0-9KMGTiBkb .,-]{0,30}") {
            if let Err(refusal) = parse_size(&text) {
                prop_assert!(refusal.to_string().starts_with("must be "));
            }
        }
    }
}

//! Ranges of numbers as regular expressions, for text that holds a number and a unit.

use std::time::Duration;

use crate::config::{
    size::{ByteSize, SIZE_UNITS},
    units::{DURATION_UNITS, MAX_DURATION},
};

/// An expression for the whole numbers from the first to the second, without zeros before them.
pub(super) fn whole(least: u64, most: u64) -> String {
    // Within a block, the last digits take every value: 5-9, 10-99, 100-119, 120-123.
    let powers = || (1..=most.checked_ilog10().unwrap_or(0)).map(|digits| 10_u64.pow(digits));
    let nines = powers().map(|power| least - least % power + power - 1);
    let zeros = powers().map(|power| (most + 1) - (most + 1) % power);
    let mut ends: Vec<u64> = nines
        .chain(zeros.filter_map(|end| end.checked_sub(1)))
        .filter(|end| (least..most).contains(end))
        .chain([most])
        .collect();
    ends.sort_unstable();
    ends.dedup();
    let mut from = least;
    let mut blocks = Vec::new();
    for end in ends {
        blocks.push(block(from, end));
        from = end + 1;
    }
    blocks.join("|")
}

/// Two numbers of the same length, digit by digit.
fn block(from: u64, to: u64) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    let digits = from.bytes().zip(to.bytes());
    digits
        .map(|(from, to)| match (from as char, to as char) {
            (from, to) if from == to => from.to_string(),
            (from, to) => format!("[{from}-{to}]"),
        })
        .collect()
}

/// A duration with one unit exactly; one with several only by its form.
pub(super) fn duration(least: Duration) -> String {
    let (least, most) = (least.as_millis() as u64, MAX_DURATION.as_millis() as u64);
    let one = DURATION_UNITS.iter().map(|(name, millis)| {
        let numbers = whole(least.div_ceil(*millis), most / millis);
        format!("0*({numbers}){name}")
    });
    let several = "(?=.*[1-9])(?=.*[a-z][0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?";
    format!("^({}|{several})$", one.collect::<Vec<_>>().join("|"))
}

/// A size, which has one unit.
pub(super) fn size(least: ByteSize, most: ByteSize) -> String {
    let (least, most) = (least.bytes(), most.bytes());
    let fitting = SIZE_UNITS.iter().filter(|(_, bytes)| *bytes <= most);
    let forms = fitting.map(|(name, bytes)| {
        let numbers = whole(least.div_ceil(*bytes), most / bytes);
        format!("0*({numbers}){name}")
    });
    format!("^({})$", forms.collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    proptest! {
        #[test]
        fn an_expression_holds_its_range_and_nothing_else(least in 0..2_000_u64, span in 0..3_000_u64, number in 0..6_000_u64) {
            let most = least + span;
            let expression = Regex::new(&format!("^({})$", whole(least, most))).unwrap();
            for number in [number, least, most, least.saturating_sub(1), most + 1] {
                prop_assert_eq!(expression.is_match(&number.to_string()), (least..=most).contains(&number), "{}", expression);
            }
        }
    }
}

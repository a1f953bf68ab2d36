//! The compared configurations are the published examples: here their addresses and numbers are replaced, and nothing
//! else. A value that the example does not have any more is an error, so that the two cannot drift apart.

use anyhow::{Result, ensure};

/// `text` with each old value replaced by its new one.
///
/// # Errors
/// If an old value does not occur.
pub(crate) fn fill(text: &str, values: &[(&str, String)]) -> Result<String> {
    // All at once, so that a new value is never taken for an old one.
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    for (old, _) in values {
        ensure!(text.contains(old), "the example does not say {old:?} any more");
    }
    loop {
        let found = values
            .iter()
            .filter_map(|(old, new)| Some((rest.find(old)?, old, new)));
        let Some((at, old, new)) = found.min_by_key(|(at, old, _)| (*at, std::cmp::Reverse(old.len())))
        else {
            filled.push_str(rest);
            return Ok(filled);
        };
        filled.push_str(&rest[..at]);
        filled.push_str(new);
        rest = &rest[at + old.len()..];
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_old_value_is_replaced_once() {
        let values = [("9001", "9002".to_owned()), ("9002", "9001".to_owned())];
        assert_eq!(
            fill("a 9001; b 9002; c 9001", &values).unwrap(),
            "a 9002; b 9001; c 9002"
        );
    }

    #[test]
    fn the_longer_of_two_old_values_wins() {
        let values = [("check 2s", "x".to_owned()), ("check 2", "y".to_owned())];
        assert_eq!(fill("check 2s, check 2.", &values).unwrap(), "x, y.");
    }

    #[test]
    fn a_value_that_is_gone_is_an_error() {
        let error = fill("listen 80;", &[("listen 8000", String::new())]).unwrap_err();
        assert!(error.to_string().contains("listen 8000"), "{error}");
    }
}

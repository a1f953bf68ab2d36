//! "Did you mean …?": the known word that a misspelt one is nearest to.

/// Longer words are no slip of the finger, and comparing them costs the product of both lengths.
const LONGEST_WORD: usize = 32;

/// The candidate that `word` was probably meant to be; `None` if none is close. A third of the letters may be
/// wrong: fewer misses `helthchek`, more finds likenesses that are none.
pub(crate) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    if word.len() > LONGEST_WORD {
        return None;
    }
    let distance_to =
        |candidate: &'c str| (distance(&word, &candidate.chars().collect::<Vec<_>>()), candidate);
    let (distance, nearest) = candidates
        .into_iter()
        .map(distance_to)
        .min_by_key(|(distance, _)| *distance)?;
    let tolerated = (nearest.chars().count() / 3).max(1);
    (distance <= tolerated).then_some(nearest)
}

/// Damerau and Levenshtein's distance in its restricted form (optimal string alignment): letters inserted, left
/// out, replaced, or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    const KEYS: [&str; 4] = ["port", "strategy", "backends", "health_check"];

    #[test]
    fn finds_the_word_that_was_meant() {
        for (written, meant) in [
            ("prot", "port"),
            ("ports", "port"),
            ("stratgy", "strategy"),
            ("startegy", "strategy"),
            ("backend", "backends"),
            ("Backends", "backends"),
            ("health-check", "health_check"),
            ("healthCheck", "health_check"),
        ] {
            assert_eq!(closest(written, KEYS), Some(meant), "{written}");
        }
    }

    #[test]
    fn keeps_silent_when_nothing_is_close() {
        let long = "p".repeat(100_000);
        for written in ["", "x", "pool", "servers", "방식", &long] {
            assert_eq!(closest(written, KEYS), None, "{written}");
        }
    }
}

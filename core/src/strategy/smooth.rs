//! nginx's smooth weighted round-robin (nginx commit 52327e0627f4, "Upstream: smooth weighted round-robin balancing",
//! 2012): at each step every candidate's current weight grows by its weight, the largest is picked and gives up the
//! sum of all. A candidate is picked only while its current weight is above 0, so it is never a whole request above
//! its share, and the sequence repeats after the sum of weights. Ties go to the candidate written first.
//!
//! A step costs one pass over the candidates, hence [`MAX_CANDIDATES`]; above it [`golden`](super::golden) takes
//! over.

/// 128 candidates of weight 256 make 4 million additions, a few milliseconds for a snapshot.
pub(super) const MAX_CANDIDATES: usize = 128;

/// One full cycle: indices into `weights`, as many as the sum of weights.
pub(super) fn cycle(weights: &[u16]) -> Vec<u32> {
    let total: i64 = weights.iter().map(|&weight| i64::from(weight)).sum();
    let mut current = vec![0i64; weights.len()];
    let mut picks = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    for _ in 0..total {
        let mut best = 0;
        for (index, &weight) in weights.iter().enumerate() {
            current[index] += i64::from(weight);
            if current[index] > current[best] {
                best = index;
            }
        }
        current[best] -= total;
        picks.push(best as u32);
    }
    picks
}

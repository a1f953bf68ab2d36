//! Who gets how much when nothing is in flight: weights work under every strategy.

use super::*;

fn letters(weights: &[u16]) -> String {
    let schedule = Schedule::new(weights);
    (0..schedule.len())
        .filter_map(|tick| schedule.at(tick))
        .map(|index| char::from(b'a' + index as u8))
        .collect()
}

#[test]
fn weights_5_1_1_give_the_order_that_nginx_publishes() {
    assert_eq!(letters(&[5, 1, 1]), "aabacaa");
}

#[test]
fn equal_weights_take_turns() {
    assert_eq!(letters(&[1, 1, 1]), "abc");
    assert_eq!(letters(&[7, 7]), "ab", "a cycle is no longer than it must be");
    let many = Schedule::new(&[3; 200]);
    assert!((0..400).all(|tick| many.at(tick) == Some(tick as usize % 200)));
}

#[test]
fn no_candidates_no_pick() {
    assert_eq!(Schedule::new(&[]).at(3), None);
    assert_eq!(Schedule::new(&[0]).at(0), None);
}

#[test]
fn a_heavy_candidate_among_many_light_ones_is_spread_out() {
    let mut weights = vec![1; 255];
    weights.push(255);
    let schedule = Schedule::new(&weights);
    let longest = (0..schedule.len())
        .map(|tick| (tick..).take_while(|&t| schedule.at(t) == Some(255)).count())
        .max();
    assert!(longest <= Some(2), "{longest:?} in a row");
}

#[test]
fn least_connections_shares_an_idle_pool_as_round_robin_does() {
    let field = Field::new(&[5, 1, 1]);
    let (strategy, cursor) = (field.strategy(Algorithm::LeastConnections), Cursor::default());
    let chosen = (0..7).map(|step| strategy.choose(draw(&cursor, step), &field).unwrap());
    let letters: String = chosen.map(|index| char::from(b'a' + index as u8)).collect();
    assert_eq!(letters, "aabacaa");
}

#[test]
fn first_takes_the_heaviest_and_among_equals_the_first() {
    let mut field = Field::new(&[1, 5, 1, 5]);
    let first = field.strategy(Algorithm::First);
    let cursor = Cursor::default();
    let mut order = Vec::new();
    while let Some(index) = first.choose(draw(&cursor, 0), &field) {
        order.push(index);
        field.closed[index] = true;
    }
    assert_eq!(order, [1, 3, 0, 2]);
}

#[test]
fn a_closed_candidates_turns_go_to_all_others_by_weight() {
    let mut field = Field::new(&[1, 1, 2, 3]);
    field.closed[1] = true;
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnections] {
        assert_eq!(field.counts(algorithm, 600), [100, 0, 200, 300], "{algorithm:?}");
    }
}

/// Exact over a cycle, and never further from the share than `above` and `below` requests.
fn assert_fair(weights: &[u16], above: u64, below: u64) -> Result<(), TestCaseError> {
    let schedule = Schedule::new(weights);
    let total: u64 = weights.iter().map(|&w| u64::from(w)).sum();
    let mut counts = vec![0u64; weights.len()];
    for tick in 0..schedule.len() {
        let picked = schedule.at(tick).ok_or_else(|| TestCaseError::fail("no pick"))?;
        counts[picked] += 1;
        let share = |i: usize| (tick + 1) * u64::from(weights[i]);
        prop_assert!(
            counts[picked] * total < share(picked) + above * total,
            "{picked} is {above} requests ahead at {tick}"
        );
        for (i, count) in counts.iter().enumerate() {
            prop_assert!(
                (count + below) * total > share(i),
                "{i} is {below} requests behind at {tick}"
            );
        }
    }
    let cycles = total / schedule.len().max(1);
    for (count, &weight) in counts.iter().zip(weights) {
        prop_assert_eq!(count * cycles, u64::from(weight));
    }
    Ok(())
}

/// Whether chance explains a count out of so many choices, or would do so less than once in 60 million times. That is as far as
/// six standard deviations are where much is expected, and holds where little is, too: Chernoff's bound for a binomial count.
fn is_chance(count: u64, share: f64, choices: u64) -> bool {
    let (seen, choices) = (count as f64 / choices as f64, choices as f64);
    // `x ln(x / y)`, which is nothing at 0.
    let term = |x: f64, y: f64| if x > 0.0 { x * (x / y).ln() } else { 0.0 };
    choices * (term(seen, share) + term(1.0 - seen, 1.0 - share)) <= 18.0
}

#[test]
fn chance_explains_little_where_much_is_expected_and_more_where_little_is() {
    // Six standard deviations of 10,000 in 20,000 are 424.
    for (count, explained) in [(9_560, false), (9_580, true), (10_420, true), (10_440, false)] {
        assert_eq!(is_chance(count, 0.5, 20_000), explained, "{count}");
    }
    // One is expected.
    for (count, explained) in [(0, true), (8, true), (14, false)] {
        assert_eq!(is_chance(count, 1.0 / 20_000.0, 20_000), explained, "{count}");
    }
    assert!(!is_chance(0, 0.01, 20_000));
}

/// What weights say, but for chance.
fn assert_by_weight(field: &Field, algorithm: Algorithm, choices: u64) -> Result<(), TestCaseError> {
    let (counts, total) = (field.counts(algorithm, choices), field.total_weight() as f64);
    for (index, &count) in counts.iter().enumerate() {
        let share = f64::from(field.weights[index]) / total;
        prop_assert!(
            is_chance(count, share, choices),
            "{:?}: {} of {} chosen {} times, {} expected",
            algorithm,
            index,
            field.weights.len(),
            count,
            share * choices as f64
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn round_robin_is_never_a_whole_request_above_the_share(weights in prop::collection::vec(1u16..=256, 1..20)) {
        // Below, smooth order has no bound that would not grow with the number of candidates; see the total.
        assert_fair(&weights, 1, weights.len() as u64)?;
    }

    #[test]
    fn round_robin_over_many_is_within_five_requests_of_the_share(
        weights in prop::collection::vec(prop::sample::select(vec![1u16, 2, 3, 7, 50, 256]), 129..160),
    ) {
        assert_fair(&weights, 5, 5)?;
    }

    #[test]
    fn what_is_left_to_chance_follows_the_weights(
        weights in prop::collection::vec(1u16..=256, 1..50),
        equal in (1u16..=256, 1usize..200),
    ) {
        for weights in [weights, vec![equal.0; equal.1]] {
            let field = Field::new(&weights);
            for algorithm in [Algorithm::Random, Algorithm::PowerOfTwo, Algorithm::LeastTime] {
                assert_by_weight(&field, algorithm, 20_000)?;
            }
        }
    }

    #[test]
    fn least_time_follows_the_weights_of_equals_whose_averages_differ_by_chance(
        weights in prop::collection::vec(1u16..=16, 2..20), seed in any::<u64>(),
    ) {
        let mut field = Field::new(&weights);
        // Heavier ones meet more peaks.
        let latencies = weights.iter().zip(0..).map(|(&weight, index)| {
            let luck = (mix(seed ^ index) % 1000) as f64 / 1000.0;
            Some(10_000.0 * (1.0 + 0.5 * f64::from(weight) / 16.0 + 0.5 * luck))
        });
        field.latencies = latencies.collect();
        assert_by_weight(&field, Algorithm::LeastTime, 20_000)?;
    }

    #[test]
    fn least_connections_over_many_follows_the_weights_when_idle(
        weights in prop::collection::vec(1u16..=256, 65..200),
    ) {
        assert_by_weight(&Field::new(&weights), Algorithm::LeastConnections, 20_000)?;
    }
}

//! What strategies make of requests in flight and of latencies.

use super::*;

/// Puts so many requests, none of which ends, onto candidates.
fn fill(field: &mut Field, algorithm: Algorithm, requests: u64) {
    let (strategy, cursor) = (field.strategy(algorithm), Cursor::default());
    for step in 0..requests {
        let chosen = strategy.choose(draw(&cursor, step), field).unwrap();
        field.held[chosen] += 1;
    }
}

/// The most that somebody holds above its share.
fn excess(field: &Field) -> f64 {
    let per_weight = field.total_in_flight() as f64 / field.total_weight() as f64;
    let above = |(held, weight): (&u64, &u16)| *held as f64 - per_weight * f64::from(*weight);
    field
        .held
        .iter()
        .zip(&field.weights)
        .map(above)
        .fold(0.0, f64::max)
}

#[test]
fn drawn_by_chance_two_do_what_one_cannot() {
    let of = |algorithm| {
        let mut field = Field::new(&[1; 1000]);
        fill(&mut field, algorithm, 10_000);
        excess(&field)
    };
    let (one, two, five) = (
        of(Algorithm::Random),
        of(Algorithm::PowerOfTwo),
        of(Algorithm::LeastConnections),
    );
    assert!(one > 8.0, "{one}: chance alone piles up");
    assert!(two <= 4.0, "{two}");
    assert!(five <= 2.0, "{five}");
}

#[test]
fn a_busy_candidate_gets_nothing_while_others_are_idle() {
    for (count, algorithm) in [
        (10, Algorithm::LeastConnections),
        (2, Algorithm::PowerOfTwo),
        (2, Algorithm::LeastTime),
    ] {
        let mut field = Field::new(&vec![1; count]);
        field.held[0] = 5;
        assert_eq!(field.counts(algorithm, 1000)[0], 0, "{algorithm:?}");
    }
}

#[test]
fn power_of_two_sees_past_one_that_is_heavy_and_slow() {
    let mut field = Field::new(&[256, 1]);
    field.held = vec![1000, 0];
    let counts = field.counts(Algorithm::PowerOfTwo, 100);
    assert_eq!(
        counts,
        [0, 100],
        "both are looked at, although one is hardly ever drawn"
    );
}

#[test]
fn least_time_goes_where_the_answer_comes_first() {
    let mut field = Field::new(&[1, 1]);
    field.latencies = vec![Some(10_000.0), Some(100_000.0)];
    assert_eq!(field.counts(Algorithm::LeastTime, 100), [100, 0]);
    field.held = vec![8, 0];
    assert_eq!(
        field.counts(Algorithm::LeastTime, 100),
        [100, 0],
        "nine times 10 ms is below 100 ms"
    );
    field.held = vec![11, 0];
    assert_eq!(
        field.counts(Algorithm::LeastTime, 100),
        [0, 100],
        "twelve times 10 ms is not"
    );
}

#[test]
fn least_time_takes_no_difference_for_real_that_may_be_chance() {
    let mut field = Field::new(&[1, 1]);
    for (one, other) in [(10_000.0, 19_000.0), (200.0, 1_100.0), (0.0, 0.0)] {
        field.latencies = vec![Some(one), Some(other)];
        let second = field.counts(Algorithm::LeastTime, 1000)[1];
        assert!((400..=600).contains(&second), "{one} and {other}: {second}");
    }
}

#[test]
fn least_time_takes_a_newcomer_for_as_fast_as_the_other() {
    let mut field = Field::new(&[1, 1]);
    field.latencies = vec![Some(10_000.0), None];
    field.held = vec![1, 0];
    assert_eq!(field.counts(Algorithm::LeastTime, 100), [0, 100]);
    field.held = vec![0, 1];
    assert_eq!(field.counts(Algorithm::LeastTime, 100), [100, 0]);
}

#[test]
fn least_time_measures_weights_by_their_mean() {
    let chosen = |weights: &[u16]| {
        let mut field = Field::new(weights);
        field.latencies = vec![Some(10_000.0); 2];
        field.held = vec![2, 1];
        field.counts(Algorithm::LeastTime, 100)
    };
    assert_eq!(chosen(&[1, 1]), chosen(&[100, 100]));
    assert_eq!(chosen(&[100, 100]), [0, 100]);
    assert_eq!(chosen(&[6, 2]), [100, 0], "two of six is less than one of two");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn least_connections_takes_the_least_busy_for_its_weight(field in fields(65), step in any::<u64>()) {
        let (strategy, cursor) = (field.strategy(Algorithm::LeastConnections), Cursor::default());
        if let Some(chosen) = strategy.choose(draw(&cursor, step), &field) {
            let lighter = (0..field.len()).find(|&other| field.admits(other) && is_lighter(&field, other, chosen));
            prop_assert_eq!(lighter, None);
        }
    }

    #[test]
    fn least_connections_fills_by_weight(weights in prop::collection::vec(1u16..=16, 1..64), rounds in 1u64..4) {
        let mut field = Field::new(&weights);
        let requests = rounds * field.total_weight();
        fill(&mut field, Algorithm::LeastConnections, requests);
        // A request in flight on one of weight 16 weighs less than an idle one of weight 1 lacks.
        prop_assert!(excess(&field) <= f64::from(*weights.iter().max().unwrap()));
        for (held, &weight) in field.held.iter().zip(&weights) {
            prop_assert!(*held >= (rounds - 1) * u64::from(weight), "{:?} of {:?}", field.held, weights);
        }
    }

    #[test]
    fn power_of_two_follows_the_weights_under_load(weights in prop::collection::vec(1u16..=16, 2..100)) {
        let mut field = Field::new(&weights);
        fill(&mut field, Algorithm::PowerOfTwo, 100 * weights.len() as u64);
        let per_weight = field.total_in_flight() as f64 / field.total_weight() as f64;
        for (held, &weight) in field.held.iter().zip(&weights) {
            let share = per_weight * f64::from(weight);
            prop_assert!((*held as f64 - share).abs() <= 0.2 * share + 8.0, "{} held, {} is its share", held, share);
        }
    }
}

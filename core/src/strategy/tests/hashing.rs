//! Keys and where they go.

use super::*;

const KEYS: u64 = 20_000;

/// Where each of many keys goes.
fn owners(field: &Field, algorithm: Algorithm) -> Vec<usize> {
    let (strategy, cursor) = (field.strategy(algorithm), Cursor::default());
    (0..KEYS)
        .map(|step| strategy.choose(draw(&cursor, step), field).unwrap())
        .collect()
}

#[test]
fn a_key_stays_with_its_owner() {
    let mut field = Field::new(&[1, 2, 3]);
    let before = owners(&field, HASH);
    field.held = vec![1000, 0, 7];
    field.latencies[1] = Some(10.0);
    assert_eq!(before, owners(&field, HASH));
}

#[test]
fn requests_without_a_key_are_spread_by_chance() {
    let field = Field::new(&[1; 10]);
    let (strategy, cursor) = (field.strategy(HASH), Cursor::default());
    let mut counts = [0; 10];
    for step in 0..10_000 {
        let without = Draw {
            key: None,
            ..draw(&cursor, step)
        };
        counts[strategy.choose(without, &field).unwrap()] += 1;
    }
    assert!(
        counts.iter().all(|count| (800..1200).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn one_hot_key_overflows_to_others_in_one_order() {
    let bound = Algorithm::Hash {
        bounded_load: Some(1.5),
    };
    let fill = || {
        let mut field = Field::new(&[1; 5]);
        let (strategy, cursor) = (field.strategy(bound), Cursor::default());
        let order: Vec<_> = (0..50)
            .map(|_| {
                let chosen = strategy.choose(draw(&cursor, 7), &field).unwrap();
                field.held[chosen] += 1;
                chosen
            })
            .collect();
        (field.held, order)
    };
    let (held, order) = fill();
    assert!(held.iter().all(|&held| held <= 15), "{held:?}");
    assert_eq!(fill().1, order);
    let owner = order[0];
    assert_eq!(held[owner], 15, "the owner gets what it may");
}

#[test]
fn a_bound_is_no_reason_to_refuse() {
    let mut field = Field::new(&[1, 1]);
    field.held = vec![100, 0];
    field.closed[1] = true;
    let strategy = field.strategy(Algorithm::Hash {
        bounded_load: Some(1.25),
    });
    assert_eq!(strategy.choose(draw(&Cursor::default(), 0), &field), Some(0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn keys_are_shared_by_weight(weights in prop::collection::vec(1u16..=16, 1..50)) {
        let field = Field::new(&weights);
        let mut counts = vec![0u64; weights.len()];
        owners(&field, HASH).into_iter().for_each(|owner| counts[owner] += 1);
        for (count, &weight) in counts.iter().zip(&weights) {
            let share = f64::from(weight) / field.total_weight() as f64;
            let expected = share * KEYS as f64;
            // A slot more or less, and the chance of keys.
            let tolerated = KEYS as f64 / 8_000.0 + 6.0 * (expected * (1.0 - share)).sqrt();
            prop_assert!((*count as f64 - expected).abs() <= tolerated, "{} keys, {} expected", count, expected);
        }
    }

    #[test]
    fn of_one_that_is_down_only_its_own_keys_move(
        weights in prop::collection::vec(1u16..=16, 2..50), down in any::<prop::sample::Index>(),
    ) {
        let mut field = Field::new(&weights);
        let before = owners(&field, HASH);
        let down = down.index(weights.len());
        field.closed[down] = true;
        let after = owners(&field, HASH);
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(before == after || *before == down);
        }
        let mut heirs: Vec<_> = before.iter().zip(&after).filter(|(b, a)| b != a).map(|(_, a)| *a).collect();
        let moved = heirs.len();
        heirs.sort_unstable();
        heirs.dedup();
        prop_assert!(heirs.len() > 1 || weights.len() < 4 || moved < 30, "not all to the neighbour");
    }

    #[test]
    fn of_one_that_is_removed_little_more_than_its_own_keys_move(
        weight in 1u16..=16, count in 2usize..60, removed in any::<prop::sample::Index>(),
    ) {
        let field = Field::new(&vec![weight; count]);
        let before = owners(&field, HASH);
        let removed = removed.index(count);
        let (mut ids, mut weights) = (field.ids(), field.weights.clone());
        ids.remove(removed);
        weights.remove(removed);
        let (rest, strategy) = (Field::new(&weights), Strategy::new(HASH, &weights, &ids));
        let cursor = Cursor::default();
        let moved = (0..KEYS).zip(before).filter(|&(step, before)| {
            let after = strategy.choose(draw(&cursor, step), &rest).unwrap();
            (if after >= removed { after + 1 } else { after }) != before
        });
        let (moved, own) = (moved.count() as f64 / KEYS as f64, 1.0 / count as f64);
        prop_assert!(moved <= own + 0.03, "{} of all keys moved, {} were its own", moved, own);
    }

    #[test]
    fn nobody_gets_a_request_above_the_bound(
        weights in prop::collection::vec(1u16..=16, 1..80),
        percent in 101u32..300,
        keys in 1u64..200,
        seed in any::<u64>(),
    ) {
        let factor = f64::from(percent) / 100.0;
        let mut field = Field::new(&weights);
        let strategy = field.strategy(Algorithm::Hash { bounded_load: Some(factor) });
        let cursor = Cursor::default();
        for step in 0..400u64 {
            let chosen = strategy.choose(draw(&cursor, seed.wrapping_add(mix(step) % keys)), &field).unwrap();
            field.held[chosen] += 1;
            let share = field.total_in_flight() as f64 / field.total_weight() as f64;
            // Rounded up, and a little room for the floating point.
            let below = factor * share * f64::from(weights[chosen]) + 1.0 + 1e-9;
            prop_assert!((field.held[chosen] as f64) < below, "{} held, below {} allowed", field.held[chosen], below);
            if step % 3 == 0 {
                let busiest = (0..field.len()).max_by_key(|&index| field.held[index]).unwrap();
                field.held[busiest] -= 1;
            }
        }
    }
}

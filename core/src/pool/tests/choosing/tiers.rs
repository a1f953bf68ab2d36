//! Priorities and backups.

use super::*;

#[test]
fn a_backup_serves_only_when_the_others_are_gone() {
    let backup = One {
        priority: Priority::BACKUP,
        ..One::default()
    };
    let mut ones = vec![One::default(), tier(1), backup];
    for strategy in all() {
        let hosts = |ones: &[One]| -> Vec<String> {
            shares(&pool(ones, strategy.clone()), Instant::now(), 50)
                .into_keys()
                .collect()
        };
        assert_eq!(hosts(&ones), ["a"]);
        ones[0].health = down();
        assert_eq!(hosts(&ones), ["b"]);
        ones[1].health = down();
        assert_eq!(hosts(&ones), ["c"]);
        ones[2].health = down();
        let all = hosts(&ones);
        assert!(!all.is_empty(), "all are tried");
        ones.iter_mut().for_each(|one| one.health = Health::at_start());
    }
}

#[test]
fn a_lower_tier_serves_what_a_full_one_cannot() {
    let mut ones = vec![at_most(2), at_most(1)];
    ones[1].priority = Priority::BACKUP;
    let pool = pool(&ones, StrategyConfig::LeastConnections);
    let leases: Vec<_> = (0..3)
        .map(|step| pool.pick(&ask(step, Instant::now(), &Tried::default())).unwrap())
        .collect();
    assert_eq!(leases.iter().map(host_of).collect::<String>(), "aab");
    let full = pool.pick(&ask(3, Instant::now(), &Tried::default()));
    assert_eq!(full.unwrap_err(), NoBackend::Saturated);
}

fn gradual(ones: &[One], strategy: StrategyConfig) -> Pool {
    pool_with(ones, |config| {
        config.strategy = strategy;
        config.failover = Failover::Gradual {
            overprovisioning: LoadFactor::new(1.4).unwrap(),
        };
    })
}

#[test]
fn gradual_failover_moves_keys_and_not_their_requests() {
    let mut ones = vec![One::default(), One::default(), tier(1)];
    ones[1].health = down();
    let pool = gradual(&ones, hash(None));
    let mut hosts = BTreeMap::new();
    for key in 0..100 {
        let host = |step| {
            let now = Instant::now();
            let lease = pool.pick(&Ask {
                key: Some(mix(key)),
                ..ask(step, now, &Tried::default())
            });
            host_of(&lease.unwrap())
        };
        let first = host(0);
        assert!((1..20).all(|step| host(step) == first), "key {key}");
        *hosts.entry(first).or_insert(0) += 1;
    }
    assert!((50..=90).contains(&hosts["a"]) && hosts["c"] >= 10, "{hosts:?}");
}

#[test]
fn gradual_failover_misses_nobody_who_was_only_just_added() {
    let mut ones = vec![One::default(); 4];
    ones.push(tier(1));
    for one in &mut ones[1..4] {
        one.health = Health::added();
    }
    let shares = shares(&gradual(&ones, StrategyConfig::RoundRobin), Instant::now(), 50);
    assert_eq!(shares.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn gradual_failover_moves_the_part_that_is_missing() {
    let shares_of = |down_of_ten: usize, backup_down: bool| {
        let mut ones = vec![One::default(); 10];
        ones.iter_mut()
            .take(down_of_ten)
            .for_each(|one| one.health = down());
        let backup = One {
            priority: Priority::BACKUP,
            weight: 10,
            health: if backup_down { down() } else { Health::at_start() },
            ..One::default()
        };
        ones.push(backup);
        let pool = pool_with(&ones, |config| {
            config.failover = Failover::Gradual {
                overprovisioning: LoadFactor::new(1.4).unwrap(),
            };
        });
        let counts = shares(&pool, Instant::now(), 10_000);
        counts.get("k").copied().unwrap_or(0)
    };
    assert_eq!(shares_of(0, false), 0);
    assert_eq!(shares_of(2, false), 0, "8 of 10 can carry all, times 1.4");
    let half = shares_of(5, false);
    assert!((2700..3300).contains(&half), "{half}: 5 of 10 carry 70 %");
    let most = shares_of(9, false);
    assert!((8300..8900).contains(&most), "{most}: 1 of 10 carries 14 %");
    assert_eq!(shares_of(5, true), 0, "nobody there to help");
    assert_eq!(shares_of(10, false), 10_000);
}

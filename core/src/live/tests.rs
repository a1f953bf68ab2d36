//! Live changes over a file's word, on given times.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::{
    config::{self, Config, ReloadPlan},
    pool::{Backend, Identity, Member, Snapshot},
};

fn backend(weight: u16, order: Order) -> BackendConfig {
    let written = format!("{{url: \"http://a\", weight: {weight}}}");
    let config = config(&[&written]).pools["default"].backends[0].clone();
    ordered(config, order)
}

fn ordered(config: BackendConfig, order: Order) -> BackendConfig {
    BackendConfig {
        drain: order == Order::Draining,
        maintenance: order == Order::Maintenance,
        ..config
    }
}

fn config(backends: &[&str]) -> Config {
    let backends: String = backends.iter().map(|one| format!("  - {one}\n")).collect();
    config::load(&format!("port: 0\nbackends:\n{backends}"), "config.yaml", &|_| {
        None
    })
    .unwrap()
}

fn weight(value: u16) -> Weight {
    Weight::new(value).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn shown(live: &Live, now: Instant) -> Vec<String> {
    let shown = |change: &LiveStatus| {
        let left = change
            .until_seconds
            .map_or("until taken back".to_owned(), |left| format!("{left}s"));
        format!(
            "{change} since {}s, {left}, file {}",
            change.since_seconds, change.file
        )
    };
    live.status(now).iter().map(shown).collect()
}

#[test]
fn a_change_holds_instead_of_the_file_until_its_time_is_over() {
    let now = Instant::now();
    let file = backend(3, Order::Serving);
    let mut live = Live::of(&file);
    assert!(live.is_empty() && live.over(&file) == file);
    live.wish(Wish::Drain, now, Some(now + seconds(600)));
    live.wish(Wish::Weight(weight(10)), now, None);
    assert_eq!((live.order(), live.weight()), (Order::Draining, weight(10)));
    let over = live.over(&file);
    assert!(over.drain && !over.maintenance && over.weight == weight(10) && over.url == file.url);
    assert_eq!(
        shown(&live, now + seconds(60)),
        [
            "draining since 60s, 540s, file serving",
            "weight 10 since 60s, until taken back, file 3"
        ]
    );
    assert!(live.expire(now + seconds(599)).is_empty());
    let expired = live.expire(now + seconds(600));
    assert_eq!(
        ended(expired, &live),
        ["draining is over: serving again, as the file has it"]
    );
    assert_eq!((live.order(), live.weight()), (Order::Serving, weight(10)));
    assert!(live.expire(now + seconds(1_000_000)).is_empty(), "it has no end");
    live.wish(Wish::FileWeight, now, None);
    assert!(live.is_empty());
}

#[test]
fn one_order_takes_the_place_of_another_and_one_that_is_repeated_goes_on() {
    let now = Instant::now();
    let mut live = Live::of(&backend(1, Order::Serving));
    live.wish(Wish::Drain, now, None);
    live.wish(Wish::Drain, now + seconds(5), Some(now + seconds(9)));
    assert_eq!(
        shown(&live, now + seconds(6)),
        ["draining since 6s, 3s, file serving"]
    );
    live.wish(Wish::Maintenance, now + seconds(7), None);
    assert_eq!(
        shown(&live, now + seconds(8)),
        ["maintenance since 1s, until taken back, file serving"]
    );
    live.wish(Wish::Serve, now + seconds(8), None);
    assert!(live.is_empty());
}

#[test]
fn what_says_the_same_as_the_file_is_no_change() {
    let now = Instant::now();
    let mut live = Live::of(&backend(1, Order::Draining));
    live.wish(Wish::Drain, now, Some(now + seconds(5)));
    live.wish(Wish::Weight(weight(1)), now, None);
    assert!(live.is_empty());
    live.wish(Wish::Serve, now, Some(now + seconds(5)));
    assert_eq!(
        shown(&live, now),
        ["serving since 0s, 5s, file draining"],
        "live over file"
    );
    assert!(!live.over(&backend(1, Order::Draining)).drain);
    live.wish(Wish::Drain, now, None);
    assert!(live.is_empty() && live.order() == Order::Draining);
}

#[test]
fn a_file_that_comes_to_say_the_same_ends_the_change() {
    let now = Instant::now();
    let mut live = Live::of(&backend(1, Order::Serving));
    live.wish(Wish::Weight(weight(10)), now, None);
    live.wish(Wish::Maintenance, now, None);
    live = live.rewritten(&backend(2, Order::Serving));
    assert_eq!((live.weight(), live.order()), (weight(10), Order::Maintenance));
    live = live.rewritten(&backend(10, Order::Maintenance));
    assert!(live.is_empty());
    assert_eq!((live.weight(), live.order()), (weight(10), Order::Maintenance));
}

proptest! {
    /// Whatever is wished, in the end nothing is left but the file.
    #[test]
    fn the_file_is_what_remains(wishes in prop::collection::vec((0_u8..5, 1_u16..=256, 1_u64..100, 0_u64..50), 0..20), file in 1_u16..=256) {
        let file = backend(file, Order::Serving);
        let mut live = Live::of(&file);
        let mut now = Instant::now();
        for (kind, value, lasts, passes) in wishes {
            let wish = match kind {
                0 => Wish::Drain,
                1 => Wish::Maintenance,
                2 => Wish::Serve,
                3 => Wish::Weight(weight(value)),
                _ => Wish::FileWeight,
            };
            live.wish(wish, now, Some(now + seconds(lasts)));
            now += seconds(passes);
            live.expire(now);
            prop_assert_eq!(live.is_empty(), live.over(&file) == file);
        }
        live.expire(now + seconds(100));
        prop_assert!(live.is_empty());
    }
}

fn targets(all: &[(&str, &str)]) -> Vec<Identity> {
    all.iter()
        .map(|(pool, url)| Identity::new(&(*pool).into(), &url.parse().unwrap()))
        .collect()
}

#[test]
fn a_url_means_the_backend_in_every_pool_or_in_the_one_that_is_named() {
    let all = targets(&[("default", "http://a"), ("api", "http://a"), ("api", "http://b")]);
    let found = |url, pool| {
        let found = find(url, pool, &all).unwrap();
        found
            .iter()
            .map(|Identity { pool, url }| format!("{pool} {url}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("http://A:80/", None),
        ["default http://a:80", "api http://a:80"]
    );
    assert_eq!(found("http://a", Some("api")), ["api http://a:80"]);
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let all = targets(&[("default", "http://localhost:9001"), ("api", "http://backend:80")]);
    let lines = |url, pool| find(url, pool, &all).unwrap_err().lines();
    assert_eq!(
        lines("http://localhots:9001", None),
        [
            "there is no backend http://localhots:9001; did you mean `http://localhost:9001`?",
            "the backends are:",
            "  http://backend:80",
            "  http://localhost:9001"
        ]
    );
    assert_eq!(
        find("localhost:9001", None, &all),
        find("http://localhost:9001", None, &all)
    );
    assert!(find("localhost:9001", None, &all).is_ok());
    assert!(lines("http://localhost:9001/x", None)[0].ends_with("did you mean `http://localhost:9001`?"));
    assert_eq!(
        lines("http://localhost:9001", Some("api"))[..],
        [
            "there is no backend http://localhost:9001",
            "the backends are:",
            "  http://backend:80"
        ]
    );
    assert_eq!(
        lines("http://localhost:9001", Some("apo")),
        [
            "there is no pool apo; did you mean `api`?",
            "the pools are:",
            "  api",
            "  default"
        ]
    );
    let ports = targets(&[
        ("default", "http://localhost:9001"),
        ("default", "http://localhost:9002"),
    ]);
    let unclear = find("http://localhost:9003", None, &ports).unwrap_err();
    assert_eq!(unclear.to_string(), "there is no backend http://localhost:9003");
    let many: Vec<String> = (0..1000).map(|index| format!("http://b{index}")).collect();
    let many: Vec<_> = many.iter().map(|url| ("default", url.as_str())).collect();
    let lines = find(&"\u{1b}x".repeat(1000), None, &targets(&many))
        .unwrap_err()
        .lines();
    assert_eq!(lines.len(), 23);
    assert!(lines[0].chars().count() < 500 && !lines[0].contains('\u{1b}'));
    assert_eq!(lines[22], "  and 980 more; `simple-lb status` shows them");
}

fn snapshot(config: &Config, change: impl Fn(&str, &mut Live)) -> Snapshot {
    let members = |pool: &str| -> Vec<Member> {
        let members = config.pools[pool].backends.iter().map(|backend| {
            let at = Arc::new(Backend::new(1, backend.url.clone(), 1));
            let health = crate::health::Health::at_start();
            let mut member = Member::new(at, backend, health, Instant::now());
            change(backend.url.host(), &mut member.live);
            member
        });
        members.collect()
    };
    Snapshot::build(1, Arc::new(config.clone()), members, None)
}

#[test]
fn a_reload_says_what_becomes_of_live_changes() {
    let running = config(&["http://a", "http://b", "http://c", "http://d", "http://e"]);
    let now = Instant::now();
    let snapshot = snapshot(&running, |host, live| match host {
        "a" => live.wish(Wish::Weight(weight(10)), now, Some(now + seconds(3540))),
        "b" => {
            live.wish(Wish::Drain, now, None);
            live.wish(Wish::Weight(weight(2)), now, None);
        }
        "c" => live.wish(Wish::Weight(weight(5)), now, None),
        "d" => live.wish(Wish::Maintenance, now, None),
        _ => {}
    });
    let mut next = config(&[
        "{url: \"http://a\", weight: 3}",
        "{url: \"http://c\", weight: 5}",
        "{url: \"http://d\", weight: 7}",
        "{url: \"http://e\", weight: 7}",
    ]);
    let d = &mut next.pools.get_mut("default").unwrap().backends[2];
    *d = ordered(d.clone(), Order::Draining);
    let plan = ReloadPlan::between(&running, &next);
    let mut notes = reload_notes(&snapshot, &plan, now);
    notes.sort();
    assert_eq!(
        notes,
        [
            "http://a:80: live weight 10 stays for 59m00s; then its weight in the file counts",
            "http://b:80: live draining and weight 2 ends: it was removed",
            "http://c:80: live weight 5 is what the file says now, and ends",
            "http://d:80: live maintenance stays; its order in the file counts when it is taken back",
        ]
    );
}

#[test]
fn a_wish_for_what_the_file_says_is_as_the_file() {
    let now = Instant::now();
    let mut live = Live::of(&config(&["http://a"]).pools["default"].backends[0]);
    for wish in [Wish::FileWeight, Wish::Weight(weight(1)), Wish::Serve] {
        live.wish(wish, now, Some(now + seconds(3)));
        assert!(live.is_as_file(wish), "{wish:?}");
    }
    live.wish(Wish::Drain, now, None);
    assert!(!live.is_as_file(Wish::Drain) && live.is_as_file(Wish::FileWeight));
    live.wish(Wish::Weight(weight(2)), now, None);
    assert!(!live.is_as_file(Wish::FileWeight));
}

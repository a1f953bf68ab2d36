use lb_core::status::{
    HealthStatus::{Draining, Up},
    LiveReport,
};

use super::{balancer, config, done, urls};
use crate::harness::{Balancer, backends, wait_until};

#[test]
fn a_weight_shifts_shares_exactly_and_is_taken_back() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    let weight = done(&balancer, &format!("weight {}=3 --for 1h", b.url()));
    let (first, second) = weight.stdout.split_once('\n').unwrap();
    assert_eq!(first, format!("{} has weight 3", b.url()));
    assert!(
        second.contains("; then weight 1 again, as the file says; sooner"),
        "{weight:?}"
    );
    assert_eq!(balancer.order(400).matches('b').count(), 300);
    let status = done(&balancer, "status").stdout;
    let row = status
        .lines()
        .find(|line| line.contains("weight 3"))
        .unwrap_or_default();
    assert!(row.starts_with(&b.url()), "{status}");
    let status = balancer.backend(&b.url());
    assert_eq!((status.weight, status.live[0].file.as_str()), (3, "1"));

    let back = done(&balancer, &format!("weight {}=config", b.url()));
    assert_eq!(
        back.stdout,
        format!("{} has weight 1\n  as the file says\n", b.url())
    );
    assert_eq!(balancer.order(400).matches('b').count(), 200);
}

#[test]
fn a_change_ends_by_itself() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    done(&balancer, &format!("weight {}=9 --for 5s", a.url()));
    done(&balancer, &format!("drain {} --for 5s", b.url()));
    assert_eq!(balancer.order(3), "a a a");
    wait_until("the end of both", || {
        let status = balancer.status();
        status.pools[0]
            .backends
            .iter()
            .all(|backend| backend.live.is_empty())
    });
    assert_eq!(balancer.backend(&b.url()).health, Up);
    assert_eq!(balancer.order(10).matches('b').count(), 5);
}

#[test]
fn live_changes_survive_a_reload_which_says_so_and_those_of_removed_backends_end() {
    let [a, b, c] = backends();
    let balancer = balancer(&[&a, &b, &c]);
    done(&balancer, &format!("weight {}=10 --for 1h", a.url()));
    done(&balancer, &format!("drain {}", b.url()));
    done(&balancer, &format!("weight {}=2", c.url()));
    let reload = balancer.reload_with(&config(&[
        format!("{{url: \"{}\", weight: 3}}", a.url()),
        b.url(),
    ]));
    let note = |text: &str| {
        let found = reload
            .stdout
            .lines()
            .any(|line| line.starts_with(&format!("note: {text}")));
        assert!(found, "{text}: {reload:?}");
    };
    note(&format!("{}: live weight 10 stays for ", a.url()));
    note(&format!("{}: live weight 2 ends: it was removed", c.url()));
    assert_eq!(balancer.backend(&a.url()).weight, 10);
    assert_eq!(balancer.backend(&b.url()).health, Draining);
    assert_eq!(balancer.order(3), "a a a");

    balancer.reload_with(&config(&urls(&[&a, &b, &c])));
    balancer.wait_for_health(&c.url(), Up);
    let back = balancer.backend(&c.url());
    assert_eq!(
        (back.weight, back.live.len()),
        (1, 0),
        "added again, it is another one"
    );

    let reload = balancer.reload_with(&config(&[
        format!("{{url: \"{}\", weight: 10}}", a.url()),
        b.url(),
        c.url(),
    ]));
    assert!(
        reload
            .stdout
            .contains("live weight 10 is what the file says now, and ends")
    );
    assert!(balancer.backend(&a.url()).live.is_empty());
}

#[test]
fn a_restart_forgets_them() {
    let [a, b] = backends();
    let first = balancer(&[&a, &b]);
    done(&first, &format!("drain {}", b.url()));
    let place = first.place.clone();
    done(&first, "--stop");
    let second = Balancer::start_in(&place, &config(&urls(&[&a, &b])));
    assert_eq!(second.order(4).matches('b').count(), 2);
}

#[test]
fn json_tells_how_the_backends_are_then() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    let drain = done(&balancer, &format!("drain {} --for 10m --json", b.url()));
    let report: LiveReport = serde_json::from_str(&drain.stdout).unwrap();
    let json = drain.json();
    assert!(report.applied && report.backends.len() == 1);
    assert_eq!(json["backends"][0]["pool"], "default");
    assert_eq!(json["backends"][0]["health"], "draining");
    assert_eq!(json["backends"][0]["live"][0]["value"], "draining");
    let left = json["backends"][0]["until_seconds"].as_u64().unwrap();
    assert!((500..=600).contains(&left), "{left}");
    let wait = done(&balancer, &format!("drain {} --wait --json", b.url())).json();
    assert!(wait["backends"][0]["drained_seconds"].is_u64(), "{wait}");
}

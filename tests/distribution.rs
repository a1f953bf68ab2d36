//! Which backend gets which request.

use crate::harness::{Balancer, backends, hits};

#[test]
fn twelve_requests_go_to_three_backends_in_turn() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nstrategy: round-robin\nbackends: [\"{}\", \"{}\", \"{}\"]\n",
        a.url(),
        b.url(),
        c.url()
    ));
    assert_eq!(balancer.order(12), "a b c a b c a b c a b c");
    assert_eq!(hits(&[&a, &b, &c]), "a: 4, b: 4, c: 4");
}

#[test]
fn weights_give_the_order_of_nginx() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&weighted(&[&a.url(), &b.url(), &c.url()]));
    assert_eq!(balancer.order(14), "a a b a c a a a a b a c a a");
}

#[test]
fn all_workers_share_one_order() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&weighted(&[&a.url(), &b.url(), &c.url()]));
    // Connections go to the workers in turn; each request is over before the next one begins.
    let mut clients: Vec<_> = (0..5).map(|_| balancer.connect()).collect();
    let order: Vec<String> = (0..14)
        .map(|request| clients[request % 5].get("/").server())
        .collect();
    assert_eq!(order.join(" "), "a a b a c a a a a b a c a a");
}

#[test]
fn concurrent_requests_are_shared_exactly_over_full_cycles() {
    let [a, b, c] = backends();
    let balancer = Balancer::start(&weighted(&[&a.url(), &b.url(), &c.url()]));
    std::thread::scope(|scope| {
        for _ in 0..7 {
            scope.spawn(|| balancer.order(100));
        }
    });
    assert_eq!(hits(&[&a, &b, &c]), "a: 500, b: 100, c: 100");
}

fn weighted(urls: &[&str; 3]) -> String {
    let [a, b, c] = urls;
    format!(
        "
port: 0
strategy: weighted
workers: 4
backends:
  - {{url: \"{a}\", weight: 5}}
  - \"{b}\"
  - url: \"{c}\"
    weight: 1
"
    )
}

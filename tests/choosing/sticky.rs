//! Sticky cookies.

use super::*;
use crate::harness::Response;

const KEY: &str = "sticky: {cookie: srv, key: 0123456789abcdef, ttl: 8h}";

/// The cookie that an answer sets: `name=value`, and its attributes.
fn cookie(answer: &Response) -> (String, String) {
    let all = answer.all("Set-Cookie");
    assert_eq!(all.len(), 1, "{:?}", answer.headers);
    let (pair, attributes) = all[0].split_once("; ").unwrap();
    (pair.to_owned(), attributes.to_owned())
}

fn with_cookie(balancer: &Balancer, cookie: &str) -> Response {
    let mut client = balancer.connect();
    client.request("GET", "/", &[&format!("Cookie: theme=dark; {cookie}")], b"")
}

#[test]
fn a_client_comes_back_and_is_told_only_once() {
    let servers: [DummyServer; 3] = backends();
    let urls: Vec<_> = servers.iter().map(DummyServer::url).collect();
    let balancer = Balancer::start(&config(KEY, &urls));
    let first = balancer.get("/");
    let (pair, attributes) = cookie(&first);
    assert_eq!(attributes, "Path=/; Max-Age=28800; HttpOnly; SameSite=Lax");
    let value = pair.strip_prefix("srv=").unwrap();
    assert!(
        value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "opaque: {value}"
    );
    for _ in 0..6 {
        let again = with_cookie(&balancer, &pair);
        assert_eq!(again.server(), first.server());
        assert_eq!(again.all("Set-Cookie"), Vec::<&str>::new());
    }
    let forged = with_cookie(&balancer, "srv=00000000000000000000000000000000");
    assert_ne!(cookie(&forged).0, "srv=00000000000000000000000000000000");
}

#[test]
fn rfc_6265_4_2_2_of_several_cookies_of_one_name_that_of_this_pool_counts() {
    let servers: [DummyServer; 3] = backends();
    let urls: Vec<_> = servers.iter().map(DummyServer::url).collect();
    let balancer = Balancer::start(&config(KEY, &urls));
    let first = balancer.get("/");
    let (pair, _) = cookie(&first);
    let another = "srv=0123456789abcdef0123456789abcdef";
    for cookies in [format!("{another}; {pair}"), format!("{pair}; {another}")] {
        for _ in 0..4 {
            let again = with_cookie(&balancer, &cookies);
            assert_eq!(again.server(), first.server(), "{cookies}");
            assert_eq!(again.all("Set-Cookie"), Vec::<&str>::new(), "{cookies}");
        }
    }
}

#[test]
fn without_a_cookie_the_strategy_chooses() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(KEY, &urls(&[&a, &b])));
    assert_eq!(balancer.order(4), "a b a b");
}

#[test]
fn several_balancers_with_one_key_agree_also_after_a_reload() {
    let [a, b, c] = backends();
    let one = Balancer::start(&config(KEY, &urls(&[&a, &b])));
    let other = Balancer::start(&config(KEY, &urls(&[&b, &c, &a])));
    let first = one.get("/");
    let (pair, _) = cookie(&first);
    assert_eq!(with_cookie(&other, &pair).server(), first.server());
    one.reload_with(&config(KEY, &urls(&[&c, &b, &a])));
    assert_eq!(with_cookie(&one, &pair).server(), first.server());
}

#[test]
fn the_kept_key_survives_a_restart() {
    let servers: [DummyServer; 3] = backends();
    let urls: Vec<_> = servers.iter().map(DummyServer::url).collect();
    let state = tempfile::tempdir().unwrap();
    let text = config(
        &format!("sticky: true\nstate_dir: \"{}/state\"", state.path().display()),
        &urls,
    );
    let pairs: Vec<(String, String)> = {
        let balancer = Balancer::start(&text);
        let answers = (0..3).map(|_| balancer.get("/"));
        answers
            .map(|answer| (cookie(&answer).0, answer.server()))
            .collect()
    };
    let balancer = Balancer::start(&text);
    for (pair, server) in pairs {
        assert!(pair.starts_with("simple_lb="), "{pair}");
        assert_eq!(with_cookie(&balancer, &pair).server(), server);
    }
}

#[test]
fn a_client_whose_backend_is_gone_moves_with_its_cookie() {
    let [a, b] = backends();
    let text = |servers: &[&DummyServer]| config(KEY, &urls(servers));
    let balancer = Balancer::start(&text(&[&a, &b]));
    let first = balancer.get("/");
    assert_eq!(first.server(), "a");
    let (pair, _) = cookie(&first);
    let reload = balancer.reload_with(&text(&[&b]));
    assert_eq!(reload.code, 0, "{reload:?}");
    let moved = with_cookie(&balancer, &pair);
    assert_eq!(moved.server(), "b");
    let (new_pair, _) = cookie(&moved);
    assert_ne!(new_pair, pair);
    assert_eq!(
        with_cookie(&balancer, &new_pair).all("Set-Cookie"),
        Vec::<&str>::new()
    );
}

#[test]
fn a_dead_backend_costs_its_clients_no_error() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(KEY, &urls(&[&a, &b])));
    let first = balancer.get("/");
    let (pair, _) = cookie(&first);
    a.kill();
    assert_eq!(with_cookie(&balancer, &pair).server(), "b");
}

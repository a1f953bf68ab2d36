use std::time::Duration;

use dummy_servers::Behaviour;
use lb_core::status::HealthStatus;

use super::*;
use crate::harness::{backends, wait_until};

#[test]
fn a_backend_is_added_and_removed_over_the_api() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(&[a.url()], &with_tokens("")));
    let body = format!("{{\"url\": \"{}\", \"weight\": 3, \"for\": \"1h\"}}", b.url());
    let added = post(&balancer, "/v1/backends/add", OPS, &body);
    assert_eq!(added.status, 200, "{}", added.text());
    let backend = added.json()["backends"][0].clone();
    assert_eq!(
        (&backend["health"], &backend["weight"]),
        (&"up".into(), &3.into()),
        "{backend}"
    );
    assert_eq!(backend["live"][0]["value"], "added");
    assert_eq!(
        balancer.order(8).matches('b').count(),
        6,
        "after its first probe, at once"
    );
    balancer.wait_for_log(&format!(
        "add {}, weight 3 for 1h, asked by token ops from 127.0.0.1: done",
        b.url()
    ));
    assert_eq!(post(&balancer, "/v1/backends/add", LOOKER, &body).status, 403);
    let body = format!("{{\"url\": \"{}\"}}", b.url());
    let removed = post(&balancer, "/v1/backends/remove", OPS, &body);
    assert_eq!(removed.status, 200, "{}", removed.text());
    assert_eq!(
        removed.json()["removed"][0],
        serde_json::json!({"pool": "default", "url": b.url(), "in_flight": 0, "in_file": false})
    );
    assert_eq!(balancer.order(4), "a a a a");
    for (body, status, what) in [
        (body.as_str(), 404, "there is no backend"),
        ("{\"url\": \"https://a\"}", 404, "there is no backend"),
    ] {
        let refused = post(&balancer, "/v1/backends/remove", OPS, body);
        assert_eq!(refused.status, status, "{}", refused.text());
        assert!(said(&refused).contains(what), "{}", refused.text());
    }
    for (body, status, what) in [
        (
            "{\"url\": \"https://a\"}".to_owned(),
            400,
            "TLS to backends is not there yet",
        ),
        (
            format!("{{\"url\": \"{}\", \"for\": \"1m\"}}", a.url()),
            409,
            "is in the file",
        ),
        (
            "{\"url\": \"http://a\", \"pool\": \"x\"}".to_owned(),
            404,
            "the pools are: default",
        ),
    ] {
        let refused = post(&balancer, "/v1/backends/add", OPS, &body);
        assert_eq!(refused.status, status, "{}", refused.text());
        assert!(said(&refused).contains(what), "{}", refused.text());
    }
}

#[test]
fn commands_say_how_it_is_and_what_ends_it() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(&[a.url()], ""));
    let done = |line: &str| {
        let done = balancer.place.run(line);
        assert_eq!(done.code, 0, "{done:?}");
        (done.stdout, done.stderr)
    };
    let url = b.url();
    assert_eq!(
        done(&format!("add {url} --for 1h")).0,
        format!("{url} is up and gets requests\n  for 1h00m; sooner removed with `simple-lb remove {url}`\n")
    );
    assert_eq!(balancer.order(4).matches('b').count(), 2);
    let status = done("status").0;
    let row = status
        .lines()
        .find(|line| line.contains("added"))
        .unwrap_or_default();
    assert!(row.starts_with(&url) && row.ends_with("not there"), "{status}");
    assert_eq!(
        done(&format!("remove {url}")).0,
        format!("{url} is removed: nothing is in flight\n  it was added live; nothing is left of it\n")
    );
    b.kill();
    let (out, warned) = done(&format!("add {url}"));
    assert_eq!(
        out,
        format!(
            "{url} is down: it gets requests after a good probe\n  until `simple-lb remove {url}` or a restart: the file does not have it\n"
        )
    );
    assert!(warned.contains(&format!("warning: {url} is down: ")), "{warned}");
    b.revive().unwrap();
    balancer.wait_for_health(&url, HealthStatus::Up);
    let url = a.url();
    assert_eq!(
        done(&format!("remove {url} --for 10m")).0,
        format!(
            "{url} is removed: nothing is in flight\n  for 10m; sooner back with `simple-lb add {url}`\n"
        )
    );
    assert_eq!(balancer.order(2), "b b");
    let status = done("status").0;
    let row = status
        .lines()
        .find(|line| line.contains("removed"))
        .unwrap_or_default();
    assert!(row.starts_with(&url) && row.ends_with("there"), "{status}");
    assert_eq!(
        done(&format!("add {url}")).0,
        format!("{url} is up and gets requests\n  as the file says\n")
    );
    let refused = balancer.place.run("remove http://nowhere");
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(
        refused
            .stderr
            .starts_with("there is no backend http://nowhere; the backends are: "),
        "{refused:?}"
    );
}

#[test]
fn a_removed_backend_finishes_its_requests_and_a_reload_does_not_bring_it_back() {
    let [a, b, c] = backends();
    let text = |backends: &[String]| config(backends, "");
    let balancer = Balancer::start(&text(&[a.url(), b.url()]));
    for backend in [&a, &b] {
        backend.set_behaviour(Behaviour::Slow(Duration::from_millis(500)));
    }
    let mut slow = [balancer.connect(), balancer.connect()];
    slow.iter_mut()
        .for_each(|client| client.send_request("GET", "/", &[], b"").unwrap());
    wait_until("a request at each", || {
        [&a, &b]
            .iter()
            .all(|one| balancer.backend(&one.url()).counts.in_flight == 1)
    });
    let removed = balancer.place.run(&format!("remove {}", b.url()));
    assert!(
        removed.stdout.contains("is removed: 1 in flight finishes"),
        "{removed:?}"
    );
    assert_eq!(balancer.order(2), "a a");
    let mut names: Vec<String> = slow
        .iter_mut()
        .map(|client| client.read_response("GET").unwrap().server())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "b"], "nothing is cut");
    let added = balancer.place.run(&format!("add {}", c.url()));
    assert_eq!(added.code, 0, "{added:?}");
    balancer.write_config(&text(&[a.url(), b.url()]).replace("slow_start: 0s", "slow_start: 1ms"));
    let reload = balancer.reload();
    assert_eq!(reload.code, 0, "{reload:?}");
    for note in [
        format!("note: {}: removed live, stays away; the file has it", b.url()),
        format!("note: {}: added live, stays; the file does not have it", c.url()),
    ] {
        assert!(reload.stdout.contains(&note), "{reload:?}");
    }
    a.set_behaviour(Behaviour::Ok);
    assert!(!balancer.order(6).contains('b'));
    balancer.reload_with(&text(&[a.url(), c.url()]));
    let pools = balancer.status().pools;
    assert!(pools[0].removed.is_empty(), "{pools:?}");
    assert!(
        pools[0].backends.iter().all(|one| one.live.is_empty()),
        "{pools:?}"
    );
}

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::harness::{Place, backends};

#[test]
fn without_a_token_it_tells_and_changes_nothing() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], "admin: \"127.0.0.1:0\""));
    for path in [
        "/healthz",
        "/readyz",
        "/v1/status",
        "/v1/pools",
        "/v1/pools/default",
        "/v1/plan",
    ] {
        assert_eq!(get(&balancer, path, "").status, 200, "{path}");
    }
    let status = get(&balancer, "/v1/status", "").json();
    assert_eq!(status["pools"][0]["backends"][0]["url"], a.url());
    for path in ["/v1/reload", "/v1/stop", "/v1/backends/drain"] {
        let refused = post(&balancer, path, "", "{}");
        assert_eq!(refused.status, 403, "{path}");
        assert!(said(&refused).contains("add `token:"), "{}", refused.text());
    }
    assert_eq!(get(&balancer, "/v2", "").status, 404);
    let wrong = post(&balancer, "/v1/status", "", "");
    assert_eq!(wrong.status, 403);
}

#[test]
fn with_tokens_nothing_but_health_is_open() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], &with_tokens("")));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&balancer, path, "").status, 200, "{path}");
    }
    for (path, token) in [
        ("/v1/status", ""),
        ("/v1/status", "ops-0123456789abcdeF"),
        ("/v1/pools", ""),
        ("/metrics", ""),
        ("/nothing", ""),
        ("/status", ""),
    ] {
        let refused = get(&balancer, path, token);
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(
            refused.header("WWW-Authenticate"),
            Some("Bearer realm=\"simple-lb\"")
        );
    }
    assert_eq!(get(&balancer, "/v1/status", LOOKER).status, 200);
    // The paths of the control socket are not here.
    assert_eq!(get(&balancer, "/status", OPS).status, 404);
    let drain = format!("{{\"url\": \"{}\"}}", a.url());
    let refused = post(&balancer, "/v1/backends/drain", LOOKER, &drain);
    assert_eq!(refused.status, 403);
    assert!(
        said(&refused).contains("the token looker may look"),
        "{}",
        refused.text()
    );
    assert_eq!(post(&balancer, "/v1/backends/drain", OPS, &drain).status, 200);
    let other = post(&balancer, "/v1/status", OPS, "");
    assert_eq!((other.status, other.header("Allow")), (405, Some("GET")));
}

#[test]
fn metrics_need_a_token_unless_they_are_open() {
    let [a] = backends();
    let closed = Balancer::start(&config(&[a.url()], &with_tokens("")));
    let status = |token: &str| get(&closed, "/metrics", token).status;
    assert_eq!((status(""), status(LOOKER)), (401, 200));
    let open = Balancer::start(&config(&[a.url()], &with_tokens("metrics: open, ")));
    assert_eq!(get(&open, "/metrics", "").status, 200);
    assert_eq!(get(&open, "/v1/status", "").status, 401);
    assert_eq!(over_the_socket(&open, "GET", "/metrics", "").0, 200);
}

#[test]
fn what_a_web_page_could_do_is_refused() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], &with_tokens("hosts: [lb.test], ")));
    let bearer = format!("Authorization: Bearer {OPS}");
    let asked = |path: &str, lines: &[&str]| {
        let mut all = vec![bearer.as_str()];
        all.extend(lines);
        Client::connect(address(&balancer))
            .request("GET", path, &all, b"")
            .status
    };
    assert_eq!(asked("/v1/status", &["Host: lb.test:9000"]), 200);
    assert_eq!(asked("/v1/status", &["Host: evil.test"]), 403);
    assert_eq!(asked("/healthz", &["Host: evil.test"]), 403);
    assert_eq!(
        asked("/v1/status", &["Host: lb.test", "Origin: http://lb.test"]),
        200
    );
    assert_eq!(
        asked("/v1/status", &["Host: lb.test", "Origin: http://evil.test"]),
        403
    );
    assert_eq!(asked(&format!("/v1/status?token={OPS}"), &[]), 400);
    let log = balancer.log();
    assert!(!log.contains(OPS), "{log}");
    balancer.wait_for_log("refused a request to the admin API from 127.0.0.1: a page of another origin");
}

#[test]
fn tokens_are_rotated_by_a_reload() {
    let [a] = backends();
    let place = Place::new();
    let write = |name: &str, token: &str, mode: u32| {
        place.write(name, token);
        let path = place.folder().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("ops.token", "first-0123456789abcdef\n", 0o600);
    let text = |more: &str| {
        config(
            &[a.url()],
            &format!("admin: {{listen: \"127.0.0.1:0\", tokens: [{{name: ops, file: ops.token}}{more}]}}"),
        )
    };
    let balancer = Balancer::start_in(&place, &text(""));
    let status = |token: &str| get(&balancer, "/v1/status", token).status;
    let (first, second) = ("first-0123456789abcdef", "second-0123456789abcdef");
    assert_eq!((status(first), status(second)), (200, 401));
    write("next.token", second, 0o644);
    let reload = balancer.reload_with(&text(", {name: next, file: next.token}"));
    assert!(
        reload.stdout.contains(
            "~ admin.tokens ops (read, ops.token) -> ops (read, ops.token), next (read, next.token)"
        ),
        "{reload:?}"
    );
    assert!(
        reload.stdout.contains("note: config.yaml:") && reload.stdout.contains("(mode 0644)"),
        "{reload:?}"
    );
    assert_eq!((status(first), status(second)), (200, 200));
    write("ops.token", "third-0123456789abcdef", 0o600);
    let reload = balancer.reload_with(&text(""));
    assert!(!reload.stdout.contains("0123456789"), "{reload:?}");
    assert_eq!(
        (status(first), status(second), status("third-0123456789abcdef")),
        (401, 401, 200)
    );
    balancer.write_config(&text(&format!(", {{name: same, token: {first}}}")));
    write("ops.token", first, 0o600);
    let refused = balancer.reload();
    assert!(
        refused.code == 1 && refused.stderr.contains("holds the secret of `same`, too"),
        "{refused:?}"
    );
    balancer.write_config(&text(""));
    write("ops.token", "short", 0o600);
    let refused = balancer.reload();
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("ops.token holds no token: it must have at least 16 characters"),
        "{refused:?}"
    );
    assert_eq!(status("third-0123456789abcdef"), 200);
}

#[test]
fn where_it_listens_needs_a_restart_and_a_port_that_is_taken_is_said() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], ""));
    assert_eq!(balancer.status().admin, None);
    balancer.write_config(&config(&[a.url()], "admin: on"));
    let refused = balancer.reload();
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("admin off -> on: needs a restart"),
        "{refused:?}"
    );
    let place = Place::new();
    let taken = format!("admin: \"127.0.0.1:{}\"", a.port());
    place.write("config.yaml", &config(&[a.url()], &taken));
    let refused = place.run("--config config.yaml");
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("choose another `admin.listen`"),
        "{refused:?}"
    );
}

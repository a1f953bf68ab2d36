use lb_core::status::HealthStatus;

use super::*;
use crate::harness::{backends, hits, wait_until};

#[test]
fn a_backend_is_drained_weighed_and_taken_back_and_the_log_says_by_whom() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(&[a.url(), b.url()], &with_tokens("")));
    let url = a.url();
    let changed = |action: &str, more: &str| {
        let body = format!("{{\"url\": \"{url}\"{more}}}");
        let response = post(&balancer, &format!("/v1/backends/{action}"), OPS, &body);
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["backends"][0].clone()
    };
    let drained = changed("drain", ", \"for\": \"1h\"");
    assert_eq!(
        (&drained["health"], &drained["pool"]),
        (&"draining".into(), &"default".into())
    );
    assert!(
        drained["until_seconds"].as_u64().is_some_and(|left| left > 3000),
        "{drained}"
    );
    assert_eq!(balancer.order(4), "b b b b");
    balancer.wait_for_log(&format!(
        "drain {url} for 1h, asked by token ops from 127.0.0.1: done"
    ));
    assert_eq!(changed("undrain", "")["health"], "up");
    assert_eq!(
        changed("weight", ", \"weight\": 3, \"pool\": \"default\"")["weight"],
        3
    );
    assert_eq!(balancer.order(8).matches('a').count(), 6);
    balancer.wait_for_log(&format!("weight of {url} in pool default: 3, asked by token ops"));
    assert_eq!(changed("weight", ", \"weight\": null")["weight"], 1);
    assert_eq!(changed("maintenance", "")["health"], "maintenance");
    assert_eq!(changed("undrain", "")["live"], serde_json::json!([]));
    balancer.wait_for_health(&url, HealthStatus::Up);
    assert!(hits(&[&a, &b]).starts_with("a: 6"), "{}", hits(&[&a, &b]));
    let line = balancer.place.run(&format!("drain {url}"));
    assert_eq!(line.code, 0, "{line:?}");
    let uid = rustix::process::getuid().as_raw();
    balancer.wait_for_log(&format!("drain {url}, asked by uid {uid}: done"));
}

#[test]
fn what_cannot_be_done_is_refused_with_what_to_do() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], &with_tokens("")));
    let url = a.url();
    let long = format!("{{\"url\": \"{}\"}}", "a".repeat(20_000));
    for (action, body, status, what) in [
        (
            "drain",
            "{\"url\": \"http://nowhere\"}",
            404,
            "there is no backend http://nowhere; the backends are: ",
        ),
        (
            "drain",
            "{\"url\": \"http://nowhere\", \"pool\": \"x\"}",
            404,
            "there is no pool x; the pools are: default",
        ),
        ("drain", "{}", 400, "missing field `url`"),
        ("drain", "", 400, "send JSON such as"),
        ("drain", "{\"url\": 1}", 400, "invalid type"),
        ("drain", "[\"http://a\"]", 400, "a list, and no object"),
        (
            "drain",
            "{\"url\": \"http://a\", \"wait\": true}",
            400,
            "unknown field `wait`",
        ),
        (
            "drain",
            "{\"url\": \"http://a\", \"for\": \"10\"}",
            400,
            "for: must be a duration with its unit",
        ),
        ("drain", &long, 413, "longer than 16 KiB"),
        ("weight", "{\"url\": \"http://a\"}", 400, "missing field `weight`"),
        (
            "weight",
            "{\"url\": \"http://a\", \"weight\": 0}",
            400,
            "1 to 256",
        ),
    ] {
        let refused = post(&balancer, &format!("/v1/backends/{action}"), OPS, body);
        assert_eq!(refused.status, status, "{body}: {}", refused.text());
        assert!(said(&refused).contains(what), "{body}: {}", refused.text());
    }
    let unknown = get(&balancer, "/v1/pools/x", LOOKER);
    assert_eq!(unknown.status, 404);
    assert!(
        said(&unknown).contains("the pools are: default"),
        "{}",
        unknown.text()
    );
    assert_eq!(balancer.backend(&url).health, HealthStatus::Up);
}

#[test]
fn a_reload_shows_its_plan_and_says_why_it_is_refused() {
    let [a, b] = backends();
    let text = |backends: &[String]| config(backends, &with_tokens(""));
    let balancer = Balancer::start(&text(&[a.url()]));
    balancer.write_config(&text(&[a.url(), b.url()]));
    let plan = get(&balancer, "/v1/plan", LOOKER).json();
    assert_eq!(plan["changes"], serde_json::json!([format!("+ {}", b.url())]));
    assert_eq!(balancer.status().generation, 1);
    let done = post(&balancer, "/v1/reload", OPS, "");
    assert_eq!((done.status, &done.json()["generation"]), (200, &2.into()));
    balancer.wait_for_log("reload, asked by token ops from 127.0.0.1: generation 2 serves");
    balancer.place.write("config.yaml", "port: [");
    let refused = post(&balancer, "/v1/reload", OPS, "");
    assert_eq!((refused.status, &refused.json()["applied"]), (422, &false.into()));
    assert!(refused.text().contains("is not valid YAML"), "{}", refused.text());
}

#[test]
fn the_level_of_the_log_is_changed_for_a_time_or_until_a_reload() {
    let [a] = backends();
    let text = |level: &str| config(&[a.url()], &format!("{}\nlog: {level}", with_tokens("")));
    let balancer = Balancer::start(&text("error"));
    let level = |balancer: &Balancer| get(balancer, "/v1/log-level", LOOKER).json();
    let set = |body: &str| post(&balancer, "/v1/log-level", OPS, body);
    assert_eq!(
        level(&balancer),
        serde_json::json!({"level": "error", "file": "error", "until_seconds": null})
    );
    let drain = |action: &str| {
        let body = format!("{{\"url\": \"{}\"}}", a.url());
        assert_eq!(
            post(&balancer, &format!("/v1/backends/{action}"), OPS, &body).status,
            200
        );
    };
    drain("drain");
    let changed = set("{\"level\": \"info\", \"for\": \"1h\"}").json();
    assert_eq!(
        (&changed["level"], &changed["file"]),
        (&"info".into(), &"error".into())
    );
    balancer.wait_for_log("log level info for 1h, asked by token ops from 127.0.0.1: done");
    drain("undrain");
    balancer.wait_for_log("undrain ");
    assert!(!balancer.log().contains("] drain http"), "{}", balancer.log());
    balancer.reload_with(&text("warn"));
    assert_eq!(level(&balancer)["level"], "warn");
    assert_eq!(set("{\"level\": \"error\"}").json()["level"], "error");
    assert_eq!(set("{\"level\": null}").json()["level"], "warn");
    set("{\"level\": \"debug\", \"for\": \"100ms\"}");
    wait_until("the file's level", || level(&balancer)["level"] == "warn");
    let typed = |line: &str| {
        let done = balancer.place.run(line);
        assert_eq!(done.code, 0, "{done:?}");
        done.stdout
    };
    assert_eq!(typed("log-level"), "log level warn, as the file says\n");
    assert_eq!(
        typed("log-level debug --for 1h"),
        "log level debug for 1h00m; then warn again, as the file says; sooner with `simple-lb log-level config` or a reload\n"
    );
    assert_eq!(typed("log-level config"), "log level warn, as the file says\n");
    for body in [
        "{}",
        "{\"level\": \"loud\"}",
        "{\"level\": \"info\", \"for\": \"0s\"}",
    ] {
        assert_eq!(set(body).status, 400, "{body}");
    }
    assert_eq!(
        post(&balancer, "/v1/log-level", LOOKER, "{\"level\": \"off\"}").status,
        403
    );
}

#[test]
fn the_description_is_the_one_of_the_documents() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], &with_tokens("")));
    let told = get(&balancer, "/openapi.json", LOOKER);
    assert_eq!(told.header("Content-Type"), Some("application/json"));
    let printed = balancer.place.run("schema --openapi");
    assert_eq!((printed.code, printed.json()), (0, told.json()));
}

#[test]
fn the_control_socket_has_the_api_and_the_paths_of_older_command_lines() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], ""));
    for path in [
        "/status",
        "/plan",
        "/v1/status",
        "/v1/pools",
        "/healthz",
        "/readyz",
    ] {
        assert_eq!(over_the_socket(&balancer, "GET", path, "").0, 200, "{path}");
    }
    let live = format!(
        "{{\"url\": \"{}\", \"change\": \"drain\", \"for\": \"10m\"}}",
        a.url()
    );
    assert_eq!(over_the_socket(&balancer, "POST", "/live", &live).0, 200);
    let nowhere = "{\"url\": \"http://nowhere\", \"change\": \"drain\"}";
    let (status, body) = over_the_socket(&balancer, "POST", "/live", nowhere);
    assert!(status == 200 && body.contains("\"applied\":false"), "{body}");
    assert_eq!(
        over_the_socket(&balancer, "POST", "/v1/backends/undrain", nowhere).0,
        400
    );
    assert_eq!(over_the_socket(&balancer, "POST", "/reload", "").0, 200);
    assert_eq!(over_the_socket(&balancer, "POST", "/v1/reload", "").0, 200);
}

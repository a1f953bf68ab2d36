//! What stems from the environment is not shown: a running instance with a secret at every place where a variable can stand,
//! and everything that it and the commands say.

use dummy_servers::DummyServer;

use crate::harness::{Balancer, Finished, Place, Process, RawBackend, eventually};

const CANARY: &str = "canary4711";

/// A variable wherever a text can stand, `more` further lines.
fn config(good: &str, bad: &str, more: &str) -> String {
    format!(
        "port: \"127.0.0.1:${{PORT}}\"
state_dir: \"${{SECRET}}-state\"
error_pages: {{502: \"${{SECRET}}.html\"}}
sticky: {{key: \"${{SECRET}}-0123456789abcdef\"}}
timeouts: {{connect: \"${{TIME}}\"}}
retries: 0
health_check:
  path: \"/health?key=${{SECRET}}\"
  headers: {{X-Key: \"${{SECRET}}\", Authorization: \"Bearer ${{SECRET}}\"}}
  interval: 100ms
pools:
  good: {{backends: [\"http://${{HOST}}:{good}\"]}}
  bad:
    backends: [\"http://${{HOST}}:{bad}\"]
    health_check: {{body: \"fine ${{SECRET}}\"}}
    all_down: try
  worse:
    backends: [\"http://127.0.0.1:{bad}\"]
    health_check: {{body: {{regex: \"fine ${{SECRET}}\"}}}}
routes:
  - {{path: \"/${{SECRET}}\", pool: good, rewrite: \"/${{SECRET}}2\"}}
  - {{path: {{exact: \"/is-${{SECRET}}\"}}, pool: good, strip_prefix: \"/is-${{SECRET}}\"}}
  - {{path: {{regex: \"^/x${{SECRET}}\"}}, pool: good, rewrite: {{to: \"/${{SECRET}}\"}}}}
  - {{path: /asked, header: {{X-A: \"${{SECRET}}\"}}, query: {{b: \"${{SECRET}}\", c: {{regex: \"${{SECRET}}\"}}}}, pool: good}}
  - path: /failing
    pool: bad
    request_headers: {{set: {{X-A: \"${{SECRET}}\"}}, add: {{X-B: [\"${{SECRET}}\"]}}}}
    response_headers: {{set: {{X-C: \"${{SECRET}}\"}}}}
    rewrite: \"/${{SECRET}}\"
  - {{path: /moved, redirect: \"https://other.example/${{SECRET}}\"}}
  - {{path: /fixed, respond: {{status: 418, body: \"${{SECRET}}\", content_type: \"text/${{SECRET}}\"}}}}
  - {{path: /good, pool: good}}
{more}"
    )
}

/// A line with the environment before it.
fn shell(place: &Place, secret: &str, line: &str) -> Finished {
    Finished::of(start(place, secret, line))
}

fn start(place: &Place, secret: &str, line: &str) -> Process {
    let environment = format!("env SECRET={secret} PORT=0 HOST=127.0.0.1 TIME=1s");
    place.start_shell(&format!("{environment} {line}"))
}

#[test]
fn no_output_shows_what_stems_from_the_environment() {
    let good = DummyServer::start("a").unwrap();
    let bad = RawBackend::start("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsick");
    let port = good.url().rsplit_once(':').unwrap().1.to_owned();
    let bad_port = bad.port().to_string();
    let text = |more: &str| config(&port, &bad_port, more);
    let place = Place::new();
    place.write(&format!("{CANARY}.html"), "a page");
    place.write("config.yaml", &text(""));
    let mut all = Vec::new();
    for line in ["simple-lb check", "simple-lb check --json"] {
        all.push(shell(&place, CANARY, line));
        assert_eq!(all.last().unwrap().code, 0, "{all:?}");
    }
    // Other marks each time, for nobody is to compare them.
    assert!(all[0].stdout.contains("/health?key=*** ("), "{}", all[0].stdout);
    let again = shell(&place, CANARY, "simple-lb check").stdout;
    assert_ne!(again, all[0].stdout);

    let balancer = Balancer::of(&place, start(&place, CANARY, "simple-lb --config config.yaml"));
    eventually("the failing probe", || {
        let status = place.run("status");
        status.stdout.contains("its body has no").then_some(())
    });
    assert_eq!(balancer.get("/good").status, 200);
    // What is used is not what is shown.
    assert_eq!(
        balancer.get("/moved").header("Location"),
        Some("https://other.example/canary4711")
    );
    assert_eq!(balancer.get("/fixed").text(), CANARY);
    drop(bad);
    assert_eq!(balancer.get("/failing").status, 502);
    balancer.wait_for_log("/failing");

    for command in ["status", "status --json", "reload --dry-run"] {
        all.push(place.run(command));
    }
    let changed = text("").replace(
        "/moved, redirect: \"https://other.example/${SECRET}",
        "/moved, redirect: \"https://third.example/${SECRET}",
    );
    let changed = changed
        .replace("/health?key=", "/health?id=")
        .replace("fine ${SECRET}", "good ${SECRET}");
    let changed = changed.replace("X-A: \"${SECRET}", "X-A: \"other ${SECRET}");
    let changed = changed.replace("{502: \"${SECRET}.html\"}", "{502: \"./${SECRET}.html\"}");
    let changed = changed
        .replace("/xx${SECRET}", "/xy${SECRET}")
        .replace("/is-${SECRET}", "/was-${SECRET}");
    place.write("config.yaml", &changed);
    for command in ["reload --dry-run", "reload --dry-run --json", "reload", "status"] {
        all.push(place.run(command));
    }
    assert!(
        all.iter()
            .any(|output| output.stdout.contains("health_check.path")),
        "{all:#?}"
    );
    for wrong in [
        "workers: \"${SECRET}\"",
        "trusted_proxies: \"${SECRET}\"",
        "log: \"${SECRET}\"",
        "limits: {body_size: \"${SECRET}\"}",
        "port: \"${SECRET}\"",
        "failover: \"${SECRET}\"",
    ] {
        let key = wrong.split(':').next().unwrap();
        let (before, after) = changed.split_once("error_pages").unwrap();
        let before = if key == "port" {
            before.split_once('\n').unwrap().1
        } else {
            before
        };
        place.write("config.yaml", &format!("{wrong}\n{before}error_pages{after}"));
        all.push(place.run("reload"));
        assert_ne!(all.last().unwrap().code, 0, "{wrong}");
    }
    // A page that is missing, in the line that names it.
    place.write("config.yaml", &changed.replace("${SECRET}.html", "${SECRET}.svg"));
    let missing = place.run("reload");
    assert!(missing.stderr.contains("config.yaml:3:"), "{missing:?}");
    all.push(missing);

    let mut said: Vec<String> = all
        .iter()
        .map(|output| format!("{}{}", output.stdout, output.stderr))
        .collect();
    said.push(balancer.log());
    said.push(balancer.process.stdout());
    for text in &said {
        assert!(!text.contains(CANARY), "{text}");
    }
    // What must be typed, or is no secret, is there.
    assert!(said.iter().any(|text| text.contains(&good.url())), "{said:#?}");
}

#[test]
fn marks_of_what_runs_can_be_compared_over_restarts_and_a_refused_start_keeps_no_key() {
    let [server] = crate::harness::backends();
    let place = Place::new();
    let text = |port: &str| {
        format!(
            "port: \"{port}\"\nstate_dir: state\nsticky: on\nbackends: [\"{}\"]\n\
             health_check: {{path: \"/?${{SECRET}}\"}}\nroutes: [{{path: \"/${{SECRET}}\", pool: default}}]\n",
            server.url()
        )
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    place.write("config.yaml", &text(&taken.local_addr().unwrap().to_string()));
    let refused = shell(&place, CANARY, "simple-lb --config config.yaml");
    assert_ne!(refused.code, 0);
    assert!(!place.folder().join("state").exists(), "{refused:?}");

    place.write("config.yaml", &text("127.0.0.1:0"));
    let route = || {
        let balancer = Balancer::of(&place, start(&place, CANARY, "simple-lb --config config.yaml"));
        let route = balancer.status().routes.first().unwrap().when.clone();
        drop(balancer);
        route
    };
    let first = route();
    assert!(first.starts_with("path /*** ("), "{first}");
    assert_eq!(route(), first);
    use std::os::unix::fs::MetadataExt;
    for name in ["marks.key", "sticky.key"] {
        let meta = std::fs::metadata(place.folder().join("state").join(name)).unwrap();
        assert_eq!(meta.mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_refused_reload_keeps_no_key() {
    let [server] = crate::harness::backends();
    let text = |more: &str| {
        format!(
            "port: \"127.0.0.1:0\"\nstate_dir: state\nbackends: [\"{}\"]\n{more}",
            server.url()
        )
    };
    let balancer = Balancer::start(&text(""));
    balancer.write_config(&text("sticky: on\nlane: handler\nworkers: 7\n"));
    let refused = balancer.reload();
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(!balancer.place.folder().join("state").exists());
    balancer.reload_with(&text("sticky: on\n"));
    assert!(balancer.place.folder().join("state/sticky.key").exists());
}

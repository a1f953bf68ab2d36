//! No output shows what is secret: a file with planted secrets, and everything that is said of it.

use super::*;
use crate::config::ReloadPlan;

/// Each place where a secret may stand, with `SECRET` in the secret's place.
const FILE: &str = "port: 1
secret_names: x-house
backends: [\"http://${HOST}:${PORT:-81}\"]
sticky: {key: SECRETsticky0123456789}
health_check:
  path: /probe-${TOKEN}?key=${TOKEN}
  body: \"good ${TOKEN}\"
  host: \"${HOST}\"
  headers: {Authorization: Bearer SECRETcheck, X-House: SECREThouse, X-Env: \"${TOKEN}\"}
routes:
  - host: a.test
    header: {X-Api-Key: SECRETexact, Cookie: {regex: SECRETregex}, X-Env: \"${TOKEN}\"}
    query: {token: SECRETquery}
    pool: default
    request_headers: {set: {Authorization: Bearer SECRETset, X-Env: \"a ${TOKEN}\"}, add: {X-Secret: [SECRETadd]}}
    response_headers: {set: {Set-Cookie: SECRETresponse}}
  - {host: b.test, redirect: \"https://b.example/${TOKEN}\"}
  - {host: c.test, path: {regex: ^/c}, pool: default, rewrite: {to: \"/${TOKEN}\"}}
  - {host: d.test, path: \"/hook/${TOKEN}/\", pool: default, rewrite: \"/${TOKEN}/\"}
  - {host: e.test, path: {exact: \"/hook/${TOKEN}\"}, pool: default, strip_prefix: \"/${TOKEN}\"}
  - {host: e.test, path: {regex: \"^/${TOKEN}$\"}, pool: default, rewrite: {regex: \"^/${TOKEN}$\", to: /x}}
  - {host: f.test, query: {a: {regex: \"${TOKEN}\"}}, respond: {body: \"${TOKEN}\", content_type: \"text/${TOKEN}\"}}
";

fn outputs(secret: &str, token: &str, key: Option<[u8; 16]>) -> (Config, String) {
    let env = |name: &str| match name {
        "TOKEN" => Ok(token.to_owned()),
        "HOST" => Ok("up.example".to_owned()),
        _ => Err(std::env::VarError::NotPresent),
    };
    let outside = Outside { env: &env, key };
    let text = FILE.replace("SECRET", secret);
    let loaded = load_with_origins(&text, "config.yaml", &outside).unwrap_or_else(|error| panic!("{error}"));
    let settings = loaded.config.settings().into_iter();
    let mut all: String = settings.map(|(key, value)| format!("{key} {value}\n")).collect();
    for route in &loaded.config.routes {
        all.push_str(&format!("{} {}\n", route.label(), route.when));
    }
    all.extend(loaded.warnings.iter().map(|warning| format!("{warning}\n")));
    (loaded.config, all)
}

#[test]
fn no_output_shows_a_secret_and_every_plan_shows_that_it_changed() {
    let (before, shown) = outputs("hunter", "from-outside", Some([1; 16]));
    assert!(
        shown.contains("***") && !shown.contains("hunter") && !shown.contains("outside"),
        "{shown}"
    );
    let (after, _) = outputs("rabbit", "from-elsewhere", Some([1; 16]));
    for (from, to) in [(&before, &after), (&after, &before)] {
        let lines = ReloadPlan::between(from, to).lines();
        let shown = lines.join("\n");
        let leaks = ["hunter", "rabbit", "outside", "elsewhere"].map(|secret| shown.contains(secret));
        assert_eq!(leaks, [false; 4], "{shown}");
        // The check's three header lines are one setting.
        let check = lines
            .iter()
            .find(|line| line.starts_with("~ health_check.headers"));
        let (was, is) = check.and_then(|line| line.split_once(" -> ")).unwrap();
        assert!(was.matches("***").count() == 3 && !was.contains(is), "{shown}");
    }
    // What a person types, and what everybody on the network sees, stays.
    assert!(
        shown.contains("http://up.example:81") && shown.contains("host up.example"),
        "{shown}"
    );
    // So does what the file itself says around a variable.
    for part in ["path /probe-***?key=*** (", "path /hook/***/ (", "text/*** ("] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    assert!(ReloadPlan::between(&before, &outputs("hunter", "from-outside", Some([1; 16])).0).is_empty());
}

#[test]
fn marks_of_another_process_say_nothing() {
    assert_ne!(
        outputs("hunter", "t", Some([1; 16])).1,
        outputs("hunter", "t", Some([2; 16])).1
    );
}

#[test]
fn no_problem_shows_a_secret() {
    let env = |name: &str| match name {
        "TOKEN" => Ok("hunter hunter\u{7}".to_owned()),
        _ => Err(std::env::VarError::NotPresent),
    };
    for text in [
        "sticky: {key: hunter}",
        "health_check: {headers: {Authorization: \"hunter\\t\"}}",
        "health_check: {headers: {X-A: \"${TOKEN}\"}}",
        "health_check: \"${TOKEN}\"",
        "log: ${TOKEN}",
        "strategy: ${TOKEN}",
        "timeouts: ${TOKEN}",
        "workers: ${TOKEN}",
        "trusted_proxies: \"${TOKEN}\"",
        "state_dir: [\"${TOKEN}\"]",
        "error_pages: {502: \"${TOKEN}\"}",
        "routes: [{pool: \"${TOKEN}\"}]",
        "routes: [{path: \"${TOKEN}\", pool: default}]",
        "routes: [{redirect: \"${TOKEN}\"}]",
        "routes: [{pool: default, request_headers: {set: {Authorization: \"{hunter}\"}}}]",
        "routes: [{pool: default, request_headers: {set: {X-A: \"{${TOKEN}}\"}}}]",
        "routes: [{header: {Cookie: {regex: \"hunter(\"}}, pool: default}]",
        "pools: {a: [\"http://${TOKEN}\"]}",
    ] {
        let outside = Outside {
            env: &env,
            key: Some([1; 16]),
        };
        let error = load_with_origins(&with(text), "config.yaml", &outside).expect_err(text);
        assert!(!error.to_string().contains("hunter"), "{text}\n{error}");
    }
}

//! The admin listener: what is opened to whom.

use super::*;
use crate::{
    config::{AdminConfig, AdminRole, MetricsAccess, ReloadPlan},
    token::TokenDigest,
};

const TOKEN: &str = "0123456789abcdef";

fn admin(text: &str) -> AdminConfig {
    let config = config(&format!("port: 1\nbackends: [http://a]\nadmin: {text}\n"));
    config.admin.unwrap_or_else(|| panic!("{text}"))
}

fn refusal(text: &str) -> String {
    let text = format!("port: 1\nbackends: [http://a]\nadmin: {text}\n");
    let problems = load(&text, "config.yaml", &|_| None)
        .map(|_| ())
        .map_err(|error| error.to_string());
    problems.err().unwrap_or_else(|| panic!("accepted: {text}"))
}

#[test]
fn it_is_off_unless_it_is_written() {
    assert_eq!(config("port: 1\nbackends: [http://a]\n").admin, None);
    assert_eq!(config("port: 1\nbackends: [http://a]\nadmin: off\n").admin, None);
    assert_eq!(admin("on"), AdminConfig::default());
    assert_eq!(admin("{}"), AdminConfig::default());
    let one = admin("\"127.0.0.1:9100\"");
    assert_eq!(
        (one.listen.to_string().as_str(), one.tokens.len()),
        ("127.0.0.1:9100", 0)
    );
    assert!(admin("\"[::1]:0\"").is_local());
}

#[test]
fn a_token_alone_is_one_for_everything() {
    let admin = admin(&format!("{{listen: 9000, token: {TOKEN}}}"));
    let presented = TokenDigest::of(TOKEN.as_bytes());
    let found = admin.find(&presented).map(|token| (&*token.name, token.role));
    assert_eq!(found, Some(("admin", AdminRole::Admin)));
    assert_eq!(admin.find(&TokenDigest::of(b"0123456789abcdeF")), None);
}

#[test]
fn tokens_have_names_roles_and_perhaps_files() {
    let admin = admin(&format!(
        "{{listen: 9000, hosts: [LB.test], metrics: open, tokens: [{{name: ops, file: a.token, role: admin}}, {{name: 7, token: {TOKEN}}}]}}"
    ));
    let shown: Vec<_> = admin
        .tokens
        .iter()
        .map(|token| (&*token.name, token.role, token.digest.is_some()))
        .collect();
    assert_eq!(
        shown,
        [("ops", AdminRole::Admin, false), ("7", AdminRole::Read, true)]
    );
    assert_eq!(
        (&*admin.hosts[0], admin.metrics),
        ("lb.test", MetricsAccess::Open)
    );
}

#[test]
fn what_would_open_it_to_everybody_is_refused_with_what_to_do() {
    for (text, said) in [
        (
            "9000",
            "3:8: admin: must be a loopback address as long as there is no token, got \"9000\"; add `token: \"${ADMIN_TOKEN}\"`, or write \"127.0.0.1:9000\"",
        ),
        (
            "{listen: 10.0.0.1:9000}",
            "3:17: admin.listen: must be a loopback address",
        ),
        (
            "{token: short}",
            "3:16: admin.token: must have at least 16 characters, without white space around them, got \"***\"",
        ),
        ("{tls: on}", "admin.tls: is not available in this version"),
        (
            "{listen: 1, token: 0123456789abcdef}",
            "admin.listen: must not overlap with `port` (:1)",
        ),
        (
            "{hosts: [\"a:80\"]}",
            "admin.hosts[0]: must be the name of a host, without a scheme and a port",
        ),
        ("{tokens: []}", "admin.tokens: must hold at least one token"),
        (
            "{tokens: [0123456789abcdef]}",
            "admin.tokens[0]: must be a mapping with `name`",
        ),
        (
            "{tokens: [{name: a}]}",
            "admin.tokens[0]: must have `token` or `file`",
        ),
        ("{tokens: [{file: a}]}", "admin.tokens[0].name: is required"),
        (
            "{tokens: [{name: a, file: a, token: 0123456789abcdef}]}",
            "admin.tokens[0].file: must not be there beside `token`",
        ),
        (
            "{tokens: [{name: a, file: a, role: write}]}",
            "admin.tokens[0].role: must be one of read, admin, got \"write\"",
        ),
        (
            "{tokens: [{name: a, file: a}, {name: a, file: b}]}",
            "admin.tokens: must have names that differ: there are two `a`",
        ),
        (
            "{token: 0123456789abcdef, tokens: [{name: a, token: 0123456789abcdef}]}",
            "admin.tokens: must hold secrets that differ: that of `admin` is another's, too",
        ),
    ] {
        let all = refusal(text);
        assert!(all.contains(said), "{text}: {all}");
        assert!(!all.contains(TOKEN) && !all.contains("short,"), "{all}");
    }
}

#[test]
fn who_may_use_it_changes_live_and_where_it_is_with_a_restart() {
    let text = |admin: &str| config(&format!("port: 1\nbackends: [http://a]\n{admin}\n"));
    let (off, on) = (text(""), text("admin: on"));
    let token = text(&format!("admin: {{token: {TOKEN}}}"));
    let other = text("admin: {token: fedcba9876543210}");
    let moved = text("admin: \"127.0.0.1:9001\"");
    let plan = |from: &Config, to: &Config| {
        let plan = ReloadPlan::between(from, to);
        assert_eq!(plan.apply(from), *to);
        (plan.lines().join("; "), plan.restart_required().len())
    };
    assert_eq!(plan(&off, &on), ("~ admin off -> on".to_owned(), 1));
    assert_eq!(
        plan(&on, &token),
        ("~ admin.tokens none -> admin (admin)".to_owned(), 0)
    );
    assert_eq!(
        plan(&token, &other),
        (
            "~ admin.tokens admin (admin) -> admin (admin), other secrets".to_owned(),
            0
        )
    );
    assert_eq!(
        plan(&on, &moved),
        ("~ admin.listen 127.0.0.1:9000 -> 127.0.0.1:9001".to_owned(), 1)
    );
}

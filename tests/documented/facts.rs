//! Lists of the documents against what the program has.

use std::{collections::BTreeSet, fs};

use lb_wire::Method;
use serde_json::Value;

use super::block::root;
use crate::harness::{Balancer, Place, backends};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn every_command_is_in_the_page_of_commands() {
    let (page, commands) = (read("docs/commands.md"), Place::new().commands());
    assert!(commands.len() > 5, "{commands:?}");
    let missing: Vec<_> = commands
        .iter()
        .filter(|name| !page.contains(&format!("| `simple-lb {name}")))
        .collect();
    assert!(missing.is_empty(), "docs/commands.md: no row for {missing:?}");
}

#[test]
fn every_field_of_the_status_is_in_the_page_of_observability() {
    let [a, b] = backends();
    let balancer = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\", \"{}\"]\nroutes: [{{path: /a, pool: default}}, {{pool: default}}]\n",
        a.url(),
        b.url()
    ));
    let drain = balancer.place.run(&format!("drain {} --for 10m", a.url()));
    assert_eq!(drain.code, 0, "{drain:?}");
    let mut fields = BTreeSet::new();
    collect(&balancer.place.run("status --json").json(), &mut fields);
    assert!(
        fields.contains("last_probe") && fields.contains("until_seconds"),
        "{fields:?}"
    );
    let page = read("docs/observability.md");
    let named = |field: &String| {
        let ends = [
            format!("`{field}`"),
            format!(".{field}`"),
            format!(" {field}`"),
            format!("{field}[]`"),
        ];
        ends.iter().any(|end| page.contains(end))
    };
    let missing: Vec<_> = fields.iter().filter(|field| !named(field)).collect();
    assert!(
        missing.is_empty(),
        "docs/observability.md does not name {missing:?}"
    );
}

fn collect(value: &Value, fields: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| collect(value, fields)),
        Value::Object(all) => all.iter().for_each(|(field, value)| {
            fields.insert(field.clone());
            collect(value, fields);
        }),
        _ => {}
    }
}

#[test]
fn security_lists_what_the_control_socket_offers() {
    let page = read("SECURITY.md");
    let (_, offers) = page.split_once("The control socket offers").unwrap();
    let (offers, _) = offers.split_once("\n\n").unwrap();
    let named: BTreeSet<_> = offers
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains(" /"))
        .map(str::to_owned)
        .collect();
    let source = read("src/admin/older.rs");
    let routes = source.split(".route(\"").skip(1).map(|route| {
        let (path, rest) = route.split_once('"').unwrap();
        let method = rest.split("web::").nth(1).unwrap().split('(').next().unwrap();
        format!("{} {path}", method.to_uppercase())
    });
    let routes: BTreeSet<_> = routes.collect();
    assert!(routes.len() >= 4, "{routes:?}");
    assert_eq!(named, routes);
}

#[test]
fn every_path_of_the_admin_api_is_in_its_page() {
    let (page, source) = (read("docs/admin.md"), read("src/admin/mod.rs"));
    let resources = source.split("web::resource(\"").skip(1).map(|rest| {
        let (path, rest) = rest.split_once('"').unwrap();
        let method = rest
            .trim_start_matches([')', '.', ' ', '\n'])
            .split('(')
            .next()
            .unwrap();
        format!(
            "| `{} {}` |",
            method.to_uppercase(),
            path.replace("{pool}", "NAME")
        )
    });
    let resources: Vec<String> = resources.collect();
    assert!(resources.len() >= 12, "{resources:?}");
    let missing: Vec<_> = resources.iter().filter(|row| !page.contains(*row)).collect();
    assert!(
        missing.is_empty(),
        "docs/admin.md: no row that begins with {missing:?}"
    );
}

#[test]
fn the_methods_that_may_be_sent_again_are_those_of_the_wire_lane() {
    let all = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT",
    ];
    let idempotent = |name: &&str| Method::from_bytes(name.as_bytes()).is_idempotent();
    let expected: BTreeSet<&str> = all.into_iter().filter(idempotent).collect();
    assert_eq!(expected.len(), 6, "{expected:?}");
    let example = read("config.yaml").replace("\n# ", " ");
    for (document, text, begin) in [
        (
            "docs/requests.md",
            read("docs/requests.md"),
            "A request is replayable if",
        ),
        ("config.yaml", example, "only if that is safe:"),
    ] {
        let (_, rest) = text
            .split_once(begin)
            .unwrap_or_else(|| panic!("{document}: {begin}"));
        let sentence = rest.split('.').next().unwrap();
        let words = sentence.split(|c: char| !c.is_ascii_alphabetic());
        let named: BTreeSet<_> = words.filter(|word| all.contains(word)).collect();
        assert_eq!(named, expected, "{document}: {sentence}");
    }
}

#[test]
fn every_status_of_an_error_is_in_the_page_of_requests() {
    let source = read("src/proxy/error.rs");
    let rows = ["attempt(", "request("].into_iter();
    let rows = rows.flat_map(|row| source.split(row).skip(1));
    // Those of timeouts: a line each, in a row of `TimeLimit`.
    let limits = read("core/src/attempts/limits.rs");
    let limits = limits.lines().map(str::trim);
    let limits: Vec<_> = limits
        .filter(|line| line.len() == 4 && line.ends_with(','))
        .collect();
    assert!(limits.len() >= 4, "{limits:?}");
    let statuses: BTreeSet<_> = rows
        .chain(limits)
        .map(|row| row.trim_start().chars().take(3).collect::<String>())
        .filter(|status| status.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    assert!(statuses.len() >= 6, "{statuses:?}");
    let page = read("docs/requests.md");
    for status in statuses {
        assert!(
            page.contains(&format!("\n| {status} |")),
            "docs/requests.md: no row for {status}"
        );
    }
}

/// The places in the two tables of `docs/routing.md`, under "The place of a redirect".
fn places(column: &str) -> Vec<String> {
    let page = read("docs/routing.md");
    let (_, rest) = page.split_once("### The place of a redirect").unwrap();
    let rest = rest.split("\n## ").next().unwrap();
    let lines = rest.lines().filter(|line| line.starts_with("| `"));
    let rows = lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let rows = rows.filter(|row| row[2].starts_with(column));
    rows.map(|row| row[1].trim_matches('`').to_owned()).collect()
}

#[test]
fn redirects_lead_where_the_page_of_routing_says() {
    let (accepted, refused) = (places("accepted"), places("refused"));
    assert!(
        accepted.len() > 4 && refused.len() > 3,
        "{accepted:?} {refused:?}"
    );
    let code = |redirect: &String| {
        let place = Place::new();
        let route = format!("routes: [{{redirect: \"{redirect}\"}}]\n");
        place.write(
            "config.yaml",
            &format!("port: 0\nbackends: [\"http://a\"]\n{route}"),
        );
        place.run("check").code
    };
    for redirect in &accepted {
        assert_eq!(code(redirect), 0, "{redirect}");
    }
    for redirect in &refused {
        assert_eq!(code(redirect), 64, "{redirect}");
    }
}

/// The Rust files below these folders, as one text.
fn sources(folders: &[&str]) -> String {
    let mut all = String::new();
    let mut left: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all += &fs::read_to_string(path).unwrap();
        }
    }
    all
}

/// `name_…` stands for a test whose name is longer.
#[test]
fn every_test_that_the_page_of_the_handler_lane_names_exists() {
    let page = read("docs/handler-lane.md");
    let sources = sources(&["tests", "src/upstream", "src/front", "src/lane"]);
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|line| line.trim_end_matches([' ', '|']).rsplit('|').next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names: BTreeSet<_> = names
        .filter(|name| name.contains('_') && !name.contains('.'))
        .collect();
    assert!(names.len() > 10, "{names:?}");
    let exists = |name: &&&str| match name.trim_start_matches('…').strip_suffix('…') {
        Some(begin) => sources.contains(begin),
        None => sources.contains(&format!("{}(", name.trim_start_matches('…'))),
    };
    let gone: Vec<_> = names.iter().filter(|name| !exists(name)).collect();
    assert_eq!(gone, Vec::<&&str>::new());
}

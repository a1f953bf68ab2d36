//! Files that nobody wrote in good faith: refused, in little time, without a panic.

use proptest::prelude::*;

use super::*;
use crate::config::document::{MAX_BYTES, MAX_VALUES};

const GOOD: &str = "port: [8000, \"127.0.0.1:8001\"]\nstrategy: round-robin # 방식\nbackends:\n  - &a \"http://localhost:9001\"\n  \
    - {url: 'http://[::1]:9002', weight: \"${WEIGHT:-3}\"}\n  - url: http://b\n    health_check: false\n\
    health_check: {path: /a, interval: 5s, status: [200, \"300-399\"], jitter: 10%}\ntimeouts:\n  connect: 3s\n  \
    request: none\nretries: {attempts: 2, budget: 20%}\ntrusted_proxies: [10.0.0.0/8]\nlog: >-\n  info\n\
    pools: {api: {backends: [http://c], health_check: true}, d: [http://d]}\nroutes:\n  - {host: [a.example, '*.b'], path: {regex: '^/(x)'}, \
    pool: api, rewrite: {to: '/{1}'}, request_headers: {set: {X-A: '{client_ip}'}}}\n  - {header: {X: {present: false}}, split: {d: 9, default: 1}, \
    split_by: cookie a}\n  - {query: {a: b}, client: 10.0.0.0/8, redirect: 'https://{host}{target}'}\n  - {respond: {status: 200, body: hi}}\nlane: wire\nvia: on\ntrace: off\nlimits: {header_size: 64KiB, body_size: 10MB, connections: 9}\n\
    error_pages:\n  502: 502.html\n  \"503\": \"${HOST}.html\"\n";

#[test]
fn large_files_are_refused() {
    let text = format!("{GOOD}{}", "#".repeat(16 * 1024 * 1024));
    assert_eq!(
        problems(&text),
        [format!(
            " is {} bytes long; a configuration has at most {MAX_BYTES}",
            text.len()
        )]
    );
}

#[test]
fn deep_nesting_is_refused() {
    for opening in [
        "[", "{a: ", "- ", "? ", "[\n    ", "{a: [", "!t [", "&a [", "- - ? ",
    ] {
        let text = format!("port: 1\nbackends:\n  {}", opening.repeat(100_000));
        let said = problems(&text).join("\n");
        assert!(
            said.contains("is nested deeper than 64 levels"),
            "{opening}: {said}"
        );
    }
}

/// Whatever one parser stops at must not leave the other alone with the rest.
#[test]
fn deep_nesting_behind_an_error_is_refused_in_little_time() {
    for start in [
        "a: b: c\n",
        "\u{1}",
        "\u{2028}",
        "# \u{85}",
        "%x\n---\n",
        "? &b *b : ",
        "'a' b",
        "\"\\q\"",
        "@",
    ] {
        let text = format!("{start}{}", "{a: ".repeat(200_000));
        assert!(!problems(&text).is_empty(), "{start}");
    }
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
    }
    assert_eq!(
        problems(&text),
        [format!(
            " holds more than {MAX_VALUES} values; each use of an alias counts"
        )]
    );
    let text = format!(
        "a: &a [{}]\nb: [{}]\n",
        "x, ".repeat(10_000),
        "*a, ".repeat(1_000)
    );
    assert_eq!(
        problems(&text),
        [format!(
            " holds more than {MAX_VALUES} values; each use of an alias counts"
        )]
    );
    for text in ["a: &a [*a]", "a: &a {b: *a}", "&a [*a]", "a: &a\n  <<: *a\n"] {
        let said = problems(text);
        assert!(said[0].contains("contains itself"), "{text}: {said:?}");
    }
}

#[test]
fn many_problems_take_little_time() {
    let text = format!("port: 1\nbackends:\n{}", "  - {weigth: 0, a: b}\n".repeat(5_000));
    assert_eq!(problems(&text).len(), 3 * 5_000);
    let text: String = (0..10_000).map(|key| format!("k{key}: 1\n")).collect();
    assert_eq!(problems(&text).len(), 10_002);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}|[]\\[{}:,#&*!|>'\"%@`?~ \\t\\n\\ra-c0-2<$-]{0,60}") {
        let _ = load(&text, "x", &env);
    }

    #[test]
    fn no_damage_to_a_good_file_makes_it_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[]\\[{}:,#&*!|>'\" \\n$-]{0,3}|\\PC"), 1..6)
    ) {
        let mut characters: Vec<char> = GOOD.chars().collect();
        for (at, length, replacement) in cuts {
            let at = at.index(characters.len());
            let end = (at + length.index(4)).min(characters.len());
            characters.splice(at..end, replacement.chars());
            if characters.is_empty() {
                break;
            }
        }
        let text: String = characters.into_iter().collect();
        let error = match load(&text, "x", &env) {
            Ok(_) => {
                schema::validates(&text);
                return Ok(());
            }
            Err(error) => error,
        };
        prop_assert!(!error.problems.is_empty());
        for problem in error.problems {
            let shown = problem.to_string();
            prop_assert!(!shown.contains(char::is_control), "{:?}", shown);
            let Some(position) = problem.position else { continue };
            prop_assert!((1..=text.lines().count() + 1).contains(&position.line) && position.column > 0, "{:?}", shown);
        }
    }
}

#[test]
fn the_good_file_is_good() {
    assert_eq!(config(GOOD).pools["default"].backends.len(), 3);
}
